//! Deadlines moved under a condition, and values read together with what is known of their records.

use super::*;
use crate::Durability;

#[tokio::test]
async fn a_deadline_moves_later_and_never_past_the_cap() {
    let World { db, clock, .. } = world();
    let start = clock.now();
    let version = db.set("s", &1_u32).idle(10 * MINUTE).at_most(25 * MINUTE).await.expect("set");
    let to = async |minutes: u32| {
        let judge =
            |value: u32, _, _| Ok::<_, Error>((value == 1).then(|| start.saturating_add(MINUTE * minutes)));
        let expiry = db.extend("s", Durability::Process, judge).await.expect("extend");
        expiry.deadline().expect("a deadline").since(start)
    };
    assert_eq!(to(12).await, 12 * MINUTE);
    assert_eq!(to(5).await, 12 * MINUTE, "never earlier");
    assert_eq!(to(90).await, 25 * MINUTE, "never past the cap");
    let info = db.info("s").await.expect("info").expect("there");
    assert_eq!((info.version, info.expiry.deadline()), (version, Some(start.saturating_add(25 * MINUTE))));
    let left = db.extend("s", Durability::Process, |_: u32, _, _| Ok::<_, Error>(None)).await.expect("left");
    assert_eq!(left, info.expiry);
}

#[tokio::test]
async fn what_is_refused_fixed_or_dead_is_not_prolonged() {
    let World { db, clock, .. } = world();
    let later = |_: u32, _, now: Timestamp| Ok::<_, Error>(Some(now.saturating_add(9 * MINUTE)));
    db.set("s", &1_u32).idle(10 * MINUTE).await.expect("set");
    db.set("fixed", &1_u32).ttl(10 * MINUTE).await.expect("set");
    db.set("ever", &1_u32).await.expect("set");
    clock.advance(9 * MINUTE);
    let refuse = |_: u32, _, _| Err(Error::new(ErrorKind::Denied, "judge", "no"));
    let refused = db.extend("s", Durability::Process, refuse).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Denied);
    let fixed = db.extend("fixed", Durability::Process, later).await.expect("left");
    assert_eq!(fixed.remaining(clock.now()), Some(MINUTE), "no idle time, nothing to move");
    assert_eq!(db.extend("ever", Durability::Process, later).await.expect("left"), Expiry::NEVER);
    clock.advance(MINUTE);
    for name in ["s", "fixed", "missing"] {
        let gone = db.extend(name, Durability::Process, later).await.expect_err(name);
        assert_eq!(gone.kind(), ErrorKind::Gone);
    }
    let mismatch = |_: String, _, _| Ok::<_, Error>(None);
    let other = db.extend("ever", Durability::Process, mismatch).await.expect_err("another type");
    assert_eq!(other.kind(), ErrorKind::Mismatch);
}

#[tokio::test]
async fn a_value_is_read_with_what_is_known_of_it() {
    let World { db, clock, .. } = world();
    db.set("a", &1_u32).idle(MINUTE).tag("t").await.expect("set");
    db.set("b", &2_u32).idle(2 * MINUTE).tag("t").await.expect("set");
    db.set("c", &3_u32).await.expect("set");
    clock.advance(30 * SECOND);
    let info = db.info("a").await.expect("info").expect("there");
    assert_eq!(db.inspect::<u32>("a").await.expect("inspect"), Some((1, info.clone())));
    let found = db.select().tag("t").inspect::<u32>(10).await.expect("inspect");
    assert_eq!(found[0], ("a".to_owned(), 1, info), "no activity");
    assert_eq!((found.len(), &found[1].0, found[1].1), (2, &"b".to_owned(), 2));
    assert_eq!(db.select().tag("t").inspect::<u32>(1).await.expect("inspect").len(), 1);
    let other = db.select().inspect::<String>(10).await.expect_err("another type");
    assert_eq!(other.kind(), ErrorKind::Mismatch);
    clock.advance(30 * SECOND);
    assert_eq!(db.inspect::<u32>("a").await.expect("inspect"), None, "dead");
    assert_eq!(db.select().tag("t").inspect::<u32>(10).await.expect("inspect").len(), 1);
}
