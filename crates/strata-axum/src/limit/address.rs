//! Where a request comes from: [`ClientAddress`].

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

/// How the client's address is found. A header is believed only where it is said how many of a program's own proxies wrote to it:
/// anybody can send one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAddress {
    /// The other end of the connection, as `axum::serve` tells it to a service made by `into_make_service_with_connect_info`.
    #[default]
    Peer,
    /// Behind this many proxies of the program's own, each of which adds the address it was asked from to `X-Forwarded-For`. With one,
    /// the last entry counts.
    Forwarded(usize),
}

impl ClientAddress {
    /// The address, if it is known.
    pub fn of(self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        match self {
            Self::Peer | Self::Forwarded(0) => {
                extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
            }
            Self::Forwarded(hops) => forwarded(headers, hops),
        }
    }
}

/// The entry that the outermost of the own proxies wrote: the `hops`th from the end, over all headers of that name. What stands before it
/// is the client's, whatever it is.
fn forwarded(headers: &HeaderMap, hops: usize) -> Option<IpAddr> {
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let mut entries = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let entry = std::str::from_utf8(entries.nth(hops.checked_sub(1)?)?).ok()?.trim();
    entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use axum::http::request::Parts;

    use super::*;

    fn parts(forwarded: &[&str]) -> Parts {
        let request = Request::builder().extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 443))));
        let request =
            forwarded.iter().fold(request, |request, text| request.header("X-Forwarded-For", *text));
        request.body(()).expect("a request").into_parts().0
    }

    fn address(of: ClientAddress, headers: &[&str]) -> Option<IpAddr> {
        let Parts { headers, extensions, .. } = parts(headers);
        of.of(&headers, &extensions)
    }

    #[test]
    fn a_header_counts_only_as_far_as_own_proxies_wrote_it() {
        let of = |hops, headers: &[&str]| {
            address(ClientAddress::Forwarded(hops), headers).map(|ip| ip.to_string())
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(address(ClientAddress::Peer, &["1.2.3.4"]), Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(of(0, &["1.2.3.4"]), told("10.0.0.1"));
        assert_eq!(of(1, &["6.6.6.6, 1.2.3.4"]), told("1.2.3.4"), "the client's own entry is passed over");
        assert_eq!(of(2, &["6.6.6.6", "1.2.3.4,10.0.0.2"]), told("1.2.3.4"));
        assert_eq!(of(1, &["\u{fc}", "1.2.3.4"]), told("1.2.3.4"), "whatever it is");
        assert_eq!(of(1, &["\u{fc}, 1.2.3.4"]), told("1.2.3.4"));
        assert_eq!(of(1, &["[2001:db8::1]:443"]), told("2001:db8::1"));
        assert_eq!(of(1, &["1.2.3.4:5678"]), told("1.2.3.4"));
        for (hops, headers) in [(1, &[][..]), (2, &["1.2.3.4"][..]), (1, &["unknown"][..]), (1, &[""][..])] {
            assert_eq!(of(hops, headers), None, "{hops} {headers:?}");
        }
    }
}
