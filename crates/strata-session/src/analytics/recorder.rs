//! The recording side: [`Recorder`], its settings, and how a visit is begun or joined.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{
    Atomicity, Error, ErrorKind, Handle, Lifetime, Listing, MaybeSend, MaybeSync, Needs, Result, Staged,
    Timestamp, Version,
};

use super::bounds::{Bounds, bare_path, bare_referrer, check_event};
use super::contention::{Contention, is_lost};
use super::device::Device;
use super::event::{Event, Scrub};
use super::names::{self, Visitor};
use super::outbox::Outbox;
use super::record::{Beginning, Ends, Head, Stored};
use super::start::{Consent, VisitStart};
use super::visit::Visit;
use crate::id::VisitId;
use crate::roster::check_user;

/// How long an open visit is kept if nobody ever closes it. A backstop: visits are ended by [`Recorder::close_due`], which needs them.
const BACKSTOP: Duration = Duration::from_hours(7 * 24);
/// The end of a visit when the queue is full: its open record, its report, the ledger and the oldest report.
const LARGEST_COMMIT: usize = 4;

/// Records visits in one namespace of a handle. Cheap to clone. Several recorders, in one process or in many, may share a store: one visitor
/// has one open visit, whichever of them, and however many tabs, it is seen by.
///
/// # What it costs
/// An event is one read and one commit of two small records, however long the visit is.
///
/// # What a failure leaves
/// Each call is one commit, made wholly or not at all. After [`ErrorKind::Unavailable`] it is not known which: a view or event that is recorded
/// again may then count twice.
#[derive(Clone)]
pub struct Recorder {
    pub(super) handle: Handle,
    pub(super) outbox: Outbox,
    pub(super) ends: Ends,
    pub(super) bounds: Bounds,
    scrub: Option<Arc<dyn Hook>>,
}

/// A scrubbing hook.
trait Hook: Fn(&mut Event) -> Scrub + MaybeSend + MaybeSync {}
impl<F: Fn(&mut Event) -> Scrub + MaybeSend + MaybeSync> Hook for F {}

/// An event that was judged, before anything is stored.
pub(super) enum Judged {
    Kept(Event),
    TooLarge,
    Scrubbed,
}

