//! The middleware itself: [`SessionService`].

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::{IntoResponse as _, Response};
use http::Request;
use strata_core::{BoxFuture, Value};
use tower_layer::Layer;
use tower_service::Service;

use super::{AuthExchange, Exchange, SessionLayer, Site};
use crate::csrf::{self, CSRF_TOKEN, Verdict};
use crate::reject::Rejection;
use crate::request::{cookie_token, is_bearer};

/// What [`SessionLayer`] makes of a service.
pub struct SessionService<S, C = ()> {
    inner: S,
    layer: SessionLayer<C>,
}

impl<S, C> Layer<S> for SessionLayer<C> {
    type Service = SessionService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, layer: self.clone() }
    }
}

impl<S, B, C> Service<Request<B>> for SessionService<S, C>
where
    S: Service<Request<B>, Response = Response>,
    S::Future: Send + 'static,
    C: Value + Send + Sync,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let SessionLayer { site, users } = &self.layer;
        if !request.method().is_safe()
            && let Err(rejection) = admit(site, &request)
        {
            return Box::pin(async move { Ok(rejection.into_response()) });
        }
        let exchange = Arc::new(Exchange::new(Arc::clone(site), request.method().is_safe()));
        request.extensions_mut().insert(Arc::clone(&exchange));
        let auth = users.as_ref().map(|users| {
            let auth = Arc::new(AuthExchange::new(Arc::clone(&exchange), users.clone()));
            request.extensions_mut().insert(Arc::clone(&auth));
            auth
        });
        let handled = self.inner.call(request);
        Box::pin(async move {
            let response = handled.await?;
            if exchange.is_idle() {
                return Ok(response);
            }
            Ok(super::exchange::finish(exchange, auth, response).await)
        })
    }
}

/// Refuses a request that changes state and that another site made.
fn admit<B>(site: &Site, request: &Request<B>) -> Result<(), Rejection> {
    let headers = request.headers();
    if is_bearer(headers) {
        return Ok(());
    }
    match csrf::judge(headers, request.uri(), &site.allowed, site.cookies.auth.is_secure()) {
        Verdict::Own => return Ok(()),
        Verdict::Foreign => return Err(refuse()),
        Verdict::Silent => {}
    }
    let auth = if site.has_users { cookie_token(headers, &site.cookies.auth)? } else { None };
    let Some(token) =
        auth.map_or_else(|| cookie_token(headers, &site.cookies.guest), |auth| Ok(Some(auth)))?
    else {
        return Ok(());
    };
    let sent = headers.get(CSRF_TOKEN).and_then(|sent| sent.to_str().ok());
    if sent.is_some_and(|sent| token.is_csrf_token(sent)) { Ok(()) } else { Err(refuse()) }
}

#[cold]
fn refuse() -> Rejection {
    tracing::warn!(target: "strata::security", "a request of another site was refused");
    Rejection::cross_site()
}

impl<S: Clone, C> Clone for SessionService<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for SessionService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}
