//! Connections: accepted up to a bound, each with time limits, and ended gracefully.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_service::Service as _;

use super::files::most_connections;
use super::metrics::Open;
use super::router::router;
use super::service::{Shared, ending};
use super::unread::Unread;
use crate::failure::Failure;

/// How long a client may take for the head of a request, and may be silent between two.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// How long a client may take nothing of an answer.
const READ_PATIENCE: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// How long requests under way have to be answered when the service ends.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no more connections, such as when files run out.
const PAUSE: Duration = Duration::from_millis(50);

/// What tells the service to end: an interrupt, or SIGTERM.
#[derive(Debug)]
pub(crate) struct Interrupts {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupts {
    /// Listens from now on.
    pub(crate) fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen =
                |kind| signal(kind).map_err(|error| Failure::Io("can't wait for an interrupt", error));
            Ok(Self {
                terminate: listen(SignalKind::terminate())?,
                interrupt: listen(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Serves until it is interrupted; then accepts no more, ends the streams of events, and waits for what is under way. No connection is
/// left when it returns. A second interrupt cuts the waiting short.
pub(crate) async fn serve(
    listener: TcpListener,
    service: &Shared,
    interrupts: &mut Interrupts,
    close: watch::Sender<bool>,
) {
    let router = router(service);
    // More are closed at once.
    let most = most_connections();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = interrupts.next() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(_) if connections.len() >= most => service.metrics.refuse_connection(),
            Ok((stream, address)) => {
                let open = service.metrics.open_connection();
                let connection = connection(stream, address, router.clone(), service.closing.clone(), open);
                connections.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(target: "strata::http", "can't accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    tracing::info!(connections = connections.len(), "ending: nothing more is accepted");
    close.send_replace(true);
    let farewell = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = farewell => {}
        () = tokio::time::sleep(FAREWELL) => tracing::warn!("connections were cut: they took too long"),
        () = interrupts.next() => tracing::warn!("connections were cut: interrupted again"),
    }
    connections.shutdown().await;
}

/// One connection, to its end.
async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    closing: watch::Receiver<bool>,
    _open: Open,
) {
    // Small answers go at once. A socket that refuses that works all the same.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let mut router = router.clone();
        request.extensions_mut().insert(ConnectInfo(address));
        async move {
            Ok::<_, Infallible>(
                router.call(request.map(Body::new)).await.unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Who has said everything still gets the answer. Streams of clients that are gone end at their next heartbeat.
        .half_close(true)
        .header_read_timeout(HEAD_PATIENCE)
        .max_header_size(MAX_HEAD)
        .max_buf_size(2 * MAX_HEAD)
        .serve_connection(TokioIo::new(Unread::new(stream, READ_PATIENCE)), answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending(closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients that leave, are slow or send no HTTP.
        tracing::debug!(target: "strata::http", "a connection ended: {error}");
    }
}
