//! What goes over the wire: [`Report`], with the [`Summary`] of a visit and its events. It serializes, also as JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::device::Device;
use super::event::{Act, PageTime};
use crate::id::VisitId;

/// A part of what one visit came to. A visit of many events takes several, each later one sent after the one before was taken.
///
/// Delivery is at least once. [`visit`](Self::visit) and [`sequence`](Happened::sequence) of an event name it for ever, so a receiver that
/// keeps the next sequence it expects of each visit counts everything once.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this format: [`Report::VERSION`].
    pub version: u16,
    /// The visit.
    pub visit: VisitId,
    /// When the visit began, in milliseconds since 1970-01-01T00:00:00Z. The same in every part.
    pub started: u64,
    /// The visit as a whole; in its first part only.
    pub summary: Option<Summary>,
    /// What happened, in order. Sequences rise and may have gaps.
    pub events: Vec<Happened>,
}

/// One event of a visit.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// Its number in the visit, from zero.
    pub sequence: u32,
    /// When, in milliseconds since 1970-01-01T00:00:00Z; never before the event ahead of it.
    pub at: u64,
    /// What.
    pub act: Act,
}

/// A visit that has ended. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// A hash of the visitor's id.
    pub visitor: String,
    /// The application's id of the user, if one was named.
    pub user: Option<String>,
    /// When it began.
    pub started: u64,
    /// When it ended: its last activity, which for one that ended by idleness lies the idle time before it was noticed. Never before
    /// it began.
    pub ended: u64,
    /// Why it ended.
    pub end: VisitEnd,
    /// The device.
    pub device: Device,
    /// Where it came from.
    pub referrer: Option<String>,
    /// The page it began on.
    pub entry: String,
    /// The page it ended on, and how long that was looked at.
    pub exit: PageTime,
    /// Page views, the first one included.
    pub views: u32,
    /// Other events.
    pub events: u32,
    /// What was dropped.
    pub dropped: Dropped,
}

/// Why a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VisitEnd {
    /// The program said so.
    Left,
    /// Nothing happened for the idle time.
    Idle,
    /// It reached its longest duration.
    TooLong,
}

/// How many events of a visit were dropped, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Beyond the most events of a visit.
    pub too_many: u32,
    /// Beyond the size of an event.
    pub too_large: u32,
    /// By the scrubbing hook.
    pub scrubbed: u32,
}

impl Report {
    /// The version that this program writes and takes.
    pub const VERSION: u16 = 1;
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        u64::from(self.too_many) + u64::from(self.too_large) + u64::from(self.scrubbed)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("visit", &self.visit)
            .field("summary", &self.summary)
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} at {}", self.act, self.sequence, self.at)
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("started", &self.started)
            .field("ended", &self.ended)
            .field("end", &self.end)
            .field("views", &self.views)
            .field("events", &self.events)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}
