//! A server on a real socket that does to each request what its script says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is done to a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// These bytes, and the connection stays.
    Say(Vec<u8>),
    /// These bytes, and the connection ends.
    SayAndClose(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// Nothing, for as long as the client waits.
    Hang,
    /// These bytes, and then one more each time the client has taken the last, for as long as it reads.
    Drip(Vec<u8>),
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Which connection it came over, from zero.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let of =
            |line: &'_ str| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        let line = self.head.lines().find(|line| of(line))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

#[derive(Debug)]
struct Shared {
    script: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Seen>>,
    /// How many requests have arrived, and how many bytes have dripped.
    arrived: watch::Sender<usize>,
    dripped: watch::Sender<usize>,
}

pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Each request takes the next act; the last one goes on for ever.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            seen: Mutex::default(),
            arrived: watch::channel(0).0,
            dripped: watch::channel(0).0,
        });
        let serving = Arc::clone(&shared);
        let running = tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { break };
                tokio::spawn(serve(stream, connection, Arc::clone(&serving)));
            }
        });
        Self { address, shared, running }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("lock").clone()
    }

    /// Waits until this many requests have arrived.
    pub(crate) async fn has_seen(&self, count: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        arrived.wait_for(|arrived| *arrived >= count).await.expect("the server runs");
    }

    pub(crate) async fn has_dripped(&self, count: usize) {
        let mut dripped = self.shared.dripped.subscribe();
        dripped.wait_for(|dripped| *dripped >= count).await.expect("the server runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer, connection).await {
        shared.seen.lock().expect("lock").push(seen);
        let act = {
            let mut script = shared.script.lock().expect("lock");
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
        };
        shared.arrived.send_modify(|arrived| *arrived += 1);
        match act.expect("a script") {
            Act::Say(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::SayAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Act::Reset => return stream.set_zero_linger().expect("a socket option"),
            // Until the client goes away.
            Act::Hang => return drop(stream.read(&mut [0; 64]).await),
            Act::Drip(bytes) => return drip(&mut stream, &bytes, &shared).await,
        }
    }
}

async fn drip(stream: &mut TcpStream, bytes: &[u8], shared: &Shared) {
    let mut gone = [0; 64];
    if stream.write_all(bytes).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            biased;
            _ = stream.readable() => match stream.try_read(&mut gone) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                _ => return,
            },
            () = tokio::task::yield_now() => {
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
                shared.dripped.send_modify(|dripped| *dripped += 1);
            }
        }
    }
}

/// A whole request; nothing when the client is gone.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).expect("a head");
            let mut seen = Seen { head, body: Vec::new(), connection };
            let length: usize =
                seen.header("content-length").map_or(0, |text| text.parse().expect("a length"));
            if buffer.len() >= end + 4 + length {
                seen.body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some(seen);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// A response with a body of a known length.
pub(crate) fn response(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// A response of JSON.
pub(crate) fn json(status: &str, body: &str) -> Act {
    Act::Say(response(status, &["Content-Type: application/json"], body))
}
