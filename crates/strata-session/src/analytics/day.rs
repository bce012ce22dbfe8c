//! What the store holds of a counted visit: [`DayVisit`], one record of bounded size however many events it had.

use serde::{Deserialize, Serialize};

use super::device::Device;
use super::event::{Act, PageTime};
use super::report::{Happened, Report, Summary};

/// How many different pages, and different events, are told apart in one visit; the rest is counted together.
const TOLD_APART: usize = 64;
/// How many bytes the names of these may have together, pages and events each: longer texts are told apart in smaller numbers.
const TOLD_BYTES: usize = 48 * 1024;

/// A counted visit.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DayVisit {
    /// The next event that was not counted yet.
    next: u32,
    pub(super) visitor: String,
    pub(super) user: Option<String>,
    pub(super) started: u64,
    pub(super) ended: u64,
    pub(super) device: Device,
    pub(super) referrer: Option<String>,
    pub(super) entry: String,
    pub(super) views: u32,
    pub(super) events: u32,
    pub(super) dropped: u64,
    pub(super) pages: Vec<PageCount>,
    pub(super) names: Vec<(String, u32)>,
    /// Views of pages that are not told apart.
    pub(super) other_views: u32,
    /// Events whose names are not.
    pub(super) other_events: u32,
}

/// Views of one page.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PageCount {
    pub(super) path: String,
    pub(super) views: u32,
    pub(super) millis: u64,
}

impl DayVisit {
    /// A visit of which nothing was counted but that it was.
    pub(super) fn new(summary: &Summary) -> Self {
        let mut visit = Self {
            next: 0,
            visitor: summary.visitor.clone(),
            user: summary.user.clone(),
            started: summary.started,
            ended: summary.ended,
            device: summary.device,
            referrer: summary.referrer.clone(),
            entry: summary.entry.clone(),
            views: summary.views,
            events: summary.events,
            dropped: summary.dropped.total(),
            pages: Vec::new(),
            names: Vec::new(),
            other_views: 0,
            other_events: 0,
        };
        visit.looked_at(&summary.exit);
        visit
    }

    /// Counts those events of a report that were not counted before, and says how many there were.
    pub(super) fn count(&mut self, report: &Report) -> u64 {
        let mut counted = 0;
        for event in &report.events {
            if event.sequence >= self.next {
                self.add(event);
                self.next = event.sequence.saturating_add(1);
                counted += 1;
            }
        }
        counted
    }

    fn add(&mut self, event: &Happened) {
        match &event.act {
            Act::View { path, left } => {
                if let Some(left) = left {
                    self.looked_at(left);
                }
                match self.page(path) {
                    Some(page) => page.views += 1,
                    None => self.other_views += 1,
                }
            }
            Act::Custom { name, .. } => self.named(name),
        }
    }

    fn looked_at(&mut self, time: &PageTime) {
        if let Some(page) = self.page(&time.path) {
            page.millis = page.millis.saturating_add(time.millis);
        }
    }

    fn page(&mut self, path: &str) -> Option<&mut PageCount> {
        if let Some(place) = self.pages.iter().position(|page| page.path == path) {
            return self.pages.get_mut(place);
        }
        if !has_room(self.pages.iter().map(|page| page.path.len()), path) {
            return None;
        }
        self.pages.push(PageCount { path: path.to_owned(), views: 0, millis: 0 });
        self.pages.last_mut()
    }

    fn named(&mut self, name: &str) {
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| known == name) {
            *count += 1;
        } else if has_room(self.names.iter().map(|(name, _)| name.len()), name) {
            self.names.push((name.to_owned(), 1));
        } else {
            self.other_events += 1;
        }
    }
}

/// Whether one more can be told apart from those with names of these lengths.
fn has_room(lengths: impl ExactSizeIterator<Item = usize>, name: &str) -> bool {
    lengths.len() < TOLD_APART && lengths.sum::<usize>() + name.len() <= TOLD_BYTES
}
