//! One visit as the program holds it: [`Visit`].

use std::fmt;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Result, Version};

use super::bounds::bare_path;
use super::contention::{Contention, is_lost};
use super::event::{Event, Properties};
use super::names::Visitor;
use super::record::Head;
use super::recorder::{Judged, Recorder};
use super::report::VisitEnd;
use crate::id::VisitId;

/// How much later activity has to be before it is written down by itself.
const TOUCH: Duration = Duration::from_secs(10);

/// An open visit. It holds no data: each call reads and changes the store, so any number of them, in any process, may stand for one
/// visit.
///
/// # Errors
/// On a visit that has ended, by idleness or otherwise, recording is [`ErrorKind::Gone`] and nothing is written: begin the next one with
/// [`Recorder::visit`]. Bad input is [`ErrorKind::Invalid`]; the rest is what the store reports.
#[derive(Clone)]
pub struct Visit {
    recorder: Recorder,
    who: Visitor,
    id: VisitId,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an event may have been dropped"]
pub enum Recorded {
    /// It is stored, under this number of its visit.
    Kept(u32),
    /// It is not, and was counted as dropped in the visit: too many, too large, or scrubbed.
    Dropped,
}

impl Visit {
    pub(super) fn new(recorder: Recorder, who: Visitor, id: VisitId) -> Self {
        Self { recorder, who, id }
    }

    /// Its public id.
    pub fn id(&self) -> VisitId {
        self.id
    }

    /// Counts a page that is opened. Query and fragment are cut off.
    pub async fn page_view(&self, path: &str) -> Result<Recorded> {
        self.record(Event::View { path: bare_path(path).to_owned(), referrer: None }).await
    }

    /// Counts something the program has a name for.
    pub async fn event(&self, name: &str, properties: Properties) -> Result<Recorded> {
        self.record(Event::Custom { name: name.to_owned(), properties }).await
    }

    /// Counts activity without an event, such as scrolling: the visit goes on, and its last page was looked at up to now. Written down
    /// when it is at least 10 seconds later than what is known.
    pub async fn active(&self) -> Result<()> {
        let mut contention = Contention::default();
        loop {
            let (mut head, version) = self.open().await?;
            if self.recorder.now().since(head.last()) < TOUCH {
                return Ok(());
            }
            head.active(self.recorder.now());
            let set = self.recorder.handle.set(&self.who.open(), &head).if_version(version);
            match set.await {
                Err(error) if is_lost(&error) => contention.again().await?,
                done => return done.map(drop),
            }
        }
    }

    /// Ends the visit now, and puts its report into the queue in the same commit. Says whether this call did; one that has ended
    /// already is no error. If it was idle for too long, it ended then.
    pub async fn end(&self) -> Result<bool> {
        let ends = self.recorder.ends;
        let closed = self.recorder.close(&self.who, |head, now| {
            if head.visit() != self.id {
                return None;
            }
            Some(head.ended(now, ends).unwrap_or_else(|| {
                head.active(now);
                VisitEnd::Left
            }))
        });
        closed.await
    }

    async fn record(&self, event: Event) -> Result<Recorded> {
        let judged: Judged = self.recorder.judge(event)?;
        let mut contention = Contention::default();
        loop {
            let (head, version) = self.open().await?;
            match self.recorder.append(&self.who, head, version, &judged).await {
                Err(error) if is_lost(&error) => contention.again().await?,
                done => return done.map(|kept| kept.map_or(Recorded::Dropped, Recorded::Kept)),
            }
        }
    }

    /// The visit, if it is open.
    async fn open(&self) -> Result<(Head, Version)> {
        let found = self.recorder.head(&self.who).await?;
        let now = self.recorder.now();
        let ends = self.recorder.ends;
        found.filter(|(head, _)| head.visit() == self.id && head.ended(now, ends).is_none()).ok_or_else(over)
    }
}

#[cold]
fn over() -> Error {
    Error::new(
        ErrorKind::Gone,
        "record analytics",
        "this visit has ended; begin the next one with `Recorder::visit`",
    )
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("id", &self.id).finish_non_exhaustive()
    }
}
