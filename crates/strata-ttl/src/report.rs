//! What a sweeper has done so far: [`SweepReport`], and the last [`Failure`].

use strata_core::{Error, ErrorKind, Timestamp};

/// The work of a [`Sweeper`](crate::Sweeper) since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Sweeps that came to their end.
    pub sweeps: u64,
    /// Dead records removed, each announced as expired. Others, such as a second sweeper or a write over a dead record, may
    /// have removed more.
    pub removed: u64,
    /// Sweeps that ended in a failure.
    pub failures: u64,
    /// How many of them since the last sweep that came to its end. Not zero: something is wrong now.
    pub failing: u32,
    /// The last failure, also when later sweeps went well.
    pub last_failure: Option<Failure>,
    /// When the last sweep that came to its end began.
    pub last_sweep: Option<Timestamp>,
}

/// Why a sweep ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// The situation.
    pub kind: ErrorKind,
    /// The error as text.
    pub message: String,
}

impl SweepReport {
    pub(crate) fn record_sweep(&mut self, began: Timestamp) {
        self.sweeps += 1;
        self.failing = 0;
        self.last_sweep = Some(began);
    }

    pub(crate) fn record_failure(&mut self, at: Timestamp, error: &Error) {
        self.failures += 1;
        self.failing = self.failing.saturating_add(1);
        self.last_failure = Some(Failure { at, kind: error.kind(), message: error.to_string() });
    }
}
