//! Sessions of HTTP requests, in process, on one thread: p14, p15, p16.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as Asked, State};
use axum::routing::{get, post};
use http::header::COOKIE;
use http::{HeaderMap, Method, Request};
use strata_axum::{Session, SessionLayer};
use strata_core::{Handle, Touch};
use strata_session::Sessions;
use tower_service::Service as _;
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record as TowerRecord};
use tower_sessions::{SessionManagerLayer, SessionStore as _};
use tower_sessions_memory_store::MemoryStore;

use crate::floor::Floor;
use crate::harness::{Case, Effort, Table, compare, ready, wait};
use crate::record::{Record, id};
use crate::section::Section;
use crate::subject::{WallClock, memory};
use crate::target::Target;

const RESIDENT: u64 = 20_000;

/// Applications without sessions, with sessions by hand, of Strata and of tower-sessions, and the cookies of their visitors.
#[derive(Debug)]
pub struct Served {
    plain: Router,
    floor: Router,
    strata: Router,
    tower: Router,
    by_hand: Vec<String>,
    ours: Vec<String>,
    theirs: Vec<String>,
}

impl Default for Served {
    fn default() -> Self {
        let (floor, by_hand) = by_hand();
        let (strata, ours) = ours();
        let (tower, theirs) = theirs();
        Self { plain: unused(), floor, strata, tower, by_hand, ours, theirs }
    }
}

fn unused<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/unused", get(async || "").post(async || ""))
}

fn by_hand() -> (Router, Vec<String>) {
    let floor = Arc::new(Floor::default());
    let mut scratch = Vec::new();
    for number in 0..RESIDENT {
        floor.save(&id(number), &Record::of(number), &mut scratch);
    }
    let app = unused()
        .route(
            "/read",
            get(async |State(floor): State<Arc<Floor>>, request: Asked| {
                read_by_hand(&floor, request.headers());
            }),
        )
        .route(
            "/write",
            post(async |State(floor): State<Arc<Floor>>, request: Asked| {
                write_by_hand(&floor, request.headers());
            }),
        )
        .with_state(floor);
    (app, (0..RESIDENT).map(|number| format!("session={}", id(number))).collect())
}

fn id_of(headers: &HeaderMap) -> &str {
    let cookies = headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).expect("text");
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == "session").expect("there").1
}

fn read_by_hand(floor: &Floor, headers: &HeaderMap) {
    black_box(floor.load(id_of(headers), &mut Vec::with_capacity(1024)));
}

fn write_by_hand(floor: &Floor, headers: &HeaderMap) {
    let (id, mut scratch) = (id_of(headers), Vec::with_capacity(1024));
    let mut record = floor.load(id, &mut scratch);
    record.seen += 1;
    floor.save(id, &record, &mut scratch);
}

fn ours() -> (Router, Vec<String>) {
    let handle: Handle = memory(Arc::new(WallClock), Touch::default());
    let sessions = Sessions::new(&handle).expect("sessions");
    let cookies = (0..RESIDENT).map(|number| {
        let record = Record::of(number);
        let (token, _) = ready(sessions.create_with(|edit| edit.set("user", &record))).expect("create");
        format!("__Host-session={}", *token.expose())
    });
    let cookies = cookies.collect();
    let app = unused()
        .route(
            "/read",
            get(async |session: Session| {
                black_box(session.get::<Record>("user").await.expect("get").expect("there"));
            }),
        )
        .route(
            "/write",
            post(async |session: Session| {
                let see =
                    |record: Option<Record>| record.map(|record| Record { seen: record.seen + 1, ..record });
                session.update("user", see).await.expect("update");
            }),
        )
        .layer(SessionLayer::new(&sessions).expect("layer"));
    (app, cookies)
}

