//! Clients that go away while their request is served: at each store call, and nothing is half made.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use async_trait::async_trait;

use axum::Router;
use axum::routing::post;
use strata_axum::{AuthSession, Rejection, Session};
use strata_core::{Batch, Capabilities, Committed, Key, Page, Record, ReferenceStore, Scan, Store};

use crate::browser::Browser;
use crate::requests::routes;
use crate::world::World;

async fn two(session: Session) -> Result<(), Rejection> {
    session.set("a", &1_u32).await?;
    session.set("b", &1_u32).await?;
    Ok(())
}

async fn both(session: Session, user: AuthSession) -> Result<(), Rejection> {
    session.set("n", &7_u32).await?;
    user.set("n", &7_u32).await?;
    Ok(())
}

/// Polls a request so often, then gives it up. Says whether it was done before.
async fn poll_times(request: impl Future<Output = crate::browser::Answer>, times: usize) -> bool {
    let mut request = pin!(request);
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(request.as_mut().poll(context).is_ready())).await;
        if polled {
            return true;
        }
        // What was spawned meanwhile runs, too.
        tokio::task::yield_now().await;
    }
    false
}

/// A store that lets other tasks run before each call, once it is told to.
#[derive(Debug)]
struct Yielding {
    inner: ReferenceStore,
    on: AtomicBool,
}

impl Yielding {
    async fn give_way(&self) {
        if self.on.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Store for Yielding {
    async fn get(&self, key: &Key) -> strata_core::Result<Option<Record>> {
        self.give_way().await;
        self.inner.get(key).await
    }

    async fn commit(&self, batch: Batch) -> strata_core::Result<Committed> {
        self.give_way().await;
        self.inner.commit(batch).await
    }

    async fn scan(&self, scan: Scan) -> strata_core::Result<Page> {
        self.give_way().await;
        self.inner.scan(scan).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

impl fmt::Display for Yielding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "yielding({})", self.inner)
    }
}

/// A world whose store gives way at each call.
fn yielding() -> (Arc<Yielding>, World) {
    let store = Arc::new(Yielding { inner: ReferenceStore::new(), on: AtomicBool::new(false) });
    let world = World::over(Arc::clone(&store) as Arc<dyn Store>);
    (store, world)
}

#[tokio::test]
async fn two_values_are_stored_together_or_not_at_all() {
    let mut ends = Vec::new();
    for times in 0..64 {
        let (store, world) = yielding();
        let app = Router::new().route("/two", post(two)).merge(routes()).layer(world.layer());
        let mut browser = Browser::new(&app);
        browser.post("/n").await;
        let mut leaving = browser.clone();
        let token = strata_session::SessionToken::parse(&browser.jar["__Host-session"]).expect("a token");
        let session = world.sessions.open(&token).await.expect("open").expect("alive");
        store.on.store(true, Ordering::SeqCst);
        let done = poll_times(leaving.post("/two"), times).await;
        store.on.store(false, Ordering::SeqCst);
        let found = (session.get::<u32>("a").await.expect("a"), session.get::<u32>("b").await.expect("b"));
        assert!(found == (None, None) || found == (Some(1), Some(1)), "{times}: {found:?}");
        assert!(!done || found == (Some(1), Some(1)));
        ends.push(found.0.is_some());
        if done {
            break;
        }
    }
    assert!(ends.len() >= 3 && !ends[0] && ends[ends.len() - 1], "given up at each call: {ends:?}");
}

#[tokio::test]
async fn two_sessions_are_stored_together_or_not_at_all() {
    let mut ends = Vec::new();
    for times in 0..64 {
        let (store, world) = yielding();
        let app = Router::new().route("/both", post(both)).merge(routes()).layer(world.layer());
        let mut browser = Browser::new(&app);
        browser.post("/n").await;
        browser.post("/login/ada").await;
        let mut leaving = browser.clone();
        store.on.store(true, Ordering::SeqCst);
        let done = poll_times(leaving.post("/both"), times).await;
        store.on.store(false, Ordering::SeqCst);
        // What goes on without the client is given its turns.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        let found = (browser.get("/n").await.body, browser.get("/user/n").await.body);
        let (neither, both) = (("1".to_owned(), "0".to_owned()), ("7".to_owned(), "7".to_owned()));
        assert!(found == neither || found == both, "{times}: {found:?}");
        assert!(!done || found == both);
        ends.push(found == both);
        if done {
            break;
        }
    }
    assert!(ends.len() >= 3 && !ends[0] && ends[ends.len() - 1], "given up at each call: {ends:?}");
}
