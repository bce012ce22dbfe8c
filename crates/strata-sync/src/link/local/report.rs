//! What a link of one machine counts: [`LocalReport`].

use parking_lot::Mutex;

use super::frame::Broken;

/// How a link fares. Connections given up are counted by their reason; they are made anew at the next look into the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalReport {
    /// Peers that can be reached and heard.
    pub peers: usize,
    /// Looks into the folder.
    pub scans: u64,
    /// Connections that ended, between frames or within one: their peer closed them or was killed.
    pub ended: u64,
    /// Connections given up: a frame was over the bound.
    pub oversized: u64,
    /// Connections refused: they did not begin as this protocol does.
    pub garbage: u64,
    /// Connections given up: they stood still within a frame or a greeting.
    pub stalled: u64,
    /// Connections and peers refused: the link is full.
    pub turned_away: u64,
    /// Messages that a slow peer's queue could not hold. It was told.
    pub unsent: u64,
    /// Messages that this process read too slowly to hold. Its reader was told.
    pub unread: u64,
    /// Sockets of killed members that were removed.
    pub removed: u64,
    /// Looks that found something in the folder that no member puts there.
    pub foreign: u64,
    /// Calls of the system that failed: listening, connecting, looking. They are tried again.
    pub failures: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<LocalReport>);

impl Counts {
    pub(super) fn count(&self, what: impl FnOnce(&mut LocalReport)) {
        what(&mut self.0.lock());
    }

    pub(super) fn broken(&self, why: Broken) {
        self.count(|report| match why {
            Broken::Ended => report.ended += 1,
            Broken::Oversized => report.oversized += 1,
            Broken::Garbage => report.garbage += 1,
            Broken::Stalled => report.stalled += 1,
        });
    }

    pub(super) fn report(&self, peers: usize) -> LocalReport {
        LocalReport { peers, ..*self.0.lock() }
    }
}
