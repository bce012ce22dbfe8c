//! A real server on a real socket: many requests at once, and clients that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use strata_adapter_memory::MemoryStore;
use strata_adapter_sled::SledConfig;
use strata_axum::{Rejection, Session};
use strata_core::Store;
use strata_core::conformance::Kept;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::browser::Browser;
use crate::requests::routes;
use crate::world::World;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Sends bytes, closes the way there, and reads all that comes back.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    // A server that hangs up early is an answer, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(method: &str, path: &str, cookies: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: shop.example\r\nsec-fetch-site: same-origin\r\ncookie: {cookies}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn cookies(browser: &Browser) -> String {
    browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

fn on_disk() -> Arc<dyn Store> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SledConfig::new(folder.path().join("data")).open().expect("a store on disk");
    Arc::new(Kept::new(store, folder))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_requests_at_once_add_to_one_session() {
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::new()), on_disk()];
    for store in stores {
        let world = World::over(store);
        let app = world.app();
        let address = serve(app.clone()).await;
        let mut browser = Browser::new(&app);
        browser.post("/n").await;
        browser.post("/login/ada").await;
        let sent = cookies(&browser);
        for path in ["/n", "/user/n"] {
            let adding: Vec<_> = (0..64)
                .map(|_| {
                    let request = request("POST", path, &sent, "");
                    tokio::spawn(async move { exchange(address, request.as_bytes()).await })
                })
                .collect();
            for adding in adding {
                let answer = adding.await.expect("no panic");
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        }
        assert_eq!(
            (browser.get("/n").await.body, browser.get("/user/n").await.body),
            ("65".into(), "64".into())
        );
    }
}

async fn with_body(session: Session, body: String) -> Result<String, Rejection> {
    session.set("body", &body).await?;
    Ok(body.len().to_string())
}

fn bodies() -> Router {
    routes().route("/body", post(with_body))
}

#[tokio::test]
async fn clients_that_go_away_leave_nothing() {
    let world = World::new();
    let address = serve(bodies().layer(world.layer())).await;
    let whole = request("POST", "/body", "", "0123456789");
    for cut in [1, 20, whole.len() - 11, whole.len() - 5, whole.len() - 1] {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(&whole.as_bytes()[..cut]).await.expect("sent");
        stream.shutdown().await.expect("half closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("closed by the server");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{cut}: {answer}");
        assert!(world.raw().await.is_empty(), "{cut}");
    }
    assert!(exchange(address, whole.as_bytes()).await.starts_with("HTTP/1.1 200"));
    assert_eq!(world.raw().await.len(), 1);
}

/// Byte by byte, with others served meanwhile; then half closed, and answered all the same.
#[tokio::test]
async fn slow_and_half_closed_clients_are_served() {
    let world = World::new();
    let address = serve(bodies().layer(world.layer())).await;
    let mut slow = TcpStream::connect(address).await.expect("a connection");
    slow.set_nodelay(true).expect("no delay");
    let whole = request("POST", "/body", "", "0123456789");
    for (index, byte) in whole.as_bytes().iter().enumerate() {
        slow.write_all(&[*byte]).await.expect("sent");
        if index % 64 == 0 {
            assert!(exchange(address, request("GET", "/plain", "", "").as_bytes()).await.contains("200 OK"));
        }
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("__Host-session="), "{answer}");

    let mut half = TcpStream::connect(address).await.expect("a connection");
    half.write_all(whole.replace("connection: close\r\n", "").as_bytes()).await.expect("sent");
    half.shutdown().await.expect("half closed");
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.expect("an answer");
    let saved = world.raw().await.len();
    // A server may take a closed way for a client that left: then nothing is answered. What was answered is stored.
    assert!(!answer.starts_with("HTTP/1.1 200") || saved == 2, "{answer}");
}

#[tokio::test]
async fn s38_oversized_requests_change_nothing() {
    let world = World::new();
    let address = serve(bodies().layer(world.layer())).await;
    let large = exchange(address, request("POST", "/body", "", &"x".repeat(3 << 20)).as_bytes()).await;
    assert!(large.is_empty() || large.starts_with("HTTP/1.1 413"), "{large}");
    let over = exchange(address, request("POST", "/body", "", &"x".repeat(1 << 20)).as_bytes()).await;
    assert!(
        over.starts_with("HTTP/1.1 413") && over.contains("too_large"),
        "more than a session holds: {over}"
    );
    let cookies = format!("a={}", "x".repeat(20 << 10));
    let headers = exchange(address, request("POST", "/body", &cookies, "x").as_bytes()).await;
    assert!(headers.starts_with("HTTP/1.1 431"), "{headers}");
    let flood = format!("a={}", "x".repeat(2 << 20));
    let refused = exchange(address, request("GET", "/n", &flood, "").as_bytes()).await;
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");
    assert!(world.raw().await.is_empty());
    assert_eq!(StatusCode::OK, Browser::new(&world.app()).post("/n").await.status);
}
