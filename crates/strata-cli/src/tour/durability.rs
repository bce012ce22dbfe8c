//! Durability: what a commit costs at each level that the store has.

use std::time::Instant;

use strata::{Durability, Strata};

use super::{Told, held};

/// How many commits of each level are timed.
const COMMITS: u32 = 20;

/// Commits at every level up to the store's highest, one after the other.
pub(super) async fn levels(db: &Strata) -> Told {
    let highest = db.capabilities().durability;
    held(highest >= Durability::Process, "a store on disk survives the death of its process")?;
    let mut told = Vec::new();
    for level in [Durability::Relaxed, Durability::Process, Durability::Power] {
        if level > highest {
            told.push(format!("{level} not on this system"));
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
