//! Slides: later only, never past the cap, never on the dead, invisible in everything but the deadline.

use std::time::Duration;

use crate::batch::{Before, Guard, Outcome, Write};
use crate::error::ErrorKind;
use crate::expiry::Expiry;
use crate::key::{Key, Tags};
use crate::record::{Record, Version};
use crate::store::Store;
use crate::time::Timestamp;

use super::space::{NEVER_GIVEN, Space, any, at, before, op, put_with, tags};

/// A slide moves a living record's deadline later, up to its cap, and does nothing else to anything.
pub async fn slides(store: &dyn Store) {
    let space = Space::new(store, "slides");
    later_only(&space).await;
    up_to_the_cap(&space).await;
    never_without_an_end(&space).await;
    never_a_fixed_deadline(&space).await;
    never_the_dead(&space).await;
    never_the_absent(&space).await;
    under_guards(&space).await;
}

async fn slide(space: &Space<'_>, now: Timestamp, key: &Key, target: Timestamp) -> Outcome {
    space.apply(now, any(key, Write::Slide(target))).await
}

fn moved(version: Version) -> Outcome {
    Outcome { before: Before::Live(version), after: Some(version) }
}

fn unmoved(version: Version) -> Outcome {
    Outcome { before: Before::Live(version), after: None }
}

fn until(record: &Record, deadline: Timestamp) -> Record {
    let [_, idle, cap] = record.expiry.to_words();
    let mut record = record.clone();
    record.expiry = Expiry::from_words([deadline.as_millis(), idle, cap]);
    record
}

async fn never_a_fixed_deadline(space: &Space<'_>) {
    let key = space.key("fixed");
    for expiry in [Expiry::at(at(10)), Expiry::at(at(10)).capped(at(30))] {
        let version = space.write(at(0), &key, put_with("fixed", expiry, tags(&[]))).await;
        assert_eq!(
            slide(space, at(1), &key, at(20)).await,
            unmoved(version),
            "a fixed deadline does not slide"
        );
        assert_eq!(space.found(&key).await.expiry, expiry, "a fixed deadline stays");
    }
}

async fn later_only(space: &Space<'_>) {
    let (key, tag) = (space.key("later"), space.tag("later"));
    let expiry = Expiry::idle(Duration::from_secs(10), at(0));
    let version = space.write(at(0), &key, put_with("later", expiry, tags(&[&tag]))).await;
    let record = space.found(&key).await;
    for (target, outcome, deadline) in [
        (at(15), moved(version), at(15)),
        (at(15), unmoved(version), at(15)),
        (before(at(15), 1), unmoved(version), at(15)),
        (at(0), unmoved(version), at(15)),
        (
            at(15).saturating_add(Duration::from_millis(1)),
            moved(version),
            at(15).saturating_add(Duration::from_millis(1)),
        ),
        (at(20), moved(version), at(20)),
    ] {
        let what = format!("a slide to {target:?}");
        assert_eq!(slide(space, at(5), &key, target).await, outcome, "{what}");
        space.agrees(&what, &key, Some(&until(&record, deadline)), &[&tag]).await;
    }
}

async fn up_to_the_cap(space: &Space<'_>) {
    let key = space.key("cap");
    let expiry = Expiry::idle(Duration::from_secs(10), at(0)).capped(at(25));
    let version = space.write(at(0), &key, put_with("cap", expiry, Tags::none())).await;
    let record = space.found(&key).await;
    assert_eq!(slide(space, at(9), &key, at(19)).await, moved(version));
    assert_eq!(slide(space, at(18), &key, at(28)).await, moved(version), "the slide ends at the cap");
    space.agrees("a slide past the cap", &key, Some(&until(&record, at(25))), &[]).await;
    assert_eq!(slide(space, at(24), &key, Timestamp::MAX).await, unmoved(version), "nothing is past the cap");
    space.agrees("a slide at the cap", &key, Some(&until(&record, at(25))), &[]).await;
    let late = slide(space, at(25), &key, at(35)).await;
    assert_eq!(
        late,
        Outcome { before: Before::Dead(version), after: None },
        "constant activity ends at the cap"
    );
}

async fn never_without_an_end(space: &Space<'_>) {
    let key = space.key("immortal");
    let version = space.write(at(0), &key, put_with("immortal", Expiry::NEVER, Tags::none())).await;
    let record = space.found(&key).await;
    for target in [Timestamp::EPOCH, at(1), Timestamp::MAX] {
        assert_eq!(slide(space, at(0), &key, target).await, unmoved(version), "no slide gives an end");
        space.agrees("a slide of an immortal record", &key, Some(&record), &[]).await;
    }
}

async fn never_the_dead(space: &Space<'_>) {
    let (key, tag) = (space.key("dead"), space.tag("dead"));
    let expiry = Expiry::idle(Duration::from_secs(10), at(0));
    let version = space.write(at(0), &key, put_with("dead", expiry, tags(&[&tag]))).await;
    let record = space.found(&key).await;
    let dead = Outcome { before: Before::Dead(version), after: None };
    for now in [at(10), at(11), Timestamp::MAX] {
        assert_eq!(slide(space, now, &key, Timestamp::MAX).await, dead, "a slide at {now:?} revives nothing");
        space.agrees("a slide of a dead record", &key, Some(&record), &[&tag]).await;
    }
    let last = before(at(10), 1);
    assert_eq!(slide(space, last, &key, at(20)).await, moved(version), "alive until its last millisecond");
}

async fn never_the_absent(space: &Space<'_>) {
    let key = space.key("absent");
    let absent = Outcome { before: Before::Absent, after: None };
    assert_eq!(slide(space, at(0), &key, at(9)).await, absent, "a slide creates nothing");
    space.agrees("a slide of nothing", &key, None, &[]).await;
    space.write(at(0), &key, put_with("removed", Expiry::at(at(50)), Tags::none())).await;
    space.apply(at(1), any(&key, Write::Remove)).await;
    assert_eq!(slide(space, at(2), &key, at(9)).await, absent, "a slide brings nothing back");
    space.agrees("a slide after a removal", &key, None, &[]).await;
}

async fn under_guards(space: &Space<'_>) {
    let key = space.key("guarded");
    let guarded = |guard, target| vec![op(&key, guard, Write::Slide(target))];
    space.refused("a slide of nothing", at(0), guarded(Guard::Present, at(9)), ErrorKind::Gone).await;
    let expiry = Expiry::idle(Duration::from_secs(10), at(0));
    let version = space.write(at(0), &key, put_with("guarded", expiry, Tags::none())).await;
    let record = space.found(&key).await;
    let wrong = guarded(Guard::Version(NEVER_GIVEN), at(12));
    space.refused("a slide of another version", at(1), wrong, ErrorKind::Conflict).await;
    space
        .refused("a slide of the dead", at(10), guarded(Guard::Version(version), at(20)), ErrorKind::Gone)
        .await;
    space.agrees("after refused slides", &key, Some(&record), &[]).await;
    let right = op(&key, Guard::Version(version), Write::Slide(at(12)));
    assert_eq!(space.apply(at(1), right).await, moved(version));
}
