//! Reports of visits over HTTP: [`AnalyticsTransport`] of the client.

use serde::Serialize;
use strata_core::{BoxFuture, Codec};
use strata_session::analytics::{AnalyticsTransport, Report, SendFailure};
use zeroize::Zeroizing;

use crate::base::Route;
use crate::call::{Answer, Body, Call, Failure, JSON};
use crate::client::{HttpClient, Inner};

/// The longest batch that is sent, in bytes. A longer one is split by whoever delivers.
const MAX_BATCH: usize = 1 << 20;

#[derive(Serialize)]
struct Batch<'b> {
    reports: &'b [Report],
}

/// Sends each batch once: the queue that it comes from knows when to come back.
impl AnalyticsTransport for HttpClient {
    fn send<'a>(&'a self, batch: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move { self.inner.deliver(batch).await })
    }
}

impl Inner {
    async fn deliver(&self, reports: &[Report]) -> Result<(), SendFailure> {
        let mut body = Vec::new();
        Codec::Json.encode(&Batch { reports }, &mut body, MAX_BATCH).map_err(|_| SendFailure::TooLarge)?;
        let body = Zeroizing::new(body);
        let call = Call { route: Route::Analytics, content_type: JSON, body, bearer: None };
        match self.call(&call).await {
            Ok(answer) => judged(&answer),
            Err(Failure::NotSent | Failure::Unanswered | Failure::Unsendable(_)) => {
                Err(SendFailure::Unavailable)
            }
        }
    }
}

/// The status tells; an answer that broke off is none.
fn judged(answer: &Answer) -> Result<(), SendFailure> {
    if answer.is_success() && matches!(answer.body, Body::Broken) {
        return Err(SendFailure::Unavailable);
    }
    SendFailure::of_status(answer.status, answer.retry_after)
}
