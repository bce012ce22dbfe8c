//! Asking what visits come to: [`Insights`] walks the counted visits once, in bounded memory.

use std::fmt;
use std::time::Duration;

use strata_core::{Handle, Listing, Needs, Result, Timestamp};

use super::day::DayVisit;
use super::device::Device;
use super::distinct::Distinct;
use super::insight::{DeviceCount, Durations, Insight, Period, Ranked, Ranking, Step, Users};
use super::names::{self, DAY};
use super::spread::Spread;
use super::tally::Tally;

/// A visit takes at most this long, so one that is open in a period began no earlier.
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// Up to so many days are walked one by one; longer periods by what the names of their days have in common.
const SINGLY: u64 = 62;
/// Up to so many days are walked month by month; longer periods as a whole.
const MONTHLY: u64 = 3660;

/// What was counted in one namespace of a handle. Cheap to clone.
#[derive(Clone)]
pub struct Insights {
    handle: Handle,
}

impl Insights {
    /// Of the namespace `analytics`.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::in_namespace(handle, "analytics")
    }

    /// Of another namespace.
    pub fn in_namespace(handle: &Handle, namespace: &str) -> Result<Self> {
        handle.require(&Needs { listing: Listing::Indexed, ..Needs::LEAST })?;
        Ok(Self { handle: handle.namespace(namespace)? })
    }

    /// The numbers of a period. Reads each visit of it once, and those of the 31 days before that may still have been open;
    /// memory does not grow with their number.
    ///
    /// # Errors
    /// What the store reports; a visit that cannot be read is an error, not a smaller number.
    pub async fn over(&self, period: Period) -> Result<Insight> {
        let mut sums = Sums::new(period);
        for prefix in prefixes(period) {
            let mut visits = self.handle.select().prefix(&prefix).entries::<DayVisit>();
            while let Some(found) = visits.next().await {
                sums.add(&found?.1);
            }
        }
        Ok(sums.told())
    }
}

impl fmt::Debug for Insights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insights").field("handle", &self.handle).finish()
    }
}

/// What the names of the visits begin with that have to be looked at: days, months, or all.
fn prefixes(period: Period) -> Vec<String> {
    let day = Duration::from_hours(24);
    let from = period.from.saturating_sub(LONGEST);
    let days = period.to.since(from).as_secs() / day.as_secs() + 2;
    let dates = |days: u64| (0..days).map(|day| from.saturating_add(Duration::from_hours(24 * day)));
    let upto = |len: usize, at: Timestamp| format!("{DAY}{}", &names::date(at)[..len]);
    let mut prefixes: Vec<String> = if days <= SINGLY {
        dates(days).map(|at| upto(10, at)).collect()
    } else if days <= MONTHLY {
        dates(days).map(|at| upto(7, at)).collect()
    } else {
        vec![DAY.to_owned()]
    };
    prefixes.dedup();
    prefixes
}

/// Numbers on their way.
struct Sums {
    period: Period,
    visits: u64,
    users: Distinct,
    views: u64,
    events: u64,
    dropped: u64,
    bounces: u64,
    spread: Spread,
    pages: Tally,
    entries: Tally,
    names: Tally,
    referrers: Tally,
    devices: [u64; Device::ALL.len()],
    /// How many visits more are open in a step than in the one before.
    opened: Vec<i64>,
}

impl Sums {
    fn new(period: Period) -> Self {
        let steps = period.to.since(period.from).as_millis().div_ceil(period.step.as_millis().max(1));
        Self {
            period,
            visits: 0,
            users: Distinct::default(),
            views: 0,
            events: 0,
            dropped: 0,
            bounces: 0,
            spread: Spread::default(),
            pages: Tally::default(),
            entries: Tally::default(),
            names: Tally::default(),
            referrers: Tally::default(),
            devices: [0; Device::ALL.len()],
            // Steps are bounded when the period is made.
            opened: vec![0; usize::try_from(steps).unwrap_or(0) + 1],
        }
    }

