//! Documents in step with a server: the real client and the real server half, each over a store of its own, and a way between them that
//! can be told to lose, double, delay and refuse. One file per subject; this one has what they share.

mod bad_input;
mod life;
mod not_again;
mod orders;
mod random;
mod running;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use strata_core::conformance::{Stepped, block_on};
use strata_core::{BoxFuture, Handle, Key, ManualClock, Random as _, ReferenceStore, Store, Timer};
use strata_session::document::{
    Document, Documents, Path, ServerSynced, ServerSyncedBuilder, SyncAnswer, SyncFailure, SyncProblem,
    SyncRequest, SyncTransport, Synced,
};

use crate::{World, world};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);

/// What becomes of the next call.
#[derive(Clone, Debug)]
enum Fate {
    /// The request gets lost on its way there.
    LoseRequest,
    /// The answer gets lost on its way back.
    LoseAnswer,
    /// The request arrives twice.
    Double,
    /// It arrives, after one that was sent before arrived again.
    Replay,
    /// It comes to this.
    Fails(SyncFailure),
    /// The server answers this.
    Says(Box<SyncAnswer>),
    /// Nobody ever answers.
    Hangs,
}

/// A way to the server half, as the owner `ada`.
struct Wire {
    server: Documents,
    fates: Mutex<VecDeque<Fate>>,
    sent: Mutex<Vec<SyncRequest>>,
    logouts: Mutex<Vec<Option<String>>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    /// Where a call gives way, so that schedules see it travel.
    road: Mutex<Option<Arc<dyn Store>>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    fn to(server: &Documents) -> Arc<Self> {
        Arc::new(Self {
            server: server.clone(),
            fates: Mutex::default(),
            sent: Mutex::default(),
            logouts: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            road: Mutex::default(),
        })
    }

    fn then(&self, fate: Fate) {
        self.fates.lock().expect("lock").push_back(fate);
    }

    fn sent(&self) -> MutexGuard<'_, Vec<SyncRequest>> {
        self.sent.lock().expect("lock")
    }

    fn logouts(&self) -> Vec<Option<String>> {
        self.logouts.lock().expect("lock").clone()
    }

    async fn travel(&self) {
        let road = self.road.lock().expect("lock").clone();
        if let Some(road) = road {
            let _ = road.get(&Key::new("road").expect("a key")).await;
        }
    }

    /// Over the wire as bytes, both ways.
    async fn carry(&self, request: &SyncRequest) -> Result<SyncAnswer, SyncFailure> {
        let body = serde_json::to_vec(request).expect("json");
        let response = match SyncRequest::from_body(&body) {
            Ok(request) => self.server.sync("ada", &request).await,
            Err(error) => Err(error),
        };
        let (status, body) = match response {
            Ok(answer) => (answer.status(), serde_json::to_vec(&answer).expect("json")),
            Err(error) => {
                let (status, problem) = SyncProblem::of(&error);
                (status, serde_json::to_vec(&problem).expect("json"))
            }
        };
        SyncAnswer::from_response(status, &body, None)
    }
}

#[async_trait]
impl SyncTransport for Wire {
    async fn sync(&self, request: &SyncRequest, _: Option<&str>) -> Result<SyncAnswer, SyncFailure> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let before = self.sent().last().cloned();
        self.sent().push(request.clone());
        let fate = self.fates.lock().expect("lock").pop_front();
        self.travel().await;
        let answer = match fate {
            None => self.carry(request).await,
            Some(Fate::LoseRequest) => Err(SyncFailure::Unanswered),
            Some(Fate::LoseAnswer) => self.carry(request).await.and(Err(SyncFailure::Unanswered)),
            Some(Fate::Double) => {
                let _ = self.carry(request).await;
                self.carry(request).await
            }
            Some(Fate::Replay) => {
                if let Some(before) = before {
                    let _ = self.carry(&before).await;
                }
                self.carry(request).await
            }
            Some(Fate::Fails(failure)) => Err(failure),
            Some(Fate::Says(answer)) => Ok(*answer),
            Some(Fate::Hangs) => std::future::pending().await,
        };
        self.travel().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn logout(&self, bearer: Option<&str>) -> Result<(), SyncFailure> {
        let fate = self.fates.lock().expect("lock").pop_front();
        self.travel().await;
        if let Some(Fate::Fails(failure)) = fate {
            return Err(failure);
        }
        self.logouts.lock().expect("lock").push(bearer.map(str::to_owned));
        self.server.end("ada").await.map(drop).map_err(|_| SyncFailure::Unanswered)
    }
}

