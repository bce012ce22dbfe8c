//! From the sign-in to the end: issue, rotate, list, end, revoke, limit, expiry, and what builders refuse.

use std::sync::Arc;
use std::time::Duration;

use strata_adapter_memory::{MemoryConfig, MemoryStore};
use strata_core::conformance::{PerKey, block_on};
use strata_core::{ErrorKind, Handle, Lifetime, ManualClock, ReferenceStore};
use strata_session::refresh::{RefreshTokens, Rotation, Verdict};
use strata_session::security::{EndReason, Misuse, SecurityEventKind};

use super::{DAY, HOUR, SECOND, copy, ground, ground_in, ground_with, unknown_family};
use crate::{grounds, kind_of};

#[test]
fn a_family_is_rotated_from_its_beginning_to_its_end() {
    grounds::each(|world| {
        let mut ground = ground_in(world, |builder| builder);
        let (first, family) = block_on(ground.tokens.issue("ada", "phone")).expect("issue");
        assert_eq!((family.id, family.generation), (first.family(), 0));
        assert_eq!((family.user.as_str(), family.client.as_str()), ("ada", "phone"));
        assert_eq!(family.expires.since(family.created), 30 * DAY);
        ground.advance(HOUR);
        let Rotation::Rotated { token: second, family: rotated } = ground.rotate(&first) else {
            panic!("not rotated")
        };
        assert_eq!((rotated.generation, second.generation(), second.family()), (1, 1, family.id));
        assert_eq!(rotated.rotated.since(rotated.created), HOUR);
        assert_eq!(rotated.expires, family.expires, "a rotation moves no cap");
        let third = ground.rotated(&second);
        assert_eq!(ground.list("ada")[0].generation, 2);
        ground.agrees(&["ada"]);
        assert!(block_on(ground.tokens.end(&third)).expect("end"));
        assert!(!block_on(ground.tokens.end(&third)).expect("end"), "it has ended");
        assert_eq!(ground.refused(&third), Verdict::Unknown);
        ground.agrees(&["ada"]);
        assert_eq!(
            ground.heard(),
            [
                SecurityEventKind::FamilyStarted,
                SecurityEventKind::TokenRotated,
                SecurityEventKind::TokenRotated,
                SecurityEventKind::FamilyEnded(EndReason::Logout),
                SecurityEventKind::InvalidUse(Misuse::UnknownToken),
            ]
        );
    });
}

#[test]
fn s14_one_all_of_a_user_and_all_of_all_end() {
    grounds::each(|world| {
        let mut ground = ground_in(world, |builder| builder);
        let [one, two, other] = ["ada", "ada", "bob"].map(|user| ground.issue(user));
        let many: Vec<_> = (0..70).map(|number| ground.issue(&format!("user {number}"))).collect();
        assert!(block_on(ground.tokens.revoke(one.family())).expect("revoke"));
        assert!(!block_on(ground.tokens.revoke(one.family())).expect("revoke"), "it has ended");
        assert!(!block_on(ground.tokens.revoke(unknown_family())).expect("revoke"));
        assert_eq!(ground.refused(&one), Verdict::Unknown);
        assert_eq!(ground.list("ada").len(), 1);
        let two = ground.rotated(&two);
        assert_eq!(block_on(ground.tokens.revoke_user("ada")).expect("revoke"), 1);
        assert_eq!(block_on(ground.tokens.revoke_user("ada")).expect("revoke"), 0);
        assert_eq!(ground.refused(&two), Verdict::Unknown);
        let other = ground.rotated(&other);
        ground.heard();
        assert_eq!(block_on(ground.tokens.revoke_all()).expect("revoke"), 71);
        let ended = ground.heard();
        assert_eq!(ended, vec![SecurityEventKind::FamilyEnded(EndReason::AllRevoked); 71]);
        for token in many.iter().chain([&other]) {
            assert_eq!(ground.refused(token), Verdict::Unknown);
        }
        ground.agrees(&["ada", "bob"]);
    });
}

/// A family ends at its cap however often it is rotated, and earlier where it is not.
#[test]
fn s07_s08_idleness_and_cap_end_a_family() {
    let ground = ground_with(|builder| builder.lifetime(Lifetime::idle(DAY).at_most(3 * DAY)));
    let (mut token, begun) = block_on(ground.tokens.issue("ada", "")).expect("issue");
    let idle = ground.issue("ada");
    assert_eq!(begun.expires.since(begun.created), DAY);
    for _ in 0..3 {
        ground.advance(23 * HOUR);
        token = ground.rotated(&token);
    }
    let last = ground.list("ada");
    assert_eq!(last.len(), 1, "the other was idle");
    assert_eq!(last[0].expires.since(begun.created), 3 * DAY);
    assert_eq!(ground.refused(&idle), Verdict::Unknown);
    ground.advance(3 * HOUR);
    assert_eq!(ground.refused(&token), Verdict::Unknown);
    assert!(ground.list("ada").is_empty());
}

#[test]
fn looking_changes_nothing_and_is_no_activity() {
    let ground = ground_with(|builder| builder.lifetime(Lifetime::idle(HOUR).at_most(DAY)));
    let token = ground.issue("ada");
    ground.advance(HOUR / 2);
    let seen = block_on(ground.tokens.inspect(&token)).expect("inspect").expect("it is current");
    assert_eq!(vec![seen], ground.list("ada"));
    ground.advance(HOUR / 2);
    assert_eq!(ground.refused(&token), Verdict::Unknown, "looking did not prolong it");
}

