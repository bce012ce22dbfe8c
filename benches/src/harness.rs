//! Fair comparison on a machine that drifts: cases run interleaved, in rotated order, and each round's ratio to the floor is
//! taken by itself; the median over the rounds is the result. One-thread cases count the thread's CPU time.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One thing to measure: runs itself a number of times.
pub struct Case<'a> {
    /// What the table calls it.
    pub name: &'static str,
    run: Box<dyn FnMut(u64) + 'a>,
    clock: ClockId,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Case<'a> {
    /// A case of one thread, by CPU time. `run` is given how often to do it.
    pub fn cpu(name: &'static str, run: impl FnMut(u64) + 'a) -> Self {
        Self { name, run: Box::new(run), clock: ClockId::ThreadCPUTime }
    }

    /// A case that waits or uses several threads, by wall time.
    pub fn wall(name: &'static str, run: impl FnMut(u64) + 'a) -> Self {
        Self { name, run: Box::new(run), clock: ClockId::Monotonic }
    }

    fn time(&mut self, times: u64) -> Duration {
        let start = read(self.clock);
        (self.run)(times);
        read(self.clock).saturating_sub(start)
    }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // Clocks of this kind start at zero and their nanoseconds are below a thousand million.
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds; at least nine for a table that is published.
    pub rounds: usize,
    /// How long one case runs in one round.
    pub slice: Duration,
}

impl Effort {
    /// What a published table takes.
    pub const FULL: Self = Self { rounds: 11, slice: Duration::from_millis(40) };
    /// What fits into a few minutes for all tables.
    pub const QUICK: Self = Self { rounds: 9, slice: Duration::from_millis(15) };
}

/// What was measured: nanoseconds per operation, by case, by round.
#[derive(Debug)]
pub struct Table {
    /// The names of the cases.
    pub names: Vec<&'static str>,
    samples: Vec<Vec<f64>>,
}

/// Runs the cases against each other.
pub fn compare(effort: Effort, mut cases: Vec<Case<'_>>) -> Table {
    let times: Vec<u64> = cases.iter_mut().map(|case| calibrate(case, effort.slice)).collect();
    let mut samples = vec![Vec::with_capacity(effort.rounds); cases.len()];
    for round in 0..effort.rounds {
        for step in 0..cases.len() {
            let index = (round + step) % cases.len();
            let taken = cases[index].time(times[index]);
            samples[index].push(taken.as_secs_f64() * 1e9 / precise(times[index]));
        }
    }
    Table { names: cases.iter().map(|case| case.name).collect(), samples }
}

fn calibrate(case: &mut Case<'_>, slice: Duration) -> u64 {
    let mut times = 1;
    loop {
        let taken = case.time(times);
        if taken >= slice / 4 || times >= 1 << 30 {
            let scale = slice.as_secs_f64() / taken.as_secs_f64().max(1e-9);
            // Between one and some thousand million, so the conversion keeps the value.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            return ((precise(times) * scale) as u64).max(1);
        }
        times *= 4;
    }
}

impl Table {
    /// The median nanoseconds of a case.
    pub fn nanos(&self, case: usize) -> f64 {
        median(self.samples[case].clone())
    }

    /// The median over the rounds of `case / floor`.
    pub fn ratio(&self, case: usize, floor: usize) -> f64 {
        median(self.samples[case].iter().zip(&self.samples[floor]).map(|(a, b)| a / b).collect())
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A count as a float; counts here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub fn precise(count: u64) -> f64 {
    count as f64
}

/// Awaits a future that is ready at once, as those of a store in memory are.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory never waits"),
    }
}
