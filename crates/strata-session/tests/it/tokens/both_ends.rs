//! The client's half against the server's own, over one store: answers lost on the way between them, a revocation, wrong clocks. Whatever is
//! lost, exactly one line of tokens is alive and the client holds it, or none is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use strata_core::conformance::{self, Stepped, Task, block_on, every_schedule, sampled_schedules};
use strata_core::{BoxFuture, Clock as _, ErrorKind, Key, ManualClock, ReferenceStore, Store, Timer};
use strata_session::refresh::{RefreshToken, RefreshTokens};
use strata_session::tokens::{
    RefreshFailure, RefreshRequest, RefreshTransport, Renewal, RevokeRequest, TokenAnswer, TokenPolicy,
    Tokens,
};

use super::SECOND;
use crate::{MINUTE, World, kind_of, world_over};

/// The way to the server, on which answers are lost.
struct Wire {
    server: RefreshTokens,
    clock: Arc<ManualClock>,
    /// Where an answer gives way, so that schedules see it travel.
    road: Arc<dyn Store>,
    calls: AtomicU32,
    /// How many answers are lost yet.
    loses: AtomicU32,
    /// Whether an answer that is lost is waited for.
    hangs: AtomicBool,
    /// Whether access tokens have expired when they come.
    expired: AtomicBool,
}

impl Wire {
    async fn answer(&self, token: &RefreshToken, user: String) -> Result<TokenAnswer, RefreshFailure> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = self.road.get(&Key::new("road").expect("a key")).await;
        let fewer = |loses: u32| loses.checked_sub(1);
        if self.loses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            return Err(RefreshFailure::Unanswered);
        }
        let access = if self.expired.load(Ordering::SeqCst) {
            let claims = format!(r#"{{"exp":{}}}"#, self.clock.now().as_millis() / 1000 - 60);
            format!(
                "{}.{}.c2ln",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#),
                URL_SAFE_NO_PAD.encode(claims)
            )
        } else {
            format!("access-{number}")
        };
        Ok(TokenAnswer::new(access).refresh(token.expose().as_str()).subject(user))
    }
}

#[async_trait]
impl RefreshTransport for Wire {
    async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        let presented = RefreshToken::parse(request.token()).map_err(|_| RefreshFailure::Invalid)?;
        let rotation = self.server.rotate(&presented).await.map_err(|_| RefreshFailure::OFFLINE)?;
        let (token, family) = rotation.granted().map_err(|_| RefreshFailure::Invalid)?;
        self.answer(&token, family.user).await
    }

    async fn revoke(&self, request: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        let token = RefreshToken::parse(request.token()).map_err(|_| RefreshFailure::Invalid)?;
        self.server.end(&token).await.map(drop).map_err(|_| RefreshFailure::OFFLINE)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// Waiting moves the clock. Waits of a second or more are for calls, and are over only where one hangs; then the wire is mended.
#[derive(Debug)]
struct Moves(Arc<Wire>);

impl Timer for Moves {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let wire = Arc::clone(&self.0);
        Box::pin(async move {
            if duration >= SECOND && !wire.hangs.swap(false, Ordering::SeqCst) {
                return std::future::pending().await;
            }
            wire.clock.advance(duration);
        })
    }
}

/// A client that is signed in and whose access token is due, its server, and the store of both.
struct Ends {
    store: Arc<Stepped>,
    world: World,
    wire: Arc<Wire>,
}

impl Ends {
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let wire = Arc::new(Wire {
            server: RefreshTokens::new(&world.db).expect("a manager"),
            clock: Arc::clone(&world.clock),
            road: Arc::clone(&store) as _,
            calls: AtomicU32::new(0),
            loses: AtomicU32::new(0),
            hangs: AtomicBool::new(false),
            expired: AtomicBool::new(false),
        });
        let ends = Self { store, world, wire };
        let (token, family) = block_on(ends.wire.server.issue("ada", "phone")).expect("issue");
        let answer = TokenAnswer::new("access-0").refresh(token.expose().as_str()).subject(family.user);
        block_on(ends.client().store("ada", answer)).expect("store");
        ends.world.clock.advance(14 * MINUTE);
        ends
    }

    /// A process of the client's, with the times of every program that sets none but the hour of its refresh.
    fn client(&self) -> Tokens {
        let timer = Arc::new(Moves(Arc::clone(&self.wire)));
        Tokens::builder(&self.world.db, Arc::clone(&self.wire) as _, timer)
            .policy(TokenPolicy::default().early(MINUTE, Duration::ZERO))
            .unprotected("what lies in the store is looked at")
            .build()
            .expect("a manager")
    }

    /// How many lines live at the server.
    fn lives(&self) -> usize {
        block_on(self.wire.server.list("ada")).expect("list").len()
    }

    /// Whether the one line there is goes on from what the client's store holds, when no retry is possible any more; otherwise there is none,
    /// and the client learns it.
    fn one_line_or_none(&self) -> bool {
        self.world.clock.advance(11 * SECOND);
        let lives = self.lives();
        assert!(lives <= 1);
        let renewal = block_on(self.client().renew("ada")).expect("renew");
        match renewal {
            Renewal::Renewed(_) => assert_eq!((lives, self.lives()), (1, 1), "goes on"),
            Renewal::Invalid | Renewal::SignedOut => assert_eq!((lives, self.lives()), (0, 0), "is over"),
            other => panic!("{other:?}"),
        }
        lives == 1
    }

    fn refresh(&self) -> Task {
        let client = self.client();
        Box::pin(async move {
            if let Err(error) = client.access_token("ada").await {
                assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}");
            }
        })
    }

    fn revoke(&self) -> Task {
        let server = self.wire.server.clone();
        Box::pin(async move { assert_eq!(server.revoke_user("ada").await.expect("revoke"), 1) })
    }

    fn meeting(self, tasks: Vec<Task>, lives: bool) -> conformance::World {
        let store = Arc::clone(&self.store);
        conformance::World {
            store,
            tasks,
            check: Box::new(move || assert_eq!(self.one_line_or_none(), lives)),
        }
    }
}

