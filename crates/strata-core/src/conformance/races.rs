//! Threads against one store: no update is lost, one of many wins, no batch is torn, nothing slides back to life, and
//! walks hold while others write.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::batch::{Before, Guard, Keep, Op, Outcome, Write};
use crate::error::{ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::Key;
use crate::record::{Payload, Record, Version};
use crate::scan::Select;
use crate::store::Store;

use super::Drive;
use super::drive::value;
use super::space::{Space, any, at, must, op, put, put_with, tags};

/// Threads that do the same at the same time.
const THREADS: usize = 3;
/// Changes each of them makes.
const CHANGES: usize = 60;
/// How often races with a single outcome are run.
const ROUNDS: usize = 40;
/// Retries of one change; more mean that the store makes no progress.
const MANY_TRIES: usize = 100_000;

/// Looks at a [`Gate`] before a thread goes on alone.
const LONG_ENOUGH: usize = 20_000;

/// Writes `number` and keeps the rest.
fn number(number: u64) -> Write {
    Write::Put { payload: Payload::from(number.to_le_bytes().to_vec()), expiry: Keep::Keep, tags: Keep::Keep }
}

fn number_of(record: &Record) -> u64 {
    let bytes = record.payload.as_bytes().try_into().expect("a number has eight bytes");
    u64::from_le_bytes(bytes)
}

/// A place where threads wait for one another, so that races happen and are not just possible. Nobody waits for ever:
/// a thread that failed comes no more.
struct Gate {
    arrived: AtomicUsize,
    parties: usize,
}

impl Gate {
    fn of(parties: usize) -> Self {
        Self { arrived: AtomicUsize::new(0), parties }
    }

    /// Waits until everyone has arrived as often as this thread, or for long enough.
    fn meet(&self) {
        let place = self.arrived.fetch_add(1, Ordering::SeqCst);
        let wanted = (place / self.parties + 1) * self.parties;
        for _ in 0..LONG_ENOUGH {
            if self.arrived.load(Ordering::SeqCst) >= wanted {
                return;
            }
            thread::yield_now();
        }
    }
}

/// Runs `act` in [`THREADS`] threads at once; what each gave.
fn together<T: Send>(act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Gate::of(THREADS);
    thread::scope(|scope| {
        let (act, start) = (&act, &start);
        let run = move |number| {
            start.meet();
            act(number)
        };
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread of the race failed")).collect()
    })
}

/// Whether a commit was made; anything but a conflict ends the check.
fn made<T>(what: &str, result: Result<T>) -> Option<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::Conflict => None,
        other => Some(must(what, other)),
    }
}

/// Threads that read, add one and write back under the version they read: every addition counts.
pub fn lost_updates(store: &dyn Store, drive: Drive) {
    let space = Space::new(store, "lost_updates");
    let key = space.key("counter");
    value(drive, space.write(at(0), &key, number(0)));
    let read = Gate::of(THREADS);
    together(|_| {
        for _ in 0..CHANGES {
            let record = value(drive, space.found(&key));
            read.meet();
            value(drive, increment(&space, &key, record));
        }
    });
    let sum = number_of(&value(drive, space.found(&key)));
    assert_eq!(sum, (THREADS * CHANGES) as u64, "updates under version guards were lost");
}

/// Adds one to what was read, or to what is there by now.
async fn increment(space: &Space<'_>, key: &Key, mut record: Record) {
    for _ in 0..MANY_TRIES {
        let next = op(key, Guard::Version(record.version), number(number_of(&record) + 1));
        if made("an increment", space.commit(at(1), vec![next]).await).is_some() {
            return;
        }
        record = space.found(key).await;
    }
    panic!("an increment met a conflict {MANY_TRIES} times: somebody has to win");
}

