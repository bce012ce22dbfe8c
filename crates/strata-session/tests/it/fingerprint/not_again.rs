//! The faults of the pattern this replaces, one by one: each is shown not to be here.

use std::time::Duration;

use strata_core::Lifetime;
use strata_core::conformance::block_on;
use strata_session::Sessions;
use strata_session::fingerprint::{Feature, Features, Fingerprints, Unknown, Verdict};

use super::{checked, chrome, is_mismatch, laptop, laptop_but, prints, score, stranger, updated};
use crate::{MINUTE, created, grounds, hex, raw, world};

const DAY: Duration = Duration::from_hours(24);

#[test]
fn not_again_a_the_time_in_the_hash() {
    grounds::each(|world| {
        let (_, session) = created(&world.sessions);
        let prints = prints(&world);
        block_on(prints.bind(&session, &laptop())).expect("bind");
        for _ in 0..5 {
            world.clock.advance(MINUTE);
            assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match, "the same device, later");
        }
    });
}

#[test]
fn not_again_b_a_check_that_replaces_what_it_checks_against() {
    grounds::each(|world| {
        let (_, session) = created(&world.sessions);
        let prints = prints(&world);
        block_on(prints.bind(&session, &laptop())).expect("bind");
        for attempt in 0..3 {
            assert!(is_mismatch(&checked(&prints, &session, &stranger())), "attempt {attempt}");
        }
        assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match, "the reference is as it was");
    });
}

/// No check writes anything, whatever it finds: neither a reference, nor a key, nor activity.
#[test]
fn not_again_b_a_check_that_writes() {
    let world = world();
    let (token, session) = created(&world.sessions);
    let prints = prints(&world);
    let before = block_on(raw(&*world.faulty));
    world.clock.advance(20 * MINUTE);
    assert_eq!(checked(&prints, &session, &laptop()), Verdict::Unknown(Unknown::NoReference));
    assert_eq!(block_on(raw(&*world.faulty)), before, "an unknown device is not remembered");
    block_on(prints.bind(&session, &laptop())).expect("bind");
    world.clock.advance(20 * MINUTE);
    let bound = block_on(raw(&*world.faulty));
    for found in [laptop(), updated(), stranger()] {
        let calls = world.faulty.calls();
        checked(&prints, &session, &found);
        assert_eq!(world.faulty.calls(), calls + 1, "one read, no commit");
        block_on(prints.enforce(&session, &found)).expect("enforce");
    }
    assert_eq!(block_on(raw(&*world.faulty)), bound);
    let left = block_on(world.sessions.handle().ttl(&token.id().to_string())).expect("ttl");
    assert_eq!(left, strata_core::Ttl::Left(10 * MINUTE), "whoever only checks keeps nothing alive");
}

#[test]
fn not_again_c_a_similarity_that_is_equality() {
    let world = world();
    let prints = prints(&world);
    let Verdict::Similar { score: near, changed } = prints.compare(&laptop(), &updated()) else {
        panic!("an update is no other device");
    };
    assert_eq!((near.permille(), changed), (968, vec![Feature::AGENT]));
    let moved = laptop_but("zone", |builder| builder.zone("Asia/Tokyo"));
    assert_eq!(score(&prints.compare(&laptop(), &moved)), 930);
    assert!(is_mismatch(&prints.compare(&laptop(), &stranger())));
}

/// The hash has few bits behind it, so it is keyed: who copies the store without the key cannot find the features by trying them, nor
/// see that two sessions are of one device. (That the comparison is in constant time is the work of `subtle`.)
#[test]
fn not_again_d_a_hash_without_a_key() {
    block_on(async {
        let one = |key: [u8; 32]| async move {
            let world = world();
            let prints = Fingerprints::builder(&world.db).allow_plaintext().key(&key).build().expect("built");
            let (_, session) = world.sessions.create().await.expect("create");
            prints.bind(&session, &laptop()).await.expect("bind");
            raw(&*world.faulty).await
        };
        let (first, second) = (one([1; 32]).await, one([2; 32]).await);
        assert_eq!((first.len(), second.len()), (1, 1), "a key that was given is not stored");
        // The generators are alike, so ids and secrets are the same: what differs is the hash.
        assert_ne!(first[0].payload, second[0].payload);
        assert_eq!(first[0].payload, one([1; 32]).await[0].payload);
        assert!(!hex(first[0].payload.as_bytes()).contains(&hex(&[1; 16])), "nor any part of it");
    });
}

