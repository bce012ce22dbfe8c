//! `export`: records as lines of JSON.

use strata::{Error, ErrorKind, KeyId, Strata};

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
    if let Some(id) = export.key_id {
        check_key(db, id)?;
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
                let line = serde_json::to_string(&line).map_err(|error| Failure::Bad(error.to_string()))?;
                // A reader may have seen enough, but not of an export that has left records out.
                out.line(line).map_err(|failure| if broken > 0 { failure.amid() } else { failure })?;
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

/// Refuses an id that no key has, once, instead of every record.
fn check_key(db: &Strata, id: KeyId) -> Result<(), Failure> {
    let keys = db
        .keyset()
        .ok_or_else(|| Failure::Usage("the store is not encrypted, so it has no keys".to_owned()))?;
    if keys.list().iter().any(|key| key.id == id) {
        return Ok(());
    }
    let message = format!("key {id} is not in the keyset; `keyset list` prints the keys there are");
    Err(Error::new(ErrorKind::MissingKey, "export", message).into())
}
