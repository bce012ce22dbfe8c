//! Where a server is: [`Base`], an address that secrets may be sent to, and [`Route`], what lies below it.

use std::collections::BTreeMap;

use reqwest::Url;
use strata_core::{Error, ErrorKind, Result};

/// What a server is asked for. Each is a `POST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Route {
    /// New tokens for a refresh token (RFC 6749, section 6): `api/auth/refresh`.
    Refresh,
    /// The end of a refresh token's family (RFC 7009): `api/auth/revoke`.
    Revoke,
    /// The end of a session: `api/session/logout`.
    Logout,
    /// A document brought in step: `api/session/sync`.
    Sync,
    /// Reports of visits: `api/analytics/session`.
    Analytics,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 5] = [Self::Refresh, Self::Revoke, Self::Logout, Self::Sync, Self::Analytics];

    /// Where it lies unless told otherwise, relative to the base.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Refresh => "api/auth/refresh",
            Self::Revoke => "api/auth/revoke",
            Self::Logout => "api/session/logout",
            Self::Sync => "api/session/sync",
            Self::Analytics => "api/analytics/session",
        }
    }
}

/// The addresses of a server's routes.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    urls: BTreeMap<Route, Url>,
    /// Whether connections are encrypted.
    pub(crate) is_https: bool,
}

impl Base {
    /// Parses an address: `https`, or `http` where the machine talks to itself or `plaintext` says that it may.
    pub(crate) fn parse(text: &str, plaintext: bool, paths: &BTreeMap<Route, String>) -> Result<Self> {
        // The parser's own error says nothing of the text, which may hold a password.
        let mut url = Url::parse(text).map_err(|error| {
            invalid("the base address is no URL; give one such as https://example.org/").because(error)
        })?;
        check(&url, plaintext)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        let urls = Route::ALL.iter().map(|route| {
            let path = paths.get(route).map_or(route.path(), String::as_str);
            Ok((*route, join(&url, path)?))
        });
        Ok(Self { urls: urls.collect::<Result<_>>()?, is_https: url.scheme() == "https" })
    }

    pub(crate) fn of(&self, route: Route) -> Url {
        self.urls[&route].clone()
    }
}

/// Whether secrets may be sent there.
fn check(url: &Url, plaintext: bool) -> Result<()> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(
            "the base address has a user or password in it; addresses are logged, take it out",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("the base address has a query or fragment; give what comes before it"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if plaintext || is_loopback(url) => Ok(()),
        "http" => Err(invalid(
            "the base address is not encrypted, and tokens would be sent readable; use https, or say \
             `allow_plaintext` where the network is trusted",
        )),
        _ => Err(invalid("the base address is neither https nor http; give one that is")),
    }
}

/// Whether nothing leaves the machine: 127.0.0.0/8, `::1`, and `localhost`, which resolves to them (RFC 6761, section 6.3).
fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<std::net::IpAddr>().map_or(host == "localhost", |address| address.is_loopback())
}

/// A path below the base: it cannot lead to another origin.
fn join(base: &Url, path: &str) -> Result<Url> {
    let url = base.join(path).map_err(|error| invalid("a path of a route is no path").because(error))?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if url.origin() == base.origin() && is_bare && url.fragment().is_none() {
        return Ok(url);
    }
    Err(invalid(
        "a path of a route leads to another server, or has a user or query; give a path of the base address",
    ))
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build HTTP client", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Base> {
        Base::parse(text, false, &BTreeMap::new())
    }

    #[test]
    fn routes_lie_below_the_base() {
        for (base, url) in [
            ("https://example.org", "https://example.org/api/session/logout"),
            ("https://example.org/app", "https://example.org/app/api/session/logout"),
            ("https://example.org/app/", "https://example.org/app/api/session/logout"),
            ("http://127.0.0.1:7878", "http://127.0.0.1:7878/api/session/logout"),
            ("http://[::1]:7878", "http://[::1]:7878/api/session/logout"),
            ("http://localhost/", "http://localhost/api/session/logout"),
        ] {
            assert_eq!(parse(base).expect(base).of(Route::Logout).as_str(), url);
        }
        let paths = BTreeMap::from([(Route::Refresh, "oauth/token".to_owned())]);
        let base = Base::parse("https://example.org/a/", false, &paths).expect("a base");
        assert_eq!(base.of(Route::Refresh).as_str(), "https://example.org/a/oauth/token");
        assert_eq!(base.of(Route::Sync).as_str(), "https://example.org/a/api/session/sync");
    }

    #[test]
    fn s05_addresses_with_secrets_or_without_protection_are_refused() {
        for text in [
            "",
            "example.org",
            "ftp://example.org",
            "http://example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "https://ada:hunter2@example.org",
            "https://hunter2@example.org",
            "https://example.org/?token=hunter2",
            "https://example.org/#hunter2",
            "https://hunter2:x y",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(Base::parse("http://example.org", true, &BTreeMap::new()).is_ok(), "said by name");
    }

    #[test]
    fn no_path_leads_elsewhere() {
        for path in [
            "https://evil.example/",
            "//evil.example/x",
            "//ada:hunter2@example.org/x",
            "//ada@example.org/x",
            "token?x=1",
            "token#x",
        ] {
            let paths = BTreeMap::from([(Route::Refresh, path.to_owned())]);
            assert!(Base::parse("https://example.org", false, &paths).is_err(), "{path}");
        }
    }
}
