//! The cookies of a request: one exact name is looked up; what is ambiguous is taken for nothing.

use http::HeaderMap;
use http::header::COOKIE;

/// What a request carries under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'h> {
    /// No such cookie.
    None,
    /// Exactly one.
    One(&'h [u8]),
    /// Several. A browser holds one cookie of a `__Host-` name, so somebody has planted the others: none is trusted.
    Several,
    /// More cookies than are read.
    TooMuch,
}

/// The most bytes of cookies that a request may carry. Browsers send what other parts of a site have set, too.
pub(crate) const MOST_COOKIES: usize = 16 * 1024;

/// Looks for the cookie of exactly this name, in all `Cookie` headers: HTTP/2 splits them.
///
/// Names differ in case (`__host-x` is another cookie than `__Host-x`). A pair without a name is none at all, whatever its value looks
/// like: `=__Host-x=…` is how a nameless cookie looks that wants to be taken for another (RFC 6265bis, section 5.6).
pub(crate) fn find<'h>(headers: &'h HeaderMap, name: &str) -> Found<'h> {
    let mut found = Found::None;
    let mut size = 0;
    for header in headers.get_all(COOKIE) {
        size += header.len();
        if size > MOST_COOKIES {
            return Found::TooMuch;
        }
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let Some(value) = value_of(pair, name) else { continue };
            found = match found {
                Found::None => Found::One(value),
                _ => Found::Several,
            };
        }
    }
    found
}

fn value_of<'h>(pair: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let pair = pair.trim_ascii();
    let rest = pair.strip_prefix(name.as_bytes())?;
    // Spaces around the equals sign are not part of what it parts.
    Some(rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).expect("a header"));
        }
        headers
    }

    #[test]
    fn s20_a_name_is_compared_exactly() {
        for (line, expected) in [
            ("__Host-s=v", Found::One(&b"v"[..])),
            ("a=b; __Host-s=v; c=d", Found::One(b"v")),
            ("a=b;__Host-s=v", Found::One(b"v")),
            ("__Host-s = v ", Found::One(b"v")),
            ("__Host-s=", Found::One(b"")),
            ("__Host-s=\"v\"", Found::One(b"\"v\"")),
            ("__Host-s=a=b", Found::One(b"a=b")),
            ("__host-s=v", Found::None),
            ("__HOST-S=v", Found::None),
            ("__Host-s2=v", Found::None),
            ("x__Host-s=v", Found::None),
            ("__Host-s", Found::None),
            ("a=__Host-s=v", Found::None),
            ("", Found::None),
            (";;;", Found::None),
        ] {
            assert_eq!(find(&headers(&[line]), "__Host-s"), expected, "{line}");
        }
    }

    #[test]
    fn s20_nameless_cookies_are_nobodys() {
        for line in ["=__Host-s=v", "= __Host-s=v", "=v", "; =__Host-s=v;"] {
            assert_eq!(find(&headers(&[line]), "__Host-s"), Found::None, "{line}");
        }
        assert_eq!(find(&headers(&["=__Host-s=evil; __Host-s=v"]), "__Host-s"), Found::One(b"v"));
    }

    #[test]
    fn s20_of_duplicates_none_is_trusted() {
        for lines in
            [&["__Host-s=a; __Host-s=b"][..], &["__Host-s=a; __Host-s=a"], &["__Host-s=a", "__Host-s=b"]]
        {
            assert_eq!(find(&headers(lines), "__Host-s"), Found::Several, "{lines:?}");
        }
        assert_eq!(find(&headers(&["a=1", "__Host-s=v"]), "__Host-s"), Found::One(b"v"));
    }

    #[test]
    fn s38_too_many_cookies_are_not_read() {
        let padding = format!("a={}", "x".repeat(MOST_COOKIES - "a=; __Host-s=v".len()));
        let line = format!("{padding}; __Host-s=v");
        assert_eq!(line.len(), MOST_COOKIES);
        assert_eq!(find(&headers(&[&line]), "__Host-s"), Found::One(b"v"));
        assert_eq!(find(&headers(&[&format!("{line} ")]), "__Host-s"), Found::TooMuch);
        assert_eq!(find(&headers(&[&line, "a=b"]), "__Host-s"), Found::TooMuch);
    }
}
