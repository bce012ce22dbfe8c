//! The three indexes of the store: names in order, tags, deadlines. Each is a leaf: nothing is locked under it.

mod due;
mod keys;
mod tags;

pub(crate) use due::Bucket;
use due::DueIndex;
use keys::KeyIndex;
use strata_core::{Tags, Timestamp};
use tags::TagIndex;

use crate::name::Name;
use crate::state::State;

/// The three of them. Whoever changes a record calls this while holding its entry, so that they never disagree.
#[derive(Default)]
pub(crate) struct Indexes {
    pub(crate) keys: KeyIndex,
    pub(crate) tags: TagIndex,
    pub(crate) due: DueIndex,
}

impl Indexes {
    /// A record begins.
    pub(crate) fn begin(&self, name: &Name, state: &mut State, now: Timestamp) {
        self.keys.add(name);
        self.change(name, &Tags::none(), state, now);
    }

    /// A record that had `old` tags has changed. Its filing by deadline is left alone while it is not too late.
    #[inline]
    pub(crate) fn change(&self, name: &Name, old: &Tags, state: &mut State, now: Timestamp) {
        self.tags.change(name, old, state.tags());
        let filed = state.bucket();
        let fits = match state.expiry().deadline() {
            None => filed == Bucket::NONE,
            Some(deadline) => filed <= Bucket::at(deadline),
        };
        if !fits {
            self.file(name, state, now);
        }
    }

    /// Files a record by its deadline as it is now.
    pub(crate) fn file(&self, name: &Name, state: &mut State, now: Timestamp) {
        let bucket = Bucket::of(state.expiry(), now);
        self.due.move_to(name, state.bucket(), bucket);
        state.set_bucket(bucket);
    }

    /// A record ends.
    pub(crate) fn end(&self, name: &Name, state: &State) {
        self.keys.remove(name);
        self.tags.change(name, state.tags(), &Tags::none());
        self.due.move_to(name, state.bucket(), Bucket::NONE);
    }
}

/// Some names of a walk, in key order, and whether there are more behind them.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) names: Vec<Name>,
    pub(crate) more: bool,
}

impl Names {
    /// The first `limit` of `names`.
    fn take<'a>(mut names: impl Iterator<Item = &'a Name>, limit: usize) -> Self {
        let taken = names.by_ref().take(limit).cloned().collect();
        Self { names: taken, more: names.next().is_some() }
    }
}

/// Whether `name` comes at or before the end of the last page.
fn seen(name: &Name, after: Option<&[u8]>) -> bool {
    after.is_some_and(|after| name.as_bytes() <= after)
}
