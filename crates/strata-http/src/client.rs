//! The client: [`HttpClient`], and [`Inner`], which its clones share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Clock, Random, Result, Timer};

use crate::base::Base;
use crate::builder::HttpClientBuilder;
use crate::retry::Retry;

/// A Strata server, as its clients see it. Cheap to clone; clones share one pool of connections.
///
/// It is the transport of the managers in `strata-session`: `Arc::new(client.clone())` is a
/// [`RefreshTransport`](strata_session::tokens::RefreshTransport), a
/// [`SyncTransport`](strata_session::document::SyncTransport) and an [`AnalyticsTransport`](strata_session::analytics::AnalyticsTransport). A transport sends once: how often and when to come
/// back is the manager's. Calls that are made on the client itself, such as [`HttpClient::logout`], are repeated here.
///
/// # What it never does
/// It follows no redirect, so no token reaches an address that was not given; it sends nothing over an unencrypted network unless
/// told so by name; it has no cookies; it reads no answer beyond a bound.
#[derive(Clone)]
pub struct HttpClient {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Base,
    pub(crate) client_id: Option<String>,
    pub(crate) total: Duration,
    pub(crate) max_answer: usize,
    pub(crate) retry: Retry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) random: Arc<dyn Random>,
}

impl HttpClient {
    /// A client of the server at this address, with the usual settings.
    ///
    /// # Errors
    /// As [`HttpClientBuilder::build`].
    pub fn new(base: &str) -> Result<Self> {
        Self::builder(base).build()
    }

    /// A client with other settings.
    pub fn builder(base: &str) -> HttpClientBuilder {
        HttpClientBuilder::new(base)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("base", &self.inner.base)
            .field("total", &self.inner.total)
            .field("retry", &self.inner.retry)
            .finish_non_exhaustive()
    }
}
