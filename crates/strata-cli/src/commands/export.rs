//! `export`: records as lines of JSON.

use strata::Strata;

use crate::args::Export;
use crate::failure::Failure;
use crate::line::Line;
use crate::output::Out;
use crate::progress::Progress;

/// Writes every selected record on a line of its own, sealed unless `plaintext`. A record that can't be opened is told on
/// standard error and left out; the exit code then is 1.
pub(crate) async fn export(
    db: &Strata,
    export: &Export,
    plaintext: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    if plaintext && export.key_id.is_some() {
        return Err(Failure::Usage("`--plaintext` and `--key-id` exclude each other".to_owned()));
    }
    let mut select = db.select().glob(&export.glob);
    for tag in &export.tags {
        select = select.tag(tag);
    }
    let mut records = if plaintext { select.export_plaintext() } else { select.export_sealed(export.key_id) };
    let progress = Progress::counting("records exported", None);
    let mut broken = 0_u64;
    while let Some(record) = records.next().await {
        match record.and_then(Line::of) {
            Ok(line) => {
                out.line(serde_json::to_string(&line).map_err(|error| Failure::Bad(error.to_string()))?)?;
            }
            Err(error) => {
                broken += 1;
                Failure::from(error).tell(out.json);
            }
        }
        progress.step();
    }
    match broken {
        0 => Ok(()),
        broken => Err(Failure::Bad(format!("{broken} records were left out; `check` names what is damaged"))),
    }
}
