//! Fair comparison on a machine that drifts: cases run interleaved, in rotated order, and each round's ratio to the floor is
//! taken by itself; the median over the rounds is the result. One-thread cases count the thread's CPU time.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::section::Row;

/// One thing to measure: runs itself a number of times.
pub struct Case<'a> {
    /// What the table calls it; begins with `floor`, with `strata`, or with the name of a peer.
    pub name: &'static str,
    run: Box<dyn FnMut(u64) + 'a>,
    clock: ClockId,
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

    /// How long `times` runs take.
    pub fn time(&mut self, times: u64) -> Duration {
        let start = read(self.clock);
        (self.run)(times);
        read(self.clock).saturating_sub(start)
    }
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One thing that can be measured only once before it has to be prepared again.
pub struct Shot<'a> {
    /// As a case's.
    pub name: &'static str,
    prepare: Box<dyn FnMut() + 'a>,
    run: Box<dyn FnMut() + 'a>,
    clock: ClockId,
}

impl<'a> Shot<'a> {
    /// A shot of one thread, by CPU time.
    pub fn cpu(name: &'static str, prepare: impl FnMut() + 'a, run: impl FnMut() + 'a) -> Self {
        Self { name, prepare: Box::new(prepare), run: Box::new(run), clock: ClockId::ThreadCPUTime }
    }

    /// A shot that waits or uses several threads, by wall time.
    pub fn wall(name: &'static str, prepare: impl FnMut() + 'a, run: impl FnMut() + 'a) -> Self {
        Self { name, prepare: Box::new(prepare), run: Box::new(run), clock: ClockId::Monotonic }
    }

    /// How long one takes, its preparation not counted.
    pub fn time(&mut self) -> Duration {
        (self.prepare)();
        let start = read(self.clock);
        (self.run)();
        read(self.clock).saturating_sub(start)
    }
}

impl fmt::Debug for Shot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shot").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The CPU time of the calling thread so far.
pub fn cpu_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Time that passes at the same pace whatever happens to the wall clock.
pub fn elapsed() -> Duration {
    read(ClockId::Monotonic)
}

/// How long ago `start` was, by [`elapsed`].
pub fn since(start: Duration) -> Duration {
    elapsed().saturating_sub(start)
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
    /// Whether tables that need large stores may use smaller ones; they say so.
    pub quick: bool,
}

impl Effort {
    /// What a published table takes.
    pub const FULL: Self = Self { rounds: 11, slice: Duration::from_millis(40), quick: false };
    /// What fits into a few minutes for all tables.
    pub const QUICK: Self = Self { rounds: 9, slice: Duration::from_millis(15), quick: true };

    /// One of two sizes.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The same with longer slices, for cases that take longer themselves.
    #[must_use]
    pub fn longer(self, times: u32) -> Self {
        Self { slice: self.slice * times, ..self }
    }
}

/// What was measured: nanoseconds per operation, by case, by round.
#[derive(Debug)]
pub struct Table {
    names: Vec<&'static str>,
    samples: Vec<Vec<f64>>,
}

/// Runs the cases against each other.
pub fn compare(effort: Effort, mut cases: Vec<Case<'_>>) -> Table {
    let times: Vec<u64> = cases.iter_mut().map(|case| calibrate(case, effort.slice)).collect();
    let names = cases.iter().map(|case| case.name).collect();
    rounds(effort.rounds, names, |index| {
        cases[index].time(times[index]).as_secs_f64() * 1e9 / precise(times[index])
    })
}

/// Takes the shots in turn, one each a round. What one takes is given per operation, of which it does `operations`.
pub fn shoot(count: usize, operations: u64, mut shots: Vec<Shot<'_>>) -> Table {
    let names = shots.iter().map(|shot| shot.name).collect();
    rounds(count, names, |index| shots[index].time().as_secs_f64() * 1e9 / precise(operations))
}

fn rounds(count: usize, names: Vec<&'static str>, mut measure: impl FnMut(usize) -> f64) -> Table {
    let mut samples = vec![Vec::with_capacity(count); names.len()];
    for round in 0..count {
        for step in 0..names.len() {
            let index = (round + step) % names.len();
            samples[index].push(measure(index));
        }
    }
    Table { names, samples }
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
        self.ratio_to_least(case, &[floor])
    }

    /// The median over the rounds of `case /` whichever of `floors` was fastest in that round.
    pub fn ratio_to_least(&self, case: usize, floors: &[usize]) -> f64 {
        let least =
            |round: usize| floors.iter().map(|floor| self.samples[*floor][round]).fold(f64::MAX, f64::min);
        median(self.samples[case].iter().enumerate().map(|(round, taken)| taken / least(round)).collect())
    }

    /// `case` against `floor` in words.
    pub fn versus(&self, case: usize, floor: usize) -> String {
        format!("{:.0} ns against {:.0}", self.nanos(case), self.nanos(floor))
    }

    /// The medians of all cases.
    pub fn rows(&self) -> Vec<Row> {
        self.names.iter().enumerate().map(|(index, name)| Row::new(*name, self.nanos(index))).collect()
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which `part` of all lie; `part` is between 0 and 1.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    // Not negative and at most the length.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let index = (precise(values.len() as u64) * part) as usize;
    values[index.min(values.len() - 1)]
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

/// Awaits a future on this thread, which sleeps meanwhile.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    // Made only when it is needed: most futures here are ready at once.
    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return value;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let table = Table {
            names: vec!["floor", "other floor", "case"],
            samples: vec![vec![1.0, 10.0, 2.0], vec![2.0, 5.0, 9.0], vec![2.0, 20.0, 4.0]],
        };
        assert!((table.ratio(2, 0) - 2.0).abs() < 1e-9);
        assert!((table.ratio_to_least(2, &[0, 1]) - 2.0).abs() < 1e-9);
        assert!((table.nanos(1) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_stay_in_range() {
        let mut values: Vec<f64> = (0..100).map(precise).rev().collect();
        assert!((quantile(&mut values, 0.99) - 99.0).abs() < 1e-9);
        assert!((quantile(&mut values, 1.0) - 99.0).abs() < 1e-9);
        assert!(quantile(&mut values, 0.0).abs() < 1e-9);
    }

    #[test]
    fn waiting_ends_when_another_thread_answers() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let other = std::thread::spawn(move || sender.send(7));
        assert_eq!(wait(receiver), Ok(7));
        assert_eq!(other.join().expect("ends"), Ok(()));
    }
}