/// Waiting moves the clock. A call's timeout comes only when it hangs.
#[derive(Debug)]
struct Leap(Arc<ManualClock>);

impl Timer for Leap {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = Arc::clone(&self.0);
        let mut first = true;
        Box::pin(std::future::poll_fn(move |context| {
            if std::mem::take(&mut first) {
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            clock.advance(duration);
            std::task::Poll::Ready(())
        }))
    }
}

/// Nothing is ever over.
#[derive(Debug)]
struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A server and a way to it.
struct Scene {
    home: World,
    server: Documents,
    wire: Arc<Wire>,
    client: ServerSynced,
    devices: AtomicUsize,
}

fn scene() -> Scene {
    scene_in(world())
}

/// The server's world is another one.
fn scene_in(home: World) -> Scene {
    let server = Documents::new(&world().db).expect("a server");
    let wire = Wire::to(&server);
    let client = builder(&home.db, &wire).build().expect("a client");
    assert!(block_on(client.begin(None)).expect("begin"));
    Scene { home, server, wire, client, devices: AtomicUsize::new(0) }
}

fn builder<'h>(db: &'h Handle, wire: &Arc<Wire>) -> ServerSyncedBuilder<'h> {
    ServerSynced::builder(db, Arc::clone(wire) as _, Arc::new(Never)).timeout(TIMEOUT)
}

/// Another device of the same user.
struct Device {
    home: World,
    wire: Arc<Wire>,
    client: ServerSynced,
}

impl Scene {
    fn device(&self) -> Device {
        self.device_with(|builder| builder)
    }

    fn device_with(&self, settings: impl Fn(ServerSyncedBuilder<'_>) -> ServerSyncedBuilder<'_>) -> Device {
        let (home, wire) = (world(), Wire::to(&self.server));
        // No two devices draw the same names.
        let number = self.devices.fetch_add(1, Ordering::SeqCst) + 1;
        home.random.fill(&mut vec![0; 8000 * number]).expect("drawn");
        let client = settings(builder(&home.db, &wire)).build().expect("a client");
        block_on(client.begin(None)).expect("begin");
        Device { home, wire, client }
    }

    /// The same device after its program was started again.
    fn again(&self) -> ServerSynced {
        builder(&self.home.db, &self.wire).build().expect("a client")
    }

    fn at_server(&self) -> Value {
        block_on(self.server.read("ada")).expect("read").unwrap_or_default().into()
    }

    #[allow(clippy::needless_pass_by_value)] // written beside `json!`
    fn server_sets(&self, path: &str, value: Value) {
        let path = path.parse::<Path>().expect("a path");
        block_on(self.server.edit("ada", |document| document.put(&path, value.clone()))).expect("edit");
    }
}

#[allow(clippy::needless_pass_by_value)] // written beside `json!`
fn set(client: &ServerSynced, path: &str, value: Value) {
    block_on(client.set(path, &value)).expect("set");
}

fn remove(client: &ServerSynced, path: &str) {
    assert!(block_on(client.remove(path)).expect("remove"), "nothing at {path}");
}

fn sync(client: &ServerSynced) -> Synced {
    block_on(client.sync()).expect("sync")
}

fn in_step(client: &ServerSynced) {
    assert_eq!(sync(client), Synced::InStep);
}

/// The whole document here.
fn here(client: &ServerSynced) -> Value {
    block_on(client.document()).expect("read").expect("a session").into()
}

fn pending(client: &ServerSynced) -> Vec<String> {
    let status = block_on(client.status()).expect("status").expect("a session");
    status.pending.iter().map(ToString::to_string).collect()
}

fn fresh_store() -> Arc<dyn Store> {
    Arc::new(ReferenceStore::new())
}

fn document(value: Value) -> Document {
    Document::try_from(value).expect("a document")
}

/// From now on calls give way on the road, until it is told not to pause.
fn stepped_road(wire: &Wire) -> Arc<Stepped> {
    let road = Stepped::over(fresh_store());
    road.pause(true);
    *wire.road.lock().expect("lock") = Some(Arc::clone(&road) as _);
    road
}
