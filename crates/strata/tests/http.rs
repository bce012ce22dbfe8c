//! Clients of `strata-http` against the routes of `strata-axum`, over real sockets: what is promised of both ends together.
#![cfg(all(feature = "memory", feature = "sled", feature = "crypto", feature = "ttl", feature = "session"))]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use strata::native::TokioTimer;
use strata::session::analytics::{
    Consent, Delivery, Ingest, Insights, Period, Recorded, SendFailure, VisitStart,
};
use strata::session::auth::{AuthSessions, Restored, User};
use strata::session::document::{Document, Documents, ServerSynced, SessionEnd, SyncEvent, Synced};
use strata::session::tokens::{Renewal, TokenAnswer, Tokens};
use strata::session::{SessionToken, refresh::RefreshToken};
use strata::{ErrorKind, Keys, ManualClock, Result, Strata};
use strata_axum::limit::{PerClient, Rate};
use strata_axum::routes::{AccessSessions, Grants, Users};
use strata_axum::{Routes, SessionLayer};
use strata_http::HttpClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

/// Everybody is an editor, but for one who was locked out.
#[derive(Debug)]
struct Directory;

#[async_trait]
impl Users<u32> for Directory {
    async fn user(&self, id: &str) -> Result<Option<User<u32>>> {
        Ok((id != "mallory").then(|| User::new(id).role("editor").claims(7)))
    }
}

/// A server on a store of its own, and a wire to it that can lose answers.
struct Server {
    db: Strata,
    clock: Arc<ManualClock>,
    users: AuthSessions<u32>,
    grants: Grants,
    documents: Documents,
    wire: Wire,
    stopped: Arc<Notify>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        let builder = strata::builder().memory().plaintext().clock(Arc::clone(&clock) as _);
        Self::over(builder.without_sweeper().open().await.expect("open"), clock).await
    }

    /// The same store again after a restart.
    async fn on_disk(folder: &Path, clock: &Arc<ManualClock>) -> Self {
        let builder = strata::builder().sled(folder.join("server")).keys(Keys::bytes(&KEY).expect("a key"));
        let builder = builder.clock(Arc::clone(clock) as _).without_sweeper();
        Self::over(builder.open().await.expect("open"), Arc::clone(clock)).await
    }

    async fn over(db: Strata, clock: Arc<ManualClock>) -> Self {
        let users = db.auth::<u32>().expect("users");
        let access = AccessSessions::new(&db, &users, Arc::new(Directory)).expect("access");
        let grants = Grants::new(db.refresh_tokens().expect("refresh tokens"), Arc::new(access));
        let documents = Documents::new(&db).expect("documents");
        let routes = Routes::builder()
            .grants(&grants)
            .logout::<u32>()
            .documents::<u32>(&documents)
            .analytics(&Ingest::new(&db).expect("an ingest"))
            .rate_limit(Arc::new(PerClient::new(
                Arc::clone(&clock) as _,
                Rate::new(20, Duration::from_mins(1)).expect("a rate"),
            )))
            .build();
        let layer = SessionLayer::with_users(&db.sessions().expect("sessions"), &users).expect("a layer");
        let app: Router = routes.router().layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let wire = Wire::to(listener.local_addr().expect("an address")).await;
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let stopped = Arc::new(Notify::new());
        let until = Arc::clone(&stopped);
        let serving = axum::serve(listener, service);
        let serving = serving.with_graceful_shutdown(async move { until.notified().await });
        let serving = tokio::spawn(async move { serving.await.expect("served") });
        Self { db, clock, users, grants, documents, wire, stopped, serving }
    }

    fn client(&self) -> HttpClient {
        let builder = HttpClient::builder(&format!("http://{}/", self.wire.address));
        builder.client_id("desktop").retries(3, Duration::ZERO, Duration::ZERO).build().expect("a client")
    }

    /// What a login handler of an application hands out.
    async fn signs_in(&self, user: &str) -> TokenAnswer {
        let grant = self.grants.grant(user, "desktop").await.expect("granted").expect("a grant");
        TokenAnswer::new(grant.access_token())
            .refresh(grant.refresh_token().expose().as_str())
            .expires_in(grant.expires_in())
    }

    /// Whether the server lets this access token in.
    async fn lets_in(&self, access: &str) -> bool {
        let token = SessionToken::parse(access).expect("a token");
        self.users.open(&token).await.expect("asked").is_some()
    }

    async fn stop(self) {
        let Self { db, users, grants, documents, wire, stopped, serving, .. } = self;
        drop(wire);
        // Until its last connection is gone, so that nothing holds the store.
        stopped.notify_one();
        serving.await.expect("stopped");
        drop((users, grants, documents));
        db.close().await.expect("close");
    }
}