#[test]
fn one_family_too_many_ends_the_oldest() {
    let mut ground = ground_with(|builder| builder.max_families(2));
    let [first, second, third] = ["ada", "ada", "ada"].map(|user| ground.issue(user));
    let bob = ground.issue("bob");
    assert_eq!(ground.refused(&first), Verdict::Unknown);
    let (second, third) = (ground.rotated(&second), ground.rotated(&third));
    ground.rotated(&bob);
    assert!(ground.heard().contains(&SecurityEventKind::FamilyEnded(EndReason::Limit)));
    block_on(ground.tokens.end(&second)).expect("end");
    ground.issue("ada");
    ground.rotated(&third);
    ground.agrees(&["ada", "bob"]);
}

/// What ended by idleness is still on the list's record, and takes nobody's place.
#[test]
fn idle_families_take_no_room() {
    let idle = Lifetime::idle(HOUR).at_most(DAY);
    let ground = ground_with(|builder| builder.max_families(2).lifetime(idle));
    let kept = ground.issue("ada");
    ground.issue("ada");
    ground.advance(HOUR / 2);
    let kept = ground.rotated(&kept);
    ground.advance(HOUR / 2);
    ground.issue("ada");
    ground.rotated(&kept);
    assert_eq!(ground.list("ada").len(), 2);
}

/// A smaller limit than before ends as many as are over it.
#[test]
fn a_smaller_limit_takes_effect_at_the_next_sign_in() {
    let ground = ground();
    for _ in 0..5 {
        ground.issue("ada");
    }
    let strict = RefreshTokens::builder(&ground.world.db).max_families(2).build().expect("a manager");
    block_on(strict.issue("ada", "")).expect("issue");
    assert_eq!(ground.list("ada").len(), 2);
    ground.agrees(&["ada"]);
}

#[test]
fn managers_of_other_namespaces_do_not_meet() {
    let ground = ground();
    let other = RefreshTokens::builder(&ground.world.db).namespace("api").build().expect("a manager");
    let token = ground.issue("ada");
    let refused = block_on(other.rotate(&token)).expect("rotate").granted();
    assert_eq!(refused.expect_err("not its own"), Verdict::Unknown);
    assert_eq!(block_on(other.revoke_all()).expect("revoke"), 0);
    ground.rotated(&token);
}

#[test]
fn bad_users_and_clients_are_refused_before_any_store_call() {
    let ground = ground();
    let before = ground.world.faulty.calls();
    for (user, client, kind) in [
        ("", "phone", ErrorKind::Invalid),
        ("a\nb", "phone", ErrorKind::Invalid),
        (&*"x".repeat(257), "phone", ErrorKind::TooLarge),
        ("ada", "pho\0ne", ErrorKind::Invalid),
        ("ada", &*"x".repeat(129), ErrorKind::TooLarge),
    ] {
        assert_eq!(kind_of(block_on(ground.tokens.issue(user, client))), kind, "{user:?} {client:?}");
    }
    assert_eq!(ground.world.faulty.calls(), before);
    let (user, client) = ("é".repeat(128), "x".repeat(128));
    let (_, family) = block_on(ground.tokens.issue(&user, &client)).expect("the longest there are");
    assert_eq!((family.user, family.client), (user, client));
}

#[test]
fn settings_that_cannot_hold_are_refused() {
    let db = ground().world.db;
    let builder = || RefreshTokens::builder(&db);
    for bad in [
        builder().lifetime(Lifetime::FOREVER),
        builder().lifetime(Lifetime::idle(HOUR)),
        builder().lifetime(Lifetime::ttl(Duration::ZERO)),
        builder().grace(RefreshTokens::MAX_GRACE + SECOND),
        builder().max_families(0),
        builder().max_families(RefreshTokens::MOST_FAMILIES + 1),
        builder().namespace("a:b"),
        builder().namespace(""),
    ] {
        assert_eq!(kind_of(bad.build()), ErrorKind::Invalid);
    }
    let small = MemoryStore::with_config(MemoryConfig::default().max_batch(101));
    let stores: [Arc<dyn strata_core::Store>; 2] =
        [Arc::new(PerKey::over(Arc::new(ReferenceStore::new()))), Arc::new(small)];
    for store in stores {
        let db = Handle::builder(store, Arc::new(ManualClock::default())).build().expect("a handle");
        assert_eq!(kind_of(RefreshTokens::new(&db)), ErrorKind::Unsupported);
    }
}

/// Several managers over one store, such as a program's tasks, are one.
#[test]
fn clones_and_other_managers_see_the_same() {
    let ground = ground();
    let again = RefreshTokens::new(&ground.world.db).expect("a manager");
    let token = ground.issue("ada");
    let (next, _) = block_on(again.rotate(&token)).expect("rotate").granted().expect("granted");
    assert!(block_on(ground.tokens.clone().revoke(next.family())).expect("revoke"));
    let refused = block_on(again.rotate(&copy(&next))).expect("rotate").granted();
    assert_eq!(refused.expect_err("revoked"), Verdict::Unknown);
}
