//! A document's life: edited, sent, merged, refused, kept through outages, ended.

use serde_json::json;
use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::document::{Policies, Policy, Revision, SessionEnd, SyncEvent, SyncFailure, Synced};

use super::{Fate, SECOND, here, in_step, pending, remove, scene, scene_in, set, sync};
use crate::{grounds, kind_of};

#[test]
fn an_edit_goes_there_and_comes_back_to_others() {
    grounds::each(|home| {
        let scene = scene_in(home);
        set(&scene.client, "cart.tea", json!(2));
        assert_eq!(pending(&scene.client), ["cart.tea"]);
        in_step(&scene.client);
        assert!(pending(&scene.client).is_empty());
        assert_eq!(scene.at_server(), json!({"cart": {"tea": 2}}));
        let other = scene.device();
        in_step(&other.client);
        assert_eq!(here(&other.client), json!({"cart": {"tea": 2}}));
        assert_eq!(block_on(other.client.get::<u32>("cart.tea")).expect("get"), Some(2));
        let mismatch = block_on(other.client.get::<String>("cart.tea"));
        assert_eq!(kind_of(mismatch), ErrorKind::Mismatch);
    });
}

#[test]
fn a_stale_write_is_merged_and_sent_again_and_overwrites_nothing() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    in_step(&scene.client);
    let other = scene.device();
    in_step(&other.client);
    set(&other.client, "b", json!(2));
    in_step(&other.client);
    set(&scene.client, "c", json!(3));
    in_step(&scene.client);
    assert_eq!(scene.at_server(), json!({"a": 1, "b": 2, "c": 3}));
    assert_eq!(here(&scene.client), scene.at_server());
    let revisions: Vec<_> = scene.wire.sent().iter().map(|sent| sent.revision.map(Revision::count)).collect();
    assert_eq!(revisions, [None, Some(1), Some(2)], "one conflict, and one retry from the new revision");
}

#[test]
fn removals_go_there_and_to_others_and_survive() {
    let scene = scene();
    set(&scene.client, "cart", json!({"tea": 1, "cups": 2}));
    set(&scene.client, "note", json!(null));
    in_step(&scene.client);
    let other = scene.device();
    in_step(&other.client);
    remove(&scene.client, "cart.tea");
    remove(&scene.client, "note");
    in_step(&scene.client);
    set(&other.client, "other", json!(true));
    in_step(&other.client);
    in_step(&scene.client);
    for end in [here(&scene.client), here(&other.client), scene.at_server()] {
        assert_eq!(end, json!({"cart": {"cups": 2}, "other": true}));
    }
}

#[test]
fn what_was_below_something_replaced_stays_removed() {
    let scene = scene();
    set(&scene.client, "a", json!({"b": 1, "c": {"d": 2}}));
    in_step(&scene.client);
    let other = scene.device();
    in_step(&other.client);
    for value in [json!("plain"), json!({"e": 3})] {
        set(&scene.client, "a", value);
        in_step(&scene.client);
    }
    set(&other.client, "a.f", json!(4));
    in_step(&other.client);
    assert_eq!(here(&other.client), json!({"a": {"e": 3, "f": 4}}));
    assert_eq!(scene.at_server(), here(&other.client));
}

#[test]
fn policies_hold_per_path() {
    let scene = scene();
    let policies = || {
        let policies = Policies::default().at("hits", Policy::Sum)?;
        policies.at("tags", Policy::Set)?.at("cart", Policy::LocalWins)?.at("cart.note", Policy::ServerWins)
    };
    let device = || scene.device_with(|builder| builder.policies(policies().expect("policies")));
    let (one, two) = (device().client, device().client);
    let base = json!({"hits": 10, "tags": ["a", "b"], "cart": {"tea": 1, "note": "x"}, "ui": {"theme": "x"}});
    for (name, value) in base.as_object().expect("an object") {
        set(&one, name, value.clone());
    }
    in_step(&one);
    in_step(&two);
    for (client, hits, tags, text) in
        [(&one, 13, json!(["a", "b", "c"]), "one"), (&two, 15, json!(["b", "d"]), "two")]
    {
        set(client, "hits", json!(hits));
        set(client, "tags", tags);
        for path in ["cart.tea", "cart.note", "ui.theme", "word"] {
            set(client, path, json!(text));
        }
    }
    in_step(&one);
    in_step(&two);
    in_step(&one);
    let end = json!({
        "hits": 18, "tags": ["b", "c", "d"], "cart": {"tea": "two", "note": "one"}, "ui": {"theme": "two"}, "word": "two",
    });
    for found in [here(&one), here(&two), scene.at_server()] {
        assert_eq!(found, end);
    }
}

