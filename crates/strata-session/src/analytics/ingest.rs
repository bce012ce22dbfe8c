//! The counting side: [`Ingest`] takes reports and counts each visit and event once.

use std::fmt;
use std::time::Duration;

use strata_core::{
    BoxFuture, Error, ErrorKind, Handle, Lifetime, Listing, Needs, Result, Timestamp, Version,
};

use super::bounds::{Bounds, check_text};
use super::contention::{Contention, is_lost};
use super::day::DayVisit;
use super::event::{Act, PageTime};
use super::names::{self, Visitor};
use super::report::{Report, Summary};
use super::transport::{AnalyticsTransport, SendFailure};
use crate::roster::check_user;

const DAY: Duration = Duration::from_hours(24);
/// The longest visit that is believed.
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// The most events of one report.
const MOST_EVENTS: usize = 500;

/// Counts reports into one record per visit, filed under the day (UTC) it began on. Any handle will do: the program's own, or a
/// server's. Cheap to clone.
///
/// Reports come at least once; each visit and each event of it is counted once, by its sequence. What is counted is durable when the
/// call returns. Properties of events are not kept: read them off the report where they matter.
///
/// It is a transport, too: a program that keeps its own numbers gives it to its [`Delivery`](super::Delivery).
#[derive(Clone)]
pub struct Ingest {
    handle: Handle,
    retention: Duration,
    bounds: Bounds,
}

/// What a report came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ingested {
    /// The visit or events of it were new: this many events.
    Counted(u64),
    /// All of it had been counted before.
    Duplicate,
    /// It is a later part of a visit that is not here: forgotten, or never begun. Nothing was counted.
    Unknown,
}

impl Ingest {
    /// Counts in the namespace `analytics`, and keeps visits for 400 days.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// One with other settings.
    pub fn builder(handle: &Handle) -> IngestBuilder<'_> {
        IngestBuilder {
            handle,
            namespace: "analytics".to_owned(),
            retention: 400 * DAY,
            bounds: Bounds::default(),
        }
    }

    /// Counts what is new in a report.
    ///
    /// # Errors
    /// [`ErrorKind::Newer`] for a version that is not known here; [`ErrorKind::TooLarge`] or [`ErrorKind::Invalid`] for one beyond the
    /// bounds or against reason: texts, numbers, times before the retention or more than a day ahead; what the store reports. Nothing
    /// was counted then, but after [`ErrorKind::Unavailable`], when it may have been: send it again.
    pub async fn ingest(&self, report: &Report) -> Result<Ingested> {
        let now = self.handle.clock().now();
        self.check(report, now)?;
        let started = Timestamp::from_millis(report.started);
        let name = names::day(started, report.visit);
        let mut contention = Contention::default();
        loop {
            match self.count(&name, report).await {
                Err(error) if is_lost(&error) => contention.again().await?,
                done => return done,
            }
        }
    }

    /// Counts several reports, up to the first error.
    pub async fn ingest_all(&self, reports: &[Report]) -> Result<Vec<Ingested>> {
        let mut results = Vec::with_capacity(reports.len());
        for report in reports {
            results.push(self.ingest(report).await?);
        }
        Ok(results)
    }

    async fn count(&self, name: &str, report: &Report) -> Result<Ingested> {
        let found: Option<(DayVisit, Version)> = self.handle.peek_versioned(name).await?;
        let (mut visit, version) = match (found, &report.summary) {
            (Some((visit, version)), _) => (visit, Some(version)),
            (None, Some(summary)) => (DayVisit::new(summary), None),
            (None, None) => return Ok(Ingested::Unknown),
        };
        let counted = visit.count(report);
        let Some(version) = version else {
            let life = Lifetime::until(self.end_of(report.started));
            let tag = Visitor::stored(&visit.visitor).tag();
            self.handle.set(name, &visit).lifetime(life).tag(&tag).if_absent().await?;
            return Ok(Ingested::Counted(counted));
        };
        if counted == 0 {
            return Ok(Ingested::Duplicate);
        }
        self.handle.set(name, &visit).if_version(version).await?;
        Ok(Ingested::Counted(counted))
    }

    fn end_of(&self, started: u64) -> Timestamp {
        Timestamp::from_millis(started).saturating_add(self.retention)
    }

    fn check(&self, report: &Report, now: Timestamp) -> Result<()> {
        if report.version != Report::VERSION {
            return Err(Error::new(
                ErrorKind::Newer,
                "ingest analytics",
                format!("version {} of reports is not known here; upgrade this program", report.version),
            ));
        }
        if report.events.len() > MOST_EVENTS {
            return Err(too_large(format!("a report has at most {MOST_EVENTS} events; split it")));
        }
        let ahead = Timestamp::from_millis(report.started).since(now);
        if self.end_of(report.started) <= now || ahead > DAY {
            return Err(invalid(
                "the visit began before the retention or more than a day from now; set the client's clock",
            ));
        }
        if !report.events.is_sorted_by(|one, next| one.sequence < next.sequence) {
            return Err(invalid("the sequences of events do not rise; send them in their order"));
        }
        if report.events.last().is_some_and(|last| last.sequence >= self.bounds.events) {
            return Err(self.too_many());
        }
        for event in &report.events {
            Self::check_time(report.started, event.at)?;
            self.check_act(&event.act)?;
        }
        report.summary.as_ref().map_or(Ok(()), |summary| self.check_summary(report, summary))
    }

    fn check_summary(&self, report: &Report, summary: &Summary) -> Result<()> {
        if summary.started != report.started || summary.visitor.len() != 43 || !summary.visitor.is_ascii() {
            return Err(invalid(
                "the summary is of another visit, or its visitor is no hash; send reports as they are",
            ));
        }
        if u64::from(summary.views) + u64::from(summary.events) > u64::from(self.bounds.events) {
            return Err(self.too_many());
        }
        Self::check_time(summary.started, summary.ended)?;
        check_text("the visitor", &summary.visitor)?;
        summary.user.as_deref().map_or(Ok(()), |user| check_user("ingest analytics", user))?;
        summary.referrer.as_deref().map_or(Ok(()), |text| self.check_text("the referrer", text))?;
        self.check_text("the entry", &summary.entry)?;
        self.check_page_time(&summary.exit)
    }

    fn check_act(&self, act: &Act) -> Result<()> {
        match act {
            Act::View { path, left } => {
                self.check_text("the path of a page", path)?;
                left.as_ref().map_or(Ok(()), |left| self.check_page_time(left))
            }
            Act::Custom { name, properties } => {
                check_text("the name of an event", name)?;
                if self.bounds.admits_custom(name, properties) {
                    return Ok(());
                }
                Err(too_large(
                    "an event is larger than this server takes; send less, or raise its bounds".to_owned(),
                ))
            }
        }
    }

    fn check_page_time(&self, time: &PageTime) -> Result<()> {
        self.check_text("the path of a page", &time.path)?;
        if Duration::from_millis(time.millis) > LONGEST {
            return Err(invalid(
                "a page was looked at for longer than a visit can be; send reports as they are",
            ));
        }
        Ok(())
    }

    fn check_time(started: u64, at: u64) -> Result<()> {
        let (started, at) = (Timestamp::from_millis(started), Timestamp::from_millis(at));
        if at < started || at.since(started) > LONGEST {
            return Err(invalid(
                "something happened before the visit began or long after; send reports as they are",
            ));
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self) -> Error {
        too_large(format!(
            "a visit has at most {} events here; raise the bounds of the ingest",
            self.bounds.events
        ))
    }

    fn check_text(&self, what: &str, text: &str) -> Result<()> {
        check_text(what, text)?;
        if text.len() > self.bounds.text_bytes {
            return Err(too_large(format!(
                "{what} is longer than {} bytes; shorten it",
                self.bounds.text_bytes
            )));
        }
        Ok(())
    }
}

