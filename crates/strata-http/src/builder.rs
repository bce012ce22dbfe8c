//! The settings of a client: [`HttpClientBuilder`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use strata_core::{Clock, Error, ErrorKind, Random, Result, Timer};

use crate::base::{Base, Route};
use crate::client::{HttpClient, Inner};
use crate::retry::Retry;
use crate::system::{RuntimeTimer, TlsRandom, WallClock};
use crate::tls;

/// The settings of [`HttpClient`].
#[must_use = "a builder does nothing until `build`"]
pub struct HttpClientBuilder {
    base: String,
    plaintext: bool,
    paths: BTreeMap<Route, String>,
    client_id: Option<String>,
    agent: String,
    connect: Duration,
    read: Duration,
    total: Duration,
    max_answer: usize,
    retry: Retry,
    tls: Option<rustls::ClientConfig>,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    random: Arc<dyn Random>,
}

impl HttpClientBuilder {
    pub(crate) fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            plaintext: false,
            paths: BTreeMap::new(),
            client_id: None,
            agent: concat!("strata-http/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            total: Duration::from_secs(30),
            max_answer: 1 << 20,
            retry: Retry::default(),
            tls: None,
            clock: Arc::new(WallClock),
            timer: Arc::new(RuntimeTimer),
            random: Arc::new(TlsRandom),
        }
    }

    /// Takes an address that is `http` and not this machine. Whoever is on the way reads every token.
    pub fn allow_plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Where a route lies, relative to the base: the token endpoint of another maker's server, say.
    pub fn path(mut self, route: Route, path: &str) -> Self {
        self.paths.insert(route, path.to_owned());
        self
    }

    /// Names this program in token requests (`client_id`, RFC 6749, section 6). None unless told otherwise.
    pub fn client_id(mut self, id: &str) -> Self {
        self.client_id = Some(id.to_owned());
        self
    }

    /// The `User-Agent`; `strata-http/VERSION` unless told otherwise.
    pub fn user_agent(mut self, agent: &str) -> Self {
        agent.clone_into(&mut self.agent);
        self
    }

    /// How long a connection may take; 5 seconds unless told otherwise.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect = timeout;
        self
    }

    /// How long the server may send nothing; 10 seconds unless told otherwise.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read = timeout;
        self
    }

    /// How long an attempt may take from its beginning to the last byte of the answer; 30 seconds unless told otherwise. Managers have
    /// shorter patience of their own.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total = timeout;
        self
    }

    /// The longest answer that is read, in bytes; 1 MiB unless told otherwise.
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// How often a call on the client itself is made at most, and the bounds of the pauses between: the first one, doubled each time, and
    /// the longest. 4 times, 250 ms and 10 s unless told otherwise. A server that asks for more than the longest is not waited for.
    pub fn retries(mut self, attempts: u32, first: Duration, longest: Duration) -> Self {
        self.retry = Retry { attempts: attempts.max(1), first, longest };
        self
    }

    /// Other ciphers, authorities or a certificate of the client's own. The operating system's authorities over ring unless told
    /// otherwise.
    pub fn tls(mut self, config: rustls::ClientConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// The clock that dates of servers without one are met with; the system's unless told otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What the total time and pauses are measured with; the runtime's timer unless told otherwise.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = timer;
        self
    }

    /// Where the lengths of pauses are drawn from; the system's generator unless told otherwise.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address that is no URL, has a user, password, query or fragment, or is unencrypted without
    /// [`allow_plaintext`](Self::allow_plaintext); for a path that leads elsewhere, an agent that is no header, or a time or bound of
    /// zero. [`ErrorKind::Unsupported`] on a machine without certificate authorities.
    pub fn build(self) -> Result<HttpClient> {
        let base = Base::parse(&self.base, self.plaintext, &self.paths)?;
        if self.connect.is_zero() || self.read.is_zero() || self.total.is_zero() || self.max_answer == 0 {
            return Err(invalid(
                "a timeout or the bound of answers is zero; give one that lets something through",
            ));
        }
        let http = self.http(&base)?;
        let Self { client_id, total, max_answer, retry, clock, timer, random, .. } = self;
        let inner = Inner { http, base, client_id, total, max_answer, retry, clock, timer, random };
        Ok(HttpClient { inner: Arc::new(inner) })
    }

    fn http(&self, base: &Base) -> Result<reqwest::Client> {
        let tls = match &self.tls {
            Some(config) => config.clone(),
            None if base.is_https => tls::of_the_system()?,
            None => tls::of_nobody()?,
        };
        let builder = reqwest::Client::builder()
            .user_agent(&self.agent)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(self.connect)
            .read_timeout(self.read)
            .https_only(base.is_https)
            .tls_backend_preconfigured(tls);
        // The environment's proxy sees encrypted connections only.
        let builder = if base.is_https { builder } else { builder.no_proxy() };
        builder.build().map_err(|error| {
            invalid("the user agent is no header, or TLS could not be set up; correct it")
                .because(error.without_url())
        })
    }
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build HTTP client", message)
}

impl fmt::Debug for HttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientBuilder")
            .field("paths", &self.paths)
            .field("connect", &self.connect)
            .field("read", &self.read)
            .field("total", &self.total)
            .field("max_answer", &self.max_answer)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
