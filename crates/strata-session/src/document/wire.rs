//! What travels between client and server: [`SyncRequest`], [`SyncAnswer`], [`SyncProblem`]. JSON; described in `docs/sync-protocol.md`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::{Codec, Error, ErrorKind, Result};

use super::change::Change;
use super::path::Path;
use super::revision::Revision;
use super::transport::SyncFailure;
use super::tree::Document;
use crate::id::{ReplicaId, RequestId};

/// The version of the protocol spoken here.
pub const PROTOCOL: u32 = 1;

/// What a client asks: take these changes of that revision, and say where the document stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The version of the protocol, [`PROTOCOL`].
    pub protocol: u32,
    /// Which client's copy this is.
    pub replica: ReplicaId,
    /// The same at each retry, so that nothing is done twice.
    pub request: RequestId,
    /// The revision that the changes were made from; none at the first contact.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// What the client has changed since. None: it only asks.
    #[serde(default)]
    pub changes: Vec<Change>,
}

impl SyncRequest {
    /// The longest request, in bytes of JSON: 256 KiB. A server refuses longer ones before it reads them.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Reads a request's body.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] over [`SyncRequest::MAX_BYTES`], [`ErrorKind::Newer`] for another version, [`ErrorKind::Invalid`] for what
    /// is no request.
    pub fn from_body(body: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            protocol: u32,
        }
        if body.len() > Self::MAX_BYTES {
            let message = format!("the request is longer than {} bytes; send less at once", Self::MAX_BYTES);
            return Err(Error::new(ErrorKind::TooLarge, "read sync request", message));
        }
        let invalid = |_| {
            let message = "the body is no request of the sync protocol; see its description";
            Error::new(ErrorKind::Invalid, "read sync request", message)
        };
        let Version { protocol } = Codec::Json.decode(body).map_err(invalid)?;
        if protocol != PROTOCOL {
            let message = format!("this server speaks version {PROTOCOL} of the sync protocol; use that");
            return Err(Error::new(ErrorKind::Newer, "read sync request", message));
        }
        Codec::Json.decode(body).map_err(invalid)
    }
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// The version of the protocol, [`PROTOCOL`].
    pub protocol: u32,
    /// What became of the changes.
    pub outcome: SyncOutcome,
    /// Where the document stands; none where there is none yet.
    pub revision: Option<Revision>,
    /// The document at that revision. A value that is absent here is not thereby removed.
    pub document: Document,
    /// What was removed since the revision of the request, by anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Path>,
    /// Places of the server's own that the request would have changed; they are as the server says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Path>,
    /// When values were written that go by whose change is the latest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
}

/// What became of a request's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncOutcome {
    /// They are in, now or since an earlier try. HTTP 200.
    Applied,
    /// They were made from a revision that is not the present one, and are not in. HTTP 409.
    Conflict,
}

/// How much the author of a value knew: the count of the newest revision it had seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Where.
    pub path: Path,
    /// The count.
    pub count: u64,
}

impl SyncAnswer {
    /// The longest answer a client reads, in bytes of JSON: 512 KiB.
    pub const MAX_BYTES: usize = 512 * 1024;

    /// The status it is sent with: 200, or 409 for a conflict.
    pub fn status(&self) -> u16 {
        match self.outcome {
            SyncOutcome::Applied => 200,
            SyncOutcome::Conflict => 409,
        }
    }

    /// The revision as the value of an `ETag` header (RFC 9110, section 8.8.3).
    pub fn etag(&self) -> Option<String> {
        self.revision.map(|revision| format!("\"{revision}\""))
    }

    /// What a response of an HTTP server means.
    ///
    /// | status | meaning |
    /// |---|---|
    /// | 200, 409 with an answer in the body | that answer |
    /// | 401 | [`SyncFailure::Unauthorized`] |
    /// | 413 | [`SyncFailure::TooLarge`] |
    /// | 400, 422 | [`SyncFailure::Invalid`] |
    /// | 408, 425, 429, 5xx with `Retry-After` | [`SyncFailure::Offline`] |
    /// | 5xx without | [`SyncFailure::Unanswered`]: it may have taken the changes |
    /// | other 4xx | [`SyncFailure::Refused`] |
    /// | anything else, or a body that is none | [`SyncFailure::Protocol`] |
    pub fn from_response(
        status: u16,
        body: &[u8],
        retry_after: Option<Duration>,
    ) -> Result<Self, SyncFailure> {
        match status {
            200 | 409 => Self::from_body(status, body),
            status => Err(SyncFailure::of_status(status, retry_after)),
        }
    }

    fn from_body(status: u16, body: &[u8]) -> Result<Self, SyncFailure> {
        if body.len() > Self::MAX_BYTES {
            return Err(SyncFailure::Protocol("the answer is longer than any answer may be"));
        }
        let answer: Self = Codec::Json
            .decode(body)
            .map_err(|_| SyncFailure::Protocol("the body is no answer of the sync protocol"))?;
        if answer.protocol != PROTOCOL {
            return Err(SyncFailure::Protocol("the server answered in another version of the sync protocol"));
        }
        if answer.status() != status {
            return Err(SyncFailure::Protocol("the status and the answer's outcome differ"));
        }
        Ok(answer)
    }
}