#[test]
fn not_again_e_a_fingerprint_that_dies_before_its_session() {
    grounds::each(|world| {
        let life = Lifetime::idle(10 * DAY).at_most(30 * DAY);
        let sessions = Sessions::builder(&world.db).lifetime(life).build().expect("a manager");
        let (token, session) = created(&sessions);
        let prints = prints(&world);
        block_on(prints.bind(&session, &laptop())).expect("bind");
        for day in 1..30 {
            world.clock.advance(DAY);
            assert!(block_on(sessions.open(&token)).expect("open").is_some(), "alive on day {day}");
            assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match, "known on day {day}");
        }
        world.clock.advance(DAY);
        let error = block_on(prints.check(&session, &laptop())).expect_err("the session has ended");
        assert_eq!(error.kind(), strata_core::ErrorKind::Gone, "and its reference with it");
    });
}

#[test]
fn not_again_f_a_reference_that_fits_another_session() {
    block_on(async {
        let world = world();
        let prints = prints(&world);
        let (first, _) = world.sessions.create().await.expect("create");
        let session = world.sessions.open(&first).await.expect("open").expect("alive");
        prints.bind(&session, &laptop()).await.expect("bind");
        // Everything the record holds, laid under the id of a session that its thief made up, with the same secret.
        let lifted =
            world.sessions.handle().lift(&first.id().to_string()).await.expect("lift").expect("there");
        let forged = first.expose().replacen(&first.id().to_string(), &"ab".repeat(16), 1);
        let forged = strata_session::SessionToken::parse(&forged).expect("well formed");
        world.sessions.handle().lay(&forged.id().to_string(), &lifted).if_absent().await.expect("lay");
        let copy =
            world.sessions.open(&forged).await.expect("open").expect("an unsealed store can be copied");
        let verdict = prints.check(&copy, &laptop()).await.expect("check");
        assert_eq!(verdict, Verdict::Unknown(Unknown::Unverified), "a copy of the reference is none");
        assert_eq!(prints.check(&session, &laptop()).await.expect("check"), Verdict::Match);
    });
}

#[test]
fn not_again_f_a_hash_that_depends_on_order() {
    let agent = chrome(126);
    let one = Features::builder().agent(&agent).cores(8).custom("canvas", "a1").zone("UTC");
    let two = Features::builder().zone("UTC").custom("canvas", "a1").cores(8).agent(&agent);
    let (one, two) = (one.build().expect("features"), two.build().expect("features"));
    let world = world();
    let (_, session) = created(&world.sessions);
    let prints = prints(&world);
    block_on(prints.bind(&session, &one)).expect("bind");
    assert_eq!(checked(&prints, &session, &two), Verdict::Match);
}

/// A monitor that is plugged in, a journey, a browser that updates itself: none of them is another device, nor all but the journey.
#[test]
fn not_again_f_features_that_change_by_themselves() {
    let world = world();
    let prints = prints(&world);
    let monitor = laptop_but("screen", |builder| builder.screen(3840, 2160));
    let turned = laptop_but("screen", |builder| builder.screen(1080, 1920));
    let abroad = laptop_but("zone", |builder| builder.zone("America/New_York"));
    let elsewhere = laptop_but("address", |builder| builder.address("203.0.113.1".parse().expect("address")));
    for found in [monitor, turned, abroad, elsewhere, updated()] {
        let verdict = prints.compare(&laptop(), &found);
        assert!(matches!(verdict, Verdict::Similar { .. }), "{verdict}");
    }
    // A host's number in its network and a browser's patch level are not even seen.
    let renumbered =
        laptop_but("address", |builder| builder.address("192.0.2.200".parse().expect("address")));
    let patch = chrome(126).replace("126.0.0.0", "126.0.6478.127");
    let patched = laptop_but("agent", |builder| builder.agent(&patch));
    for found in [renumbered, patched] {
        assert_eq!(prints.compare(&laptop(), &found), Verdict::Match);
    }
}

#[test]
fn not_again_g_features_in_plaintext_by_accident() {
    let world = world();
    let error = Fingerprints::new(&world.db).expect_err("the handle seals nothing");
    assert_eq!(error.kind(), strata_core::ErrorKind::Downgrade);
    assert!(Fingerprints::builder(&world.db).allow_plaintext().build().is_ok(), "unless that is said");
}
