//! What a reference is bound to, what replaces it, what follows from a verdict, and what prints.

use std::collections::BTreeMap;

use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Lifetime};
use strata_session::fingerprint::{
    Action, Feature, Features, FingerprintPolicy, Fingerprints, Score, Unknown, Verdict,
};
use strata_session::security::{Misuse, SecurityEventKind, SecurityLog};
use strata_session::{Limits, Sessions};

use super::{checked, is_mismatch, laptop, prints, stranger, updated};
use crate::{created, grounds, hex, kind_of, opened, raw, world};

#[test]
fn a_reference_is_bound_once_and_replaced_by_adopting() {
    grounds::each(|world| {
        let (_, session) = created(&world.sessions);
        let prints = prints(&world);
        assert_eq!(checked(&prints, &session, &laptop()), Verdict::Unknown(Unknown::NoReference));
        block_on(prints.bind(&session, &laptop())).expect("bind");
        block_on(prints.bind(&session, &laptop())).expect("the same again changes nothing");
        assert_eq!(kind_of(block_on(prints.bind(&session, &updated()))), ErrorKind::Conflict);
        assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match, "the first one stands");
        block_on(prints.adopt(&session, &stranger())).expect("adopt");
        assert_eq!(checked(&prints, &session, &stranger()), Verdict::Match);
        assert!(is_mismatch(&checked(&prints, &session, &laptop())));
    });
}

#[test]
fn adopting_works_where_nothing_was_bound() {
    let world = world();
    let (_, session) = created(&world.sessions);
    block_on(prints(&world).adopt(&session, &laptop())).expect("adopt");
    assert_eq!(checked(&prints(&world), &session, &laptop()), Verdict::Match, "and another manager reads it");
}

/// What the session holds, as somebody would write it down to get at it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Reference {
    scheme: u16,
    version: u16,
    hash: [u8; 32],
    features: BTreeMap<String, String>,
}

#[test]
fn a_reference_is_out_of_the_applications_reach_and_survives_clearing_and_rotation() {
    let world = world();
    let (_, mut session) = created(&world.sessions);
    let prints = prints(&world);
    block_on(prints.bind(&session, &laptop())).expect("bind");
    block_on(session.set("theme", &1_u8)).expect("set");
    assert_eq!(block_on(session.list()).expect("list"), ["theme"]);
    assert_eq!(kind_of(block_on(session.set("~fingerprint", &1_u8))), ErrorKind::Invalid);
    assert!(!block_on(session.remove("~fingerprint")).expect("remove"));
    assert!(
        block_on(session.get::<Reference>("~fingerprint")).expect("get").is_none(),
        "not even as what it is"
    );
    assert_eq!(block_on(session.get::<u8>("~fingerprint")).expect("get"), None);
    assert_eq!(block_on(session.clear()).expect("clear"), 1);
    let token = block_on(session.rotate()).expect("rotate");
    assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match);
    let again = opened(&world.sessions, &token).expect("alive");
    assert_eq!(checked(&prints, &again, &laptop()), Verdict::Match);
}

#[test]
fn s13_nothing_is_bound_to_a_session_that_has_ended() {
    grounds::each(|world| {
        let (_, session) = created(&world.sessions);
        let prints = prints(&world);
        let stale = session.clone();
        block_on(prints.bind(&session, &laptop())).expect("bind");
        assert!(block_on(session.destroy()).expect("destroy"));
        for error in [
            kind_of(block_on(prints.bind(&stale, &laptop()))),
            kind_of(block_on(prints.adopt(&stale, &stranger()))),
            kind_of(block_on(prints.check(&stale, &laptop()))),
            kind_of(block_on(prints.enforce(&stale, &laptop()))),
        ] {
            assert_eq!(error, ErrorKind::Gone);
        }
        assert_eq!(block_on(raw(&*world.faulty)).len(), 1, "the key, and nothing of the session");
    });
}

#[test]
fn s04_a_replaced_token_neither_adopts_nor_checks() {
    let world = world();
    let (_, mut session) = created(&world.sessions);
    let prints = prints(&world);
    block_on(prints.bind(&session, &laptop())).expect("bind");
    let stale = session.clone();
    let _token = block_on(session.rotate()).expect("rotate");
    assert_eq!(kind_of(block_on(prints.adopt(&stale, &stranger()))), ErrorKind::Gone);
    assert_eq!(kind_of(block_on(prints.check(&stale, &stranger()))), ErrorKind::Gone);
    assert_eq!(checked(&prints, &session, &laptop()), Verdict::Match);
}

