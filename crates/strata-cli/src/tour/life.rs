//! Life and death, on a clock that is moved: idle time, cap, expiry, sweep.

use strata::{ChangeKind, Event, Span};

use super::ground::Ground;
use super::{Told, held};

/// Activity moves the deadline, never past the cap.
pub(super) async fn idle_and_cap(ground: &Ground) -> Told {
    let (db, clock) = ground.with_clock("idle").await?;
    db.set("session", &1_u32).idle(30.minutes()).at_most(2.hours()).await?;
    for _ in 0..5 {
        clock.advance(20.minutes());
        held(db.get::<u32>("session").await?.is_some(), "activity keeps it alive")?;
    }
    clock.advance(20.minutes());
    held(db.get::<u32>("session").await?.is_none(), "at the cap it is dead, active or not")?;
    db.set("idle", &1_u32).idle(30.minutes()).await?;
    clock.advance(30.minutes());
    held(db.get::<u32>("idle").await?.is_none(), "without activity it dies")?;
    db.close().await?;
    Ok("read every 20 min: alive past 30 min idle, dead at the 2 h cap; unread: dead at 30 min".to_owned())
}

/// What is dead is not served, is swept once, and is announced once.
pub(super) async fn sweep(ground: &Ground) -> Told {
    let (db, clock) = ground.with_clock("sweep").await?;
    let mut changes = db.subscribe("*")?;
    for number in 0..300_u32 {
        db.set(&format!("short:{number}"), &number).ttl(1.minutes()).await?;
        while changes.try_next().is_some() {}
    }
    clock.advance(1.minutes());
    held(db.get::<u32>("short:7").await?.is_none(), "what is dead is not served, swept or not")?;
    let (first, second) = (db.sweep().await?, db.sweep().await?);
    held(first.removed == 300 && second.removed == 0, "a sweep removes each once")?;
    let mut expired = 0;
    while let Some(event) = changes.try_next() {
        expired += u32::from(matches!(event, Event::Change(change) if change.kind == ChangeKind::Expired));
    }
    held(expired == 300, "each expiry is announced once")?;
    db.close().await?;
    Ok("300 dead: none served, 300 swept, 300 announced, second sweep 0".to_owned())
}
