//! How far a replica can be trusted: [`ReplicaReport`], its [`Phase`] and [`Failure`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strata_core::{Error, ErrorKind, Timestamp};

/// How a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It has not been loaded yet.
    Loading,
    /// All that was heard of has been read.
    InStep,
    /// Something was heard of that has not been read yet, or cannot be just now.
    Behind,
    /// Nobody follows any more: what it holds is as it was.
    Stopped,
}

/// How a replica stands and what it has done. Holds no values and no names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaReport {
    /// How it stands with what was heard.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Since when peers cannot be heard, where a [`Feed`](super::Feed) was given.
    pub cut_off: Option<Timestamp>,
    /// Values it holds.
    pub held: usize,
    /// Whether a name that it does not hold is nowhere. Not before it is loaded, beyond its bound, or with unreadable records.
    pub complete: bool,
    /// Values that had no room when they were met.
    pub left_out: u64,
    /// Records that could not be read: of another shape, damaged, under a key that is not there.
    pub unreadable: u64,
    /// Records read again one by one.
    pub reread: u64,
    /// How often everything was read.
    pub loaded: u64,
    /// Changes lost on the way here.
    pub lost: u64,
    /// Reads that failed and were tried again.
    pub failures: u64,
    /// What the last failure was; `None` once it is in step again.
    pub last_failure: Option<Failure>,
}

/// A failure to read, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The situation.
    pub kind: ErrorKind,
    /// The sentence that came with it.
    pub message: String,
}

/// The part of a report that is waited on.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    pub(super) since: Timestamp,
    pub(super) loaded: bool,
    pub(super) last_failure: Option<Failure>,
}

impl Standing {
    pub(super) fn loading(now: Timestamp) -> Self {
        Self { phase: Phase::Loading, since: now, loaded: false, last_failure: None }
    }

    /// How old answers may be at `now`; nothing before the first load.
    pub(super) fn staleness(&self, now: Timestamp, cut_off: Option<Timestamp>) -> Option<Duration> {
        let own = (self.phase != Phase::InStep).then_some(self.since);
        let since = own.into_iter().chain(cut_off).min();
        self.loaded.then(|| since.map_or(Duration::ZERO, |since| now.since(since)))
    }

    /// All that was heard has been read.
    pub(super) fn reach(&mut self, now: Timestamp) -> bool {
        let reached = self.phase != Phase::InStep;
        if reached {
            *self = Self { phase: Phase::InStep, since: now, loaded: true, last_failure: None };
        }
        reached
    }

    /// Something was heard that has not been read.
    pub(super) fn fall_behind(&mut self, now: Timestamp) -> bool {
        let fell = self.phase == Phase::InStep;
        if fell {
            (self.phase, self.since) = (Phase::Behind, now);
        }
        fell
    }

    /// Nobody follows any more. What was in step may be old from now on.
    pub(super) fn stop(&mut self, now: Timestamp) {
        if self.phase == Phase::InStep {
            self.since = now;
        }
        self.phase = Phase::Stopped;
    }

    pub(super) fn fail(&mut self, error: &Error) {
        self.last_failure = Some(Failure { kind: error.kind(), message: error.message().to_owned() });
    }
}

/// What the follower has counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) left_out: Count,
    pub(super) unreadable: Count,
    pub(super) reread: Count,
    pub(super) loaded: Count,
    pub(super) lost: Count,
    pub(super) failures: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
