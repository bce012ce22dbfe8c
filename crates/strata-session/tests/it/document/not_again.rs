//! The defects of the original, each of which would fail one of these.

use std::sync::Arc;
use std::task::{Context, Waker};

use serde_json::json;
use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::document::{Path, SyncAnswer, SyncOutcome, Synced};

use super::{Fate, Leap, SECOND, builder, document, here, in_step, pending, scene, set, sync};
use crate::kind_of;

/// *Overlapping syncs*: however many ask, one request is under way, and each has been sent what it edited before.
#[tokio::test]
async fn syncs_do_not_overlap() {
    let scene = scene();
    *scene.wire.road.lock().expect("lock") = Some(super::fresh_store());
    let callers = (0..20).map(|number| {
        let client = scene.client.clone();
        tokio::spawn(async move {
            client.set(&format!("n{number}"), &number).await.expect("set");
            client.sync().await.expect("sync")
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.expect("no panic"), Synced::InStep);
    }
    assert_eq!(scene.wire.most.load(std::sync::atomic::Ordering::SeqCst), 1, "one at a time");
    let at_server = scene.server.read("ada").await.expect("read").expect("a document");
    assert_eq!(
        serde_json::to_value(at_server).expect("json").as_object().map(serde_json::Map::len),
        Some(20)
    );
}

/// *Edits lost during the request*: what is edited while the request travels is there afterwards, and goes with the next.
#[test]
fn edits_made_during_the_request_are_kept() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    set(&scene.client, "b", json!(1));
    let road = super::stepped_road(&scene.wire);
    let mut syncing = Box::pin(scene.client.sync());
    let mut context = Context::from_waker(Waker::noop());
    assert!(syncing.as_mut().poll(&mut context).is_pending(), "on its way");
    set(&scene.client, "a", json!(2));
    set(&scene.client, "c", json!(3));
    super::remove(&scene.client, "b");
    road.pause(false);
    assert_eq!(block_on(syncing).expect("sync"), Synced::InStep);
    assert_eq!(scene.at_server(), json!({"a": 1, "b": 1}));
    assert_eq!(here(&scene.client), json!({"a": 2, "c": 3}));
    assert_eq!(pending(&scene.client), ["b", "a", "c"]);
    in_step(&scene.client);
    assert_eq!(scene.at_server(), json!({"a": 2, "c": 3}));
}

/// *Absent server fields wiping local ones*: an answer that leaves out what it does not say to be gone removes nothing.
#[test]
fn what_an_answer_leaves_out_stays() {
    let scene = scene();
    set(&scene.client, "ui", json!({"theme": "dark", "size": 3}));
    set(&scene.client, "preferences", json!({"lang": "en"}));
    in_step(&scene.client);
    let revision = block_on(scene.client.status()).expect("status").expect("a session").revision;
    let terse = SyncAnswer {
        protocol: 1,
        outcome: SyncOutcome::Applied,
        revision,
        document: document(json!({"auth": {"level": 2}, "ui": {"size": 4}})),
        removed: vec![Path::parse("preferences.lang").expect("a path")],
        refused: Vec::new(),
        seen: Vec::new(),
    };
    scene.wire.then(Fate::Says(Box::new(terse)));
    in_step(&scene.client);
    let end = json!({"auth": {"level": 2}, "ui": {"theme": "dark", "size": 4}});
    assert_eq!(here(&scene.client), end);
}

/// *Client clock as the sync marker*: clocks years apart, forward and back, change nothing.
#[test]
fn clocks_of_clients_do_not_matter() {
    let ends = [0, 1, 2].map(|skew| {
        let scene = scene();
        let (one, two) = (scene.device(), scene.device());
        let year = 365 * 24 * 60 * super::super::MINUTE;
        if skew == 1 {
            one.home.clock.advance(30 * year);
        } else if skew == 2 {
            two.home.clock.set(strata_core::Timestamp::from_millis(1));
        }
        set(&one.client, "a", json!("one"));
        set(&one.client, "b", json!("one"));
        in_step(&one.client);
        set(&two.client, "a", json!("two"));
        in_step(&two.client);
        super::remove(&one.client, "b");
        set(&one.client, "ui.theme", json!("one"));
        in_step(&one.client);
        in_step(&two.client);
        assert_eq!(here(&one.client), here(&two.client));
        scene.at_server()
    });
    assert_eq!(ends[0], json!({"a": "two", "ui": {"theme": "one"}}));
    assert!(ends.iter().all(|end| *end == ends[0]));
}

/// *`authorship` treated as `auth`*: only exact segments wake a sync, belong to the server, or have its policy.
#[test]
fn authorship_is_not_important() {
    let scene = scene();
    let client = builder(&scene.home.db, &scene.wire).build().expect("a client");
    let mut run = Box::pin(client.run());
    let mut context = Context::from_waker(Waker::noop());
    let mut go_on = || (0..50).for_each(|_| assert!(run.as_mut().poll(&mut context).is_pending()));
    go_on();
    assert_eq!(scene.wire.sent().len(), 1, "on start");
    for path in ["authorship", "username.first", "users", "a.auth", "auth\\.x"] {
        set(&client, path, json!(1));
        go_on();
    }
    assert_eq!(scene.wire.sent().len(), 1, "the interval is not over");
    for (edits, path) in ["auth.level", "user", "auth"].iter().enumerate() {
        set(&client, path, json!({"x": edits}));
        go_on();
        assert_eq!(scene.wire.sent().len(), 2 + edits, "{path}");
    }
    assert_eq!(scene.at_server()["authorship"], json!(1), "and it is the client's");
}

/// *Writes into prototypes or through scalars*: refused, and nothing is changed.
#[test]
fn no_write_goes_into_prototypes_or_through_scalars() {
    let scene = scene();
    set(&scene.client, "user", json!({"name": "Ada", "tags": [1]}));
    let before = here(&scene.client);
    for path in [
        "__proto__.admin",
        "user.constructor.prototype.x",
        "user.__proto__",
        "user.name.first",
        "user.tags.0",
    ] {
        let refused = block_on(scene.client.set(path, &true));
        assert_eq!(kind_of(refused), ErrorKind::Invalid, "{path}");
    }
    let inside = block_on(scene.client.set("user", &json!({"x": [{"__proto__": {"admin": true}}]})));
    assert_eq!(kind_of(inside), ErrorKind::Invalid);
    assert_eq!(here(&scene.client), before);
}

/// Beyond the list: the original syncs for ever at the same pace against a server that is down. Here pauses grow and are drawn.
#[test]
fn a_server_that_is_down_is_not_hammered() {
    let scene = scene();
    for _ in 0..1000 {
        scene.wire.then(Fate::Fails(strata_session::document::SyncFailure::OFFLINE));
    }
    let timer = Arc::new(Leap(Arc::clone(&scene.home.clock)));
    let client =
        strata_session::document::ServerSynced::builder(&scene.home.db, Arc::clone(&scene.wire) as _, timer)
            .pauses(SECOND, 600 * SECOND)
            .build()
            .expect("a client");
    let began = strata_core::Clock::now(&*scene.home.clock);
    let mut run = Box::pin(client.run());
    let mut context = Context::from_waker(Waker::noop());
    while scene.wire.sent().len() < 60 {
        assert!(run.as_mut().poll(&mut context).is_pending());
    }
    let took = strata_core::Clock::now(&*scene.home.clock).since(began);
    assert!(took > 60 * 100 * SECOND && took < 60 * 600 * SECOND, "{took:?} for 60 tries");
    assert_eq!(sync(&client), Synced::Waiting(strata_session::document::SyncFailure::OFFLINE));
}
