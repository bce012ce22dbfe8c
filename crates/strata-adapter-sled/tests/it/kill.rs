//! kill -9: a child process of this very test binary writes until it is killed, and what it acknowledged has to be there.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use strata_core::conformance::block_on;
use strata_core::{Batch, Durability, Store};

use super::{assert_clean, at, folder, get, idle, open, put};

const CHILD: &str = "STRATA_SLED_KILL_TEST_FOLDER";
const START: &str = "STRATA_SLED_KILL_TEST_START";
const GROUPS: u64 = 8;

/// Not a test of its own: the child's side, which does something only when it is started as one.
#[test]
fn writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let start: u64 = std::env::var(START).expect("set with the folder").parse().expect("a number");
    let store = open(path.as_ref());
    for number in start.. {
        let payload = number.to_le_bytes();
        let group = number % GROUPS;
        // Two records that must never differ, with index entries that change.
        let ops = ["left", "right"].map(|side| {
            put(
                &format!("{side}:{group}"),
                &payload,
                idle(60 + number % 50, 0),
                &[&format!("t:{}", number % 3)],
            )
        });
        let batch = Batch { now: at(0), durability: Durability::Process, ops: ops.into_iter().collect() };
        block_on(store.commit(batch)).expect("the commit is made");
        println!("acknowledged {number}");
        std::io::stdout().flush().expect("somebody listens");
    }
}

fn child(path: &std::path::Path, start: u64) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "kill::writes_until_killed", "--nocapture"])
        .env(CHILD, path)
        .env(START, start.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts")
}

/// Kills the child after it has acknowledged `count` commits from `start` on, and gives the last number it acknowledged.
fn run(path: &std::path::Path, start: u64, count: usize) -> u64 {
    let mut child = child(path, start);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut acknowledged =
        lines.map_while(Result::ok).filter_map(|line| line.rsplit_once("acknowledged ")?.1.parse().ok());
    let mut last = acknowledged.by_ref().take(count).last().expect("the child acknowledges");
    child.kill().expect("killed");
    // What was in the pipe was acknowledged as well.
    last = acknowledged.last().unwrap_or(last);
    child.wait().expect("it ended");
    last
}

#[test]
fn s33_what_was_acknowledged_is_there_after_a_kill() {
    let folder = folder();
    let mut last = 0;
    for count in [1, 40, 300] {
        last = run(folder.path(), last + 1, count);
        let store = open(folder.path());
        assert_eq!(store.stats().expect("stats").records, None, "the kill left no number, and no wrong one");
        let records = store.check().expect("readable").records;
        assert_eq!(store.stats().expect("stats").records, Some(records), "a check counts");
        assert_clean(&store);
        let number = |side: &str, group: u64| -> u64 {
            let record = get(&store, &format!("{side}:{group}"));
            record.map_or(0, |record| {
                u64::from_le_bytes(record.payload.as_bytes().try_into().expect("a number"))
            })
        };
        for group in 0..GROUPS {
            assert_eq!(number("left", group), number("right", group), "a commit is torn");
        }
        // One commit of the same group may have been made and not acknowledged.
        let found = number("left", last % GROUPS);
        assert!(found >= last, "{last} was acknowledged, {found} is there");
    }
}