#[cold]
fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "ingest analytics", message)
}

#[cold]
fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, "ingest analytics", message)
}

impl AnalyticsTransport for Ingest {
    fn send<'a>(&'a self, batch: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move {
            match self.ingest_all(batch).await {
                Ok(_) => Ok(()),
                Err(error) => Err(match error.kind() {
                    ErrorKind::TooLarge => SendFailure::TooLarge,
                    ErrorKind::Invalid => SendFailure::Rejected,
                    // As newer ones are: nothing is wrong with them, once this program is upgraded.
                    _ => SendFailure::Unavailable,
                }),
            }
        })
    }
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest")
            .field("handle", &self.handle)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

/// The settings of [`Ingest`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct IngestBuilder<'h> {
    handle: &'h Handle,
    namespace: String,
    retention: Duration,
    bounds: Bounds,
}

impl IngestBuilder<'_> {
    /// Where counted visits lie.
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// How long a visit is kept, from when it began; 400 days unless told otherwise, at least 2.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// How many events a visit and how much an event may hold. No less than the clients' bounds, or their reports are refused.
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The ingest.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a retention below 2 days or a bad namespace; [`ErrorKind::Unsupported`] for a store that cannot be walked.
    pub fn build(self) -> Result<Ingest> {
        self.handle.require(&Needs { listing: Listing::Indexed, ..Needs::LEAST })?;
        if self.retention < 2 * DAY {
            return Err(Error::new(
                ErrorKind::Invalid,
                "build ingest",
                "visits are kept for less than 2 days; reports may be older than that when they come",
            ));
        }
        let handle = self.handle.namespace(&self.namespace)?;
        Ok(Ingest { handle, retention: self.retention, bounds: self.bounds })
    }
}
