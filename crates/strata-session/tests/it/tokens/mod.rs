//! Tokens at the client, against a server that rotates as a real one does and can be told to fail. One file per subject; this one has
//! what they share.

mod both_ends;
mod bounds;
mod faults;
mod flights;
mod life;
mod not_again;
mod orders;
mod secrets;
mod sign_out;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use strata_core::conformance::block_on;
use strata_core::{BoxFuture, Clock, Handle, Key, ManualClock, ReferenceStore, Store, Timer};
use strata_session::tokens::{
    RefreshFailure, RefreshRequest, RefreshTransport, RevokeRequest, TokenAnswer, TokenPolicy, Tokens,
    TokensBuilder,
};

use crate::{MINUTE, World, world_over};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// A server with one line of refresh tokens: `refresh-1`, `refresh-2`, … Its present one is exchanged; the one before gives the same
/// successor again, as after a lost answer; any other is refused.
struct Server {
    state: Mutex<State>,
    /// Where a call gives way, so that schedules see it travel.
    road: Arc<dyn Store>,
    /// Calls under way, and the most there ever were.
    under_way: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // switches, each turned by itself
struct State {
    serial: u32,
    refreshes: u32,
    /// What revocations it was asked for.
    asked: Vec<String>,
    /// What it revoked.
    revoked: Vec<String>,
    /// What the next calls come to, in place of what is right.
    script: VecDeque<Result<TokenAnswer, RefreshFailure>>,
    /// What every call fails with.
    outage: Option<RefreshFailure>,
    /// Whether calls do not come back, as long as this is so.
    hangs: bool,
    /// Whether nobody's patience with them ever ends.
    patient: bool,
    /// Whether the next call panics.
    panics: bool,
    /// Whether it keeps one refresh token for ever.
    keeps: bool,
    subject: Option<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    fn new(road: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            road,
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("lock")
    }

    /// A new line of tokens.
    fn sign_in(&self) -> TokenAnswer {
        let mut state = self.state();
        state.serial += 1;
        answer(&state)
    }

    /// The number of a new sign-in, in four digits.
    fn sign_in_serial(&self) -> String {
        let mut state = self.state();
        state.serial += 1;
        format!("{:04}", state.serial)
    }

    fn refreshes(&self) -> u32 {
        self.state().refreshes
    }

    /// The refresh token that can be exchanged.
    fn present(&self) -> String {
        format!("refresh-{}", self.state().serial)
    }

    fn fails_with(&self, failure: RefreshFailure) {
        self.state().outage = Some(failure);
    }

    fn recovers(&self) {
        self.state().outage = None;
    }

    /// The next call comes to this.
    fn next_is(&self, result: Result<TokenAnswer, RefreshFailure>) {
        self.state().script.push_back(result);
    }

    async fn travel(&self) {
        let _ = self.road.get(&Key::new("road").expect("a key")).await;
    }

