//! `POST /api/analytics/session`: reports of visits are counted, each visit and event once however often it is sent.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind};
use strata_session::analytics::{Ingest, Ingested, Report};

use super::body;
use super::gate::Gate;
use super::refusals;
use crate::reject::Rejection;

/// The most reports of one request.
const MOST_REPORTS: usize = 100;

#[derive(Clone, Debug)]
pub(super) struct AnalyticsRoute {
    pub(super) ingest: Ingest,
    pub(super) gate: Gate,
    /// The longest request, in bytes.
    pub(super) max_body: usize,
}

/// Reports one by one, so that one of a newer version is not taken for nonsense, nor spoils the others.
#[derive(Deserialize)]
struct Batch {
    reports: Vec<serde_json::Value>,
}

/// What became of the reports, in their order.
#[derive(Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    /// So many events were new.
    Counted { events: u64 },
    /// All of it had been counted before.
    Duplicate,
    /// A later part of a visit that is not here.
    Unknown,
    /// It is not a report, or against reason.
    Invalid { message: String },
    /// It is beyond a bound.
    TooLarge { message: String },
    /// It is of a version that is not known here yet.
    Newer,
}

pub(super) async fn report(
    State(route): State<AnalyticsRoute>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    route.gate.pass("analytics", &parts).await?;
    body::only_json(&parts.headers)?;
    let bytes = body::read(body, route.max_body).await?;
    let batch: Batch = body::json(&bytes)?;
    if batch.reports.len() > MOST_REPORTS {
        return Err(refusals::TOO_MANY_REPORTS);
    }
    let mut results = Vec::with_capacity(batch.reports.len());
    for report in batch.reports {
        results.push(count(&route.ingest, report).await?);
    }
    Ok(answer(results))
}

/// Counts one. What the store fails with ends the request; what was counted before is a duplicate when it is sent again.
async fn count(ingest: &Ingest, report: serde_json::Value) -> Result<Outcome, Rejection> {
    let version = report.get("version").and_then(serde_json::Value::as_u64);
    if version.is_some_and(|version| version > u64::from(Report::VERSION)) {
        return Ok(Outcome::Newer);
    }
    let Ok(report) = serde_json::from_value::<Report>(report) else {
        return Ok(Outcome::Invalid { message: "this is not a report; send it as it was made".to_owned() });
    };
    match ingest.ingest(&report).await {
        Ok(Ingested::Counted(events)) => Ok(Outcome::Counted { events }),
        Ok(Ingested::Duplicate) => Ok(Outcome::Duplicate),
        Ok(_) => Ok(Outcome::Unknown),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Result<Outcome, Rejection> {
    let message = error.message().to_owned();
    match error.kind() {
        ErrorKind::Invalid => Ok(Outcome::Invalid { message }),
        ErrorKind::TooLarge => Ok(Outcome::TooLarge { message }),
        ErrorKind::Newer => Ok(Outcome::Newer),
        _ => Err(Rejection::from(error)),
    }
}

/// Only a 2xx says that all of it was taken. Of several reasons against that, the one that is mended by sending it otherwise is told
/// last: what is invalid stays so, while a part or a newer server may be better.
fn answer(results: Vec<Outcome>) -> Response {
    let any = |is: fn(&Outcome) -> bool| results.iter().any(is);
    let (status, error, message) = if any(|outcome| matches!(outcome, Outcome::Invalid { .. })) {
        let message = "some reports were refused; the others were counted";
        (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid_report"), Some(message))
    } else if any(|outcome| matches!(outcome, Outcome::TooLarge { .. })) {
        let message = "some reports are too large; the others were counted";
        (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large"), Some(message))
    } else if any(|outcome| matches!(outcome, Outcome::Newer)) {
        let message = "some reports are of a newer version than this server; the others were counted";
        (StatusCode::NOT_IMPLEMENTED, Some("newer_version"), Some(message))
    } else {
        (StatusCode::OK, None, None)
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(Answer { error, message, results })).into_response()
}
