//! What programs, clients and servers may send, however wrong: each is refused clearly, and nothing is changed.

use serde_json::{Value, json};
use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::document::{
    Change, Documents, Path, Policies, Seen, ServerSynced, SyncAnswer, SyncFailure, SyncOutcome, SyncProblem,
    SyncRequest, Synced, What,
};

use super::{Fate, Never, document, here, in_step, pending, scene, set, sync};
use crate::{grounds, kind_of, world, world_over};

fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}

fn request(revision: Option<strata_session::document::Revision>, changes: Vec<Change>) -> SyncRequest {
    let name = |digits: &str| digits.repeat(16);
    SyncRequest {
        protocol: 1,
        replica: name("0a").parse().expect("an id"),
        request: name("0b").parse().expect("an id"),
        revision,
        changes,
    }
}

fn change(at: &str, value: Value) -> Change {
    Change { path: path(at), what: What::Set(value), seen: None }
}

#[test]
fn documents_have_bounds_and_an_edit_beyond_them_changes_nothing() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    let deep = (0..40).fold(json!(1), |inner, _| json!({ "d": inner }));
    for (value, kind) in [
        (json!("x".repeat(64 * 1024)), ErrorKind::TooLarge),
        (json!(vec![0; 9000]), ErrorKind::TooLarge),
        (deep, ErrorKind::TooLarge),
        (json!({"": 1}), ErrorKind::Invalid),
        (json!({"a\nb": 1}), ErrorKind::Invalid),
        (json!({"x".repeat(200): 1}), ErrorKind::Invalid),
    ] {
        assert_eq!(kind_of(block_on(scene.client.set("b", &value))), kind);
    }
    let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(kind_of(block_on(scene.client.set("b", &no_json))), ErrorKind::Invalid);
    let half = block_on(scene.client.edit(|document| {
        document.set(&path("a"), &2)?;
        document.set(&path("a.b"), &3)
    }));
    assert_eq!(kind_of(half), ErrorKind::Invalid);
    assert_eq!(here(&scene.client), json!({"a": 1}));
}

#[test]
fn a_server_takes_no_bad_change() {
    let scene = scene();
    scene.server_sets("a", json!(1));
    let revision = block_on(scene.server.sync("ada", &request(None, Vec::new()))).expect("look").revision;
    for (bad, kind) in [
        (change("a.b", json!(1)), ErrorKind::Invalid),
        (change("b", json!("x".repeat(64 * 1024))), ErrorKind::TooLarge),
        (change("b", json!({"__proto__": 1})), ErrorKind::Invalid),
    ] {
        let good = change("c", json!(1));
        let refused = block_on(scene.server.sync("ada", &request(revision, vec![good, bad])));
        let error = refused.expect_err("refused");
        assert_eq!(error.kind(), kind);
        let status = if kind == ErrorKind::Invalid { 400 } else { 413 };
        assert_eq!(SyncProblem::of(&error).0, status);
        assert_eq!(scene.at_server(), json!({"a": 1}));
    }
    let newer = SyncRequest { protocol: 2, ..request(revision, Vec::new()) };
    let (status, problem) =
        SyncProblem::of(&block_on(scene.server.sync("ada", &newer)).expect_err("refused"));
    assert_eq!((status, problem.error.as_str()), (400, "unsupported_version"));
}

/// A replayed request is not taken twice, nor is one from a revision that is over, nor one that claims to know the future.
#[test]
fn old_and_made_up_requests_change_nothing() {
    let scene = scene();
    let first = request(None, vec![change("n", json!(1))]);
    let answer = block_on(scene.server.sync("ada", &first)).expect("sync");
    assert_eq!(answer.outcome, SyncOutcome::Applied);
    scene.server_sets("n", json!(2));
    let again = block_on(scene.server.sync("ada", &first)).expect("sync");
    assert_eq!(
        (again.outcome, scene.at_server()),
        (SyncOutcome::Applied, json!({"n": 2})),
        "it is in, and was overtaken"
    );
    let mut stale = request(answer.revision, vec![change("n", json!(3))]);
    stale.request = "0c".repeat(16).parse().expect("an id");
    let answer = block_on(scene.server.sync("ada", &stale)).expect("sync");
    assert_eq!(
        (answer.outcome, answer.status(), scene.at_server()),
        (SyncOutcome::Conflict, 409, json!({"n": 2}))
    );
    stale.revision = Some("00000000000000ff-7-00000000000000ff".parse().expect("a revision"));
    let answer = block_on(scene.server.sync("ada", &stale)).expect("sync");
    assert_eq!((answer.outcome, answer.removed.len()), (SyncOutcome::Conflict, 0));
    let mut boast = request(answer.revision, vec![change("w", json!("x"))]);
    boast.request = "0d".repeat(16).parse().expect("an id");
    boast.changes[0].seen = Some(u64::MAX);
    let answer = block_on(scene.server.sync("ada", &boast)).expect("sync");
    let known = answer.seen.iter().find(|seen| seen.path == path("w")).map(|seen| seen.count);
    assert_eq!(known, boast.revision.map(strata_session::document::Revision::count));
}

