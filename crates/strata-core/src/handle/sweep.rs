//! Removing what has died: one bounded step of the housekeeping that `strata-ttl` repeats.

use super::Handle;
use super::select::remove_all;
use crate::batch::Guard;
use crate::error::{ErrorKind, Result};
use crate::scan::{Cursor, Scan, Select};

/// What one step of a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Dead records that were looked at.
    pub seen: usize,
    /// Those that this step removed, and announced as expired. Others may have been faster.
    pub removed: u64,
    /// Where to go on; `None` when no more are due.
    pub next: Option<Cursor>,
    /// What the store failed with after this step had removed some of its page; `next` then is where the step began.
    pub failed: Option<ErrorKind>,
}

impl Handle {
    /// Removes up to `limit` dead records of this namespace, each under a guard that it is still dead, and announces those
    /// it removed. Housekeeping only: dead values are never served, swept or not.
    ///
    /// Give `after` back what the last step returned as `next`. A step that fails before it has removed anything is an
    /// error; one that fails later says so in [`Purged::failed`], so that what it removed is counted.
    pub async fn purge(&self, after: Option<Cursor>, limit: usize) -> Result<Purged> {
        let now = self.pipe.now();
        let scan = Scan { select: Select::Due(now), after: after.clone(), limit };
        let page = self.pipe.engine().scan(scan).await?;
        let dead: Vec<_> = page
            .entries
            .into_iter()
            .filter(|(key, record)| record.is_dead(now) && key.as_bytes().starts_with(self.prefix.as_bytes()))
            .map(|(key, _)| (key, Guard::Absent))
            .collect();
        let seen = dead.len();
        let mut removed = 0;
        match remove_all(&self.pipe, dead, now, &mut removed).await {
            Ok(()) => Ok(Purged { seen, removed, next: page.next, failed: None }),
            Err(error) if removed == 0 => Err(error),
            Err(error) => Ok(Purged { seen, removed, next: after, failed: Some(error.kind()) }),
        }
    }
}
