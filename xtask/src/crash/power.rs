//! Death by a power cut, simulated: the importer is recorded while it writes, then disks are rebuilt as they could be after
//! cuts at random points of the recording, opened and compared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::image::{Before, rebuild};
use super::kill::look;
use super::log::Event;
use super::random::Dice;
use super::recorder::{Recorder, events};
use super::strata::{End, Plan, Strata};
use super::traffic::{Ledger, Mix};
use super::{Tally, progress};
use crate::run::{During, Failure, Result};

/// Fewer keys than for kills: rewritten often, so that the engine reuses its segments, which is where barriers matter.
const KEYS: usize = 400;
const CUTS_PER_RECORDING: u32 = 10;
const LONGEST_RECORDING: Duration = Duration::from_secs(4);
const LINES: usize = 20_000;

/// Of a hundred lines, how many are relaxed. Few barriers are the hard case: much is on its way between two of them.
const RELAXED: [usize; 4] = [0, 75, 94, 99];

/// How likely a piece that was not synced is on the disk, in percent.
const SURVIVAL: [usize; 5] = [0, 10, 50, 90, 100];

/// One recording and what is needed to play it back.
struct Scene {
    strata: Strata,
    before: Before,
    events: Vec<Event>,
    ledger_before: Ledger,
    ledger_after: Ledger,
}

/// Plays that many cuts. Half of the recordings begin with a fresh store, half with the store of the one before.
pub(super) fn run(binary: &Path, scene: &Path, dice: &mut Dice, rounds: u32) -> Result<Tally> {
    let scene = scene.canonicalize().during("the folder for the stores")?;
    let recorder = Recorder::compile(&scene)?;
    let mut tally = Tally::default();
    let mut store: Option<(PathBuf, Ledger)> = None;
    for recording in 0.. {
        let (folder, ledger) = match store.take() {
            Some(known) if recording % 2 == 1 => known,
            _ => (scene.join(format!("store-{recording}")), Ledger::new(dice.next(), KEYS, Mix::FULL)),
        };
        std::fs::create_dir_all(&folder).during("making a folder for a store")?;
        let played = record(binary, &recorder, &folder, ledger, dice)?;
        let told: Vec<usize> = acknowledgements(&played.events).into_iter().map(|(at, _)| at).collect();
        if told.is_empty() {
            return Err(Failure::new("no acknowledgement is in the recording; was the recorder loaded?"));
        }
        tally.acknowledged += told.len() as u64;
        for cut in 0..CUTS_PER_RECORDING.min(rounds - tally.rounds) {
            let end = moment(&told, played.events.len(), dice);
            cut_at(&played, end, &folder.join(format!("cut-{cut}")), dice, &mut tally)?;
            tally.rounds += 1;
            progress(tally.rounds, rounds);
        }
        if tally.rounds == rounds {
            break;
        }
        store = Some((folder, played.ledger_after));
    }
    Ok(tally)
}

/// Where to cut: half of the time right behind an acknowledgement, which is when a barrier that came too late shows; else
/// anywhere behind the first.
fn moment(told: &[usize], events: usize, dice: &mut Dice) -> usize {
    if dice.percent(50) { dice.pick(told) + 1 } else { told[0] + 1 + dice.below(events - told[0]) }
}

/// Lets an importer write under the recorder. The store is in `db` below the folder.
fn record(
    binary: &Path,
    recorder: &Recorder,
    folder: &Path,
    ledger: Ledger,
    dice: &mut Dice,
) -> Result<Scene> {
    let (store, recording) = (folder.join("db"), folder.join("recording"));
    if recording.exists() {
        std::fs::remove_file(&recording).during("removing the last recording")?;
    }
    let environment = recorder.environment(&store, &recording);
    let strata = Strata { binary: binary.to_owned(), store, key: folder.join("key"), environment };
    let before = Before::read(&strata.store)?;
    let relaxed = dice.pick(&RELAXED);
    let plan =
        Plan { durability: "power", relaxed, time: LONGEST_RECORDING, lines: LINES, end: End::InputClosed };
    let mut ledger_after = ledger.clone();
    strata.import(&mut ledger_after, dice, &plan)?;
    let events = events(&recording)?;
    Ok(Scene { strata, before, events, ledger_before: ledger, ledger_after })
}

/// Rebuilds the disk behind the first `end` events and looks at it.
fn cut_at(scene: &Scene, end: usize, folder: &Path, dice: &mut Dice, tally: &mut Tally) -> Result {
    let events = &scene.events[..end];
    let percent = dice.pick(&SURVIVAL);
    let recorded = scene.strata.store.to_string_lossy();
    let image = rebuild(&scene.before, events, &recorded, percent, dice);
    let store = folder.join("db");
    image.write(&store)?;
    let known = acknowledgements(events);
    let mut ledger =
        scene.ledger_before.as_of(&scene.ledger_after, known.iter().map(|(_, key)| key.as_str()));
    let strata = Strata { store, environment: Vec::new(), ..scene.strata.clone() };
    let bad = tally.notes.len();
    let when = format!("{}, {end} of {} events, {percent} % survive", folder.display(), scene.events.len());
    look(&strata, &mut ledger, tally, &when)?;
    if tally.notes.len() == bad {
        std::fs::remove_dir_all(folder).during("removing a disk that was fine")?;
    } else {
        image.write(&folder.join("db-as-cut"))?; // looking has changed the other
    }
    Ok(())
}

/// The acknowledged keys, each with the place of the event that completed its line.
fn acknowledgements(events: &[Event]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let Event::Output { data } = event else { continue };
        for byte in data {
            if *byte == b'\n' {
                found.push((at, String::from_utf8_lossy(&std::mem::take(&mut line)).trim().to_owned()));
            } else {
                line.push(*byte);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_comes_behind_the_first_acknowledgement_and_often_right_behind_one() {
        let mut dice = Dice::new(1);
        let cuts: Vec<usize> = (0..200).map(|_| moment(&[10, 500], 1000, &mut dice)).collect();
        assert!(cuts.iter().all(|cut| (11..=1000).contains(cut)));
        assert!(cuts.iter().filter(|cut| **cut == 501).count() > 20);
        assert!(cuts.iter().filter(|cut| ![11, 501].contains(*cut)).count() > 60);
    }

    #[test]
    fn an_acknowledgement_counts_from_the_end_of_its_line() {
        let output = |text: &str| Event::Output { data: text.as_bytes().to_vec() };
        let events = [output("k000001\nk00"), Event::SyncEnd { number: 1 }, output("0002\n"), output("k0")];
        assert_eq!(acknowledgements(&events), [(0, "k000001".to_owned()), (2, "k000002".to_owned())]);
    }
}
