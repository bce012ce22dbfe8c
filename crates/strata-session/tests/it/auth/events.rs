//! Security events, and what no log, error or event ever holds.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use strata_core::conformance::block_on;
use strata_session::auth::{AtLimit, AuthEvents, AuthSessions};
use strata_session::security::{EndReason, Misuse, SecurityEvent, SecurityEventKind};
use strata_session::{SessionId, SessionToken};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{Auth, Claims, ada, auth, named, sign_in};
use crate::{MINUTE, World, grounds, hex, traced, world};

fn drain(events: &mut AuthEvents) -> Vec<SecurityEvent> {
    std::iter::from_fn(|| events.try_next()).map(|event| event.expect("none missed")).collect()
}

fn kinds(events: &mut AuthEvents) -> Vec<SecurityEventKind> {
    drain(events).into_iter().map(|event| event.kind).collect()
}

const fn ended(why: EndReason) -> SecurityEventKind {
    SecurityEventKind::SessionEnded(why)
}

#[test]
fn s18_each_act_is_one_event_with_session_user_and_time() {
    use SecurityEventKind::{
        InvalidUse, PrivilegesChanged, Reauthenticated, SessionCreated, SessionExtended, SessionRotated,
    };
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let mut events = auth.events();
            let (first, mut session) = sign_in(&auth, &ada());
            let begun = drain(&mut events);
            let now = world.db.clock().now();
            assert_eq!((begun.len(), begun[0].kind, begun[0].at), (1, SessionCreated, now));
            assert_eq!((begun[0].session, begun[0].user.as_deref()), (Some(first.id()), Some("ada")));
            session.extend(60 * MINUTE).await.expect("extend");
            assert_eq!(kinds(&mut events), [], "nothing was gained");
            world.clock.advance(MINUTE);
            session.extend(60 * MINUTE).await.expect("extend");
            let rotated = session.rotate().await.expect("rotate");
            session.reauthenticate().await.expect("authenticate");
            session.change_user(|user| user.claims.level = 2).await.expect("change");
            assert_eq!(
                kinds(&mut events),
                [SessionExtended, SessionRotated, Reauthenticated, PrivilegesChanged]
            );
            assert!(auth.open(&rotated).await.expect("open").is_none());
            session.logout().await.expect("logout");
            session.logout().await.expect("logout");
            assert!(auth.open(&rotated).await.expect("open").is_none());
            assert_eq!(
                kinds(&mut events),
                [
                    InvalidUse(Misuse::WrongSecret),
                    ended(EndReason::Logout),
                    InvalidUse(Misuse::UnknownSession)
                ]
            );
        });
    });
}

#[test]
fn s18_every_end_says_why() {
    block_on(async {
        let world = world();
        let auth = AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::EndOldest).build();
        let auth = auth.expect("a manager");
        let (first, _) = sign_in(&auth, &ada());
        let (second, session) = sign_in(&auth, &ada());
        let mut events = auth.events();
        sign_in(&auth, &ada());
        session.logout_others().await.expect("logout");
        auth.login(&named("bob")).instead_of(&second).await.expect("login");
        let (third, _) = sign_in(&auth, &ada());
        auth.revoke(third.id()).await.expect("revoke");
        auth.revoke_user("bob").await.expect("revoke");
        sign_in(&auth, &ada());
        auth.revoke_all().await.expect("revoke");
        let told = drain(&mut events);
        let ends: Vec<_> =
            told.iter().filter(|event| matches!(event.kind, SecurityEventKind::SessionEnded(_))).collect();
        let why: Vec<_> = ends.iter().map(|event| event.kind).collect();
        assert_eq!(
            why,
            [
                ended(EndReason::Limit),
                ended(EndReason::LogoutElsewhere),
                ended(EndReason::Replaced),
                ended(EndReason::Revoked),
                ended(EndReason::UserRevoked),
                ended(EndReason::AllRevoked)
            ]
        );
        assert_eq!(ends[0].session, Some(first.id()));
        assert_eq!((ends[2].session, ends[2].user.as_deref()), (Some(second.id()), Some("ada")));
    });
}

#[test]
fn s18_a_session_that_expired_is_told_of_when_it_is_swept() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, _) = sign_in(&auth, &ada());
            let mut events = auth.events();
            world.clock.advance(60 * MINUTE);
            assert_eq!(kinds(&mut events), []);
            world.db.purge(None, 100).await.expect("sweep");
            let told = drain(&mut events);
            assert_eq!((told.len(), told[0].kind), (1, SecurityEventKind::SessionExpired));
            assert_eq!((told[0].session, &told[0].user), (Some(token.id()), &None));
            sign_in(&auth, &ada());
            let next = events.next().await.expect("open").expect("none missed");
            assert_eq!(next.kind, SecurityEventKind::SessionCreated);
            world.clock.advance(60 * MINUTE);
            world.db.purge(None, 100).await.expect("sweep");
            let next = events.next().await.expect("open").expect("none missed");
            assert_eq!(next.kind, SecurityEventKind::SessionExpired, "whichever stream it comes from");
        });
    });
}