impl Recorder {
    /// Visits in the namespace `analytics`, that end after 30 minutes of idleness, and after 24 hours at the latest.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// A recorder with other settings.
    pub fn builder(handle: &Handle) -> RecorderBuilder<'_> {
        RecorderBuilder {
            handle,
            namespace: "analytics".to_owned(),
            ends: Ends { idle: Duration::from_mins(30), longest: Duration::from_hours(24) },
            kept: Duration::from_hours(7 * 24),
            bounds: Bounds::default(),
            scrub: None,
        }
    }

    /// Counts a page that `visitor` opens: as the entry of a new visit, or as a view in the one that is open, whichever tab or process
    /// it began in. `visitor` is an id that the client keeps, of 1 to 256 bytes; only its hash is stored. `None` without consent, and
    /// when the scrubbing hook drops the view that a visit would begin with.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an id, page or user that is empty or has control characters; [`ErrorKind::TooLarge`] for a page that is
    /// too long to begin a visit with (in an open visit it is dropped and counted); what the store reports.
    pub async fn visit(&self, visitor: &str, consent: Consent, start: VisitStart) -> Result<Option<Visit>> {
        let who = Visitor::of(visitor)?;
        if consent == Consent::Refused {
            self.forget(visitor).await?;
            return Ok(None);
        }
        start.user.as_deref().map_or(Ok(()), |user| check_user("record analytics", user))?;
        let judged = self.judge(self.opening(&start))?;
        let mut contention = Contention::default();
        loop {
            let done = match self.head(&who).await? {
                Some((head, _)) if head.ended(self.now(), self.ends).is_some() => {
                    self.close_ended(&who).await?;
                    contention.again().await?;
                    continue;
                }
                Some((head, version)) => self.join(&who, head, version, &start, &judged).await.map(Some),
                None => self.begin(&who, &start, &judged).await,
            };
            match done {
                Err(error) if is_lost(&error) => contention.again().await?,
                done => return done,
            }
        }
    }

    fn opening(&self, start: &VisitStart) -> Event {
        let referrer = start.referrer.as_deref().map(|text| bare_referrer(text, self.bounds.text_bytes));
        Event::View {
            path: bare_path(&start.page).to_owned(),
            referrer: referrer.filter(|referrer| !referrer.is_empty()),
        }
    }

    async fn begin(&self, who: &Visitor, start: &VisitStart, judged: &Judged) -> Result<Option<Visit>> {
        let (path, referrer) = match judged {
            Judged::Kept(Event::View { path, referrer }) => (path.clone(), referrer.clone()),
            Judged::TooLarge => return Err(too_long(self.bounds.text_bytes)),
            // A hook that makes another kind of event of a view has dropped the view.
            Judged::Kept(Event::Custom { .. }) | Judged::Scrubbed => return Ok(None),
        };
        let visit = VisitId::mint(&**self.handle.random())?;
        let (user, device) = (start.user.clone(), start.device);
        let beginning = Beginning { visit, user, device, path, referrer };
        let (head, first) = Head::begin(who, beginning, self.now());
        let open = self.handle.set(&who.open(), &head).ttl(self.backstop()).tag(&who.tag()).if_absent();
        let writes = self.handle.writes().stage(open).stage(self.stage_event(
            who,
            &names::event(head.started(), visit, 0),
            &first,
        ));
        writes.commit().await?;
        Ok(Some(Visit::new(self.clone(), who.clone(), visit)))
    }

    async fn join(
        &self,
        who: &Visitor,
        mut head: Head,
        version: Version,
        start: &VisitStart,
        judged: &Judged,
    ) -> Result<Visit> {
        if start.user.is_some() {
            head.user.clone_from(&start.user);
        }
        if head.device == Device::Unknown {
            head.device = start.device;
        }
        let visit = Visit::new(self.clone(), who.clone(), head.visit());
        self.append(who, head, version, judged).await?;
        Ok(visit)
    }

    /// Counts an event in the version of the head that was read, and stores it beside it, in one commit. Says its number, if it
    /// was kept.
    pub(super) async fn append(
        &self,
        who: &Visitor,
        mut head: Head,
        version: Version,
        judged: &Judged,
    ) -> Result<Option<u32>> {
        let (started, visit) = (head.started(), head.visit());
        head.active(self.now());
        let added = match judged {
            Judged::Kept(event) => head.add(event.clone(), self.bounds.events),
            Judged::TooLarge => {
                head.dropped.too_large = head.dropped.too_large.saturating_add(1);
                None
            }
            Judged::Scrubbed => {
                head.dropped.scrubbed = head.dropped.scrubbed.saturating_add(1);
                None
            }
        };
        let open = self.handle.set(&who.open(), &head).if_version(version);
        let mut writes = self.handle.writes().stage(open);
        if let Some((sequence, stored)) = &added {
            writes = writes.stage(self.stage_event(who, &names::event(started, visit, *sequence), stored));
        }
        writes.commit().await?;
        Ok(added.map(|(sequence, _)| sequence))
    }

    fn stage_event(&self, who: &Visitor, name: &str, stored: &Stored) -> Staged<'_> {
        // It outlives its visit and the time that a report waits.
        let life = Lifetime::ttl(self.backstop() + self.outbox.kept() + Duration::from_hours(24));
        self.handle.set(name, stored).lifetime(life).tag(&who.tag()).if_absent().into()
    }

    /// What is stored of an event: what the bounds and the hook leave of it.
    pub(super) fn judge(&self, mut event: Event) -> Result<Judged> {
        check_event(&event)?;
        if !self.bounds.admits(&event) {
            return Ok(Judged::TooLarge);
        }
        if let Some(scrub) = &self.scrub {
            if scrub(&mut event) == Scrub::Drop {
                return Ok(Judged::Scrubbed);
            }
            check_event(&event)?;
            if !self.bounds.admits(&event) {
                return Ok(Judged::TooLarge);
            }
        }
        Ok(Judged::Kept(event))
    }

    /// The visitor's open visit.
    pub(super) async fn head(&self, who: &Visitor) -> Result<Option<(Head, Version)>> {
        self.handle.peek_versioned(&who.open()).await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.handle.clock().now()
    }

    fn backstop(&self) -> Duration {
        self.ends.longest + BACKSTOP
    }

    /// The handle of the namespace.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[cold]
