//! How much a visit, an event and the queue may hold: [`Bounds`], and the judgement of what programs and strangers say.

use strata_core::{Error, ErrorKind, Result};

use super::event::{Event, Properties, Property};

/// Bounds on what is recorded, so that no visitor can fill the store. All are inclusive. What is beyond is dropped and counted, in the
/// report of its visit or in the queue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "bounds do nothing until they are given to a builder"]
pub struct Bounds {
    pub(super) events: u32,
    pub(super) text_bytes: usize,
    pub(super) properties: usize,
    pub(super) event_bytes: usize,
    pub(super) reports: u64,
}

impl Bounds {
    /// The most events of one visit, page views included; 1000 unless told otherwise.
    pub fn events(mut self, count: u32) -> Self {
        self.events = count;
        self
    }

    /// The longest path, name of an event or referrer, in bytes; 512 unless told otherwise.
    pub fn text_bytes(mut self, bytes: usize) -> Self {
        self.text_bytes = bytes;
        self
    }

    /// The most properties of an event; 16 unless told otherwise.
    pub fn properties(mut self, count: usize) -> Self {
        self.properties = count;
        self
    }

    /// The most bytes of an event's name and properties together; 2048 unless told otherwise.
    pub fn event_bytes(mut self, bytes: usize) -> Self {
        self.event_bytes = bytes;
        self
    }

    /// The most reports that wait for delivery; 1000 unless told otherwise. When one more comes, the oldest is dropped and counted:
    /// it is the one that would be too old to deliver next.
    pub fn reports(mut self, count: u64) -> Self {
        self.reports = count.max(1);
        self
    }

    /// Whether an event fits.
    pub(super) fn admits(&self, event: &Event) -> bool {
        match event {
            Event::View { path, .. } => path.len() <= self.text_bytes,
            Event::Custom { name, properties } => self.admits_custom(name, properties),
        }
    }

    pub(super) fn admits_custom(&self, name: &str, properties: &Properties) -> bool {
        name.len() <= self.text_bytes
            && properties.len() <= self.properties
            && name.len() + properties.bytes() <= self.event_bytes
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 1000, text_bytes: 512, properties: 16, event_bytes: 2048, reports: 1000 }
    }
}

/// Refuses what no event may be, however short: nothing at all, control characters, numbers that JSON cannot write.
pub(super) fn check_event(event: &Event) -> Result<()> {
    match event {
        Event::View { path, referrer } => {
            check_text("the path of a page", path)?;
            referrer.as_deref().map_or(Ok(()), |referrer| check_text("the referrer", referrer))
        }
        Event::Custom { name, properties } => {
            check_text("the name of an event", name)?;
            properties.iter().try_for_each(|(name, value)| check_property(name, value))
        }
    }
}

fn check_property(name: &str, value: &Property) -> Result<()> {
    check_text("the name of a property", name)?;
    if value.is_finite() {
        return Ok(());
    }
    Err(invalid("a property is no finite number; leave it out, or say it as a text"))
}

/// Refuses an empty text and control characters.
pub(super) fn check_text(what: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(invalid(format!(
            "{what} is empty or has a control character; give it at least one visible character"
        )));
    }
    Ok(())
}

#[cold]
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "record analytics", message)
}

/// A path without query and fragment.
pub(super) fn bare_path(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

/// A referrer without query, fragment and credentials, cut to `longest` bytes.
pub(super) fn bare_referrer(referrer: &str, longest: usize) -> String {
    let bare = bare_path(referrer);
    let bare = match bare.split_once("//") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}//{host}{path}")
        }
        None => bare.to_owned(),
    };
    bare[..bare.floor_char_boundary(longest)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaks_is_cut_off() {
        assert_eq!(bare_path("/search?q=secret#x"), "/search");
        assert_eq!(bare_path("/a#token"), "/a");
        for (referrer, bare) in [
            ("https://ada:pw@shop.example/a/b?q=1#f", "https://shop.example/a/b"),
            ("https://shop.example", "https://shop.example"),
            ("android-app://com.example", "android-app://com.example"),
            ("//ada:pw@shop.example/a", "//shop.example/a"),
            ("newsletter", "newsletter"),
        ] {
            assert_eq!(bare_referrer(referrer, 512), bare);
        }
        assert_eq!(bare_referrer("éé", 3), "é");
    }

    #[test]
    fn what_no_event_may_be() {
        let custom = |name: &str, properties| Event::Custom { name: name.to_owned(), properties };
        for bad in [
            custom("", Properties::new()),
            custom("a\nb", Properties::new()),
            custom("a", Properties::new().text("", "x")),
            custom("a", Properties::new().number("n", f64::NAN)),
            custom("a", Properties::new().number("n", f64::INFINITY)),
            Event::View { path: String::new(), referrer: None },
            Event::View { path: "/".to_owned(), referrer: Some("\u{7}".to_owned()) },
        ] {
            assert_eq!(check_event(&bad).expect_err("refused").kind(), ErrorKind::Invalid);
        }
        let fine =
            custom("buy", Properties::new().text("what", "tea").number("price", 2.5).flag("gift", true));
        check_event(&fine).expect("fine");
        assert!(Bounds::default().admits(&fine));
        assert!(!Bounds::default().properties(2).admits(&fine));
        assert!(!Bounds::default().event_bytes(20).admits(&fine));
        assert!(!Bounds::default().text_bytes(2).admits(&fine));
    }
}
