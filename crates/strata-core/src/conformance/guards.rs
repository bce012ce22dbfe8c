//! Every guard on every state of a record with every write, against a table that is written down here once more, so
//! that a mistake in [`Guard::judge`](crate::Guard::judge) or [`Write::apply`](crate::Write::apply) is seen as well.

use std::time::Duration;

use crate::batch::{Before, Guard, Keep, Outcome, Write};
use crate::error::ErrorKind;
use crate::expiry::Expiry;
use crate::key::{Key, Tag, Tags};
use crate::record::{Record, Version};
use crate::store::Store;
use crate::time::Timestamp;

use super::space::{NEVER_GIVEN, Space, any, at, before, op, payload, put_with, tags};

/// When the operation under test happens; states are prepared so that it falls on or before deadlines.
const ACT: u64 = 10;

#[derive(Clone, Copy, Debug)]
enum State {
    /// Never written.
    Never,
    /// Written twice and removed.
    Removed,
    /// Alive, sliding, with a cap.
    Live,
    /// Alive with the last millisecond of its life left.
    LastMillisecond,
    /// Alive without an end.
    Immortal,
    /// Dead since this very instant.
    Dead,
}

#[derive(Clone, Copy, Debug)]
enum Want {
    Any,
    Absent,
    Present,
    Current,
    Stale,
}

/// What the operation finds, and versions the key has had.
struct Found {
    record: Option<Record>,
    living: bool,
    current: Version,
    stale: Version,
}

const STATES: [State; 6] =
    [State::Never, State::Removed, State::Live, State::LastMillisecond, State::Immortal, State::Dead];
const WANTS: [Want; 5] = [Want::Any, Want::Absent, Want::Present, Want::Current, Want::Stale];

/// Guards × states of a record × writes: what is refused, as what, what an outcome says, what is left in record and
/// indexes.
pub async fn guards(store: &dyn Store) {
    let space = Space::new(store, "guards");
    let labels = [space.tag("a"), space.tag("b"), space.tag("c")];
    for state in STATES {
        for want in WANTS {
            for (number, write) in writes(&labels).into_iter().enumerate() {
                let key = space.key(&format!("{state:?}-{want:?}-{number:02}"));
                one(&space, &key, state, want, write, &labels).await;
            }
        }
    }
}

/// One cell of the table.
async fn one(space: &Space<'_>, key: &Key, state: State, want: Want, write: Write, labels: &[Tag; 3]) {
    let what = format!("{write:?} under {want:?} on {state:?}");
    let found = prepare(space, key, state, labels).await;
    let guard = match want {
        Want::Any => Guard::Any,
        Want::Absent => Guard::Absent,
        Want::Present => Guard::Present,
        Want::Current => Guard::Version(found.current),
        Want::Stale => Guard::Version(found.stale),
    };
    let labels = [&labels[0], &labels[1], &labels[2]];
    if let Some(kind) = refusal(want, found.living) {
        space.refused(&what, at(ACT), vec![op(key, guard, write)], kind).await;
        space.agrees(&what, key, found.record.as_ref(), &labels).await;
    } else {
        let outcome = space.apply(at(ACT), op(key, guard, write.clone())).await;
        let left = expected(&what, &found, &write, outcome);
        space.agrees(&what, key, left.as_ref(), &labels).await;
    }
    space.apply(at(ACT), any(key, Write::Remove)).await;
}

fn refusal(want: Want, living: bool) -> Option<ErrorKind> {
    match (want, living) {
        (Want::Any, _) | (Want::Absent, false) | (Want::Present | Want::Current, true) => None,
        (Want::Absent | Want::Stale, true) => Some(ErrorKind::Conflict),
        (Want::Present | Want::Current | Want::Stale, false) => Some(ErrorKind::Gone),
    }
}

