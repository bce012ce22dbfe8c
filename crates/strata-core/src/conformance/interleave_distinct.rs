//! Every order of a few tasks' store calls that can make a difference, without those that cannot: [`every_distinct_schedule`].
//!
//! Two steps of different tasks that stand next to each other can change places where neither writes what the other reaches: nobody
//! sees which came first. Of all schedules that are one by such changes, one is run. It is the method of sleep sets (Godefroid,
//! *Partial-Order Methods for the Verification of Concurrent Systems*, 1996).

use super::interleave::{Reach, Stepped, Task, World, runs_to_its_end};

/// Runs one of each class of schedules that differ only in steps no task can tell apart, checks each, and says how many there were. It
/// shows of tasks that meet in the store only what [`every_schedule`](super::every_schedule) shows, with far fewer runs.
///
/// A step is a store call and what its task does up to the next one. Tasks must share nothing else that they both change and look at:
/// no clock that moves, no fault that strikes whoever makes the nth call. One thing they may share: what one notes at its very end, another
/// may look at when it begins, for those two steps are kept in each order.
///
/// # Panics
/// At 200,000 schedules: let fewer tasks meet. And where a check does.
pub fn every_distinct_schedule(mut world: impl FnMut() -> World) -> usize {
    let mut search = Search::default();
    let mut count = 0;
    loop {
        count += usize::from(search.run(world()));
        assert!(count < 200_000, "too many schedules to try; let fewer tasks meet");
        if !search.turns() {
            return count;
        }
    }
}

/// What a task did between two stops.
#[derive(Clone, Debug)]
struct Step {
    task: usize,
    reached: Vec<Reach>,
    begins: bool,
    ends: bool,
}

impl Step {
    /// Whether their order can be told.
    fn meets(&self, other: &Self) -> bool {
        let touch = |one: &Reach, two: &Reach| match (one, two) {
            (Reach::Write(one), Reach::Write(two) | Reach::Read(two))
            | (Reach::Read(one), Reach::Write(two)) => one == two,
            (Reach::Write(_), Reach::ReadAll) | (Reach::ReadAll, Reach::Write(_)) => true,
            _ => false,
        };
        self.begins && other.ends
            || self.ends && other.begins
            || self.reached.iter().any(|one| other.reached.iter().any(|two| touch(one, two)))
    }
}

/// A point at which a task was chosen.
#[derive(Debug)]
struct Point {
    /// The tasks that had not ended.
    alive: Vec<usize>,
    /// Steps that were tried here, or before and have not met anything since: to take one now gives nothing new.
    asleep: Vec<Step>,
    taken: Step,
}

impl Point {
    fn sleeps(&self, task: usize) -> bool {
        self.asleep.iter().any(|step| step.task == task)
    }
}

/// A walk through the tree of choices, depth first.
#[derive(Debug, Default)]
struct Search {
    path: Vec<Point>,
}

impl Search {
    /// Goes along the path and on from its end. Says whether that was a schedule of its own; it is left where it is none.
    fn run(&mut self, world: World) -> bool {
        let World { store, tasks, check } = world;
        let mut tasks: Vec<Option<Task>> = tasks.into_iter().map(Some).collect();
        let mut begun = vec![false; tasks.len()];
        let mut asleep = Vec::new();
        store.pause(true);
        store.reached();
        for depth in 0.. {
            assert!(depth < 1000, "a task never ends");
            let alive: Vec<_> = (0..tasks.len()).filter(|task| tasks[*task].is_some()).collect();
            if alive.is_empty() {
                break;
            }
            if depth == self.path.len() {
                let next = alive.iter().find(|task| asleep.iter().all(|step: &Step| step.task != **task));
                let Some(next) = next.copied() else { return false };
                let taken = Step { task: next, reached: Vec::new(), begins: false, ends: false };
                self.path.push(Point { alive, asleep, taken });
            }
            let point = &mut self.path[depth];
            point.taken = take(&store, &mut tasks, &mut begun, point.taken.task);
            asleep = point.asleep.iter().filter(|step| !step.meets(&point.taken)).cloned().collect();
        }
        store.pause(false);
        check();
        true
    }

    /// Turns into the last branch that was not taken. Says whether there is one.
    fn turns(&mut self) -> bool {
        while let Some(mut point) = self.path.pop() {
            point.asleep.push(point.taken.clone());
            if let Some(next) = point.alive.iter().copied().find(|task| !point.sleeps(*task)) {
                point.taken.task = next;
                self.path.push(point);
                return true;
            }
        }
        false
    }
}