/// Of threads that create, replace the dead, change one version or remove at once, exactly one does.
pub fn one_winner(store: &dyn Store, drive: Drive) {
    let space = Space::new(store, "one_winner");
    for round in 0..ROUNDS {
        let key = space.key(&format!("round{round:02}"));
        let mortal = || put_with("winner", Expiry::at(at(5)), tags(&[]));
        race(&space, drive, "create", Before::Absent, || op(&key, Guard::Absent, mortal()));
        let first = value(drive, space.found(&key)).version;
        let live = Before::Live(first);
        race(&space, drive, "change", live, || op(&key, Guard::Version(first), mortal()));
        let second = value(drive, space.found(&key)).version;
        let dead = Before::Dead(second);
        race(&space, drive, "replace the dead", dead, || op(&key, Guard::Absent, put("winner")));
        let third = value(drive, space.found(&key)).version;
        removals(&space, drive, &key, third);
    }
}

/// Every thread commits the same operation at 9, except that a first life is written and changed while it lives.
fn race(space: &Space<'_>, drive: Drive, what: &str, found: Before, op: impl Fn() -> Op + Sync) {
    let now = if matches!(found, Before::Dead(_)) { at(9) } else { at(1) };
    let outcomes = together(|_| made(what, value(drive, space.commit(now, vec![op()]))));
    let winners: Vec<Outcome> =
        outcomes.into_iter().flatten().map(|committed| committed.outcomes[0]).collect();
    assert_eq!(winners.len(), 1, "{what}: exactly one of {THREADS} has to win: {winners:?}");
    assert_eq!(winners[0].before, found, "{what}: what the winner found");
}

/// Everyone may remove; one finds the record.
fn removals(space: &Space<'_>, drive: Drive, key: &Key, version: Version) {
    let outcomes = together(|_| value(drive, space.apply(at(10), any(key, Write::Remove))));
    let found = outcomes.iter().filter(|outcome| outcome.before == Before::Live(version)).count();
    assert_eq!(found, 1, "exactly one removal finds the record, or its end is announced twice: {outcomes:?}");
}

/// Transfers between pairs of three accounts while others look: nobody ever sees half of one, and no two transfers
/// that overlap are both made of the same money.
pub fn torn_batches(store: &dyn Store, drive: Drive) {
    let space = Space::new(store, "torn_batches");
    if !space.batches() {
        // That such a store refuses batches whole is checked among the refusals.
        return;
    }
    let accounts = ["a", "b", "c"].map(|name| space.key(name));
    let opening = accounts.iter().map(|key| any(key, number(500))).collect();
    must("opening accounts", value(drive, space.commit(at(0), opening)));
    // The first thread looks on, the others read their accounts at the same time before they write.
    let read = Gate::of(THREADS - 1);
    together(|thread| {
        for round in 0..CHANGES {
            if thread == 0 {
                value(drive, audit(&space, &accounts));
                continue;
            }
            // Every pair in both directions, so that locks taken in the batch's order would wait in a circle.
            let (from, by) = ((round + thread) % 3, 1 + (round / 3 + thread) % 2);
            let pair = [&accounts[from], &accounts[(from + by) % 3]];
            let seen = value(drive, both(&space, pair));
            read.meet();
            value(drive, transfer(&space, pair, seen, (round * 7 + thread * 13) as u64 % 50));
        }
    });
    assert!(value(drive, audit(&space, &accounts)), "an audit without competition meets a conflict");
}

async fn both(space: &Space<'_>, [from, to]: [&Key; 2]) -> [Record; 2] {
    [space.found(from).await, space.found(to).await]
}

/// Moves `amount` as far as it is there, beginning with what was seen.
async fn transfer(space: &Space<'_>, pair: [&Key; 2], mut seen: [Record; 2], amount: u64) {
    for _ in 0..MANY_TRIES {
        let [source, target] = &seen;
        let amount = amount.min(number_of(source));
        let ops = vec![
            op(pair[0], Guard::Version(source.version), number(number_of(source) - amount)),
            op(pair[1], Guard::Version(target.version), number(number_of(target) + amount)),
        ];
        if made("a transfer", space.commit(at(1), ops).await).is_some() {
            return;
        }
        seen = both(space, pair).await;
    }
    panic!("a transfer met a conflict {MANY_TRIES} times: somebody has to win");
}

