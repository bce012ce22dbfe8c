//! What of a browser's or program's name of itself lasts: [`Agent`], its family, major version and engine. Small on purpose: the crates
//! that know every device carry or fetch a table of patterns that has to be renewed; what is asked here is only whether two are alike.

use std::fmt;

/// A browser or program. Minor versions, builds, devices and the order of the rest are left out: they change by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) family: String,
    pub(super) major: u32,
    pub(super) engine: String,
}

/// What engines that nobody knows are called.
pub(super) const NO_ENGINE: &str = "-";

/// The longest family name taken from an agent that nobody knows, in bytes.
const LONGEST_FAMILY: usize = 32;

/// Products, lower case, by precedence: browsers name those they descend from as well.
const PRODUCTS: [(&str, &str); 25] = [
    ("edg/", "edge"),
    ("edga/", "edge"),
    ("edgios/", "edge"),
    ("edge/", "edge"),
    ("opr/", "opera"),
    ("opios/", "opera"),
    ("opera/", "opera"),
    ("samsungbrowser/", "samsung"),
    ("vivaldi/", "vivaldi"),
    ("yabrowser/", "yandex"),
    ("ucbrowser/", "uc"),
    ("ddg/", "duckduckgo"),
    ("duckduckgo/", "duckduckgo"),
    ("seamonkey/", "seamonkey"),
    ("focus/", "firefox_focus"),
    ("firefox/", "firefox"),
    ("fxios/", "firefox"),
    ("headlesschrome/", "chrome_headless"),
    ("crios/", "chrome"),
    ("chrome/", "chrome"),
    ("chromium/", "chromium"),
    ("msie ", "ie"),
    ("trident/", "ie"),
    ("version/", "safari"),
    ("applewebkit/", "webkit_view"),
];

impl Agent {
    /// Reads the text of a `User-Agent` header, or any text of its kind: `product/version (comment) product/version …`.
    pub(super) fn of_header(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let engine = engine(&text).to_owned();
        let named = PRODUCTS.iter().find_map(|(token, family)| Some((*family, major(after(&text, token)?))));
        let (family, major) = match named {
            Some((family, major)) => (family.to_owned(), major),
            None => first_product(&text),
        };
        Self { family, major, engine }
    }

    /// Reads what `Display` writes.
    pub(super) fn of_canonical(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (family, major, engine) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { family: family.to_owned(), major: major.parse().ok()?, engine: engine.to_owned() })
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.family, self.major, self.engine)
    }
}

fn engine(text: &str) -> &'static str {
    let has = |token| after(text, token).is_some();
    // Every browser of an iPhone is WebKit underneath, whatever it calls itself.
    if ["iphone", "ipad", "ipod"].iter().any(|device| text.contains(device)) {
        return "webkit";
    }
    let known = [
        ("edge/", "edgehtml"),
        ("trident/", "trident"),
        ("msie ", "trident"),
        ("presto/", "presto"),
        ("chrome/", "blink"),
        ("headlesschrome/", "blink"),
        ("chromium/", "blink"),
        ("applewebkit/", "webkit"),
        ("gecko/", "gecko"),
    ];
    known.iter().find(|(token, _)| has(token)).map_or(NO_ENGINE, |(_, engine)| engine)
}

/// What follows `token` where it begins a word.
fn after<'t>(text: &'t str, token: &str) -> Option<&'t str> {
    let begins = |at: usize| {
        text[..at].chars().next_back().is_none_or(|before| !before.is_ascii_alphanumeric() && before != '_')
    };
    text.match_indices(token).find(|(at, _)| begins(*at)).map(|(at, _)| &text[at + token.len()..])
}

/// The number `text` begins with; 0 if there is none, or one no version has.
fn major(text: &str) -> u32 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 6 { 0 } else { text[..digits].parse().unwrap_or(0) }
}

/// The first product of a program that nobody knows.
fn first_product(text: &str) -> (String, u32) {
    let word = text.split([' ', '(', ';']).next().unwrap_or_default();
    let (name, version) = word.split_once('/').unwrap_or((word, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > LONGEST_FAMILY || !name.bytes().all(plain) {
        return ("other".to_owned(), 0);
    }
    (name.to_owned(), major(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(&str, &str); 22] = [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            "chrome 126 blink",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.68",
            "edge 126 blink",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0 Safari/537.36 Edge/17.17134",
            "edge 17 edgehtml",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "firefox 127 gecko"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
            "safari 17 webkit",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "safari 17 webkit",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1",
            "chrome 126 webkit",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 14_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15",
            "firefox 127 webkit",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
            "samsung 25 blink",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
            "chrome 126 blink",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0",
            "opera 110 blink",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
            "chrome_headless 126 blink",
        ),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "ie 7 trident"),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "ie 8 trident"),
        ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", "opera 9 presto"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            "webkit_view 605 webkit",
        ),
        ("curl/8.5.0", "curl 8 -"),
        ("MyApp/3.2 (Macintosh)", "myapp 3 -"),
        ("notchrome/9", "notchrome 9 -"),
        ("Ünïcode/1", "other 0 -"),
        ("Mozilla/5.0", "mozilla 5 -"),
        ("Chrome/99999999999999999999", "chrome 0 blink"),
    ];

    #[test]
    fn a_header_becomes_family_major_version_and_engine() {
        for (header, expected) in CASES {
            let agent = Agent::of_header(header);
            assert_eq!(agent.to_string(), expected, "{header}");
            assert_eq!(Agent::of_canonical(expected), Some(agent), "it is read back");
        }
    }

    #[test]
    fn what_changes_by_itself_is_not_in_it() {
        let of = |minor: &str, os: &str| {
            Agent::of_header(&format!(
                "Mozilla/5.0 ({os}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.{minor} Safari/537.36"
            ))
        };
        assert_eq!(of("0.6478.61", "X11; Linux x86_64"), of("0.6478.127", "X11; Linux aarch64"));
    }
}
