//! How the records of analytics are called, and whose they are: [`Visitor`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use strata_core::{Error, ErrorKind, Result, Timestamp};

use crate::id::VisitId;

/// The record of what waits and what was lost.
pub(super) const LEDGER: &str = "queue";
/// What the names of open visits begin with.
pub(super) const OPEN: &str = "visit:";
/// What the names of waiting reports begin with.
pub(super) const OUTBOX: &str = "outbox:";
/// What the names of ingested visits begin with.
pub(super) const DAY: &str = "day:";

/// The longest id of a visitor, in bytes.
const MAX_ID: usize = 256;

/// A visitor, as a hash of the id the program has for it: neither a session's id nor a cookie's value lies in the store or leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visitor(String);

impl Visitor {
    /// Of this id: 1 to 256 bytes.
    pub(super) fn of(id: &str) -> Result<Self> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Error::new(
                ErrorKind::Invalid,
                "record analytics",
                format!(
                    "the id of a visitor has 1 to {MAX_ID} bytes; give a random one that the client keeps"
                ),
            ));
        }
        let mut hash = Context::new(&SHA256);
        hash.update(b"strata visitor\0");
        hash.update(id.as_bytes());
        Ok(Self(URL_SAFE_NO_PAD.encode(hash.finish())))
    }

    /// As it was stored.
    pub(super) fn stored(hash: &str) -> Self {
        Self(hash.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The record of the visit that is open.
    pub(super) fn open(&self) -> String {
        format!("{OPEN}{}", self.0)
    }

    /// The tag on all that is stored of the visitor.
    pub(super) fn tag(&self) -> String {
        format!("visitor:{}", self.0)
    }
}

/// What the names of a visit's events begin with. Visits sort as they began, so that what is recorded and delivered at one time lies
/// together in the store's indexes, however much lies there: with the visit's random id first each event would be somewhere else.
pub(super) fn events(started: Timestamp, visit: VisitId) -> String {
    format!("event:{:012x}:{visit}:", started.as_millis())
}

/// The name of one event; they sort as they happened.
pub(super) fn event(started: Timestamp, visit: VisitId, sequence: u32) -> String {
    format!("{}{sequence:010}", events(started, visit))
}

/// The sequence of an event by the name of its record.
pub(super) fn sequence(event: &str) -> Option<u32> {
    event.rsplit(':').next()?.parse().ok()
}

/// The name of a waiting report; they sort as their visits ended, whatever clocks did.
pub(super) fn parcel(number: u64) -> String {
    format!("{OUTBOX}{number:020}")
}

/// The number of a waiting report by the name of its record.
pub(super) fn number(parcel: &str) -> Option<u64> {
    parcel.strip_prefix(OUTBOX)?.parse().ok()
}

/// The record of a visit that was ingested, by the day it began on, and within it as they began.
pub(super) fn day(started: Timestamp, visit: VisitId) -> String {
    format!("{DAY}{}:{:012x}:{visit}", date(started), started.as_millis())
}

/// A day in UTC, such as `2026-01-31`.
pub(super) fn date(at: Timestamp) -> String {
    let instant =
        i64::try_from(at.as_millis()).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    // The calendar ends a day before timestamps do: its last day then stands for both.
    let instant = instant.unwrap_or(jiff::Timestamp::MAX);
    jiff::tz::Offset::UTC.to_datetime(instant).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_things_happened() {
        let visit = VisitId::from_bytes([1; 16]);
        let event = |sequence| event(Timestamp::EPOCH, visit, sequence);
        assert!(event(9) < event(10) && event(99_999) < event(100_000));
        assert_eq!(sequence(&event(u32::MAX)), Some(u32::MAX));
        let (low, high) = (VisitId::from_bytes([0; 16]), VisitId::from_bytes([255; 16]));
        for (earlier, later) in [(0, 1), (15, 16), (1_767_225_599_999, 1_767_225_600_000)] {
            let [earlier, later] = [earlier, later].map(Timestamp::from_millis);
            assert!(events(earlier, high) < events(later, low) && day(earlier, high) < day(later, low));
        }
        assert_eq!(events(Timestamp::MAX, low).len(), events(Timestamp::EPOCH, low).len());
        assert!(parcel(9) < parcel(10) && parcel(10) < parcel(u64::MAX));
        assert_eq!(
            [number(&parcel(7)), number(&parcel(u64::MAX)), number("queue")],
            [Some(7), Some(u64::MAX), None]
        );
        assert_eq!(date(Timestamp::from_millis(1_767_225_600_000)), "2026-01-01");
        assert_eq!(date(Timestamp::EPOCH), "1970-01-01");
        assert_eq!(date(Timestamp::MAX), "9999-12-30");
    }

    #[test]
    fn visitors_are_named_by_a_hash() {
        let ada = Visitor::of("ada").expect("a visitor");
        assert_eq!(ada.as_str().len(), 43);
        assert_ne!(ada, Visitor::of("eve").expect("a visitor"));
        assert!(Visitor::of("").is_err() && Visitor::of(&"x".repeat(257)).is_err());
        assert!(ada.open().len() < 128 && ada.tag().len() <= 128);
    }
}