    fn add(&mut self, visit: &DayVisit) {
        self.add_active(visit);
        let began = Timestamp::from_millis(visit.started);
        if began < self.period.from || began >= self.period.to {
            return;
        }
        self.visits += 1;
        match &visit.user {
            Some(user) => self.users.add(1, user),
            None => self.users.add(0, &visit.visitor),
        }
        self.views += u64::from(visit.views);
        self.events += u64::from(visit.events);
        self.dropped = self.dropped.saturating_add(visit.dropped);
        self.bounces += u64::from(visit.views <= 1 && visit.events == 0);
        self.spread.add(visit.ended.saturating_sub(visit.started));
        self.entries.add(&visit.entry, 1, 0);
        self.referrers.add(visit.referrer.as_deref().map_or("(direct)", host), 1, 0);
        for (known, count) in Device::ALL.iter().zip(&mut self.devices) {
            *count += u64::from(*known == visit.device);
        }
        visit.pages.iter().for_each(|page| self.pages.add(&page.path, page.views.into(), page.millis));
        visit.names.iter().for_each(|(name, count)| self.names.add(name, (*count).into(), 0));
        self.pages.add_others(visit.other_views.into());
        self.names.add_others(visit.other_events.into());
    }

    fn add_active(&mut self, visit: &DayVisit) {
        let Period { from, to, step, .. } = self.period;
        let (began, ended) = (Timestamp::from_millis(visit.started), Timestamp::from_millis(visit.ended));
        if began >= to || ended < from {
            return;
        }
        let last = self.opened.len() - 2;
        let place = |at: Timestamp| {
            let place = at.since(from).as_millis() / step.as_millis().max(1);
            usize::try_from(place).unwrap_or(usize::MAX).min(last)
        };
        self.opened[place(began)] += 1;
        self.opened[place(ended) + 1] -= 1;
    }

    fn told(mut self) -> Insight {
        let Period { from, to, top, .. } = self.period;
        let (count, approximate) = self.users.count();
        Insight {
            version: Insight::VERSION,
            from: from.as_millis(),
            to: to.as_millis(),
            visits: self.visits,
            users: Users { count, approximate },
            views: self.views,
            events: self.events,
            dropped: self.dropped,
            bounce_rate: rate(self.bounces, self.visits),
            duration: Durations {
                median: self.spread.percentile(50),
                p95: self.spread.percentile(95),
                approximate: self.spread.is_approximate(),
            },
            active: self.steps(),
            pages: ranking(self.pages, top),
            entries: ranking(self.entries, top),
            names: ranking(self.names, top),
            referrers: ranking(self.referrers, top),
            devices: devices(&self.devices),
        }
    }

    fn steps(&self) -> Vec<Step> {
        let mut open = 0;
        let mut from = self.period.from;
        let steps = self.opened.iter().take(self.opened.len() - 1).map(|more| {
            open += more;
            let step = Step { from: from.as_millis(), visits: u64::try_from(open).unwrap_or(0) };
            from = from.saturating_add(self.period.step);
            step
        });
        steps.collect()
    }
}

fn ranking(tally: Tally, top: usize) -> Ranking {
    let (top, others, approximate) = tally.top(top);
    let top = top.into_iter().map(|(name, count)| Ranked { name, count: count.count, millis: count.millis });
    Ranking { top: top.collect(), others, approximate }
}

fn devices(counts: &[u64]) -> Vec<DeviceCount> {
    Device::ALL
        .iter()
        .zip(counts)
        .map(|(device, visits)| DeviceCount { device: *device, visits: *visits })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "a rate of whole numbers below 2^53")]
fn rate(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// The host of a referrer; what is no address is its own.
fn host(referrer: &str) -> &str {
    match referrer.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or(rest),
        None => referrer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_walked_by_days_months_or_whole() {
        let at = |days: u64| Timestamp::from_millis(1_767_225_600_000 + days * 86_400_000);
        let period = |days| Period::between(at(0), at(days)).expect("a period");
        let week = prefixes(period(7));
        assert!(week.contains(&"day:2026-01-07".to_owned()) && week.contains(&"day:2025-12-01".to_owned()));
        assert!(week.len() <= 62 && week.iter().all(|prefix| prefix.len() == 14));
        let year = prefixes(period(365));
        assert_eq!(year.first().map(String::as_str), Some("day:2025-12"));
        assert_eq!(year.last().map(String::as_str), Some("day:2027-01"));
        assert_eq!(year.len(), 14);
        assert_eq!(prefixes(period(10_000)), ["day:"]);
        let ever = Period::between(Timestamp::EPOCH, Timestamp::MAX).expect("a period");
        assert_eq!(prefixes(ever), ["day:"]);
    }

    #[test]
    fn referrers_count_by_host() {
        for (referrer, name) in [
            ("https://a.example/x/y", "a.example"),
            ("https://a.example", "a.example"),
            ("newsletter", "newsletter"),
        ] {
            assert_eq!(host(referrer), name);
        }
    }
}
