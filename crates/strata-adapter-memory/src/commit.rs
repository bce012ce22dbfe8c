//! How a batch is made: guards judged, room taken, records and indexes changed in one step.

use std::mem;

use dashmap::Entry;
use smallvec::SmallVec;
use strata_core::{
    Batch, Committed, Effect, Error, Existing, Guard, Op, Outcome, Result, Timestamp, Version, Write,
};

use crate::error;
use crate::name::Name;
use crate::room::Growth;
use crate::state::State;
use crate::store::MemoryStore;

/// What the operations of one batch share.
#[derive(Clone, Copy)]
struct Step {
    now: Timestamp,
    version: Version,
    /// The guards have been judged and the room has been taken already.
    admitted: bool,
}

/// Why an operation was not made. Its write is still in it then.
enum Refusal {
    Guard(Error),
    Full(Growth),
}

impl MemoryStore {
    /// Makes a batch that has been validated.
    pub(crate) fn make(&self, batch: &mut Batch) -> Result<Committed> {
        let step = Step { now: batch.now, version: self.next_version(), admitted: false };
        if batch.ops.len() > 1 {
            return self.make_together(&mut batch.ops, step);
        }
        let mut outcomes = SmallVec::new();
        if let Some(op) = batch.ops.first_mut() {
            let _shared = self.gate.shared();
            outcomes.push(self.make_one(op, step)?);
        }
        Ok(Committed { outcomes })
    }

    fn make_one(&self, op: &mut Op, step: Step) -> Result<Outcome> {
        loop {
            match self.attempt(op, step) {
                Ok(outcome) => return Ok(outcome),
                Err(Refusal::Guard(error)) => return Err(error),
                Err(Refusal::Full(growth)) => {
                    if !self.make_room(growth, step.now, &[op.key.as_bytes()]) {
                        return Err(error::full(Some(&op.key), self.config.when_full));
                    }
                }
            }
        }
    }

    /// Nobody else writes while the gate is held alone, so what was judged still holds when it is made.
    fn make_together(&self, ops: &mut [Op], step: Step) -> Result<Committed> {
        let _alone = self.gate.alone();
        let growth = self.judge(ops, step.now)?;
        self.take_room(ops, growth, step.now)?;
        let step = Step { admitted: true, ..step };
        let outcomes = ops.iter_mut().map(|op| self.make_one(op, step)).collect::<Result<_>>()?;
        Ok(Committed { outcomes })
    }

    /// Judges all guards and sums up how much the batch would add.
    fn judge(&self, ops: &[Op], now: Timestamp) -> Result<Growth> {
        let mut growth = Growth::default();
        for op in ops {
            if op.guard == Guard::Any && !self.room.is_bounded() {
                continue;
            }
            let entry = self.map.get(op.key.as_bytes());
            let existing = entry.as_ref().map(|state| state.existing());
            op.guard.judge_existing(&op.key, existing, now)?;
            growth += Growth::of(op, existing, now);
        }
        Ok(growth)
    }

    fn take_room(&self, ops: &[Op], growth: Growth, now: Timestamp) -> Result<()> {
        if self.room.take(growth) {
            return Ok(());
        }
        let mut spared: Vec<&[u8]> = ops.iter().map(|op| op.key.as_bytes()).collect();
        spared.sort_unstable();
        while self.make_room(growth, now, &spared) {
            if self.room.take(growth) {
                return Ok(());
            }
        }
        Err(error::full(None, self.config.when_full))
    }

    fn attempt(&self, op: &mut Op, step: Step) -> Result<Outcome, Refusal> {
        if matches!(op.write, Write::Remove) {
            return self.remove(op, step);
        }
        if let Some(mut entry) = self.map.get_mut(op.key.as_bytes()) {
            let (name, state) = entry.pair_mut();
            return self.change(name, state, op, step);
        }
        if !matches!(op.write, Write::Put { .. }) {
            return Ok(self.apply(op, None, step)?.1);
        }
        match self.map.entry(Name::new(&op.key)) {
            Entry::Occupied(mut entry) => {
                // Somebody else has created it just now.
                let name = entry.key().clone();
                self.change(&name, entry.get_mut(), op, step)
            }
            Entry::Vacant(entry) => {
                let (effect, outcome) = self.apply(op, None, step)?;
                if let Effect::Put(record) = effect {
                    let mut state = Box::new(State::new(record));
                    self.indexes.begin(entry.key(), &mut state, step.now);
                    entry.insert(state);
                }
                Ok(outcome)
            }
        }
    }

    /// Changes a record whose entry is held. A removal does not come here: it needs the map.
    fn change(&self, name: &Name, state: &mut State, op: &mut Op, step: Step) -> Result<Outcome, Refusal> {
        state.approach_count();
        let (effect, outcome) = self.apply(op, Some(state.existing()), step)?;
        match effect {
            Effect::Put(record) => {
                let old = state.replace(record);
                self.indexes.change(name, &old, state, step.now);
            }
            Effect::Slide(target) => state.slide(target),
            Effect::Nothing | Effect::Remove => {}
        }
        Ok(outcome)
    }

    fn remove(&self, op: &mut Op, step: Step) -> Result<Outcome, Refusal> {
        let (key, mut applied) = (op.key.clone(), None);
        self.map.remove_if(key.as_bytes(), |name, state| {
            let result = self.apply(op, Some(state.existing()), step);
            let removed = result.is_ok();
            if removed {
                self.indexes.end(name, state);
            }
            applied = Some(result);
            removed
        });
        applied.unwrap_or_else(|| self.apply(op, None, step)).map(|(_, outcome)| outcome)
    }

    /// Judges the guard, takes the room and takes the write out of `op`, to say what it makes of `existing`.
    #[inline]
    fn apply(
        &self,
        op: &mut Op,
        existing: Option<Existing<'_>>,
        step: Step,
    ) -> Result<(Effect, Outcome), Refusal> {
        if !step.admitted {
            op.guard.judge_existing(&op.key, existing, step.now).map_err(Refusal::Guard)?;
            if self.room.is_bounded() {
                let growth = Growth::of(op, existing, step.now);
                if !self.room.take(growth) {
                    return Err(Refusal::Full(growth));
                }
            }
        }
        let write = mem::replace(&mut op.write, Write::Check);
        Ok(write.apply_existing(existing, step.now, step.version))
    }
}
