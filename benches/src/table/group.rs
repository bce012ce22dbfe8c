//! A hundred writers at once, each of whose commits survives a loss of power: p09.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use strata_adapter_sled::SledStore;
use strata_core::{Collection, Durability};

use crate::harness::{Effort, elapsed, precise, quantile, since, wait};
use crate::process::resident_bytes;
use crate::record::{Record, id};
use crate::section::{Row, Section};
use crate::subject::disk_and_store;
use crate::table::disk::folder;
use crate::target::Target;

const WRITERS: u64 = 100;
/// Sessions of one writer.
const EACH: u64 = 100;
const CACHE: u64 = 64 << 20;
/// Between two reads of the reader, which is there to measure and not to load.
const PACE: Duration = Duration::from_micros(200);

/// What was seen of the writers.
struct Seen {
    seconds: f64,
    commits: u64,
    /// Barriers, as the store counts them.
    barriers: u64,
    /// Milliseconds of concurrent reads: median, and 99 of 100.
    reads: (f64, f64),
    /// Resident memory after a third, and at the end.
    resident: (f64, f64),
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let place = folder();
    let (handle, store) = disk_and_store(place.path(), CACHE, Durability::Power);
    let sessions: Collection<Record> = handle.collection("s").expect("collection");
    for number in 0..WRITERS * EACH {
        let save = sessions.set(&id(number), &Record::of(number)).durability(Durability::Relaxed);
        wait(save.into_future()).expect("set");
    }
    let alone = watch(&sessions, &store, 1, effort.pick(Duration::from_secs(5), Duration::from_secs(2)));
    let crowd =
        watch(&sessions, &store, WRITERS, effort.pick(Duration::from_secs(30), Duration::from_secs(5)));
    Section {
        name: "group",
        title: "A hundred durable writers",
        how: format!(
            "{WRITERS} tasks over two threads, each saving its {EACH} sessions in turn with durability power for {:.0} s, and a reader. \
             Barriers are counted by the store.",
            crowd.seconds
        ),
        unit: "commits per second",
        rows: vec![
            Row::new("strata, one writer", alone.rate()),
            Row::new("strata, a hundred writers", crowd.rate()),
        ],
        targets: targets(&alone, &crowd),
    }
}

impl Seen {
    fn rate(&self) -> f64 {
        precise(self.commits) / self.seconds
    }
}

fn targets(alone: &Seen, crowd: &Seen) -> Vec<Target> {
    let per_barrier = precise(crowd.commits) / precise(crowd.barriers.max(1));
    let (early, late) = crowd.resident;
    vec![
        Target::gain("p09", "commits per barrier, 100 durable writers", per_barrier, 20.0, None)
            .noting(format!("{} commits, {} barriers", crowd.commits, crowd.barriers)),
        Target::gain(
            "p09b",
            "durable commits per second, 100 writers / one",
            crowd.rate() / alone.rate(),
            5.0,
            None,
        )
        .noting(format!("{:.0} against {:.0}", crowd.rate(), alone.rate())),
        Target::cost("p09c", "99th percentile of reads meanwhile, ms", crowd.reads.1, 1.0, None)
            .noting(format!("median {:.3} ms", crowd.reads.0)),
        Target::cost("p09d", "memory at the end / after a third of the time", late / early, 1.1, None)
            .noting(format!("{:.0} MiB after {:.0} s", late / f64::from(1 << 20), crowd.seconds)),
    ]
}

/// Lets `writers` write for a while and looks on.
fn watch(sessions: &Collection<Record>, store: &SledStore, writers: u64, length: Duration) -> Seen {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let over = Arc::new(AtomicBool::new(false));
    let commits = Arc::new(AtomicU64::new(0));
    for writer in 0..writers {
        let (sessions, over, commits) = (sessions.clone(), Arc::clone(&over), Arc::clone(&commits));
        runtime.spawn(async move {
            for turn in (0..EACH).cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let record = Record::of(commits.load(Ordering::Relaxed));
                sessions.set(&id(writer * EACH + turn), &record).await.expect("set");
                commits.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let seen = look_on(sessions, store, length, &commits);
    over.store(true, Ordering::Relaxed);
    // Waits for the writers' last commits.
    runtime.shutdown_timeout(Duration::from_secs(10));
    seen
}

fn look_on(sessions: &Collection<Record>, store: &SledStore, length: Duration, commits: &AtomicU64) -> Seen {
    let count = || (commits.load(Ordering::Relaxed), store.barriers());
    let (start, (commits, barriers)) = (elapsed(), count());
    let (mut reads, mut early) = (Vec::new(), None);
    let mut numbers = (0..WRITERS * EACH).step_by(37).cycle();
    while since(start) < length {
        let name = id(numbers.next().unwrap_or(0));
        let before = elapsed();
        wait(sessions.get(&name)).expect("get").expect("there");
        reads.push(since(before).as_secs_f64() * 1e3);
        if early.is_none() && since(start) >= length / 3 {
            early = Some(memory());
        }
        std::thread::sleep(PACE);
    }
    let (seconds, (all_commits, all_barriers)) = (since(start).as_secs_f64(), count());
    Seen {
        seconds,
        commits: all_commits - commits,
        barriers: all_barriers - barriers,
        reads: (quantile(&mut reads, 0.5), quantile(&mut reads, 0.99)),
        resident: (early.unwrap_or_else(memory), memory()),
    }
}

fn memory() -> f64 {
    precise(resident_bytes().expect("the system tells"))
}
