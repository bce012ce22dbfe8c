//! How visits end: the open record goes and its report comes in one commit. And how a visitor is forgotten.

use strata_core::{Error, Guard, Result, Timestamp};

use super::contention::{Contention, is_lost};
use super::names::{OPEN, Visitor};
use super::record::{Head, Parcel};
use super::recorder::Recorder;
use super::report::VisitEnd;

impl Recorder {
    /// Ends every visit that has been idle or open for too long, and says how many this call ended. To be called now and then, as
    /// [`Delivery::run`](super::Delivery::run) does: a visit that nobody returns to is reported by this alone. Costs a walk over
    /// the open visits; ended ones do not lie there.
    ///
    /// # Errors
    /// What the store reports, the first of it. A record that cannot be read does not keep the others open.
    pub async fn close_due(&self) -> Result<u64> {
        let (now, ends) = (self.now(), self.ends);
        let mut open = self.handle.select().prefix(OPEN).entries::<Head>();
        let (mut closed, mut failed) = (0, None);
        while let Some(found) = open.next().await {
            let due = match found {
                Ok((_, head)) if head.ended(now, ends).is_none() => continue,
                Ok((_, head)) => self.close_ended(&head.visitor()).await,
                Err(error) => Err(error),
            };
            match due {
                Ok(done) => closed += u64::from(done),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(closed), Err)
    }

    /// Ends a visit that is over; one that is not goes on.
    pub(super) async fn close_ended(&self, who: &Visitor) -> Result<bool> {
        let ends = self.ends;
        self.close(who, |head, now| head.ended(now, ends)).await
    }

    /// Ends the visitor's open visit if `judge` gives a reason, asked again on every retry. Says whether it did.
    pub(super) async fn close(
        &self,
        who: &Visitor,
        mut judge: impl FnMut(&mut Head, Timestamp) -> Option<VisitEnd>,
    ) -> Result<bool> {
        let mut contention = Contention::default();
        loop {
            let Some((mut head, version)) = self.head(who).await? else { return Ok(false) };
            let Some(end) = judge(&mut head, self.now()) else { return Ok(false) };
            let visit = head.visit();
            let removal = self.handle.guarded_removal(&who.open(), Guard::Version(version));
            let until = self.now().saturating_add(self.outbox.kept());
            let parcel = Parcel::new(visit, head.end(end), until);
            match self.outbox.put(removal, &parcel, &who.tag()).await {
                Err(error) if is_lost(&error) => contention.again().await?,
                done => return done.map(|()| true),
            }
        }
    }

    /// Removes all that is stored here of a visitor: the open visit, events, waiting reports and, where this store also ingests,
    /// counted visits. Says how many records there were. What is recorded at the same time by others loses. What was delivered
    /// elsewhere is there.
    ///
    /// # Errors
    /// What the store reports. Call it again then: it goes on where it stopped.
    pub async fn forget(&self, visitor: &str) -> Result<u64> {
        let who = Visitor::of(visitor)?;
        // First what others would go on with.
        let open = if self.handle.contains(&who.open()).await? {
            self.handle.remove(&who.open()).await?
        } else {
            false
        };
        let mut removed = u64::from(open);
        loop {
            // A delivery under way may have changed a report between the walk and its removal.
            let cleared: Result<u64, Error> = self.handle.select().tag(&who.tag()).clear().await;
            match cleared? {
                0 => return Ok(removed),
                count => removed += count,
            }
        }
    }
}
