//! What peers did, as it reaches a handle: changes of a store shared with them ([`Handle::hear`]), and records of stores of their own
//! ([`FromPeer`]). Both are announced as [`Origin::Remote`] and go to no bus and through no journal: nothing echoes.

use std::fmt;

use super::Handle;
use super::transfer::Exported;
use crate::batch::{Batch, Committed, Guard, Op, Ops, Outcome, Write};
use crate::change::{Change, Origin};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::time::Timestamp;

/// Changes that a peer made in a store of its own, to be made here in one commit, with what sync itself remembers of them.
#[must_use = "nothing is written until `commit` is awaited"]
pub struct FromPeer<'h> {
    handle: &'h Handle,
    now: Timestamp,
    ops: Ops,
}

impl Handle {
    /// Announces a change that a peer made in the store it shares with this handle. Subscribers get it as [`Origin::Remote`].
    pub fn hear(&self, change: &Change) {
        self.pipe.hub.announce(Change { origin: Origin::Remote, ..change.clone() });
    }

    /// Messages of peers were lost: subscribers hear [`Event::Lagged`](crate::Event::Lagged) and read anew.
    pub fn hear_of_loss(&self) {
        self.pipe.hub.lose();
    }

    /// Starts a commit of changes that a peer made in a store of its own. For replication; programs write through [`Handle::set`] and
    /// [`Handle::writes`].
    pub fn from_peer(&self) -> FromPeer<'_> {
        FromPeer { handle: self, now: self.pipe.now(), ops: Ops::new() }
    }
}

impl FromPeer<'_> {
    /// Stores a record under its own whole name, with its expiry and tags, sealed as this handle seals. One that has died is left
    /// out, which the answer says.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for names, tags or codecs that cannot be.
    pub fn put(&mut self, record: &Exported, guard: Guard) -> Result<bool> {
        let key = Key::new(&record.key)?;
        let op = self.handle.import_op(key, record, guard, self.now)?;
        let lives = op.is_some();
        self.ops.extend(op);
        Ok(lives)
    }

    /// Removes a record.
    pub fn remove(&mut self, key: &Key, guard: Guard) -> Result<()> {
        self.push(key, guard, Write::Remove)
    }

    /// Moves the deadline of a record with an idle time later, never past its cap. Creates and revives nothing; announced to nobody.
    pub fn slide(&mut self, key: &Key, guard: Guard, to: Timestamp) -> Result<()> {
        self.push(key, guard, Write::Slide(to))
    }

    /// Adds a change of one of the store's own records, such as a stamp: only names that [`Key::system`] makes.
    pub fn beside(&mut self, op: Op) -> Result<()> {
        if !op.key.is_system() {
            return Err(outside("remembers", "system keys"));
        }
        self.ops.push(op);
        Ok(())
    }

    /// The instant its guards are judged at.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Commits all of it or none of it, durable as the handle says, and tells what each change found and left, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] or [`ErrorKind::Gone`] when a guard does not hold; [`ErrorKind::Unsupported`] when the store
    /// is not atomic over several keys.
    pub async fn commit(self) -> Result<Vec<Outcome>> {
        let pipe = &self.handle.pipe;
        let batch = Batch { now: self.now, durability: pipe.durability, ops: self.ops };
        let Committed { outcomes } = pipe.commit_from(Origin::Remote, batch).await?;
        Ok(outcomes.into_iter().collect())
    }

    fn push(&mut self, key: &Key, guard: Guard, write: Write) -> Result<()> {
        if key.is_system() {
            return Err(outside("writes", "names of the program's"));
        }
        self.ops.push(Op { key: key.clone(), guard, write });
        Ok(())
    }
}

#[cold]
fn outside(verb: &str, what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "apply change of a peer", format!("sync {verb} only {what} here"))
}

impl fmt::Debug for FromPeer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromPeer").field("changes", &self.ops.len()).finish_non_exhaustive()
    }
}
