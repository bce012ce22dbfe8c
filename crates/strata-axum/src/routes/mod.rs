//! The server half of every client: a router with the routes of tokens, sessions, synchronised documents and analytics, which a
//! program mounts beside its own.
//!
//! | route | what it does | who may |
//! |---|---|---|
//! | `POST /api/auth/refresh` | new tokens for a refresh token (RFC 6749, section 6) | whoever has the token |
//! | `POST /api/auth/revoke` | ends a refresh token's family (RFC 7009) | whoever has the token |
//! | `POST /api/analytics/session` | counts reports of visits | anybody |
//!
//! Routes exist for what the builder was given. Every refusal is a [`Problem`], every answer `no-store`.

mod access;
mod analytics;
mod body;
mod gate;
mod grants;
mod links;
mod problem;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use strata_session::analytics::Ingest;

pub use access::{Access, AccessSessions, AccessTokens, Users};
pub use grants::{Grant, Grants};
pub use problem::Problem;

use crate::limit::{ClientAddress, RateLimit};
use analytics::AnalyticsRoute;
use gate::Gate;
use tokens::TokenRoutes;

/// The routes of a program.
#[derive(Clone, Debug)]
pub struct Routes {
    router: Router,
}

impl Routes {
    /// The settings; none of the routes exists unless it is given what it stands on.
    pub fn builder() -> RoutesBuilder {
        RoutesBuilder::default()
    }

    /// The router, to be merged into a program's own: `app.merge(routes.router())`.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        self.router.with_state(())
    }
}

/// The settings of [`Routes`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug, Default)]
pub struct RoutesBuilder {
    grants: Option<Grants>,
    ingest: Option<Ingest>,
    limit: Option<Arc<dyn RateLimit>>,
    address: ClientAddress,
    max_report: Option<usize>,
}

impl RoutesBuilder {
    /// Serves refresh and revocation of these tokens.
    pub fn grants(mut self, grants: &Grants) -> Self {
        self.grants = Some(grants.clone());
        self
    }

    /// Takes reports of visits.
    pub fn analytics(mut self, ingest: &Ingest) -> Self {
        self.ingest = Some(ingest.clone());
        self
    }

    /// The longest batch of reports, in bytes; 1 MiB unless told otherwise.
    pub fn max_report(mut self, bytes: usize) -> Self {
        self.max_report = Some(bytes);
        self
    }

    /// Asks this before a request is served; nothing is limited unless told otherwise.
    pub fn rate_limit(mut self, limit: Arc<dyn RateLimit>) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How a client's address is found, for the rate limit: the connection's other end unless told otherwise.
    pub fn client_address(mut self, address: ClientAddress) -> Self {
        self.address = address;
        self
    }

    /// The routes.
    pub fn build(self) -> Routes {
        let gate = Gate { limit: self.limit, address: self.address };
        let mut router = Router::new();
        if let Some(grants) = self.grants {
            let state = TokenRoutes { grants, gate: gate.clone() };
            let of_tokens = Router::new()
                .route("/api/auth/refresh", post(tokens::refresh))
                .route("/api/auth/revoke", post(tokens::revoke));
            router = router.merge(of_tokens.with_state(state));
        }
        if let Some(ingest) = self.ingest {
            let max_body = self.max_report.unwrap_or(1 << 20);
            let state = AnalyticsRoute { ingest, gate, max_body };
            let of_analytics = Router::new().route("/api/analytics/session", post(analytics::report));
            router = router.merge(of_analytics.with_state(state));
        }
        Routes { router }
    }
}