/// One step of this task, which is gone when that was its last.
fn take(store: &Stepped, tasks: &mut [Option<Task>], begun: &mut [bool], task: usize) -> Step {
    let ends = tasks[task].as_mut().is_some_and(|running| runs_to_its_end(store, running));
    if ends {
        tasks[task] = None;
    }
    let begins = !std::mem::replace(&mut begun[task], true);
    Step { task, reached: store.reached(), begins, ends }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    use super::super::{block_on, every_schedule};
    use super::*;
    use crate::batch::{Batch, Durability, Guard, Keep, Op, Write};
    use crate::expiry::Expiry;
    use crate::key::{Key, Tags};
    use crate::reference::ReferenceStore;
    use crate::store::Store;
    use crate::time::Timestamp;

    /// What tasks saw and what the store holds in the end.
    type Ends = Arc<Mutex<HashSet<(Vec<String>, String)>>>;

    /// Each task does what its letters say: `r` and `s` read two keys, `w` and `x` write them.
    fn world(programs: &[&'static str], ends: &Ends) -> World {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let seen: Arc<Mutex<Vec<String>>> = Arc::new(Mutex::new(vec![String::new(); programs.len()]));
        let tasks = programs.iter().copied().enumerate().map(|(number, program)| {
            let (store, seen) = (Arc::clone(&store), Arc::clone(&seen));
            Box::pin(async move {
                for letter in program.chars() {
                    let saw = act(&store, letter, number).await;
                    seen.lock().expect("lock")[number].push_str(&saw);
                }
            }) as Task
        });
        let (tasks, ends, looked) = (tasks.collect(), Arc::clone(ends), Arc::clone(&store));
        let check = move || {
            let end = block_on(async { [act(&looked, 'r', 0).await, act(&looked, 's', 0).await].concat() });
            ends.lock().expect("lock").insert((seen.lock().expect("lock").clone(), end));
        };
        World { store, tasks, check: Box::new(check) }
    }

    async fn act(store: &Stepped, letter: char, number: usize) -> String {
        let key = |name| Key::new(name).expect("a key");
        let read = async |name| match store.get(&key(name)).await.expect("get") {
            Some(record) => format!("{:?};", record.payload.as_bytes()),
            None => "-;".to_owned(),
        };
        let write = async |name| {
            let put = Write::Put {
                payload: vec![u8::try_from(number).expect("small")].into(),
                expiry: Keep::Set(Expiry::NEVER),
                tags: Keep::Set(Tags::none()),
            };
            let op = Op { key: key(name), guard: Guard::Any, write: put };
            let batch = Batch::one(Timestamp::from_millis(1), Durability::Volatile, op);
            store.commit(batch).await.expect("commit");
            String::new()
        };
        match letter {
            'r' => read("one").await,
            's' => read("two").await,
            'w' => write("one").await,
            _ => write("two").await,
        }
    }

    /// It comes to each end that all schedules together come to, and to no other, in fewer runs.
    #[test]
    fn nothing_that_can_happen_is_left_out() {
        let mut runs = (0, 0);
        for programs in [
            &["rw", "rw"][..],
            &["rw", "sx"],
            &["rwr", "wsx"],
            &["rws", "xr", "w"],
            &["rw", "rw", "rw"],
            &["rs", "rs", "sr"],
            &["wx", "xw", "rs"],
        ] {
            let (all, distinct) = (Ends::default(), Ends::default());
            let every = every_schedule(|| world(programs, &all));
            let fewer = every_distinct_schedule(|| world(programs, &distinct));
            assert_eq!(*all.lock().expect("lock"), *distinct.lock().expect("lock"), "{programs:?}");
            assert!(fewer < every, "{programs:?}: {fewer} of {every}");
            runs = (runs.0 + fewer, runs.1 + every);
        }
        assert!(runs.0 * 5 < runs.1, "{runs:?}");
    }

    /// Tasks that never touch the same thing have one schedule, but for who has ended when another begins.
    #[test]
    fn strangers_are_not_mixed() {
        let count = every_distinct_schedule(|| world(&["rw", "sx"], &Ends::default()));
        assert_eq!(count, 3, "one before the other, either way, or side by side");
    }
}