/// A wire between client and server that breaks just when an answer comes, as often as it is told to.
struct Wire {
    address: SocketAddr,
    to_lose: Arc<AtomicUsize>,
    running: JoinHandle<()>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let to_lose = Arc::new(AtomicUsize::new(0));
        let losing = Arc::clone(&to_lose);
        let running = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&losing)));
            }
        });
        Self { address, to_lose, running }
    }

    fn loses(&self, answers: usize) {
        self.to_lose.store(answers, Ordering::SeqCst);
    }

    fn has_lost_all(&self) -> bool {
        self.to_lose.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn carry(client: TcpStream, server: SocketAddr, to_lose: Arc<AtomicUsize>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async move {
        let mut bytes = [0; 16 * 1024];
        loop {
            let count = from_server.read(&mut bytes).await?;
            // The server has answered, so it has done what was asked.
            let lost = to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if count == 0 || lost.is_ok() {
                return std::io::Result::Ok(());
            }
            to_client.write_all(&bytes[..count]).await?;
        }
    };
    // The end of one direction is the end of the connection.
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = answers => {}
    }
}

async fn client_store() -> Strata {
    strata::builder().memory().plaintext().open().await.expect("open")
}

async fn tokens_of(server: &Server, user: &str) -> (Strata, Tokens) {
    let db = client_store().await;
    let tokens = db.tokens(Arc::new(server.client())).expect("tokens");
    tokens.store(user, server.signs_in(user).await).await.expect("stored");
    (db, tokens)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_refreshed_and_a_session_is_restored_through_real_routes() {
    let server = Server::start().await;
    let (db, tokens) = tokens_of(&server, "ada").await;
    let first = tokens.access_token("ada").await.expect("a token");
    assert!(server.lets_in(first.expose()).await);
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Renewed(_))));
    let second = tokens.access_token("ada").await.expect("a token");
    assert_eq!(second.generation(), 2);
    assert!(server.lets_in(second.expose()).await);
    assert!(server.lets_in(first.expose()).await, "what is on its way still arrives");
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Renewed(_))));
    assert!(!server.lets_in(first.expose()).await, "two at a time");

    let here = db.auth::<u32>().expect("sessions");
    let Restored::Session(_, session) =
        here.restore(&tokens, "ada").expecting("ada").await.expect("restored")
    else {
        panic!("not restored")
    };
    let user = session.user().await.expect("a user");
    assert!(user.has_role("editor") && user.claims == 7, "the server's word");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_a_lost_answer_leaves_one_lineage() {
    let server = Server::start().await;
    let (_db, tokens) = tokens_of(&server, "ada").await;
    for round in 0..5 {
        server.wire.loses(1);
        let renewal = tokens.renew("ada").await.expect("renewed");
        assert!(matches!(renewal, Renewal::Renewed(_)), "{renewal:?} in round {round}");
        assert!(server.wire.has_lost_all(), "an answer was lost");
    }
    let families = server.grants.tokens().list("ada").await.expect("listed");
    assert_eq!((families.len(), families[0].generation), (1, 5), "one line, and no rotation twice");
    assert!(server.lets_in(tokens.access_token("ada").await.expect("a token").expose()).await);
}