/// Puts the key into `state` and reads what is there.
async fn prepare(space: &Space<'_>, key: &Key, state: State, labels: &[Tag; 3]) -> Found {
    let expiry = match state {
        State::Never => {
            return Found { record: None, living: false, current: NEVER_GIVEN, stale: NEVER_GIVEN };
        }
        State::Removed | State::Immortal => Expiry::NEVER,
        State::Live => Expiry::idle(Duration::from_secs(20), at(1)).capped(at(60)),
        State::LastMillisecond => Expiry::idle(Duration::from_millis(9_001), at(1)).capped(at(60)),
        State::Dead => Expiry::idle(Duration::from_secs(9), at(1)).capped(at(60)),
    };
    let first = space.write(at(0), key, put_with("first", Expiry::NEVER, Tags::none())).await;
    let set = tags(&[&labels[0], &labels[1]]);
    let current = space.write(at(1), key, put_with("second", expiry, set)).await;
    if let State::Removed = state {
        space.apply(at(2), any(key, Write::Remove)).await;
    }
    let record = space.get(key).await;
    let living = matches!(state, State::Live | State::LastMillisecond | State::Immortal);
    assert_eq!(
        record.is_some(),
        !matches!(state, State::Removed),
        "the state {state:?} of `{key}` was not reached"
    );
    Found { record, living, current, stale: first }
}

/// Every kind of write, at its edges.
fn writes(labels: &[Tag; 3]) -> Vec<Write> {
    let other = || Expiry::idle(Duration::from_secs(5), at(ACT)).capped(at(90));
    let bc = || tags(&[&labels[1], &labels[2]]);
    let put = |expiry, tags| Write::Put { payload: payload("third"), expiry, tags };
    vec![
        put(Keep::Keep, Keep::Keep),
        put(Keep::Set(other()), Keep::Keep),
        put(Keep::Keep, Keep::Set(bc())),
        put(Keep::Set(Expiry::NEVER), Keep::Set(Tags::none())),
        put(Keep::Set(Expiry::at(at(ACT))), Keep::Set(bc())),
        Write::Slide(at(25)),
        Write::Slide(before(at(ACT), 1)),
        Write::Slide(at(99)),
        Write::Slide(Timestamp::MAX),
        Write::Expire(other()),
        Write::Expire(Expiry::NEVER),
        Write::Expire(Expiry::at(at(ACT))),
        Write::Remove,
        Write::Check,
    ]
}

/// What has to be left once the guard held; checks the outcome on the way.
fn expected(what: &str, found: &Found, write: &Write, outcome: Outcome) -> Option<Record> {
    let was = match (&found.record, found.living) {
        (None, _) => Before::Absent,
        (Some(record), true) => Before::Live(record.version),
        (Some(record), false) => Before::Dead(record.version),
    };
    assert_eq!(outcome.before, was, "{what}: what the outcome says it found");
    let living = found.record.clone().filter(|_| found.living);
    let (left, after) = match write {
        Write::Remove => (None, None),
        Write::Check => (found.record.clone(), None),
        Write::Slide(target) => match living.and_then(|record| slid(record, *target)) {
            Some(record) => (Some(record), Some(found.current)),
            None => (found.record.clone(), None),
        },
        Write::Expire(expiry) => match living {
            Some(record) => {
                let version = fresh(what, found, outcome);
                (Some(Record { version, updated: at(ACT), expiry: *expiry, ..record }), Some(version))
            }
            None => (found.record.clone(), None),
        },
        Write::Put { payload, expiry, tags } => {
            let version = fresh(what, found, outcome);
            let record = Record {
                payload: payload.clone(),
                version,
                created: living.as_ref().map_or(at(ACT), |record| record.created),
                updated: at(ACT),
                expiry: kept(expiry, living.as_ref().map(|record| record.expiry)),
                tags: kept(tags, living.map(|record| record.tags)),
            };
            (Some(record), Some(version))
        }
    };
    assert_eq!(outcome.after, after, "{what}: the version the outcome says it left");
    left
}

/// The version of a real change, which has to be new.
fn fresh(what: &str, found: &Found, outcome: Outcome) -> Version {
    let version = outcome.after.unwrap_or_else(|| panic!("{what}: a real change leaves a version"));
    assert!(version != found.current && version != found.stale, "{what}: {version} was given before");
    version
}

/// What was set, else what the living record has, else the default.
fn kept<T: Clone + Default>(keep: &Keep<T>, living: Option<T>) -> T {
    match keep {
        Keep::Set(value) => value.clone(),
        Keep::Keep => living.unwrap_or_default(),
    }
}

/// The record with the later deadline, if `target` is one.
fn slid(mut record: Record, target: Timestamp) -> Option<Record> {
    let [deadline, idle, cap] = record.expiry.to_words();
    let target = target.as_millis().min(cap);
    let moves = idle != 0 && record.expiry.deadline().is_some() && target > deadline;
    record.expiry = Expiry::from_words([target, idle, cap]);
    moves.then_some(record)
}
