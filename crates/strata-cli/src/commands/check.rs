//! `check`: is everything whole?

use serde_json::json;
use strata::{Check, Strata};

use crate::failure::Failure;
use crate::opening;
use crate::output::Out;
use crate::progress::Progress;

/// Compares indexes with records, opens every value, and ends with 1 if anything is wrong.
pub(crate) async fn check(db: &Strata, out: &mut Out) -> Result<(), Failure> {
    let total = db.stats().await?.and_then(|stats| stats.records);
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
    // Decided before anything is printed: a reader that leaves does not make a damaged store a good one.
    let verdict = verdict(db, check.count);
    let printed = print(&check, out);
    verdict?;
    printed
}

fn print(check: &Check, out: &mut Out) -> Result<(), Failure> {
    if out.json {
        return out.object(&json!({
            "records": check.records,
            "tag_entries": check.tag_entries,
            "due_entries": check.due_entries,
            "opened": check.opened,
            "problem_count": check.count,
            "problems": check.problems,
        }));
    }
    out.line(format!(
        "{} records (dead ones and the store's own included), {} tag entries, {} deadline entries, {} values opened",
        check.records, check.tag_entries, check.due_entries, check.opened
    ))?;
    for problem in &check.problems {
        out.line(format!("problem: {problem}"))?;
    }
    Ok(())
}

/// Whether all is well. What cannot be opened for want of a key is whole: nobody is told to remove that.
fn verdict(db: &Strata, count: u64) -> Result<(), Failure> {
    let missing = opening::missing_keys(db);
    match (count, missing.is_empty()) {
        (0, _) => Ok(()),
        (count, true) => Err(Failure::Bad(format!(
            "{count} problems; restore what is damaged from a backup, or remove it"
        ))),
        (count, false) => Err(Failure::Bad(format!(
            "{count} problems, and the keys given are not all of this store's: bring the one that has {}, and check again \
             before anything is removed",
            missing.join(", ")
        ))),
    }
}