#[test]
fn what_is_the_servers_own_is_refused_and_said() {
    let scene = scene();
    scene.server_sets("user", json!({"name": "Ada", "role": "guest"}));
    in_step(&scene.client);
    let mut events = scene.client.events();
    set(&scene.client, "user.role", json!("admin"));
    set(&scene.client, "permissions", json!(["everything"]));
    remove(&scene.client, "user.name");
    set(&scene.client, "authorship", json!("mine"));
    in_step(&scene.client);
    let end = json!({"user": {"name": "Ada", "role": "guest"}, "authorship": "mine"});
    assert_eq!((here(&scene.client), scene.at_server()), (end.clone(), end));
    assert!(pending(&scene.client).is_empty(), "not tried again");
    let refused = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        SyncEvent::Refused(paths) => Some(paths.iter().map(ToString::to_string).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(refused.expect("told"), ["user", "permissions"]);
}

#[test]
fn an_outage_keeps_everything_and_counts_nothing_twice() {
    let sums = || Policies::default().at("n", Policy::Sum).expect("policies");
    let scene = scene();
    let device = scene.device_with(|builder| builder.policies(sums()));
    let other = scene.device_with(|builder| builder.policies(sums()));
    let lost = Synced::Waiting(SyncFailure::Unanswered);
    set(&device.client, "n", json!(5));
    device.wire.then(Fate::LoseAnswer);
    assert_eq!(sync(&device.client), lost);
    assert_eq!(scene.at_server(), json!({"n": 5}), "it was taken, which nobody here knows");
    in_step(&other.client);
    set(&other.client, "n", json!(7));
    in_step(&other.client);
    set(&device.client, "n", json!(6));
    device.wire.then(Fate::LoseRequest);
    assert_eq!(sync(&device.client), lost);
    in_step(&device.client);
    assert_eq!(here(&device.client), json!({"n": 8}), "five, two of the other's, one more");
    in_step(&device.client);
    assert_eq!(scene.at_server(), json!({"n": 8}));
    let sent = device.wire.sent();
    assert!(sent[0] == sent[1] && sent[1] == sent[2], "the same request until its outcome is known");
    assert!(sent[3].request != sent[0].request);
}

#[test]
fn a_lost_session_is_ended_once_and_told() {
    let scene = scene();
    let mut events = scene.client.events();
    set(&scene.client, "a", json!(1));
    for _ in 0..2 {
        scene.wire.then(Fate::Fails(SyncFailure::Unauthorized));
    }
    assert_eq!(sync(&scene.client), Synced::Ended);
    assert_eq!(sync(&scene.client), Synced::NoSession);
    assert_eq!(scene.wire.sent().len(), 1, "nobody asks for a session that is over");
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(told, [SyncEvent::Ended(SessionEnd::Unauthorized)]);
    assert!(block_on(scene.client.document()).expect("read").is_none());
    let gone = block_on(scene.client.set("a", &2));
    assert_eq!(kind_of(gone), ErrorKind::Gone);
}

#[test]
fn other_failures_keep_the_session() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    for failure in [
        SyncFailure::OFFLINE,
        SyncFailure::Unanswered,
        SyncFailure::TooLarge,
        SyncFailure::Refused("no"),
        SyncFailure::Protocol("garbage"),
    ] {
        scene.wire.then(Fate::Fails(failure));
        assert_eq!(sync(&scene.client), Synced::Waiting(failure));
        assert_eq!(here(&scene.client), json!({"a": 1}));
    }
    in_step(&scene.client);
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let scene = scene();
    let pause = |seconds| SyncFailure::Offline { retry_after: Some(seconds * SECOND) };
    scene.wire.then(Fate::Fails(pause(30)));
    assert_eq!(sync(&scene.client), Synced::Waiting(pause(30)));
    scene.home.clock.advance(29 * SECOND);
    assert_eq!(sync(&scene.client), Synced::Waiting(pause(1)));
    assert_eq!(scene.wire.sent().len(), 1, "nothing was sent");
    scene.home.clock.advance(SECOND);
    in_step(&scene.client);
    scene.wire.then(Fate::Fails(pause(u32::MAX)));
    sync(&scene.client);
    scene.home.clock.advance(super::super::MINUTE * 60 * 24);
    in_step(&scene.client);
}

#[test]
fn a_logout_is_local_first_and_told_later() {
    let scene = scene();
    block_on(scene.client.logout()).expect("the one that began");
    assert!(block_on(scene.client.begin(Some("secret"))).expect("begin"));
    set(&scene.client, "a", json!(1));
    in_step(&scene.client);
    assert!(block_on(scene.client.logout()).expect("logout"));
    assert!(!block_on(scene.client.logout()).expect("logout"), "there is nothing any more");
    assert!(block_on(scene.client.document()).expect("read").is_none());
    for _ in 0..2 {
        scene.wire.then(Fate::Fails(SyncFailure::OFFLINE));
    }
    let after_restart = scene.again();
    let told = block_on(after_restart.tell_logouts()).expect("tell");
    assert_eq!((told.told, told.left), (0, 2));
    let told = block_on(after_restart.tell_logouts()).expect("tell");
    assert_eq!((told.told, told.left), (0, 2), "not before the pause is over");
    scene.home.clock.advance(15 * SECOND);
    let told = block_on(after_restart.tell_logouts()).expect("tell");
    assert_eq!((told.told, told.left), (2, 0));
    assert_eq!(scene.wire.logouts(), [None, Some("secret".to_owned())]);
    assert_eq!(scene.at_server(), json!({}), "its document is gone");
    assert!(block_on(scene.home.db.keys("*").collect()).expect("keys").is_empty(), "nothing is left here");
}

#[test]
fn a_server_that_lost_its_store_gets_everything_again() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    set(&scene.client, "b", json!({"c": 2}));
    in_step(&scene.client);
    set(&scene.client, "d", json!(3));
    assert!(block_on(scene.server.forget("ada")).expect("forget"));
    in_step(&scene.client);
    assert_eq!(scene.at_server(), json!({"a": 1, "b": {"c": 2}, "d": 3}));
    assert_eq!(here(&scene.client), scene.at_server());
}

#[test]
fn an_ended_document_is_not_begun_anew_by_a_late_request() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    assert!(!block_on(scene.server.end("ada")).expect("end"));
    assert_eq!(sync(&scene.client), Synced::Ended);
    assert!(block_on(scene.server.read("ada")).expect("read").is_none());
    let edit = block_on(scene.server.edit("ada", |_| Ok(())));
    assert_eq!(kind_of(edit), ErrorKind::Gone);
}
