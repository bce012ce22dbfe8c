//! The server half of every client: a router with the routes of tokens, sessions, synchronised documents and analytics, which a
//! program mounts beside its own.
//!
//! | route | what it does | who may |
//! |---|---|---|
//! | `POST /api/auth/refresh` | new tokens for a refresh token (RFC 6749, section 6) | whoever has the token |
//! | `POST /api/auth/revoke` | ends a refresh token's family (RFC 7009) | whoever has the token |
//! | `POST /api/session/logout` | ends the session, and the refresh tokens that belong to it | anybody; it ends their own |
//! | `POST /api/session/sync` | brings a document in step | who has signed in |
//! | `POST /api/analytics/session` | counts reports of visits | anybody |
//!
//! A route exists for what the builder was given. Logout and sync need [`SessionLayer`](crate::SessionLayer) around the router, with the
//! same claims: it reads the cookie or bearer token, and refuses what another site sends. Every refusal is a
//! [`Rejection`](crate::Rejection), every answer `no-store`.
//!
//! ```
//! # use std::sync::Arc;
//! # use strata_axum::{SessionLayer, routes::{Grants, Routes}};
//! # use strata_core::Result;
//! # use strata_session::{Sessions, analytics::Ingest, auth::AuthSessions, document::Documents};
//! fn app(
//!     (guests, users): (&Sessions, &AuthSessions),
//!     (grants, documents, ingest): (&Grants, &Documents, &Ingest),
//! ) -> Result<axum::Router> {
//!     let routes = Routes::builder().grants(grants).logout::<()>().documents::<()>(documents).analytics(ingest).build();
//!     Ok(axum::Router::new().merge(routes.router()).layer(SessionLayer::with_users(guests, users)?))
//! }
//! ```

mod access;
mod analytics;
mod body;
mod gate;
mod grants;
mod links;
mod logout;
mod refusals;
mod sync;
mod tokens;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use strata_core::Value;
use strata_session::analytics::Ingest;
use strata_session::document::Documents;

pub use access::{Access, AccessSessions, AccessTokens, Users};
pub use grants::{Grant, Grants};
pub use sync::Owner;

use crate::limit::{ClientAddress, RateLimit};
use analytics::AnalyticsRoute;
use gate::Gate;
use logout::LogoutRoute;
use sync::SyncRoute;
use tokens::TokenRoutes;

const REFRESH: &str = "/api/auth/refresh";
const REVOKE: &str = "/api/auth/revoke";
const LOGOUT: &str = "/api/session/logout";
const SYNC: &str = "/api/session/sync";
const ANALYTICS: &str = "/api/analytics/session";

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

    /// Where they lie, those that are not served included. Each is a `POST`; `docs/openapi.json` describes them.
    pub const PATHS: [&'static str; 5] = [REFRESH, REVOKE, LOGOUT, SYNC, ANALYTICS];

    /// The router, to be merged into a program's own: `app.merge(routes.router())`.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        self.router.with_state(())
    }
}

/// The settings of [`Routes`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Default)]
pub struct RoutesBuilder {
    grants: Option<Grants>,
    ingest: Option<Ingest>,
    documents: Option<Documents>,
    owner: Owner,
    /// Of the claims they are served for.
    logout: Option<fn(LogoutRoute) -> Router>,
    sync: Option<fn(SyncRoute) -> Router>,
    limit: Option<Arc<dyn RateLimit>>,
    address: ClientAddress,
    max_report: Option<usize>,
}

impl RoutesBuilder {
    /// Serves refresh and revocation of these tokens; a logout ends those that belong to its session.
    pub fn grants(mut self, grants: &Grants) -> Self {
        self.grants = Some(grants.clone());
        self
    }

    /// Serves logouts of users with claims of this type, who are those of the layer around the router.
    pub fn logout<C: Value + Send + Sync>(mut self) -> Self {
        self.logout = Some(logout::router::<C>);
        self
    }

    /// Serves these documents to users with claims of this type, who are those of the layer around the router.
    pub fn documents<C: Value + Send + Sync>(mut self, documents: &Documents) -> Self {
        self.documents = Some(documents.clone());
        self.sync = Some(sync::router::<C>);
        self
    }

    /// Whose the documents are; the user's unless told otherwise.
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owner = owner;
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
        let Self { grants, ingest, documents, owner, logout, sync, limit, address, max_report } = self;
        let gate = Gate { limit, address };
        let documents = documents.map(|documents| SyncRoute { documents, owner, gate: gate.clone() });
        let mut router = Router::new();
        if let Some(logout) = logout {
            let (grants, documents) = (grants.clone(), documents.clone());
            router = router.merge(logout(LogoutRoute { gate: gate.clone(), grants, documents }));
        }
        if let Some((sync, documents)) = sync.zip(documents) {
            router = router.merge(sync(documents));
        }
        if let Some(grants) = grants {
            router = router.merge(of_tokens(TokenRoutes { grants, gate: gate.clone() }));
        }
        if let Some(ingest) = ingest {
            let max_body = max_report.unwrap_or(1 << 20);
            router = router.merge(of_analytics(AnalyticsRoute { ingest, gate, max_body }));
        }
        Routes { router }
    }
}

fn of_tokens(state: TokenRoutes) -> Router {
    let router = Router::new().route(REFRESH, post(tokens::refresh));
    router.route(REVOKE, post(tokens::revoke)).with_state(state)
}

/// Pages report by themselves. It asks for no session, so it is no activity.
fn of_analytics(state: AnalyticsRoute) -> Router {
    Router::new().route(ANALYTICS, post(analytics::report)).with_state(state)
}

impl fmt::Debug for RoutesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutesBuilder")
            .field("grants", &self.grants)
            .field("documents", &self.documents)
            .field("ingest", &self.ingest)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