/// Reads all accounts and has the store confirm that they were read at one moment. Gives up after a while and says
/// so: the writers end, and the last audit has no competition.
async fn audit(space: &Space<'_>, accounts: &[Key; 3]) -> bool {
    for _ in 0..200 {
        let mut checks = Vec::new();
        let mut sum = 0;
        for key in accounts {
            let record = space.found(key).await;
            sum += number_of(&record);
            checks.push(op(key, Guard::Version(record.version), Write::Check));
        }
        if made("an audit", space.commit(at(1), checks).await).is_some() {
            assert_eq!(sum, 1500, "half a batch was seen, or one was made of what another had changed");
            return true;
        }
    }
    false
}

/// Slides in flight while the record is removed: what was removed stays removed, in every index.
pub fn slides_and_removals(store: &dyn Store, drive: Drive) {
    let space = Space::new(store, "slides_and_removals");
    let label = space.tag("label");
    for round in 0..ROUNDS {
        let key = space.key(&format!("round{round:02}"));
        let expiry = Expiry::idle(std::time::Duration::from_secs(10), at(0));
        value(drive, space.write(at(0), &key, put_with("sliding", expiry, tags(&[&label]))));
        together(|thread| {
            if thread == 0 {
                value(drive, space.apply(at(1), any(&key, Write::Remove)));
                assert!(value(drive, space.get(&key)).is_none(), "a slide brought `{key}` back");
                return;
            }
            for target in 0..12 {
                let slide = any(&key, Write::Slide(at(11 + target)));
                value(drive, space.apply(at(1), slide));
            }
        });
        value(drive, space.agrees("after slides raced a removal", &key, None, &[&label]));
    }
}

/// Ends the writers also when the walker fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Walks by prefix, tag and deadline while threads create and remove around the records that stay.
pub fn paging_under_writers(store: &dyn Store, drive: Drive) {
    let space = Space::new(store, "paging_under_writers");
    if !space.lists() {
        return;
    }
    let label = space.tag("label");
    let record = || put_with("paged", Expiry::at(at(50)), tags(&[&label]));
    let staying: Vec<Key> = (0..40).map(|number| space.key(&format!("{number:02}"))).collect();
    value(drive, space.fill(at(0), staying.iter().map(|key| any(key, record())).collect()));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (space, record, over) = (&space, &record, &stop);
        let stop = Stop(over);
        for writer in 0..THREADS - 1 {
            scope.spawn(move || come_and_go(space, drive, writer, record, over));
        }
        for limit in [1, 3, 7, 50, 3, 7] {
            for select in [space.prefix(""), Select::Tag(label.clone()), Select::Due(at(60))] {
                once_each(space, drive, select, limit, &staying);
            }
        }
        drop(stop);
    });
}

/// Creates and removes records between those that stay, until told to stop.
fn come_and_go(
    space: &Space<'_>,
    drive: Drive,
    writer: usize,
    record: &(impl Fn() -> Write + Sync),
    stop: &AtomicBool,
) {
    for round in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let key = space.key(&format!("{:02}-{writer}", round * 7 % 40));
        let write = if round / 40 % 2 == 0 { record() } else { Write::Remove };
        value(drive, space.apply(at(1), any(&key, write)));
    }
}

fn once_each(space: &Space<'_>, drive: Drive, select: Select, limit: usize, staying: &[Key]) {
    let what = format!("{select:?}, {limit} at a time, while others write");
    let ordered = !matches!(select, Select::Due(_));
    let found: Vec<Key> = value(drive, space.walk(select, limit)).into_iter().map(|(key, _)| key).collect();
    for key in staying {
        let times = found.iter().filter(|&other| other == key).count();
        assert_eq!(times, 1, "`{key}` was there throughout a walk of {what}");
    }
    assert!(!ordered || found.is_sorted_by(|a, b| a < b), "a walk of {what} is not in key order");
}