    async fn hang(&self) {
        std::future::poll_fn(|_| if self.state().hangs { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    fn exchange(&self, token: &str) -> Result<TokenAnswer, RefreshFailure> {
        let mut state = self.state();
        if let Some(result) = state.script.pop_front() {
            return result;
        }
        if let Some(failure) = &state.outage {
            return Err(failure.clone());
        }
        if state.revoked.iter().any(|revoked| revoked == token) {
            return Err(RefreshFailure::Invalid);
        }
        let serial = state.serial;
        if state.keeps && token.starts_with("refresh-") {
            state.serial += 1;
            return Ok(TokenAnswer::new(format!("access-{}", state.serial)));
        }
        if token == format!("refresh-{serial}") {
            state.serial += 1;
            Ok(answer(&state))
        } else if token == format!("refresh-{}", serial - 1) {
            Ok(answer(&state))
        } else {
            Err(RefreshFailure::Invalid)
        }
    }
}

fn answer(state: &State) -> TokenAnswer {
    let serial = state.serial;
    let answer = TokenAnswer::new(format!("access-{serial}"))
        .refresh(format!("refresh-{serial}"))
        .id(format!("id-{serial}"))
        .user(format!("{{\"serial\":{serial}}}"));
    match &state.subject {
        Some(subject) => answer.subject(subject.clone()),
        None => answer,
    }
}

#[async_trait]
impl RefreshTransport for Server {
    async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenAnswer, RefreshFailure> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.state().refreshes += 1;
        let panics = std::mem::take(&mut self.state().panics);
        assert!(!panics, "a transport with a bug");
        let result = self.exchange(request.token());
        self.travel().await;
        self.hang().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        result
    }

    async fn revoke(&self, request: RevokeRequest<'_>) -> Result<(), RefreshFailure> {
        self.state().asked.push(request.token().to_owned());
        self.travel().await;
        self.hang().await;
        let mut state = self.state();
        if let Some(failure) = &state.outage {
            return Err(failure.clone());
        }
        state.revoked.push(request.token().to_owned());
        Ok(())
    }
}

/// Waiting moves the clock; timeouts come only where calls hang.
#[derive(Debug)]
struct Waits {
    clock: Arc<ManualClock>,
    server: Arc<Server>,
}

const TIMEOUT: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(2);

impl Timer for Waits {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (clock, server) = (Arc::clone(&self.clock), Arc::clone(&self.server));
        Box::pin(async move {
            let is_over = server.state().hangs && !server.state().patient;
            if duration == TIMEOUT && !is_over {
                return std::future::pending().await;
            }
            server.travel().await;
            clock.advance(duration);
        })
    }
}

/// A store, a server, and a program that has tokens.
struct Scene {
    world: World,
    server: Arc<Server>,
    tokens: Tokens,
}

fn scene() -> Scene {
    scene_in(world_over(Arc::new(ReferenceStore::new())))
}

fn scene_in(world: World) -> Scene {
    let server = Server::new(Arc::clone(world.faulty.inner()));
    let tokens = builder(&world, &server).build().expect("a manager");
    Scene { world, server, tokens }
}

/// The policy of these tests: no randomness in when to refresh, and short waits.
fn policy() -> TokenPolicy {
    TokenPolicy::default().early(MINUTE, Duration::ZERO).timeout(TIMEOUT).lease(LEASE, LEASE)
}

fn builder<'w>(world: &'w World, server: &Arc<Server>) -> TokensBuilder<'w> {
    let waits = Waits { clock: Arc::clone(&world.clock), server: Arc::clone(server) };
    Tokens::builder(&world.db, Arc::clone(server) as _, Arc::new(waits))
        .policy(policy())
        .unprotected("what lies in the store is looked at")
}

impl Scene {
    /// Another process on the same store.
    fn sibling(&self) -> Tokens {
        let log = self.tokens.log().clone();
        builder(&self.world, &self.server).log(log).build().expect("a manager")
    }

    fn sign_in(&self, account: &str) {
        block_on(self.tokens.store(account, self.server.sign_in())).expect("store");
    }

    /// Signed in, and the access token is due.
    fn due(self) -> Self {
        self.sign_in("ada");
        self.advance(14 * MINUTE);
        self
    }

    fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    fn access(&self, account: &str) -> String {
        text(&self.tokens, account)
    }

    fn db(&self) -> &Handle {
        &self.world.db
    }

    fn now(&self) -> strata_core::Timestamp {
        self.world.clock.now()
    }
}

fn text(tokens: &Tokens, account: &str) -> String {
    block_on(tokens.access_token(account)).expect("a token").expose().to_owned()
}

/// The serial number of the whole generation in the store, by its own texts: all of one answer. `None` if signed out.
fn whole(tokens: &Tokens, store: &dyn Store, account: &str) -> Option<u32> {
    let info = block_on(tokens.info(account)).expect("info")?;
    let id = block_on(tokens.id_token(account)).expect("id token").expect("an id token").expose().to_owned();
    let serial: u32 = id.strip_prefix("id-").and_then(|serial| serial.parse().ok()).expect("a serial");
    let key = Key::new(&format!("tokens:{}", Key::escape(account))).expect("a key");
    let record = block_on(store.get(&key)).expect("get").expect("a record");
    let stored = String::from_utf8_lossy(record.payload.as_bytes()).into_owned();
    for part in ["access", "refresh", "id"] {
        assert!(stored.contains(&format!("{part}-{serial}")), "{part}-{serial} of one generation: {stored}");
    }
    assert!(info.generation >= 1);
    Some(serial)
}
