//! What the store holds: the [`Head`] of an open visit, each event as [`Stored`], an ended visit as [`Parcel`], and the [`Ledger`] of the
//! queue. A head changes with every event and has a fixed size; events lie beside it, one record each.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata_core::Timestamp;

use super::device::Device;
use super::event::{Act, Event, PageTime};
use super::names::{self, Visitor};
use super::report::{Dropped, Summary, VisitEnd};
use crate::id::VisitId;

/// An open visit.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Head {
    visit: [u8; 16],
    visitor: String,
    pub(super) user: Option<String>,
    started: u64,
    last: u64,
    pub(super) device: Device,
    referrer: Option<String>,
    entry: String,
    page: String,
    /// When that page was opened.
    since: u64,
    next: u32,
    views: u32,
    events: u32,
    pub(super) dropped: Dropped,
}

/// One event.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) at: u64,
    pub(super) act: Act,
}

/// An ended visit on its way. Its events lie where they were recorded until they are delivered.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Parcel {
    visit: [u8; 16],
    pub(super) summary: Summary,
    /// Whether the summary was taken.
    pub(super) begun: bool,
    /// When it is too old.
    pub(super) until: u64,
    /// How often sending was begun since something of it was taken.
    pub(super) attempts: u32,
    /// How often it was rejected.
    pub(super) rejections: u32,
    /// When it may be sent again: after a pause, or after the time another sender has.
    pub(super) not_before: u64,
}

/// What waits, and what was lost of it.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// The number of the next report.
    pub(super) next: u64,
    /// At least as many as wait.
    pub(super) waiting: u64,
    pub(super) lost: Lost,
}

/// How many reports were dropped before they were delivered, and why, since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lost {
    /// The oldest, when the queue was full.
    pub full: u64,
    /// Those that the server rejected again and again.
    pub rejected: u64,
    /// Parts that the server found too large and that could not be split further.
    pub too_large: u64,
    /// Those that had waited too long.
    pub expired: u64,
}

/// When visits end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) idle: Duration,
    pub(super) longest: Duration,
}

/// How a visit begins.
pub(super) struct Beginning {
    pub(super) visit: VisitId,
    pub(super) user: Option<String>,
    pub(super) device: Device,
    pub(super) path: String,
    pub(super) referrer: Option<String>,
}

impl Head {
    /// A visit that begins now, and its first event.
    pub(super) fn begin(visitor: &Visitor, beginning: Beginning, now: Timestamp) -> (Self, Stored) {
        let Beginning { visit, user, device, path, referrer } = beginning;
        let at = now.as_millis();
        let head = Self {
            visit: visit.to_bytes(),
            visitor: visitor.as_str().to_owned(),
            user,
            started: at,
            last: at,
            device,
            referrer,
            entry: path.clone(),
            page: path.clone(),
            since: at,
            next: 1,
            views: 1,
            events: 0,
            dropped: Dropped::default(),
        };
        (head, Stored { at, act: Act::View { path, left: None } })
    }

    pub(super) fn visit(&self) -> VisitId {
        VisitId::from_bytes(self.visit)
    }

    pub(super) fn visitor(&self) -> Visitor {
        Visitor::stored(&self.visitor)
    }

    pub(super) fn started(&self) -> Timestamp {
        Timestamp::from_millis(self.started)
    }

    pub(super) fn last(&self) -> Timestamp {
        Timestamp::from_millis(self.last)
    }

    /// Why the visit is over at `now`, if it is. Activity that lies an idle time ahead was told by a clock that was wrong: that visit
    /// is over too, or it would stay open for as long as the clock was ahead.
    pub(super) fn ended(&self, now: Timestamp, ends: Ends) -> Option<VisitEnd> {
        let (last, started) = (self.last(), self.started());
        if now.since(last) >= ends.idle || last.since(now) >= ends.idle {
            return Some(VisitEnd::Idle);
        }
        (now.since(started) >= ends.longest).then_some(VisitEnd::TooLong)
    }

    /// Counts activity. Time never runs backwards within a visit.
    pub(super) fn active(&mut self, now: Timestamp) {
        self.last = self.last.max(now.as_millis());
    }

    /// Counts an event, and gives it with its number; `None` if the visit has as many as it may.
    pub(super) fn add(&mut self, event: Event, most: u32) -> Option<(u32, Stored)> {
        if self.next >= most {
            self.dropped.too_many = self.dropped.too_many.saturating_add(1);
            return None;
        }
        let at = self.last;
        let act = match event {
            Event::View { path, .. } => {
                self.views += 1;
                let left = PageTime {
                    path: std::mem::replace(&mut self.page, path.clone()),
                    millis: at - self.since,
                };
                self.since = at;
                Act::View { path, left: Some(left) }
            }
            Event::Custom { name, properties } => {
                self.events += 1;
                Act::Custom { name, properties }
            }
        };
        self.next += 1;
        Some((self.next - 1, Stored { at, act }))
    }

    /// The visit, ended where it stands.
    pub(super) fn end(self, end: VisitEnd) -> Summary {
        Summary {
            exit: PageTime { path: self.page, millis: self.last - self.since },
            visitor: self.visitor,
            user: self.user,
            started: self.started,
            ended: self.last,
            end,
            device: self.device,
            referrer: self.referrer,
            entry: self.entry,
            views: self.views,
            events: self.events,
            dropped: self.dropped,
        }
    }
}

impl Parcel {
    pub(super) fn new(visit: VisitId, summary: Summary, until: Timestamp) -> Self {
        Self {
            visit: visit.to_bytes(),
            summary,
            begun: false,
            until: until.as_millis(),
            attempts: 0,
            rejections: 0,
            not_before: 0,
        }
    }

    pub(super) fn visit(&self) -> VisitId {
        VisitId::from_bytes(self.visit)
    }

    /// What the names of its events begin with.
    pub(super) fn events(&self) -> String {
        names::events(Timestamp::from_millis(self.summary.started), self.visit())
    }
}