/// The body of a response that is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncProblem {
    /// A word for programs: `invalid`, `unsupported_version`, `too_large`, `ended` or `unavailable`.
    pub error: String,
    /// A sentence for people.
    pub message: String,
}

impl SyncProblem {
    /// The status and body for what [`Documents::sync`](super::Documents::sync) or [`SyncRequest::from_body`] report. What only the
    /// operator may know is left out.
    pub fn of(error: &Error) -> (u16, Self) {
        let (status, word, message) = match error.kind() {
            ErrorKind::Invalid => (400, "invalid", error.message()),
            ErrorKind::Newer => (400, "unsupported_version", error.message()),
            ErrorKind::TooLarge => (413, "too_large", error.message()),
            ErrorKind::Gone => (401, "ended", "the session has ended; sign in again"),
            ErrorKind::Conflict => (503, "unavailable", "too many changes at once; retry"),
            _ => (503, "unavailable", "the document cannot be reached just now; retry later"),
        };
        (status, Self { error: word.to_owned(), message: message.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> serde_json::Value {
        json!({
            "protocol": 1, "outcome": "applied", "revision": "0000000000000007-1-0000000000000001",
            "document": {"ui": {"theme": null}},
        })
    }

    #[test]
    fn requests_are_read_whole_or_not() {
        let good = json!({
            "protocol": 1, "replica": "0a".repeat(16), "request": "0b".repeat(16),
            "changes": [{"path": ["a"], "set": null}, {"path": ["b", "c"], "remove": true}], "later": 1,
        });
        let read = |value: &serde_json::Value| SyncRequest::from_body(value.to_string().as_bytes());
        let request = read(&good).expect("a request");
        assert_eq!((request.revision, request.changes.len()), (None, 2));
        let again = serde_json::to_value(&request).expect("json");
        assert_eq!(again["changes"], good["changes"], "null stays a value, a removal stays said");
        for (bad, kind) in [
            (json!({"protocol": 2}), ErrorKind::Newer),
            (json!({"protocol": 1}), ErrorKind::Invalid),
            (json!([]), ErrorKind::Invalid),
            (json!({"protocol": 1, "replica": "", "request": "0b".repeat(16)}), ErrorKind::Invalid),
        ] {
            assert_eq!(read(&bad).expect_err("refused").kind(), kind, "{bad}");
        }
        for change in [
            json!({"path": ["a"]}),
            json!({"path": [], "set": 1}),
            json!({"path": ["a"], "set": 1, "remove": true}),
            json!({"path": ["__proto__"], "set": 1}),
        ] {
            let mut bad = good.clone();
            bad["changes"] = json!([change]);
            assert_eq!(read(&bad).expect_err("refused").kind(), ErrorKind::Invalid, "{change}");
        }
        let long = vec![b' '; SyncRequest::MAX_BYTES + 1];
        assert_eq!(SyncRequest::from_body(&long).expect_err("refused").kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn responses_mean_one_thing_each() {
        let body = answer().to_string();
        let of = |status, body: &str| SyncAnswer::from_response(status, body.as_bytes(), None);
        let read = of(200, &body).expect("an answer");
        assert_eq!(read.etag().as_deref(), Some("\"0000000000000007-1-0000000000000001\""));
        assert!(matches!(of(409, &body), Err(SyncFailure::Protocol(_))), "applied is 200");
        let mut other = answer();
        other["protocol"] = json!(2);
        for garbage in ["", "<html>", "{}", "[1]", &other.to_string()] {
            assert!(matches!(of(200, garbage), Err(SyncFailure::Protocol(_))), "{garbage}");
        }
        assert_eq!(of(401, ""), Err(SyncFailure::Unauthorized));
        assert_eq!(of(413, ""), Err(SyncFailure::TooLarge));
        for status in [500, 502, 503, 504] {
            assert_eq!(of(status, ""), Err(SyncFailure::Unanswered), "{status}");
        }
        let wait = Some(Duration::from_secs(7));
        for status in [408, 425, 429, 503] {
            let failure = SyncAnswer::from_response(status, b"", wait);
            assert_eq!(failure, Err(SyncFailure::Offline { retry_after: wait }), "{status}");
        }
        for status in [400, 422] {
            assert_eq!(of(status, ""), Err(SyncFailure::Invalid), "{status}");
        }
        for status in [403, 404, 415] {
            assert!(matches!(of(status, ""), Err(SyncFailure::Refused(_))), "{status}");
        }
        for status in [0, 100, 204, 301, 999] {
            assert!(matches!(of(status, ""), Err(SyncFailure::Protocol(_))), "{status}");
        }
    }
}