fn too_long(longest: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "record analytics",
        format!(
            "the path of the page has more than {longest} bytes; shorten it, or raise the bound of the recorder"
        ),
    )
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("handle", &self.handle)
            .field("ends", &self.ends)
            .field("bounds", &self.bounds)
            .field("scrubs", &self.scrub.is_some())
            .finish_non_exhaustive()
    }
}

/// The settings of a [`Recorder`].
#[must_use = "a builder does nothing until `build`"]
pub struct RecorderBuilder<'h> {
    handle: &'h Handle,
    namespace: String,
    ends: Ends,
    kept: Duration,
    bounds: Bounds,
    scrub: Option<Arc<dyn Hook>>,
}

impl RecorderBuilder<'_> {
    /// Where visits lie.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// A visit ends when nothing happened for this long; 30 minutes unless told otherwise.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.ends.idle = idle;
        self
    }

    /// A visit ends after this long at the latest; 24 hours unless told otherwise. At most 30 days.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.ends.longest = longest;
        self
    }

    /// How long a report waits for delivery before it is dropped and counted; 7 days unless told otherwise.
    pub fn kept(mut self, kept: Duration) -> Self {
        self.kept = kept;
        self
    }

    /// How much may be recorded.
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Calls `hook` with each event before anything of it is stored. It may take out what must not be kept, or drop the event. It
    /// must be quick.
    pub fn scrub(mut self, hook: impl Fn(&mut Event) -> Scrub + MaybeSend + MaybeSync + 'static) -> Self {
        self.scrub = Some(Arc::new(hook));
        self
    }

    /// The recorder.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for times that are zero or too long, or a bad namespace; [`ErrorKind::Unsupported`] for a store that cannot commit
    /// several keys at once or be walked.
    pub fn build(self) -> Result<Recorder> {
        let needs = Needs { atomicity: Atomicity::Batch, listing: Listing::Indexed, ..Needs::LEAST };
        self.handle.require(&needs)?;
        if self.handle.capabilities().max_batch < LARGEST_COMMIT {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "build recorder",
                format!("the store commits fewer than {LARGEST_COMMIT} keys at once; allow it more, or open another"),
            )
            .in_store(self.handle.store()));
        }
        let Ends { idle, longest } = self.ends;
        let month = Duration::from_hours(30 * 24);
        let least = Duration::from_millis(1);
        if idle < least || longest < idle || longest > month || self.kept < least || self.kept > 12 * month {
            return Err(Error::new(
                ErrorKind::Invalid,
                "build recorder",
                "the idle time is zero or above the longest duration, that is above 30 days, or reports are kept for no time or \
                 above 360 days; choose times between",
            ));
        }
        let handle = self.handle.namespace(&self.namespace)?;
        let outbox = Outbox::new(handle.clone(), self.kept, self.bounds.reports);
        Ok(Recorder { handle, outbox, ends: self.ends, bounds: self.bounds, scrub: self.scrub })
    }
}

impl fmt::Debug for RecorderBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecorderBuilder").field("ends", &self.ends).finish_non_exhaustive()
    }
}