/// For whoever collects logs: what happened is the message, who and which session are fields of their own.
#[test]
fn s18_what_is_traced_has_fields() {
    let world = world();
    let auth = auth(&world);
    let user = named("eve\u{2028}session created");
    let (token, traced) = traced::during(|| sign_in(&auth, &user).0);
    let at = "at=2026-01-01T00:00:00.000Z";
    let told = format!("message=session created {at} session={} user={:?} ", token.id(), user.id);
    assert_eq!(traced, told);
    assert!(!traced.contains('\u{2028}'), "nobody forges a line");
    let (_, traced) = traced::during(|| block_on(auth.revoke_all()).expect("revoke"));
    assert_eq!(traced, format!("message=session ended (all revoked) {at} session={} ", token.id()));
}

/// A subscriber that keeps every event and span as text.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<String>>);

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().expect("lock"), "{field} {value:?}").expect("text");
    }
}

impl Subscriber for Kept {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Everything a session can do and be refused, with what it prints; the tokens that were issued meanwhile.
async fn live(world: &World, auth: &Auth, printed: &mut String) -> Vec<SessionToken> {
    let mut events = auth.events();
    let user = ada().named("Ada Lovelace").email("ada@example.org");
    let login = auth.login(&user);
    write!(printed, "{login:?}").expect("text");
    let (first, mut session) = login.await.expect("login");
    session.set("pin", &"4711-payload".to_owned()).await.expect("set");
    let mut issued = vec![session.rotate().await.expect("rotate")];
    issued.push(session.reauthenticate().await.expect("authenticate"));
    issued.push(session.change_user(|user| user.claims.level = 2).await.expect("change"));
    issued.push(auth.login(&user).instead_of(&issued[2]).await.expect("login").0);
    let wrong = SessionToken::parse(&format!("{}.{}", issued[3].id(), "A".repeat(43))).expect("a token");
    for token in issued.iter().chain([&first, &wrong]) {
        let opened = auth.open(token).await.expect("open");
        write!(printed, "{token:?} {opened:?} {:?}", auth.info(token.id()).await).expect("text");
    }
    let denied = auth.open(&issued[3]).await.expect("open").expect("alive");
    world.clock.advance(MINUTE);
    for error in [
        session.get::<u8>("pin").await.expect_err("gone"),
        session.rotate().await.expect_err("gone"),
        denied.require_permission("root").await.expect_err("denied"),
        denied.require_fresh(std::time::Duration::ZERO).await.expect_err("stale"),
    ] {
        write!(printed, "{error} {error:?}").expect("text");
    }
    write!(printed, "{auth:?} {session:#?} {user:?} {events:?}").expect("text");
    auth.revoke_user("ada").await.expect("revoke");
    for event in drain(&mut events) {
        write!(printed, "{event} {event:?} {}", serde_json(&event)).expect("text");
    }
    issued.push(first);
    issued
}

fn serde_json(event: &SecurityEvent) -> String {
    let mut bytes = Vec::new();
    strata_core::Codec::Json.encode(event, &mut bytes, 4096).expect("json");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn s05_no_secret_is_ever_printed_or_logged() {
    let world = world();
    let auth = auth(&world);
    let kept = Kept::default();
    let mut printed = String::new();
    let issued =
        tracing::subscriber::with_default(kept.clone(), || block_on(live(&world, &auth, &mut printed)));
    printed.push_str(&kept.0.lock().expect("lock"));
    assert!(printed.contains("session created") && printed.contains("invalid use (wrong secret)"));
    assert!(printed.contains(&issued[0].id().to_string()), "ids are public");
    for personal in ["Lovelace", "example.org", "4711", "acme"] {
        assert!(!printed.contains(personal), "{personal} is nobody's business");
    }
    assert_eq!(issued.len(), 5);
    for token in &issued {
        let text = token.expose();
        let secret = &text[SessionId::TEXT_LEN + 1..];
        let bytes = URL_SAFE_NO_PAD.decode(secret).expect("base64url");
        for form in [secret.to_owned(), hex(&bytes), hex(&bytes).to_uppercase(), format!("{bytes:?}")] {
            assert!(!printed.contains(form.trim_matches(['[', ']'])), "a secret was printed");
        }
    }
}

#[test]
fn s02_a_copied_store_opens_no_session() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (token, _) = sign_in(&auth, &ada());
        let text = token.expose();
        let secret = URL_SAFE_NO_PAD.decode(&text[SessionId::TEXT_LEN + 1..]).expect("base64url");
        let mut tried = 0;
        for record in crate::raw(&*world.faulty).await {
            let bytes = record.payload.as_bytes();
            assert!(!bytes.windows(32).any(|window| window == secret), "the store holds the secret");
            for window in bytes.windows(32) {
                let forged = format!("{}.{}", token.id(), URL_SAFE_NO_PAD.encode(window));
                let forged = SessionToken::parse(&forged).expect("well formed");
                assert!(auth.open(&forged).await.expect("open").is_none());
                tried += 1;
            }
        }
        assert!(tried > 64, "{tried} runs of bytes");
    });
}

#[test]
fn s06_a_public_id_opens_and_prolongs_nothing() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (token, session) = sign_in(&auth, &ada());
        world.clock.advance(30 * MINUTE);
        let before = session.info().await.expect("info");
        let guess = SessionToken::parse(&format!("{}.{}", token.id(), "A".repeat(43))).expect("a token");
        assert!(auth.open(&guess).await.expect("open").is_none());
        auth.info(token.id()).await.expect("info");
        assert_eq!(session.info().await.expect("info"), before, "neither a guess nor a look is activity");
    });
}