#[test]
fn a_set_of_another_version_is_unknown() {
    let world = world();
    let (_, session) = created(&world.sessions);
    let prints = prints(&world);
    let of = |version| Features::builder().version(version).cores(8).build().expect("features");
    block_on(prints.bind(&session, &of(1))).expect("bind");
    assert_eq!(checked(&prints, &session, &of(2)), Verdict::Unknown(Unknown::OtherVersion));
    assert_eq!(prints.compare(&of(1), &of(2)), Verdict::Unknown(Unknown::OtherVersion));
    assert_eq!(kind_of(block_on(prints.bind(&session, &of(2)))), ErrorKind::Conflict, "not even then");
    block_on(prints.adopt(&session, &of(2))).expect("adopt");
    assert_eq!(checked(&prints, &session, &of(2)), Verdict::Match);
}

#[test]
fn another_key_or_a_lost_one_verifies_nothing() {
    let world = world();
    let (_, session) = created(&world.sessions);
    let with =
        |key: &[u8]| Fingerprints::builder(&world.db).allow_plaintext().key(key).build().expect("built");
    let first = with(&[1; 32]);
    block_on(first.bind(&session, &laptop())).expect("bind");
    assert_eq!(checked(&first, &session, &laptop()), Verdict::Match);
    // The last one looks for a key in the store, where none is.
    for other in [with(&[2; 32]), prints(&world)] {
        assert_eq!(checked(&other, &session, &laptop()), Verdict::Unknown(Unknown::Unverified));
        assert_eq!(kind_of(block_on(other.bind(&session, &laptop()))), ErrorKind::Conflict);
    }
}

#[test]
fn what_has_no_weight_binds_nothing() {
    let world = world();
    let (_, session) = created(&world.sessions);
    let weightless = || Fingerprints::builder(&world.db).allow_plaintext().weight(Feature::CORES, 0);
    let prints = weightless().build().expect("built");
    let cores = |count| Features::builder().cores(count).build().expect("features");
    assert_eq!(kind_of(block_on(prints.bind(&session, &cores(8)))), ErrorKind::Invalid);
    assert_eq!(kind_of(block_on(prints.adopt(&session, &cores(8)))), ErrorKind::Invalid);
    assert_eq!(prints.compare(&cores(8), &cores(4)), Verdict::Unknown(Unknown::Weightless));
    let with = |count| Features::builder().cores(count).zone("UTC").build().expect("features");
    let Verdict::Similar { score, changed } = prints.compare(&with(8), &with(4)) else {
        panic!("no mismatch")
    };
    assert_eq!((score.permille(), changed), (1000, vec![Feature::CORES]), "told, and not counted");
}

#[test]
fn a_policy_advises_and_ends_nothing() {
    let world = world();
    let (token, session) = created(&world.sessions);
    let build =
        |policy| Fingerprints::builder(&world.db).allow_plaintext().policy(policy).build().expect("built");
    let lax = FingerprintPolicy::default().mismatch(Action::Allow).unknown(Action::Allow);
    let table = [
        (FingerprintPolicy::default(), [Action::StepUp, Action::Allow, Action::Allow, Action::StepUp]),
        (FingerprintPolicy::strict(), [Action::StepUp, Action::Allow, Action::StepUp, Action::End]),
        (lax.similar(Action::End), [Action::Allow, Action::Allow, Action::End, Action::Allow]),
    ];
    let unknown: Vec<_> =
        table.iter().map(|(policy, _)| policy.action(&Verdict::Unknown(Unknown::NoReference))).collect();
    for ((policy, [first, ..]), action) in table.iter().zip(unknown) {
        assert_eq!(action, *first, "{policy:?}");
        assert_eq!(block_on(build(*policy).enforce(&session, &laptop())).expect("enforce"), *first);
    }
    block_on(prints(&world).bind(&session, &laptop())).expect("bind");
    for (policy, [_, matching, similar, mismatch]) in table {
        let prints = build(policy);
        for (found, expected) in [(laptop(), matching), (updated(), similar), (stranger(), mismatch)] {
            assert_eq!(block_on(prints.enforce(&session, &found)).expect("enforce"), expected, "{policy:?}");
        }
    }
    assert!(opened(&world.sessions, &token).is_some(), "ending is the caller's act");
}

#[test]
fn s18_a_mismatch_is_an_event_and_nothing_else_is() {
    let world = world();
    let (_, session) = created(&world.sessions);
    let log = SecurityLog::new(&world.db);
    let prints = Fingerprints::builder(&world.db).allow_plaintext().log(log.clone()).build().expect("built");
    let mut events = prints.log().subscribe();
    checked(&prints, &session, &laptop());
    block_on(prints.bind(&session, &laptop())).expect("bind");
    for found in [laptop(), updated()] {
        checked(&prints, &session, &found);
    }
    assert!(events.try_next().is_none());
    checked(&prints, &session, &stranger());
    block_on(prints.enforce(&session, &stranger())).expect("enforce");
    for _ in 0..2 {
        let event = events.try_next().expect("an event").expect("none missed");
        assert_eq!(event.kind, SecurityEventKind::InvalidUse(Misuse::Fingerprint));
        assert_eq!((event.session, event.user), (Some(session.id()), None));
    }
    assert!(events.try_next().is_none());
}

