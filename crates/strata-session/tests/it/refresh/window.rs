//! The window in which the rotated token gets its successor again (s24).

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{Clock as _, Handle, ManualClock, Timestamp};
use strata_session::refresh::{RefreshTokens, Rotation, Verdict};
use strata_session::security::{EndReason, Misuse, SecurityEventKind};

use super::{Ground, SECOND, copy, ground, ground_in, ground_with, same};
use crate::{grounds, raw};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn s24_a_retry_gets_the_same_successor() {
    grounds::each(|world| {
        let mut ground = ground_in(world, |builder| builder);
        let first = ground.issue("ada");
        let second = ground.rotated(&first);
        let before = block_on(raw(&*ground.world.faulty));
        for _ in 0..3 {
            let Rotation::Retried { token, family } = ground.rotate(&copy(&first)) else {
                panic!("no retry")
            };
            assert!(same(&token, &second));
            assert_eq!((family.generation, family.user.as_str()), (1, "ada"));
        }
        assert_eq!(block_on(raw(&*ground.world.faulty)), before, "nothing has changed");
        let third = ground.rotated(&ground.retried(&first));
        assert!(same(&ground.retried(&second), &third));
        let heard = ground.heard();
        let retries = heard.iter().filter(|kind| **kind == SecurityEventKind::TokenRetried).count();
        assert_eq!((retries, heard.len()), (5, 8), "{heard:?}");
    });
}

#[test]
fn s24_repeats_do_not_extend_the_window() {
    let mut ground = ground();
    let first = ground.issue("ada");
    let second = ground.rotated(&first);
    for _ in 0..4 {
        ground.advance(SECOND * 2);
        assert!(same(&ground.retried(&first), &second));
    }
    ground.advance(Duration::from_millis(1999));
    assert!(same(&ground.retried(&first), &second), "the last millisecond of it");
    ground.advance(MILLISECOND);
    ground.heard();
    assert_eq!(ground.refused(&first), Verdict::RecentPrevious, "ten seconds after the rotation");
    assert_eq!(
        ground.heard(),
        [
            SecurityEventKind::InvalidUse(Misuse::RecentPrevious),
            SecurityEventKind::FamilyEnded(EndReason::Reuse)
        ]
    );
    assert_eq!(ground.refused(&second), Verdict::Unknown, "the family has ended");
    ground.agrees(&["ada"]);
}

#[test]
fn s24_the_first_use_of_the_successor_closes_it() {
    let ground = ground();
    let first = ground.issue("ada");
    let second = ground.rotated(&first);
    let third = ground.rotated(&second);
    assert_eq!(ground.refused(&first), Verdict::StaleLineage, "not a millisecond later");
    assert_eq!(ground.refused(&third), Verdict::Unknown);
}

#[test]
fn s24_only_the_immediate_predecessor_has_one() {
    for behind in 0..4 {
        let ground = ground();
        let mut line = vec![ground.issue("ada")];
        for _ in 0..4 {
            line.push(ground.rotated(line.last().expect("one")));
        }
        if behind == 3 {
            assert!(same(&ground.retried(&line[3]), &line[4]));
        } else {
            assert_eq!(ground.refused(&line[behind]), Verdict::StaleLineage);
            assert!(ground.list("ada").is_empty());
        }
    }
}

#[test]
fn s24_without_a_window_nothing_is_repeated() {
    let ground = ground_with(|builder| builder.grace(Duration::ZERO));
    let first = ground.issue("ada");
    let second = ground.rotated(&first);
    assert_eq!(ground.refused(&first), Verdict::RecentPrevious);
    assert_eq!(ground.refused(&second), Verdict::Unknown);
}

#[test]
fn s24_the_window_is_as_long_as_it_is_told_to_be() {
    let ground = ground_with(|builder| builder.grace(RefreshTokens::MAX_GRACE));
    let first = ground.issue("ada");
    ground.rotated(&first);
    ground.advance(Duration::from_millis(59_999));
    ground.retried(&first);
    ground.advance(MILLISECOND);
    assert_eq!(ground.refused(&first), Verdict::RecentPrevious);
}

/// The same store under another clock, as after a restart or on another machine.
fn elsewhere(ground: &Ground, now: Timestamp) -> RefreshTokens {
    let clock = Arc::new(ManualClock::at(now));
    let db = Handle::builder(Arc::clone(&ground.world.faulty) as _, clock).build().expect("a handle");
    RefreshTokens::new(&db).expect("a manager")
}

/// Machines whose clocks differ by a little serve each other's retries; a clock that was set back does not open windows again.
#[test]
fn s12_a_clock_set_back_opens_no_window() {
    for (back, opens) in [(SECOND, true), (SECOND * 60, true), (SECOND * 61, false), (SECOND * 3600, false)] {
        let ground = ground();
        ground.world.clock.set(Timestamp::from_millis(1_800_000_000_000));
        let first = ground.issue("ada");
        ground.rotated(&first);
        let set_back = elsewhere(&ground, ground.world.clock.now().saturating_sub(back));
        let outcome = block_on(set_back.rotate(&first)).expect("rotate").granted();
        assert_eq!(outcome.map(drop), if opens { Ok(()) } else { Err(Verdict::RecentPrevious) }, "{back:?}");
    }
}
