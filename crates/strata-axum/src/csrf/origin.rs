//! Where a page came from (RFC 6454): scheme, host and port, compared as such.

use http::HeaderValue;
use strata_core::{Error, ErrorKind, Result};

/// A scheme and an authority, in lower case, without the port that goes without saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    authority: String,
}

impl Origin {
    /// An origin that a program allows by name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for anything but `http://host`, `https://host`, with a port or without.
    pub(super) fn named(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "allow origin",
                "an origin is a scheme, a host and perhaps a port, such as `https://shop.example.org`; give no path",
            )
        })
    }

    /// What a browser sent; nothing for `null` and other things that are no origin.
    pub(super) fn sent(value: &HeaderValue) -> Option<Self> {
        Self::parse(value.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority: http::uri::Authority = authority.parse().ok()?;
        let is_bare = !authority.host().is_empty() && !authority.as_str().contains('@');
        is_bare.then(|| Self { https, authority: plain(authority.as_str(), https) })
    }

    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it is this machine, where nobody is on the line.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, port)| {
            if port.ends_with(']') { self.authority.as_str() } else { host }
        });
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether it is that of a host as a request names it.
    pub(super) fn is_of(&self, host: &str) -> bool {
        self.authority == plain(host, self.https)
    }
}

fn plain(authority: &str, https: bool) -> String {
    let authority = authority.to_ascii_lowercase();
    let port = if https { ":443" } else { ":80" };
    authority.strip_suffix(port).map(str::to_owned).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        let of = |origin: &str, host: &str| Origin::named(origin).expect("an origin").is_of(host);
        assert!(of("https://a.example", "a.example") && of("https://a.example:443", "A.example"));
        assert!(of("https://a.example", "a.example:443") && of("http://a.example", "a.example:80"));
        assert!(of("http://127.0.0.1:7878", "127.0.0.1:7878") && of("http://[::1]:80", "[::1]"));
        assert!(!of("https://a.example", "a.example:80") && !of("https://a.example:8443", "a.example"));
        assert!(!of("https://a.example.evil", "a.example") && !of("https://evil-a.example", "a.example"));
        assert_ne!(Origin::named("http://a").expect("one"), Origin::named("https://a").expect("one"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "a.example",
            "ftp://a",
            "https://",
            "https://a/",
            "https://a/b",
            "https://u@a",
            "https://a b",
        ] {
            assert!(Origin::named(text).is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (origin, is) in [
            ("http://localhost:1", true),
            ("http://app.localhost", true),
            ("http://127.9.9.9:80", true),
            ("http://[::1]:7878", true),
            ("http://[::1]", true),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(Origin::named(origin).expect("an origin").is_loopback(), is, "{origin}");
        }
    }
}