/// The server is gone right after it has rotated, and comes back on the same store: the client's retry has the successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_a_server_that_ends_after_it_rotated_goes_on_with_one_lineage() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Arc::new(ManualClock::default()));
    let server = Server::on_disk(folder.path(), &clock).await;
    let presented = server.grants.grant("ada", "desktop").await.expect("granted").expect("a grant");
    let db = client_store().await;
    let tokens = db.tokens(Arc::new(server.client())).expect("tokens");
    let answer = TokenAnswer::new(presented.access_token());
    tokens.store("ada", answer.refresh(presented.refresh_token().expose().as_str())).await.expect("stored");
    // Both of the attempts that follow each other at once.
    server.wire.loses(2);
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Offline(_))));
    assert!(server.wire.has_lost_all());
    server.stop().await;

    let server = Server::on_disk(folder.path(), &clock).await;
    let found = server.grants.tokens().list("ada").await.expect("listed");
    assert_eq!((found.len(), found[0].generation), (1, 1), "it had rotated once");
    // The client's next try, at another address here.
    let db = client_store().await;
    let tokens = db.tokens(Arc::new(server.client())).expect("tokens");
    let answer = TokenAnswer::new("over").refresh(presented.refresh_token().expose().as_str());
    tokens.store("ada", answer).await.expect("stored");
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Renewed(_))));
    let found = server.grants.tokens().list("ada").await.expect("listed");
    assert_eq!((found.len(), found[0].generation), (1, 1), "the same successor");
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Renewed(_))), "and it is good");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s23_reuse_ends_the_family_and_its_access_tokens() {
    let server = Server::start().await;
    let grant = server.grants.grant("ada", "desktop").await.expect("granted").expect("a grant");
    let (mine, theirs) = (client_store().await, client_store().await);
    let mut holders = Vec::new();
    for db in [&mine, &theirs] {
        let tokens = db.tokens(Arc::new(server.client())).expect("tokens");
        let copied = TokenAnswer::new(grant.access_token()).refresh(grant.refresh_token().expose().as_str());
        tokens.store("ada", copied).await.expect("stored");
        holders.push(tokens);
    }
    assert!(matches!(holders[0].renew("ada").await, Ok(Renewal::Renewed(_))));
    let access = holders[0].access_token("ada").await.expect("a token");
    server.clock.advance(Duration::from_secs(11));
    assert!(server.lets_in(access.expose()).await);
    assert!(matches!(holders[1].renew("ada").await, Ok(Renewal::Invalid)), "the copy, after the window");
    assert!(!server.lets_in(access.expose()).await, "nobody knows which of the two was the thief");
    assert!(matches!(holders[0].renew("ada").await, Ok(Renewal::Invalid)));
    assert!(server.users.list("ada").await.expect("listed").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_logout_ends_session_and_refresh_tokens() {
    let server = Server::start().await;
    let (_db, tokens) = tokens_of(&server, "ada").await;
    let access = tokens.access_token("ada").await.expect("a token");
    server.wire.loses(1);
    server.client().logout(access.expose()).await.expect("logged out, at the second attempt");
    assert!(!server.lets_in(access.expose()).await);
    assert!(matches!(tokens.renew("ada").await, Ok(Renewal::Invalid)));
    assert!(server.grants.tokens().list("ada").await.expect("listed").is_empty());
    assert!(server.users.list("ada").await.expect("listed").is_empty());
    server.client().logout(access.expose()).await.expect("once more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_a_sign_out_at_the_client_is_told_to_the_server() {
    let server = Server::start().await;
    let (_db, tokens) = tokens_of(&server, "ada").await;
    let access = tokens.access_token("ada").await.expect("a token");
    assert!(tokens.clear("ada").await.expect("cleared"));
    assert!(server.lets_in(access.expose()).await, "it does not know yet");
    let told = tokens.revoke_pending().await.expect("told");
    assert_eq!((told.revoked, told.left), (1, 0));
    assert!(!server.lets_in(access.expose()).await, "RFC 7009: with the grant go its access tokens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_was_locked_out_gets_nothing_more() {
    let server = Server::start().await;
    assert!(server.grants.grant("mallory", "desktop").await.expect("asked").is_none());
    assert!(server.grants.tokens().list("mallory").await.expect("listed").is_empty());
    let (token, _) = server.grants.tokens().issue("mallory", "desktop").await.expect("issued");
    let db = client_store().await;
    let tokens = db.tokens(Arc::new(server.client())).expect("tokens");
    tokens.store("m", TokenAnswer::new("a").refresh(token.expose().as_str())).await.expect("stored");
    assert!(matches!(tokens.renew("m").await, Ok(Renewal::Invalid)));
    assert!(server.grants.tokens().list("mallory").await.expect("listed").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_too_often_waits_and_stays_signed_in() {
    let server = Server::start().await;
    let (_db, tokens) = tokens_of(&server, "ada").await;
    let mut renewed = 0;
    let error = loop {
        match tokens.renew("ada").await.expect("told") {
            Renewal::Renewed(_) => renewed += 1,
            Renewal::Offline(error) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(renewed, 20);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("3s"), "what the server asked for: {error}");
    assert!(tokens.info("ada").await.expect("info").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_counted_once_however_often_they_are_sent() {
    let server = Server::start().await;
    let builder = strata::builder().memory().plaintext().clock(Arc::clone(&server.clock) as _);
    let db = builder.without_sweeper().open().await.expect("open");
    let recorder = db.analytics().expect("a recorder");
    for page in ["/home", "/cart"] {
        let visit = recorder.visit("visitor", Consent::Given, VisitStart::new(page)).await.expect("begun");
        let visit = visit.expect("consent was given");
        assert_eq!(visit.page_view("/next").await.expect("recorded"), Recorded::Kept(1));
        visit.end().await.expect("ended");
    }
    let delivery = Delivery::new(&recorder, Arc::new(server.client()), Arc::new(TokioTimer));
    server.wire.loses(1);
    let lost = delivery.deliver().await.expect("told");
    assert_eq!((lost.reports, lost.failure), (0, Some(SendFailure::Unavailable)));
    assert!(server.wire.has_lost_all());
    let period = Period::last(Duration::from_hours(24), &*server.clock).expect("a period");
    let insights = Insights::new(&server.db).expect("insights");
    assert_eq!(insights.over(period).await.expect("an insight").visits, 2, "it had counted them");

    let taken = delivery.deliver_now().await.expect("told");
    assert_eq!((taken.reports, taken.failure), (2, None));
    let insight = insights.over(period).await.expect("an insight");
    assert_eq!((insight.visits, insight.views), (2, 4), "each once");
    assert_eq!(delivery.deliver_now().await.expect("told").sendings, 0, "nothing waits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_brought_in_step_until_the_session_ends() {
    let server = Server::start().await;
    let grant = server.grants.grant("ada", "desktop").await.expect("granted").expect("a grant");
    let db = client_store().await;
    let synced = ServerSynced::new(&db, Arc::new(server.client()), Arc::new(TokioTimer)).expect("a document");
    synced.begin(Some(grant.access_token())).await.expect("begun");
    synced.set("ui.theme", "dark").await.expect("set");
    server.wire.loses(1);
    assert!(matches!(synced.sync().await.expect("told"), Synced::Waiting(_)), "the answer was lost");
    assert_eq!(synced.sync().await.expect("told"), Synced::InStep);
    let there: Document = server.documents.read("ada").await.expect("read").expect("a document");
    assert_eq!(there, synced.document().await.expect("read").expect("a document"));

    let mut events = synced.events();
    let family = RefreshToken::parse(&grant.refresh_token().expose()).expect("a token").family();
    assert!(server.grants.revoke(family).await.expect("revoked"));
    assert_eq!(synced.sync().await.expect("told"), Synced::Ended);
    assert_eq!(events.next().await, Some(SyncEvent::Ended(SessionEnd::Unauthorized)));
    assert_eq!(synced.document().await.expect("read"), None, "nothing of it is left here");
    assert_eq!(synced.sync().await.expect("told"), Synced::NoSession);
}
