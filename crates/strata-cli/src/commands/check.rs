//! `check`: is everything whole?

use serde_json::json;
use strata::Strata;

use crate::failure::Failure;
use crate::output::Out;
use crate::progress::Progress;

/// Compares indexes with records, opens every value, and ends with 1 if anything is wrong.
pub(crate) async fn check(db: &Strata, out: &mut Out) -> Result<(), Failure> {
    let total = db.stats().await?.map(|stats| stats.records);
    let mut progress = Progress::waiting("comparing indexes with records");
    let check = db
        .check(|opened| {
            if opened == 1 {
                progress = Progress::counting("values opened", total);
            }
            progress.at(opened);
        })
        .await?;
    drop(progress);
    if out.json {
        out.object(&json!({
            "records": check.records,
            "tag_entries": check.tag_entries,
            "due_entries": check.due_entries,
            "opened": check.opened,
            "problem_count": check.count,
            "problems": check.problems,
        }))?;
    } else {
        out.line(format!(
            "{} records, {} tag entries, {} deadline entries, {} values opened",
            check.records, check.tag_entries, check.due_entries, check.opened
        ))?;
        for problem in &check.problems {
            out.line(format!("problem: {problem}"))?;
        }
    }
    match check.count {
        0 => Ok(()),
        count => Err(Failure::Bad(format!(
            "{count} problems; restore what is damaged from a backup, or remove it"
        ))),
    }
}
