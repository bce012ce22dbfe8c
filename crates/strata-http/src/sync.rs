//! Synchronised documents over HTTP: [`SyncTransport`] of the client.

use async_trait::async_trait;
use strata_core::Codec;
use strata_session::document::{SyncAnswer, SyncFailure, SyncRequest, SyncTransport};
use zeroize::Zeroizing;

use crate::base::Route;
use crate::call::{Answer, Body, Call, Failure, JSON};
use crate::client::HttpClient;

/// Sends each request once: the document is what comes back with it, under the same id.
#[async_trait]
impl SyncTransport for HttpClient {
    async fn sync(&self, request: &SyncRequest, bearer: Option<&str>) -> Result<SyncAnswer, SyncFailure> {
        let mut body = Vec::new();
        Codec::Json.encode(request, &mut body, SyncRequest::MAX_BYTES).map_err(|_| SyncFailure::TooLarge)?;
        let answer = self.inner.call(&call(Route::Sync, body, bearer)).await.map_err(failure)?;
        understood(&answer)
    }

    async fn logout(&self, bearer: Option<&str>) -> Result<(), SyncFailure> {
        let answer = self.inner.call(&call(Route::Logout, b"{}".to_vec(), bearer)).await.map_err(failure)?;
        if answer.is_success() {
            Ok(())
        } else {
            Err(SyncFailure::of_status(answer.status, answer.retry_after))
        }
    }
}

fn call(route: Route, body: Vec<u8>, bearer: Option<&str>) -> Call {
    let bearer = bearer.map(|bearer| Zeroizing::new(bearer.to_owned()));
    Call { route, content_type: JSON, body: Zeroizing::new(body), bearer }
}

fn understood(answer: &Answer) -> Result<SyncAnswer, SyncFailure> {
    if matches!(answer.status, 200 | 409) {
        match answer.body {
            Body::Broken => return Err(SyncFailure::Unanswered),
            Body::TooLong => return Err(SyncFailure::Protocol("the answer is longer than is read")),
            Body::Whole(_) if !answer.is_json => {
                return Err(SyncFailure::Protocol(
                    "the answer is not JSON; look at what answers at this address",
                ));
            }
            Body::Whole(_) => {}
        }
    }
    SyncAnswer::from_response(answer.status, answer.bytes(), answer.retry_after)
}

fn failure(failure: Failure) -> SyncFailure {
    match failure {
        Failure::NotSent => SyncFailure::OFFLINE,
        Failure::Unanswered => SyncFailure::Unanswered,
        Failure::Unsendable(why) => SyncFailure::Protocol(why),
    }
}
