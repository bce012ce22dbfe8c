//! The ends of sessions and of refresh tokens, asked for by the program itself and repeated until they are certain.

use std::time::Duration;

use strata_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use crate::base::Route;
use crate::call::{Answer, Body, Call, Failure, JSON};
use crate::client::{HttpClient, Inner};

impl HttpClient {
    /// Ends the session that this bearer token opens, and the refresh tokens that belong to it. Done as well if it had ended before.
    /// Clear what is kept locally first: a server that cannot be reached must not keep anybody signed in.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the server could not be asked, also after repeating it, or may not have done it: call it again.
    /// [`ErrorKind::Invalid`] for a token that no header can carry, or an answer that is none.
    pub async fn logout(&self, bearer: &str) -> Result<()> {
        let call = Call {
            route: Route::Logout,
            content_type: JSON,
            body: Zeroizing::new(b"{}".to_vec()),
            bearer: Some(Zeroizing::new(bearer.to_owned())),
        };
        // 401: the server does not know the session, so it has ended.
        self.inner.insist("log out", &call, |answer| answer.is_success() || answer.status == 401).await
    }

    /// Ends the family of a refresh token (RFC 7009). Done as well if the server does not know it.
    ///
    /// # Errors
    /// As [`HttpClient::logout`].
    pub async fn revoke_refresh_token(&self, token: &str) -> Result<()> {
        self.inner.insist("revoke token", &self.inner.revocation(token), Answer::is_success).await
    }
}

/// What an attempt that did not do it came to.
enum Attempt {
    /// It is worth another, after this long if the server said so.
    Again(Option<Duration>),
    /// It would fail again.
    Never(Error),
}

impl Inner {
    /// Makes a call that may be repeated until it is done, or not worth repeating.
    async fn insist(
        &self,
        operation: &'static str,
        call: &Call,
        done: impl Fn(&Answer) -> bool,
    ) -> Result<()> {
        let mut made = 0;
        loop {
            let attempt = match self.call(call).await {
                Ok(answer) if done(&answer) => return Ok(()),
                Ok(answer) => refused(operation, &answer),
                Err(Failure::NotSent | Failure::Unanswered) => Attempt::Again(None),
                Err(Failure::Unsendable(why)) => {
                    Attempt::Never(Error::new(ErrorKind::Invalid, operation, why))
                }
            };
            made += 1;
            let asked = match attempt {
                Attempt::Again(asked) => asked,
                Attempt::Never(error) => return Err(error),
            };
            match self.retry.pause(made, asked, &*self.random) {
                Some(pause) => self.timer.sleep(pause).await,
                None => return Err(unavailable(operation, asked)),
            }
        }
    }
}

fn refused(operation: &'static str, answer: &Answer) -> Attempt {
    match answer.status {
        408 | 425 | 429 | 500..=599 => Attempt::Again(answer.retry_after),
        _ if matches!(answer.body, Body::Broken) => Attempt::Again(None),
        300..=399 => Attempt::Never(Error::new(
            ErrorKind::Invalid,
            operation,
            "the server redirects, which is not followed with a token; give its address as the base",
        )),
        status => Attempt::Never(Error::new(
            ErrorKind::Invalid,
            operation,
            format!("the server answered {status}; check the base address and the paths of the routes"),
        )),
    }
}

#[cold]
fn unavailable(operation: &'static str, asked: Option<Duration>) -> Error {
    let message = match asked {
        Some(wait) => format!("the server asks to come back in {wait:?}; call it again then"),
        None => "the server could not be asked, or may not have done it; call it again".to_owned(),
    };
    Error::new(ErrorKind::Unavailable, operation, message)
}