fn theirs() -> (Router, Vec<String>) {
    let store = MemoryStore::default();
    let cookies = (0..RESIDENT).map(|number| {
        let data = [("user".to_owned(), serde_json::to_value(Record::of(number)).expect("json"))].into();
        let expiry_date = OffsetDateTime::now_utc() + Duration::from_hours(1);
        let id = Id(i128::from(number) << 64 | i128::from(number + 1));
        ready(store.save(&TowerRecord { id, data, expiry_date })).expect("save");
        format!("id={id}")
    });
    let cookies = cookies.collect();
    let app = unused()
        .route(
            "/read",
            get(async |session: tower_sessions::Session| {
                black_box(session.get::<Record>("user").await.expect("get").expect("there"));
            }),
        )
        .route(
            "/write",
            post(async |session: tower_sessions::Session| {
                let mut record = session.get::<Record>("user").await.expect("get").expect("there");
                record.seen += 1;
                session.insert("user", record).await.expect("insert");
            }),
        )
        .layer(SessionManagerLayer::new(store));
    (app, cookies)
}

impl Served {
    /// Handlers that ignore sessions, read them, and change them.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let Self { plain, floor, strata, tower, by_hand, ours, theirs } = self;
        vec![
            case("floor, plain handler", plain, Method::GET, "/unused", ours),
            case("strata, session ignored", strata, Method::GET, "/unused", ours),
            case("tower-sessions, session ignored", tower, Method::GET, "/unused", theirs),
            case("floor, read by hand, sealed", floor, Method::GET, "/read", by_hand),
            case("strata, read", strata, Method::GET, "/read", ours),
            case("tower-sessions, read, plaintext", tower, Method::GET, "/read", theirs),
            case("floor, read and write by hand, sealed", floor, Method::POST, "/write", by_hand),
            case("strata, read and write", strata, Method::POST, "/write", ours),
            case("tower-sessions, read and write, plaintext", tower, Method::POST, "/write", theirs),
        ]
    }
}

fn case<'a>(
    name: &'static str,
    app: &'a Router,
    method: Method,
    path: &'static str,
    cookies: &'a [String],
) -> Case<'a> {
    let (mut app, mut index) = (app.clone(), 0);
    Case::cpu(name, move |times| {
        for _ in 0..times {
            index = (index + 7919) % cookies.len();
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header("host", "shop.example")
                .header("sec-fetch-site", "same-origin")
                .header(COOKIE, cookies[index].as_str())
                .body(Body::empty())
                .expect("a request");
            let response = wait(app.call(request)).expect("infallible");
            assert!(response.status().is_success());
            black_box(response);
        }
    })
}

/// What a case costs beside the handler without sessions.
fn over(table: &Table, case: usize) -> f64 {
    (table.nanos(case) - table.nanos(0)).max(1.0)
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let served = Served::default();
    let table = compare(effort, served.cases());
    let over = |case| over(&table, case);
    let note = |case, floor| format!("{:.0} ns against {:.0}, beside the handler", over(case), over(floor));
    Section {
        name: "http",
        title: "Sessions of HTTP requests",
        how: format!(
            "{RESIDENT} visitors whose session holds one typed record, through axum routers in process, on one thread. Compared is what \
             each adds to a handler without sessions. By hand: the cookie is parsed, the sealed record copied out of a map, opened and \
             decoded, for a write changed, encoded, sealed and put back, without a token to check or a conflict to notice. The peer keeps \
             plaintext, and loses updates of requests that meet."
        ),
        unit: "ns",
        rows: table.rows(),
        targets: vec![
            Target::cost(
                "p14",
                "HTTP read, encrypted: beside the handler / by hand",
                over(4) / over(3),
                2.0,
                None,
            )
            .noting(note(4, 3)),
            Target::gain("p14b", "the same: tower-sessions / Strata", over(5) / over(4), 4.0, None)
                .noting(note(5, 4)),
            Target::gain("p15", "HTTP read and write: tower-sessions / Strata", over(8) / over(7), 3.0, None)
                .noting(note(8, 7)),
            Target::cost("p16", "HTTP handler that ignores its session, ns", over(1), 300.0, None)
                .noting(format!("tower-sessions {:.0} ns", over(2))),
        ],
    }
}