fn losing(answers: u32) -> Ends {
    let ends = Ends::new();
    ends.wire.loses.store(answers, Ordering::SeqCst);
    ends
}

/// A client whose answer is lost, and a revocation at the server, in every order.
#[test]
fn s23_a_client_a_lost_answer_and_a_revocation_leave_no_line() {
    for (answers, all) in [(0, 715), (1, 1365)] {
        let count = every_schedule(|| {
            let ends = losing(answers);
            let tasks = vec![ends.refresh(), ends.revoke()];
            ends.meeting(tasks, false)
        });
        assert_eq!(count, all, "schedules, {answers} answers lost");
    }
}

/// Two processes of a client, an answer that is lost, and perhaps a revocation: drawn orders.
#[test]
fn s23_two_processes_and_a_lost_answer_leave_the_line_they_hold() {
    for answers in 0..=1 {
        let count = sampled_schedules(23, 200, || {
            let ends = losing(answers);
            let tasks = vec![ends.refresh(), ends.refresh()];
            ends.meeting(tasks, true)
        });
        assert!(count >= 190, "{answers}: {count} schedules");
        let count = sampled_schedules(24, 200, || {
            let ends = losing(answers);
            let tasks = vec![ends.refresh(), ends.refresh(), ends.revoke()];
            ends.meeting(tasks, false)
        });
        assert!(count >= 190, "{answers}: {count} schedules");
    }
}

/// The answer never comes, and is waited for. The second try is still a retry to the server, with the times both have by default.
#[test]
fn s23_an_answer_that_never_comes_costs_no_line() {
    let ends = losing(1);
    ends.wire.hangs.store(true, Ordering::SeqCst);
    let token = block_on(ends.client().access_token("ada")).expect("a token");
    assert_eq!((token.expose(), token.generation()), ("access-2", 2));
    assert!(ends.one_line_or_none());
}

/// So is that of a sibling, where the process that asked has died.
#[test]
fn s23_a_process_that_dies_in_mid_refresh_costs_no_line() {
    let ends = Ends::new();
    let (dying, sibling) = (ends.client(), ends.client());
    ends.store.pause(true);
    let mut refresh: BoxFuture<'_, _> = Box::pin(dying.access_token("ada"));
    while ends.wire.calls.load(Ordering::SeqCst) == 0 {
        assert!(refresh.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(refresh);
    drop(dying);
    ends.store.pause(false);
    let begun = ends.world.clock.now();
    assert_eq!(block_on(sibling.access_token("ada")).expect("a token").expose(), "access-2");
    assert_eq!(ends.world.clock.now().since(begun), 8 * SECOND, "when the lease was over");
    assert!(ends.one_line_or_none());
}

/// An access token that is of no use, as where the client's clock is wrong, does not cost the refresh token that came with it.
#[test]
fn a_rotated_refresh_token_is_kept_though_its_access_token_is_dead() {
    let ends = Ends::new();
    ends.wire.expired.store(true, Ordering::SeqCst);
    let client = ends.client();
    assert_eq!(block_on(client.access_token("ada")).expect("the old one").expose(), "access-0");
    for _ in 0..3 {
        ends.world.clock.advance(MINUTE);
        let error = block_on(client.access_token("ada")).expect_err("expired");
        assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("clock"), "{error}");
        assert_eq!(
            kind_of(block_on(client.access_token("ada"))),
            ErrorKind::Invalid,
            "not asked again at once"
        );
    }
    assert_eq!(ends.wire.calls.load(Ordering::SeqCst), 4);
    ends.wire.expired.store(false, Ordering::SeqCst);
    ends.world.clock.advance(MINUTE);
    assert_eq!(block_on(client.access_token("ada")).expect("a token").expose(), "access-5");
    assert!(ends.one_line_or_none());
}
