//! What keeps batches whole: [`Gate`]. Single writes go through together, a batch goes through alone.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The outermost lock. Reads don't take it: they look at a flag and wait only while a batch is being made, so that
/// whoever has seen one change of a batch sees all of it from then on.
#[derive(Default)]
pub(crate) struct Gate {
    lock: RwLock<()>,
    busy: AtomicBool,
}

/// The gate held alone.
pub(crate) struct Alone<'a> {
    gate: &'a Gate,
    _held: RwLockWriteGuard<'a, ()>,
}

impl Gate {
    /// In with other single writes.
    #[inline]
    pub(crate) fn shared(&self) -> RwLockReadGuard<'_, ()> {
        self.lock.read()
    }

    /// In with other single writes, if that takes no waiting.
    pub(crate) fn try_shared(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.lock.try_read()
    }

    /// In alone: no write is under way, reads that begin now wait.
    pub(crate) fn alone(&self) -> Alone<'_> {
        let held = self.lock.write();
        self.busy.store(true, Ordering::Release);
        Alone { gate: self, _held: held }
    }

    /// Returns once no batch is half made. Called with no lock held, before a read.
    ///
    /// A thread that saw a batch's change took it from a map entry that the batch let go after it had raised the flag, so
    /// its next look at the flag finds it raised or the batch complete.
    #[inline]
    pub(crate) fn settle(&self) {
        if self.busy.load(Ordering::Acquire) {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        drop(self.lock.read());
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // The lock itself is let go after this.
        self.gate.busy.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_lets_nobody_in_until_dropped() {
        let gate = Gate::default();
        let alone = gate.alone();
        assert!(gate.try_shared().is_none());
        assert!(gate.busy.load(Ordering::Acquire));
        drop(alone);
        gate.settle();
        assert!(gate.try_shared().is_some());
    }
}
