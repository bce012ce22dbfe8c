//! Durability: what a commit costs at each level that the store has.

use std::time::Instant;

use strata::{Durability, Strata};

use super::{Told, held};
use crate::failure::Failure;

/// How many commits of each level are timed.
const COMMITS: u32 = 20;

/// Commits at every level up to the store's highest, one after the other.
pub(super) async fn levels(db: &Strata) -> Told {
    let highest = db.capabilities().durability;
    enough(highest, cfg!(target_os = "linux"))?;
    let mut told = Vec::new();
    for level in [Durability::Relaxed, Durability::Process, Durability::Power] {
        if level > highest {
            told.push(format!("{level} not verified: this system has no barrier that is"));
            continue;
        }
        let started = Instant::now();
        for number in 0..COMMITS {
            db.set(&format!("durable:{level}"), &number).durability(level).await?;
        }
        let each = started.elapsed() / COMMITS;
        told.push(format!("{level} {:.2} ms", each.as_secs_f64() * 1000.0));
    }
    Ok(format!("one commit: {}", told.join(", ")))
}

/// On Linux this program has a barrier that was verified when the store was opened. Elsewhere there is none, which is told.
fn enough(highest: Durability, linux: bool) -> Result<(), Failure> {
    held(highest >= Durability::Process, "a store on disk survives the death of its process")?;
    held(!linux || highest == Durability::Power, "on Linux, a store on disk survives a loss of power")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_that_is_missing_where_it_has_to_be_is_no_success() {
        for (highest, linux, good) in [
            (Durability::Power, true, true),
            (Durability::Process, true, false),
            (Durability::Process, false, true),
            (Durability::Relaxed, false, false),
            (Durability::Volatile, true, false),
        ] {
            assert_eq!(enough(highest, linux).is_ok(), good, "{highest} on Linux: {linux}");
        }
    }
}