#[test]
fn answers_that_no_server_gives_change_nothing() {
    let scene = scene();
    set(&scene.client, "a", json!(1));
    let bare = SyncAnswer {
        protocol: 1,
        outcome: SyncOutcome::Applied,
        revision: None,
        document: document(json!({})),
        removed: Vec::new(),
        refused: Vec::new(),
        seen: Vec::new(),
    };
    let huge = json!({"protocol": 1, "outcome": "applied", "revision": null, "document": {"a": "x".repeat(100_000)}});
    let huge = SyncAnswer::from_response(200, huge.to_string().as_bytes(), None).expect("an answer");
    scene.wire.then(Fate::Says(Box::new(huge)));
    assert!(matches!(sync(&scene.client), Synced::Waiting(SyncFailure::Protocol(_))));
    assert_eq!((here(&scene.client), pending(&scene.client)), (json!({"a": 1}), vec!["a".to_owned()]));
    // One that says the changes are in although they are nowhere: they are sent again.
    scene.wire.then(Fate::Says(Box::new(bare.clone())));
    in_step(&scene.client);
    assert_eq!(pending(&scene.client), ["a"]);
    // One that conflicts for ever: the client gives up for now, and keeps everything.
    for _ in 0..20 {
        scene.wire.then(Fate::Says(Box::new(SyncAnswer { outcome: SyncOutcome::Conflict, ..bare.clone() })));
    }
    assert!(matches!(sync(&scene.client), Synced::Waiting(SyncFailure::Refused(_))));
    assert_eq!(here(&scene.client), json!({"a": 1}));
    scene.wire.fates.lock().expect("lock").clear();
    in_step(&scene.client);
    assert_eq!(scene.at_server(), json!({"a": 1}));
    // Marks at places that are not there do no harm.
    let odd = Seen { path: path("no.such"), count: u64::MAX };
    let revision = block_on(scene.client.status()).expect("status").expect("a session").revision;
    let odd = SyncAnswer { revision, removed: vec![path("no"), path("a.b.c")], seen: vec![odd], ..bare };
    scene.wire.then(Fate::Says(Box::new(odd)));
    in_step(&scene.client);
    assert_eq!(here(&scene.client), json!({"a": 1}));
}

#[test]
fn a_merge_that_grows_too_large_loses_nothing() {
    let scene = scene();
    let other = scene.device();
    set(&scene.client, "one", json!("x".repeat(40_000)));
    set(&other.client, "two", json!("y".repeat(40_000)));
    in_step(&scene.client);
    assert_eq!(sync(&other.client), Synced::Waiting(SyncFailure::TooLarge));
    assert_eq!(pending(&other.client), ["two"]);
    super::remove(&other.client, "two");
    in_step(&other.client);
    in_step(&other.client);
    assert_eq!(here(&other.client), scene.at_server());
}

/// What the server has refused for what is in it is not asked for ever: the next request has what was corrected.
#[test]
fn after_a_refusal_the_corrected_changes_are_sent() {
    let scene = scene();
    scene.server_sets("user.about", json!("x".repeat(30_000)));
    in_step(&scene.client);
    super::remove(&scene.client, "user.about");
    set(&scene.client, "a", json!("y".repeat(40_000)));
    assert_eq!(
        sync(&scene.client),
        Synced::Waiting(SyncFailure::TooLarge),
        "the server keeps what is its own"
    );
    set(&scene.client, "a", json!("y"));
    in_step(&scene.client);
    assert_eq!((here(&scene.client), &here(&scene.client)["a"]), (scene.at_server(), &json!("y")));
    set(&scene.client, "a", json!("bad"));
    scene.wire.then(Fate::Fails(SyncFailure::Invalid));
    assert_eq!(sync(&scene.client), Synced::Waiting(SyncFailure::Invalid));
    set(&scene.client, "a", json!("good"));
    in_step(&scene.client);
    assert_eq!(scene.at_server()["a"], json!("good"));
    let sent = scene.wire.sent();
    assert_eq!(sent.last().expect("sent").changes.len(), 1, "what was refused was not sent first");
    assert!(sent.iter().rev().take(2).map(|sent| sent.request).is_sorted_by(|one, two| one != two));
}

