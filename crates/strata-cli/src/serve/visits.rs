//! The console's own analytics: each page view is recorded where the visitor agreed, counted in this store, and told to operators.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use strata::native::{TokioSpawn, TokioTimer};
use strata::session::analytics::{
    Consent, Delivery, Ingest, Insight, Insights, Period, Recorder, Running, VisitStart,
};
use strata::{Handle, Result};

use super::answer::Answer;
use super::identity::Identity;
use super::json_body::JsonBody;
use super::service::Shared;

/// A visit ends when nothing happened for this long: soon, so that the charts of a demonstration have something to show.
const IDLE: Duration = Duration::from_mins(2);
/// How often visits that are over are counted.
const INTERVAL: Duration = Duration::from_secs(5);

/// Recording, counting and telling, in one store.
#[derive(Debug)]
pub(crate) struct Visits {
    recorder: Recorder,
    delivery: Delivery,
    insights: Insights,
}

impl Visits {
    pub(crate) fn new(db: &Handle, ingest: &Ingest) -> Result<Self> {
        let recorder = Recorder::builder(db).idle(IDLE).build()?;
        let ingest = Arc::new(ingest.clone());
        let delivery = Delivery::new(&recorder, ingest, Arc::new(TokioTimer)).interval(INTERVAL);
        Ok(Self { recorder, delivery, insights: Insights::new(db)? })
    }

    /// Counts visits as they end, until the guard is dropped or shut down.
    pub(crate) fn start(&self) -> Running {
        let spawn = TokioSpawn::current().expect("the service runs on tokio");
        self.delivery.clone().start(&spawn)
    }

    /// The numbers of a time up to now, with what has ended by now.
    pub(crate) async fn insight(&self, since: Duration) -> Result<Insight> {
        self.recorder.close_due().await?;
        self.delivery.deliver_now().await?;
        let clock = self.recorder.handle().clock();
        self.insights.over(Period::last(since, &**clock)?).await
    }
}

/// A page that was opened.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    /// An id that the browser keeps; only its hash is stored.
    visitor: String,
    page: String,
    referrer: Option<String>,
    width: Option<u32>,
    /// Whether the visitor agreed. If not, nothing is stored, and what was stored is removed.
    consent: bool,
    /// The visit ends with this page.
    #[serde(default)]
    ends: bool,
}

/// `POST /api/visit`.
pub(crate) async fn view(
    State(service): State<Shared>,
    identity: Identity,
    JsonBody(view): JsonBody<View>,
) -> Answer<Json<Value>> {
    let user = identity.user.as_ref().map(|session| session.user().id.clone());
    let mut start = VisitStart::new(&view.page);
    start = view.referrer.iter().fold(start, |start, referrer| start.referrer(referrer));
    start = view.width.into_iter().fold(start, VisitStart::width);
    start = user.iter().fold(start, |start, user| start.user(user));
    let consent = if view.consent { Consent::Given } else { Consent::Refused };
    let visit = service.visits.recorder.visit(&view.visitor, consent, start).await?;
    if let (Some(visit), true) = (&visit, view.ends) {
        visit.end().await?;
    }
    Ok(Json(json!({ "counted": visit.is_some() })))
}