#[test]
fn s05_nothing_that_prints_holds_a_feature_or_the_key() {
    block_on(async {
        let world = world();
        let prints = Fingerprints::builder(&world.db).allow_plaintext().key(&[0x5a; 32]);
        let built = format!("{prints:?}");
        let prints = prints.build().expect("built");
        let (_, session) = world.sessions.create().await.expect("create");
        prints.bind(&session, &laptop()).await.expect("bind");
        let verdict = prints.check(&session, &stranger()).await.expect("check");
        let conflict = prints.bind(&session, &stranger()).await.expect_err("bound");
        let builder = Features::builder().custom("canvas", "vienna");
        let printed = format!(
            "{built} {prints:?} {:?} {builder:?} {verdict:?} {verdict} {conflict} {conflict:?} {:?} {:?}",
            laptop(),
            session,
            raw(&*world.faulty).await,
        );
        assert!(printed.contains("colour_depth"), "names are no secret");
        for value in ["vienna", "lima", "1920", "chrome 126", "firefox", "192.0.2", "de-at", "90, 90", "5a5a"]
        {
            assert!(!printed.to_lowercase().contains(value), "{value} is printed");
        }
    });
}

#[test]
fn s06_the_key_that_is_drawn_is_the_generators_and_its_own_record() {
    block_on(async {
        let world = world();
        let (_, session) = world.sessions.create().await.expect("create");
        let drawn = |world: &crate::World| world.random.given.lock().expect("lock").len();
        let before = drawn(&world);
        prints(&world).bind(&session, &laptop()).await.expect("bind");
        let given = world.random.given.lock().expect("lock").last().cloned().expect("drawn");
        assert_eq!((drawn(&world), given.len()), (before + 1, 32));
        let key = world.db.lift("fingerprint:key").await.expect("lift").expect("there");
        assert!(hex(key.bytes()).contains(&hex(&given)));
        assert!(key.expiry().deadline().is_none(), "it outlives every session");
        // Others use the same one.
        assert_eq!(checked(&prints(&world), &session, &laptop()), Verdict::Match);
        assert_eq!(drawn(&world), before + 1);
    });
}

#[test]
fn a_session_without_room_refuses_a_reference_and_stays_as_it_was() {
    let world = world();
    let limits = Limits::default().values(1);
    let life = Lifetime::idle(crate::MINUTE);
    let sessions =
        Sessions::builder(&world.db).namespace("small").lifetime(life).limits(limits).build().expect("built");
    let (_, session) = created(&sessions);
    block_on(session.set("theme", &1_u8)).expect("set");
    assert_eq!(kind_of(block_on(prints(&world).bind(&session, &laptop()))), ErrorKind::TooLarge);
    assert_eq!(checked(&prints(&world), &session, &laptop()), Verdict::Unknown(Unknown::NoReference));
    assert_eq!(block_on(session.get::<u8>("theme")).expect("get"), Some(1));
}

/// The largest set there can be fits a session with the usual limits.
#[test]
fn the_largest_set_fits() {
    let world = world();
    let (_, session) = created(&world.sessions);
    let names: Vec<_> = (0..Features::MOST).map(|number| format!("{}{number:02}", "f".repeat(30))).collect();
    let value = "v".repeat(256);
    let builder = names.iter().fold(Features::builder(), |builder, name| builder.custom(name, &value));
    let largest = builder.build().expect("features");
    block_on(prints(&world).bind(&session, &largest)).expect("bind");
    assert_eq!(checked(&prints(&world), &session, &largest), Verdict::Match);
}

#[test]
fn futures_can_be_spawned() {
    fn is_send(_: &impl Send) {}
    let world = world();
    let (_, session) = created(&world.sessions);
    let (prints, features) = (prints(&world), laptop());
    is_send(&prints.bind(&session, &features));
    is_send(&prints.adopt(&session, &features));
    is_send(&prints.enforce(&session, &features));
}

#[test]
fn a_score_reads_as_a_percentage() {
    let world = world();
    let verdict = prints(&world).compare(&laptop(), &updated());
    assert_eq!(verdict.to_string(), "similar, 96.8 %, changed: agent");
    let Verdict::Similar { score, .. } = verdict else { panic!("similar") };
    assert_eq!(Score::permille(score), 968);
}