/// Whatever fits in a document can be sent, however many and however long the names of its places are.
#[test]
fn a_document_at_its_bounds_goes_there_and_back() {
    let long = vec!["n".repeat(100); 10].join(".");
    for (place, count) in [("cart.items", 600), (&*long, 250)] {
        let scene = scene();
        let items = |value: usize| {
            let items = (0..count).map(|item| (format!("a{item:04}"), json!(value)));
            Value::Object(items.collect())
        };
        set(&scene.client, place, items(1));
        in_step(&scene.client);
        let other = scene.device();
        in_step(&other.client);
        set(&other.client, place, items(2));
        set(&scene.client, place, items(3));
        in_step(&other.client);
        in_step(&scene.client);
        let merged: std::collections::BTreeMap<String, u8> =
            block_on(scene.client.get(place)).expect("get").expect("items");
        assert!(merged.len() == count && merged.values().all(|value| [2, 3].contains(value)));
        assert!(here(&scene.client) == scene.at_server(), "not in step");
        set(&scene.client, place, json!({}));
        in_step(&scene.client);
        assert!(scene.at_server() == here(&scene.client) && pending(&scene.client).is_empty());
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let scene = scene();
    let db = &scene.home.db;
    let built = |settings: fn(
        strata_session::document::ServerSyncedBuilder<'_>,
    ) -> strata_session::document::ServerSyncedBuilder<'_>| {
        settings(super::builder(db, &scene.wire)).build()
    };
    assert_eq!(kind_of(built(|builder| builder.name(""))), ErrorKind::Invalid);
    assert_eq!(kind_of(built(|builder| builder.important(&["a..b"]))), ErrorKind::Invalid);
    assert_eq!(kind_of(built(|builder| builder.unprotected(" "))), ErrorKind::Invalid);
    assert_eq!(
        kind_of(Policies::default().at("", strata_session::document::Policy::Sum)),
        ErrorKind::Invalid
    );
    assert_eq!(kind_of(Documents::new(db).expect("a server").owned(&["__proto__"])), ErrorKind::Invalid);
    let no_random =
        strata_core::Handle::builder(super::fresh_store(), std::sync::Arc::clone(&scene.home.clock) as _);
    let no_random = no_random.build().expect("a handle");
    let timer = std::sync::Arc::new(Never);
    let built = ServerSynced::new(&no_random, std::sync::Arc::clone(&scene.wire) as _, timer);
    assert_eq!(kind_of(built), ErrorKind::Unsupported);
}

/// A credential is kept sealed or in memory, and neither it nor a value is printed.
#[test]
fn credentials_and_values_do_not_leak() {
    let scene = scene();
    let on_disk = world_over(grounds::on_disk());
    let client = super::builder(&on_disk.db, &scene.wire).build().expect("a client");
    assert_eq!(kind_of(block_on(client.begin(Some("secret")))), ErrorKind::Downgrade);
    let told = super::builder(&on_disk.db, &scene.wire).unprotected("a test").build().expect("a client");
    assert!(block_on(told.begin(Some("secret-word"))).expect("begin"));
    assert_eq!(kind_of(block_on(told.begin(Some("two words")))), ErrorKind::Invalid);
    set(&told, "profile.name", json!("Ada Lovelace"));
    in_step(&told);
    let request = scene.wire.sent().last().cloned().expect("sent");
    let answer = block_on(scene.server.sync("ada", &request)).expect("sync");
    let whole = block_on(told.document()).expect("read").expect("a session");
    for text in [
        format!("{told:?} {:?}", scene.server),
        format!("{request:?} {answer:?} {whole:?} {:?}", request.changes),
        format!("{:?}", block_on(told.status()).expect("status")),
        block_on(told.set("profile.name.first", &"Ada Lovelace")).expect_err("refused").to_string(),
        format!("{:?}", block_on(told.get::<u8>("profile.name")).expect_err("refused")),
    ] {
        assert!(!text.contains("secret-word") && !text.contains("Lovelace"), "{text}");
    }
    let other = world();
    assert!(
        block_on(strata_session::document::Documents::new(&other.db).expect("a server").read("ada"))
            .expect("read")
            .is_none()
    );
}
