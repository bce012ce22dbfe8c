//! A session document edited offline and reconciled with a server, over a real socket: an axum server with Strata's routes, and two devices
//! with Strata's HTTP client.
//!
//! Run it with `cargo run -p strata --example server_synced_session`. It keeps its data in a fresh folder and removes it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use strata::native::{TokioSpawn, TokioTimer};
use strata::prelude::*;
use strata::session::auth::User;
use strata::session::document::{Documents, Policies, Policy, ServerSynced, SyncEvent, Synced};
use strata_axum::{Routes, SessionLayer};
use strata_http::HttpClient;

type Anything<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Anything<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(&folder.path().join("server")).await?;

    // Two devices of one user. Each has a store of its own, and a session token from its sign-in.
    let phone = server.device(&folder.path().join("phone")).await?;
    let laptop = server.device(&folder.path().join("laptop")).await?;

    // The server knows who Ada is; no client can say.
    server.documents.edit("ada", |document| document.set(&"user.name".parse()?, "Ada")).await?;
    assert_eq!(phone.sync().await?, Synced::InStep);
    assert_eq!(laptop.sync().await?, Synced::InStep);

    // Both edit without asking anybody. Edits are on disk when `set` returns.
    phone.set("cart.tea", &2).await?;
    phone.set("ui.theme", "dark").await?;
    laptop.set("cart.tea", &3).await?;
    laptop.set("ui.theme", "light").await?;
    laptop.set("user.role", "admin").await?;

    // The phone is first. The laptop's changes are of a revision that is over: it gets 409, merges, and sends again.
    let mut events = laptop.events();
    assert_eq!(phone.sync().await?, Synced::InStep);
    assert_eq!(laptop.sync().await?, Synced::InStep);
    assert_eq!(phone.sync().await?, Synced::InStep);
    let merged = json!({"cart": {"tea": 5}, "ui": {"theme": "light"}, "user": {"name": "Ada"}});
    for device in [&phone, &laptop] {
        assert_eq!(device.document().await?.map(Value::from), Some(merged.clone()));
    }
    println!("merged: {merged}");
    while let Some(event) = events.try_next() {
        if let SyncEvent::Refused(paths) = event {
            let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
            println!("the server kept {paths:?} as it was: it is its own");
        }
    }

    // Kept in step by itself: on start, each minute, and at once for what is important.
    let tasks = TokioSpawn::current().ok_or("a runtime")?;
    let running = phone.start(&tasks);
    phone.remove("cart.tea").await?;
    running.shutdown().await?;
    assert_eq!(laptop.sync().await?, Synced::InStep);
    assert_eq!(laptop.get::<u32>("cart.tea").await?, None);
    println!("what one device removed is removed on the other");

    // A logout is local first. The server is told with the token that is kept until then, and refuses it afterwards.
    phone.logout().await?;
    assert!(phone.document().await?.is_none());
    let farewells = phone.tell_logouts().await?;
    println!("logged out; the server was told of {} logout, {} left", farewells.told, farewells.left);
    Ok(())
}

/// A program that serves Strata's routes on a port of its own.
struct Server {
    address: String,
    users: strata::session::auth::AuthSessions,
    documents: Documents,
    _db: Strata,
}

impl Server {
    async fn start(data: &Path) -> Anything<Self> {
        let db = strata::builder().sled(data).keys(Keys::file(data.with_extension("key"))).open().await?;
        let (guests, users, documents) = (db.sessions()?, db.auth::<()>()?, db.documents()?);
        let routes = Routes::builder().logout::<()>().documents::<()>(&documents).build();
        let app =
            axum::Router::new().merge(routes.router()).layer(SessionLayer::with_users(&guests, &users)?);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, users, documents, _db: db })
    }

    /// A device on which Ada has signed in.
    async fn device(&self, data: &Path) -> Anything<ServerSynced> {
        let (token, _) = self.users.login(&User::new("ada").claims(())).await?;
        let db = strata::builder().sled(data).keys(Keys::file(data.with_extension("key"))).open().await?;
        let http = Arc::new(HttpClient::new(&self.address)?);
        // Quantities add up; all else goes by the defaults.
        let policies = Policies::default().at("cart.tea", Policy::Sum)?;
        let device = ServerSynced::builder(&db, http, Arc::new(TokioTimer)).policies(policies).build()?;
        device.begin(Some(token.expose().as_str())).await?;
        Ok(device)
    }
}
