//! Going on with a refresh token when the session has ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use strata_core::conformance::block_on;
use strata_core::{BoxFuture, ErrorKind, Timer};
use strata_session::auth::Restored;
use strata_session::security::{Misuse, SecurityEventKind};
use strata_session::tokens::{
    RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest, TokenAnswer, Tokens,
};

use super::{Auth, Claims, ada, auth, opened, sign_in};
use crate::{World, kind_of, world};

/// A server that answers what it is told to.
#[derive(Debug, Default)]
struct Server(Mutex<Option<Result<TokenAnswer, RefreshFailure>>>);

#[async_trait]
impl RefreshTransport for Server {
    async fn refresh(&self, _request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        self.0.lock().expect("lock").take().expect("the server is asked once, when it has an answer")
    }

    async fn revoke(&self, _request: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        Err(RefreshFailure::OFFLINE)
    }
}

/// Nothing times out.
#[derive(Debug)]
struct Patient;

impl Timer for Patient {
    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Scene {
    world: World,
    auth: Auth,
    server: Arc<Server>,
    tokens: Tokens,
}

/// Ada's tokens are here; her session is not.
fn scene() -> Scene {
    let world = world();
    let server = Arc::new(Server::default());
    let builder = Tokens::builder(&world.db, Arc::clone(&server) as _, Arc::new(Patient));
    let tokens = builder.unprotected("a store of a test").build().expect("a manager");
    block_on(tokens.store("main", answer().subject("ada"))).expect("stored");
    let auth = auth(&world);
    Scene { world, auth, server, tokens }
}

fn answer() -> TokenAnswer {
    TokenAnswer::new("access").refresh("refresh")
}

const WORD: &str =
    r#"{"id":"ada","name":"Ada","roles":["reader"],"claims":{"tenant":"north","level":3},"more":1}"#;

impl Scene {
    fn restore(&self, said: Result<TokenAnswer, RefreshFailure>) -> strata_core::Result<Restored<Claims>> {
        *self.server.0.lock().expect("lock") = Some(said);
        block_on(self.auth.restore(&self.tokens, "main").expecting("ada").into_future())
    }

    fn is_nobody_signed_in(&self) -> bool {
        block_on(self.auth.list("ada")).expect("list").is_empty()
    }
}

#[test]
fn a_session_is_restored_by_the_servers_word() {
    let scene = scene();
    let (old, session) = sign_in(&scene.auth, &ada().role("admin"));
    block_on(session.logout()).expect("ended");
    let restored = scene.restore(Ok(answer().subject("ada").user(WORD))).expect("asked");
    let Restored::Session(token, session) = restored else { panic!("{restored:?}") };
    let user = block_on(session.user()).expect("alive");
    assert_eq!((user.id.as_str(), user.name.as_deref()), ("ada", Some("Ada")));
    assert_eq!((user.claims.tenant.as_str(), user.claims.level), ("north", 3));
    assert!(user.has_role("reader") && !user.has_role("admin"), "what was known here counts for nothing");
    assert!(opened(&scene.auth, &token).is_some() && opened(&scene.auth, &old).is_none());
    let info = block_on(session.info()).expect("alive");
    assert!(!info.remembered, "restoring does not remember by itself, or it would go on for ever");
}

#[test]
fn a_dead_token_and_a_dead_network_are_told_apart_and_neither_is_a_session() {
    let scene = scene();
    let offline = scene.restore(Err(RefreshFailure::OFFLINE)).expect("asked");
    assert!(matches!(offline, Restored::Offline(error) if error.kind() == ErrorKind::Unavailable));
    assert!(block_on(scene.tokens.info("main")).expect("asked").is_some(), "nobody was signed out by that");
    scene.world.clock.advance(Duration::from_mins(2));
    assert!(matches!(scene.restore(Err(RefreshFailure::Invalid)).expect("asked"), Restored::SignIn));
    let again = block_on(scene.auth.restore(&scene.tokens, "main").into_future()).expect("asked");
    assert!(matches!(again, Restored::SignIn), "nothing is left to ask with");
    assert!(scene.is_nobody_signed_in());
}

#[test]
fn another_user_is_refused_and_told_of() {
    let scene = scene();
    let mut events = scene.auth.log().subscribe();
    let other = WORD.replace("\"ada\"", "\"eve\"");
    for said in [answer().subject("ada").user(other.clone()), answer().user(other)] {
        assert_eq!(kind_of(scene.restore(Ok(said))), ErrorKind::Denied);
        let event = events.try_next().expect("an event").expect("none missed");
        assert_eq!(event.kind, SecurityEventKind::InvalidUse(Misuse::OtherUser));
        assert_eq!(event.user.as_deref(), Some("eve"));
    }
    assert!(scene.is_nobody_signed_in());
}

#[test]
fn an_answer_that_does_not_describe_the_user_begins_nothing() {
    let scene = scene();
    for word in ["{}", "[]", "garbage", r#"{"id":"ada"}"#, r#"{"id":"ada","claims":{"tenant":1,"level":1}}"#]
    {
        let error = scene.restore(Ok(answer().user(word))).expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{word}");
        assert!(!format!("{error:?}").contains("garbage"), "the answer is not quoted");
    }
    assert!(scene.is_nobody_signed_in());
}

#[test]
fn a_store_that_fails_is_an_error_and_no_sign_in() {
    use strata_core::conformance::{Fault, every_call};
    let scene = scene();
    let count = block_on(every_call(&scene.world.faulty, Fault::Unavailable, async |_| {
        scene.world.clock.advance(Duration::from_mins(2));
        *scene.server.0.lock().expect("lock") = Some(Ok(answer().subject("ada").user(WORD)));
        match scene.auth.restore(&scene.tokens, "main").await {
            Ok(Restored::Session(..)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
    }));
    assert!(count >= 4, "{count} calls");
}
