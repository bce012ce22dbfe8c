//! The cookies of sessions (RFC 6265bis; ASVS 3.3): [`SessionCookie`], which cannot be written wrong, and how a request's are read.
//!
//! | | |
//! |---|---|
//! | name | `__Host-…`: Secure, `Path=/` and no Domain, so no other host and no plain connection sets it |
//! | always | `HttpOnly`: no script reads it |
//! | [`SameSite`] | `Lax` unless chosen otherwise |
//! | size | name and value together at most 4096 bytes |
//! | life | as long as the browser runs, or at most 400 days |

mod header;
mod parse;

use std::fmt;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Result};

pub use header::{LONGEST_LIFE, MOST_BYTES};
pub(crate) use parse::{Found, find};

/// Whether requests that other sites make carry the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// On none. Who follows a link from elsewhere arrives without a session.
    Strict,
    /// When somebody follows a link, not with forms, frames or scripts of other sites.
    #[default]
    Lax,
    /// On all: for pages inside frames of other sites. Only what [`csrf`](crate::csrf) checks is then in the way of forged requests.
    None,
}

/// What a cookie of sessions looks like. `__Host-` comes before its name, and it is Secure, unless told otherwise for development.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    name: String,
    same_site: SameSite,
    secure: bool,
}

/// What makes a browser keep a cookie to its own host.
const PREFIX: &str = "__Host-";

impl SessionCookie {
    /// A cookie of this name, without the prefix.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a name that is empty, is no token of RFC 9110, or brings a prefix of its own.
    pub fn named(name: &str) -> Result<Self> {
        let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
        if !is_token || name.to_ascii_lowercase().starts_with("__") {
            return Err(invalid(
                "the name has to be a token without spaces, separators and a prefix of its own",
            ));
        }
        Ok(Self { name: format!("{PREFIX}{name}"), same_site: SameSite::Lax, secure: true })
    }

    /// Which requests of other sites carry it.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// For plain http during development only: neither Secure nor `__Host-`, so whoever is on the line or on a sister host can read and
    /// plant it. Browsers take the safe form on `localhost` and loopback addresses, too, so this is seldom needed.
    #[must_use]
    pub fn insecure_for_development(mut self) -> Self {
        if let Some(name) = self.name.strip_prefix(PREFIX) {
            self.name = name.to_owned();
        }
        self.secure = false;
        self
    }

    /// Its whole name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it goes over protected connections only.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The `Set-Cookie` header that gives it to a browser, for `life` or as long as the browser runs.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] over [`MOST_BYTES`] of name and value; [`ErrorKind::Invalid`] for a value with other bytes than RFC 6265
    /// allows, a life over [`LONGEST_LIFE`], or [`SameSite::None`] without Secure, which browsers refuse.
    pub fn set(&self, value: &str, life: Option<Duration>) -> Result<http::HeaderValue> {
        header::set(self, value, life)
    }

    /// The `Set-Cookie` header that takes it from a browser.
    ///
    /// # Errors
    /// As [`SessionCookie::set`].
    pub fn unset(&self) -> Result<http::HeaderValue> {
        header::set(self, "", Some(Duration::ZERO))
    }
}

impl fmt::Display for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "write cookie", message)
}
