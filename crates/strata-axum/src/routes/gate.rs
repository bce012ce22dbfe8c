//! What stands before every route: who asks, and whether they asked too often. [`Gate`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::request::Parts;

use crate::limit::{Attempt, ClientAddress, RateLimit};
use crate::reject::Rejection;

#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    pub(super) limit: Option<Arc<dyn RateLimit>>,
    pub(super) address: ClientAddress,
}

impl Gate {
    /// Counts a request before anything of its body is read, and says where it comes from.
    pub(super) async fn pass(&self, route: &str, parts: &Parts) -> Result<Option<IpAddr>, Rejection> {
        let Some(limit) = &self.limit else { return Ok(None) };
        let client = self.address.of(&parts.headers, &parts.extensions);
        limit.check(&Attempt::of(route).client(client)).await?;
        Ok(client)
    }

    /// Counts it for the account that it names: a route of its own, so that a request is not counted twice for its client.
    pub(super) async fn pass_account(
        &self,
        route: &str,
        client: Option<IpAddr>,
        account: &str,
    ) -> Result<(), Rejection> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let route = format!("{route} account");
        Ok(limit.check(&Attempt::of(&route).client(client).account(account)).await?)
    }
}
