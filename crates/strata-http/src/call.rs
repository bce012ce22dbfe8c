//! One request and its answer: [`Call`] is what is sent, [`Answer`] what came back within its bounds, [`Failure`] why nothing did.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response};
use zeroize::Zeroizing;

use crate::base::Route;
use crate::client::Inner;
use crate::retry_after::retry_after;

/// What is sent.
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) content_type: &'static str,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Who sends it, as `Authorization: Bearer`.
    pub(crate) bearer: Option<Zeroizing<String>>,
}

/// The content type of JSON.
pub(crate) const JSON: &str = "application/json";
/// The content type of a token request (RFC 6749, appendix B).
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the server says that the body is JSON.
    pub(crate) is_json: bool,
    pub(crate) body: Body,
}

/// The body of an answer. It may hold tokens.
pub(crate) enum Body {
    Whole(Zeroizing<Vec<u8>>),
    /// It was longer than is read.
    TooLong,
    /// It ended early, or never.
    Broken,
}

impl Answer {
    /// The body, or nothing of one that is not whole.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Whole(bytes) => bytes,
            Body::TooLong | Body::Broken => &[],
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing of the request was sent: there was no connection.
    NotSent,
    /// It was sent, or may have been.
    Unanswered,
    /// It cannot be sent as it is, said in fixed words.
    Unsendable(&'static str),
}

impl Inner {
    /// Sends once, and reads an answer within its bounds and the total time.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        let request = self.request(call)?;
        let answered = std::pin::pin!(self.exchange(request));
        let over = self.timer.sleep(self.total);
        within(answered, over).await.unwrap_or(Err(Failure::Unanswered))
    }

    fn request(&self, call: &Call) -> Result<RequestBuilder, Failure> {
        let request = self.http.post(self.base.of(call.route));
        let request = request.header(CONTENT_TYPE, call.content_type).header(ACCEPT, JSON);
        let request = match &call.bearer {
            Some(bearer) => request.header(reqwest::header::AUTHORIZATION, authorization(bearer)?),
            None => request,
        };
        Ok(request.body(call.body.to_vec()))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let response = request.send().await.map_err(|error| {
            // The error holds the address and no more is told of it than what follows from it.
            if error.is_connect() { Failure::NotSent } else { Failure::Unanswered }
        })?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), self.clock.now());
        let is_json = response.headers().get(CONTENT_TYPE).is_some_and(is_json);
        let body = self.read(response).await;
        Ok(Answer { status, retry_after, is_json, body })
    }

    /// Reads up to the bound, and not a byte further.
    async fn read(&self, mut response: Response) -> Body {
        let announced = response.content_length().unwrap_or(0);
        if announced > self.max_answer as u64 {
            return Body::TooLong;
        }
        let mut body = Zeroizing::new(Vec::new());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.max_answer => return Body::TooLong,
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Body::Whole(body),
                Err(_) => return Body::Broken,
            }
        }
    }
}

/// A header that is left out of logs and of compression tables.
fn authorization(bearer: &str) -> Result<HeaderValue, Failure> {
    let text = Zeroizing::new(format!("Bearer {bearer}"));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Failure::Unsendable("the token has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let sort = text.split(';').next().unwrap_or_default().trim();
    sort.eq_ignore_ascii_case(JSON)
        || (sort.len() > 5
            && sort.is_char_boundary(sort.len() - 5)
            && sort[sort.len() - 5..].eq_ignore_ascii_case("+json"))
}

/// The first of the two, if it is ready first.
async fn within<T>(
    mut work: std::pin::Pin<&mut impl Future<Output = T>>,
    mut over: strata_core::BoxFuture<'static, ()>,
) -> Option<T> {
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(done));
        }
        over.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_its_type() {
        let of = |text: &str| is_json(&text.parse().expect("a header"));
        for text in ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"] {
            assert!(of(text), "{text}");
        }
        for text in ["", "text/html", "application/jsonp", "text/plain; application/json", "+json", "json"] {
            assert!(!of(text), "{text}");
        }
    }

    #[test]
    fn s05_a_bearer_is_not_printed() {
        let value = authorization("hunter2").expect("a header");
        assert_eq!(value.as_bytes(), b"Bearer hunter2");
        assert!(value.is_sensitive() && !format!("{value:?}").contains("hunter2"));
        assert!(matches!(authorization("a\nb"), Err(Failure::Unsendable(_))));
    }
}
