//! Clients against servers that answer, misbehave or are not there, over real sockets.

mod addresses;
mod analytics;
mod answers;
mod ends;
mod server;
mod tokens;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_core::{BoxFuture, Handle, ManualClock, Random, ReferenceStore, Result, Timer};
use strata_http::{HttpClient, HttpClientBuilder};
use tokio::sync::Notify;

use server::Server;

/// The total time of a call, told from pauses by its length.
const TOTAL: Duration = Duration::from_secs(77);

/// A timer whose pauses are over at once and written down, and whose total time is over when a test says so.
#[derive(Debug, Default)]
struct Times {
    pauses: Mutex<Vec<Duration>>,
    over: Arc<Notify>,
}

impl Times {
    fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().expect("lock").clone()
    }

    /// The total time of the call under way, or of the next one, is over.
    fn is_over(&self) {
        self.over.notify_one();
    }
}

impl Timer for Times {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration == TOTAL {
            let over = Arc::clone(&self.over);
            return Box::pin(async move { over.notified().await });
        }
        self.pauses.lock().expect("lock").push(duration);
        Box::pin(std::future::ready(()))
    }
}

/// Numbers that rise.
#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::SeqCst));
        Ok(())
    }
}

fn settings(server: &Server, times: &Arc<Times>) -> HttpClientBuilder {
    HttpClient::builder(&server.address())
        .total_timeout(TOTAL)
        .max_answer(64 * 1024)
        .timer(Arc::clone(times) as _)
        .random(Arc::new(Counting::default()))
        .clock(Arc::new(ManualClock::default()))
}

fn client(server: &Server, times: &Arc<Times>) -> HttpClient {
    settings(server, times).build().expect("a client")
}

fn handle() -> Handle {
    Handle::builder(Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()))
        .random(Arc::new(Counting::default()))
        .build()
        .expect("a handle")
}
