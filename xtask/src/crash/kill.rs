//! Death by kill -9, at a random moment, over and over on one store.

use std::path::Path;
use std::time::Duration;

use super::random::Dice;
use super::strata::{End, Plan, Strata, copy_folder};
use super::traffic::{Ledger, Mix};
use super::{Tally, progress};
use crate::run::Result;

/// Keys in the store; each is written many times.
const KEYS: usize = 2000;

/// Kills the importer that many times. What one round wrote is still judged in the last.
pub(super) fn run(binary: &Path, scene: &Path, dice: &mut Dice, rounds: u32) -> Result<Tally> {
    let strata = Strata {
        binary: binary.to_owned(),
        store: scene.join("db"),
        key: scene.join("key"),
        environment: Vec::new(),
    };
    let mut ledger = Ledger::new(dice.next(), KEYS, Mix::FULL);
    let mut tally = Tally::default();
    for round in 1..=rounds {
        let time = Duration::from_millis(5 + dice.below(396) as u64);
        let plan = Plan { durability: "process", relaxed: 0, time, lines: usize::MAX, end: End::Killed };
        tally.acknowledged += strata.import(&mut ledger, dice, &plan)?;
        tally.rounds = round;
        let bad = tally.notes.len();
        look(&strata, &mut ledger, &mut tally, &format!("kill {round} after {time:?}"))?;
        if tally.notes.len() > bad {
            copy_folder(&strata.store, &scene.join(format!("bad-{round}")))?;
        }
        progress(round, rounds);
    }
    Ok(tally)
}

/// Opens what is left, compares it with the ledger and lets the store check itself.
pub(super) fn look(strata: &Strata, ledger: &mut Ledger, tally: &mut Tally, when: &str) -> Result {
    if ledger.expects_nothing() {
        return Ok(()); // perhaps killed while the store was being made; the next importer has to manage with that
    }
    if let Err(said) = strata.check()? {
        tally.check_failures += 1;
        tally.notes.push(format!("{when}: {said}"));
    }
    match strata.export()? {
        Ok(found) => {
            let mut verdict = ledger.judge(&found);
            verdict.examples.iter_mut().for_each(|example| example.insert_str(0, &format!("{when}: ")));
            tally.judge(&verdict);
        }
        Err(said) => {
            tally.open_failures += 1;
            tally.notes.push(format!("{when}: {said}"));
        }
    }
    Ok(())
}
