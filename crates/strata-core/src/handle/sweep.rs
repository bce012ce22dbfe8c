//! Removing what has died: one bounded step of the housekeeping that `strata-ttl` repeats.

use super::Handle;
use super::select::remove_all;
use crate::batch::Guard;
use crate::error::Result;
use crate::scan::{Cursor, Scan, Select};

/// What one step of a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Dead records that were looked at.
    pub seen: usize,
    /// Those that this step removed, and announced as expired. Others may have been faster.
    pub removed: usize,
    /// Where to go on; `None` when no more are due.
    pub next: Option<Cursor>,
}

impl Handle {
    /// Removes up to `limit` dead records of this namespace, each under a guard that it is still dead, and announces those
    /// it removed. Housekeeping only: dead values are never served, swept or not.
    ///
    /// Give `after` back what the last step returned as `next`.
    pub async fn purge(&self, after: Option<Cursor>, limit: usize) -> Result<Purged> {
        let now = self.pipe.now();
        let scan = Scan { select: Select::Due(now), after, limit };
        let page = self.pipe.engine().scan(scan).await?;
        let dead: Vec<_> = page
            .entries
            .into_iter()
            .filter(|(key, record)| record.is_dead(now) && key.as_bytes().starts_with(self.prefix.as_bytes()))
            .map(|(key, _)| (key, Guard::Absent))
            .collect();
        let seen = dead.len();
        let removed = remove_all(&self.pipe, dead, now).await?;
        Ok(Purged { seen, removed, next: page.next })
    }
}
