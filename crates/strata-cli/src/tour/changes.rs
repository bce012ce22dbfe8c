//! Changes: heard as events, made together or not at all.

use strata::{ChangeKind, ErrorKind, Event, Span, Strata};

use super::{Told, held, refused};

/// A subscriber hears what happens to the keys it asked for, in order.
pub(super) async fn events(db: &Strata) -> Told {
    let mut changes = db.subscribe("watched:*")?;
    db.set("watched:a", &1_u32).await?;
    db.set("elsewhere", &1_u32).await?;
    db.set("watched:a", &2_u32).await?;
    db.expire("watched:a", strata::Lifetime::ttl(1.hours())).await?;
    db.remove("watched:a").await?;
    let mut heard = Vec::new();
    while let Some(Event::Change(change)) = changes.try_next() {
        heard.push(change.kind);
    }
    let expected = [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Retimed, ChangeKind::Removed];
    held(heard == expected, "created, updated, retimed, removed are heard, and nothing else")?;
    Ok("created, updated, retimed, removed heard in order; other keys not".to_owned())
}

/// Several changes commit together or not at all.
pub(super) async fn batch(db: &Strata) -> Told {
    db.set("account:a", &100_i64).await?;
    db.set("account:b", &0_i64).await?;
    let transfer = |a: i64, b: i64| {
        db.writes().stage(db.set("account:a", &a).if_present()).stage(db.set("account:b", &b).if_present())
    };
    let outcomes = transfer(60, 40).commit().await?;
    held(outcomes.len() == 2, "two changes, two outcomes")?;
    let broken = transfer(0, 100).stage(db.set("count", &0_u32).if_absent()).commit().await;
    refused(broken, ErrorKind::Conflict, "a commit with one broken guard")?;
    let sum = (db.get::<i64>("account:a").await?, db.get::<i64>("account:b").await?);
    held(sum == (Some(60), Some(40)), "a refused commit leaves everything as it was")?;
    Ok("two accounts changed in one commit; one broken guard among three: nothing changed".to_owned())
}
