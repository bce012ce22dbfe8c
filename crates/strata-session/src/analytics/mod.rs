//! Visits: what visitors did, its delivery to a server, and what it tells.
//!
//! ```text
//! program                                        server
//! Recorder ─ Visit ─ events, one record each     Ingest ─ one record per visit and day
//!    └ ends ─► outbox ─ Delivery ─ transport ──►    └ Insights ─ Insight: numbers of any period
//! ```
//!
//! - [`Recorder`] begins and joins visits and ends those that are over; [`Visit`] takes page views and events.
//! - [`Delivery`] sends [`Report`]s through an [`AnalyticsTransport`], at least once, and takes off the queue only what was taken.
//! - [`Ingest`] counts each report once; it is a transport itself, for programs that keep their own numbers.
//! - [`Insights`] tells what it came to.

mod background;
pub(crate) mod backoff;
mod bounds;
mod close;
mod contention;
mod day;
mod delivery;
mod device;
mod distinct;
mod event;
mod ingest;
mod insight;
mod insights;
mod names;
mod outbox;
mod pass;
mod record;
mod recorder;
mod report;
mod spread;
mod start;
mod tally;
mod transport;
mod visit;

pub use background::Running;
pub use bounds::Bounds;
pub use delivery::{Delivered, Delivery};
pub use device::Device;
pub use event::{Act, Event, PageTime, Properties, Property, Scrub};
pub use ingest::{Ingest, IngestBuilder, Ingested};
pub use insight::{DeviceCount, Durations, Insight, Period, Ranked, Ranking, Step, Users};
pub use insights::Insights;
pub use outbox::Queue;
pub use record::Lost;
pub use recorder::{Recorder, RecorderBuilder};
pub use report::{Dropped, Happened, Report, Summary, VisitEnd};
pub use start::{Consent, VisitStart};
pub use transport::{AnalyticsTransport, SendFailure};
pub use visit::{Recorded, Visit};
