//! A million events: what it costs to record them, to deliver and count them, and to ask for their numbers; and how much memory: p20.

use std::sync::Arc;
use std::time::Duration;

use strata_adapter_memory::MemoryStore;
use strata_core::{BoxFuture, Clock, Handle, ManualClock, Timer};
use strata_crypto::SystemRandom;
use strata_session::VisitId;
use strata_session::analytics::{
    Act, AnalyticsTransport, Bounds, Consent, Delivery, Device, Dropped, Happened, Ingest, Insights,
    PageTime, Period, Properties, Recorder, Report, SendFailure, Summary, Visit, VisitEnd, VisitStart,
};

use crate::child;
use crate::harness::{Effort, cpu_time, median, precise, ready};
use crate::section::{Row, Section};
use crate::subject::sealed;
use crate::target::Target;

/// Events of a visit: a page that it begins on, nine more, ten others.
const EACH: u64 = 20;
/// Visits that are open at once.
const OPEN: u64 = 100;

/// A program with a recorder, and a server of its own, both in memory and sealed.
#[derive(Debug)]
struct Program {
    clock: Arc<ManualClock>,
    recorder: Recorder,
    delivery: Delivery,
    ingest: Ingest,
    insights: Insights,
    visitors: u64,
}

/// No sending here takes too long.
#[derive(Debug)]
struct Patient;

impl Timer for Patient {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A server that takes everything and keeps nothing.
#[derive(Debug)]
struct Sink;

impl AnalyticsTransport for Sink {
    fn send<'a>(&'a self, _: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn handle(clock: &Arc<ManualClock>) -> Handle {
    let builder = sealed(Arc::new(MemoryStore::new()), Arc::clone(clock) as Arc<dyn Clock>);
    builder.random(Arc::new(SystemRandom::new())).build().expect("handle")
}

impl Program {
    /// Whose queue has room for so many reports, which `transport` takes, or else the server.
    fn new(reports: u64, transport: Option<Arc<dyn AnalyticsTransport>>) -> Self {
        let clock = Arc::new(ManualClock::default());
        let (client, server) = (handle(&clock), handle(&clock));
        let bounds = Bounds::default().reports(reports);
        let recorder = Recorder::builder(&client).bounds(bounds).build().expect("recorder");
        let ingest = Ingest::new(&server).expect("ingest");
        let transport = transport.unwrap_or_else(|| Arc::new(ingest.clone()));
        Self {
            delivery: Delivery::new(&recorder, transport, Arc::new(Patient)),
            insights: Insights::new(&server).expect("insights"),
            ingest,
            recorder,
            clock,
            visitors: 0,
        }
    }

    /// Records so many events, in visits of twenty, a hundred of them open at a time.
    fn record(&mut self, events: u64) {
        for _ in 0..events / EACH / OPEN {
            let visits: Vec<Visit> = (0..OPEN).map(|_| self.begin()).collect();
            for step in 0..(EACH - 1) {
                self.clock.advance(Duration::from_secs(1));
                for visit in &visits {
                    act(visit, step);
                }
            }
            for visit in &visits {
                assert!(ready(visit.end()).expect("end"));
            }
        }
    }

    fn begin(&mut self) -> Visit {
        self.visitors += 1;
        let start = VisitStart::new("/home").width(1280).referrer("https://search.example/");
        let visitor = format!("visitor {}", self.visitors);
        ready(self.recorder.visit(&visitor, Consent::Given, start)).expect("visit").expect("consent")
    }

    fn deliver(&self) {
        let delivered = ready(self.delivery.deliver()).expect("deliver");
        assert_eq!(delivered.failure, None);
    }

    fn ask(&self, events: u64) {
        let period = Period::last(Duration::from_hours(30 * 24), &*self.clock).expect("period");
        let insight = ready(self.insights.over(period)).expect("insight");
        assert_eq!(insight.views + insight.events, events);
    }
}

fn act(visit: &Visit, step: u64) {
    let done = if step.is_multiple_of(2) {
        ready(visit.event("click", Properties::new().text("what", "button").number("x", 17.0)))
    } else {
        ready(visit.page_view(&format!("/page/{step}")))
    };
    let _ = done.expect("recorded");
}

/// What each event costs in a program, in nanoseconds of CPU time.
struct Cost {
    record: f64,
    deliver: f64,
    ask: f64,
}

impl Cost {
    /// Of so many events, all recorded before the first is delivered, and all delivered before any is asked for.
    fn of(events: u64) -> Self {
        let mut program = Program::new(events, None);
        let mut each = |step: &mut dyn FnMut(&mut Program)| {
            let start = cpu_time();
            step(&mut program);
            cpu_time().saturating_sub(start).as_secs_f64() * 1e9 / precise(events)
        };
        Self {
            record: each(&mut |program| program.record(events)),
            deliver: each(&mut |program| program.deliver()),
            ask: each(&mut |program| program.ask(events)),
        }
    }
}

/// Whose memory is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peak {
    /// A program that records and delivers, its store included.
    Program,
    /// An insight over visits of one event each, every one of another visitor on another page.
    Insight,
}

impl Peak {
    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "program" => Some(Self::Program),
            "insight" => Some(Self::Insight),
            _ => None,
        }
    }

    /// In the program that counts allocations: prepares, and gives what is to be measured.
    pub fn prepare(self, events: u64) -> Box<dyn FnOnce()> {
        match self {
            Self::Program => Box::new(move || {
                let mut program = Program::new(1000, Some(Arc::new(Sink)));
                for _ in 0..events / EACH / OPEN {
                    program.record(EACH * OPEN);
                    program.deliver();
                }
            }),
            Self::Insight => {
                let program = Program::new(1000, None);
                program.count_diverse(events);
                Box::new(move || program.ask(events))
            }
        }
    }

    /// The most bytes that were in use beyond what was there before, from a fresh process.
    fn bytes(self, events: u64) -> f64 {
        let name = match self {
            Self::Program => "program",
            Self::Insight => "insight",
        };
        precise(child::peak(name, events))
    }
}

impl Program {
    /// Counts so many visits of one event, no two alike.
    fn count_diverse(&self, events: u64) {
        let started = self.clock.now().as_millis();
        for number in 0..events {
            let page = format!("/page/{number}");
            let visit = VisitId::parse(&format!("{number:032x}")).expect("an id");
            let visitor = format!("{number:043}");
            let exit = PageTime { path: page.clone(), millis: number };
            let summary = Summary {
                visitor,
                user: None,
                started,
                ended: started + number,
                end: VisitEnd::Left,
                device: Device::Desktop,
                referrer: Some(format!("https://host-{number}.example/")),
                entry: page.clone(),
                exit,
                views: 1,
                events: 0,
                dropped: Dropped::default(),
            };
            let act = Act::View { path: page, left: None };
            let events = vec![Happened { sequence: 0, at: started, act }];
            let report = Report { version: Report::VERSION, visit, started, summary: Some(summary), events };
            ready(self.ingest.ingest(&report)).expect("ingest");
        }
        self.clock.advance(Duration::from_secs(1));
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let [few, many] = effort.pick([100_000, 1_000_000], [20_000, 200_000]);
    let rounds: Vec<[Cost; 2]> = (0..effort.pick(5, 3)).map(|_| [few, many].map(Cost::of)).collect();
    let program = [few, many].map(|events| Peak::Program.bytes(events));
    // An insight keeps 100,000 users exactly: from there on its memory is bounded.
    let visits = effort.pick([200_000, 1_000_000], [120_000, 240_000]);
    let insight = visits.map(|events| Peak::Insight.bytes(events));
    Section {
        name: "analytics",
        title: "A million events",
        how: format!(
            "{few} and {many} events in visits of {EACH}, {OPEN} of them open at once: each recorded; then all delivered to a server in the same \
             process, which counts them; then their numbers asked for. Both stores in memory, sealed; CPU time per event, median of {} \
             rounds. Memory: the most bytes allocated at a time, by a program that records so many events and delivers after every {}, its \
             store included, and by an insight over {} and {} visits of which no two are alike.",
            rounds.len(),
            EACH * OPEN,
            visits[0],
            visits[1]
        ),
        unit: "ns per event",
        rows: rows(&rounds, few, many),
        targets: targets(&rounds, program, insight),
    }
}

/// One part of a cost.
type Part = fn(&Cost) -> f64;

/// What is measured of a cost, and how it is called.
const STEPS: [(&str, Part); 3] =
    [("record", |cost| cost.record), ("deliver and count", |cost| cost.deliver), ("ask", |cost| cost.ask)];

fn rows(rounds: &[[Cost; 2]], few: u64, many: u64) -> Vec<Row> {
    let row = |(name, of): (&str, Part), size: usize| {
        let events = [few, many][size];
        let value = median(rounds.iter().map(|round| of(&round[size])).collect());
        Row::new(format!("strata {name}, of {events} events"), value)
    };
    STEPS.into_iter().flat_map(|step| [row(step, 0), row(step, 1)]).collect()
}

fn targets(rounds: &[[Cost; 2]], program: [f64; 2], insight: [f64; 2]) -> Vec<Target> {
    let growth = |of: Part| median(rounds.iter().map(|[few, many]| of(many) / of(few)).collect());
    let nanos = |of: Part| {
        let middle = |size: usize| median(rounds.iter().map(|round| of(&round[size])).collect());
        format!("{:.0} ns an event against {:.0}", middle(1), middle(0))
    };
    let cost = |id, what, of| Target::cost(id, what, growth(of), 1.5, None).noting(nanos(of));
    let memory = |[few, many]: [f64; 2]| format!("{:.2} MB against {:.2}", many / 1e6, few / 1e6);
    vec![
        cost("p20", "recording an event, many / a tenth of them", STEPS[0].1),
        cost("p20b", "delivering and counting it, many / a tenth", STEPS[1].1),
        cost("p20c", "asking, per event, many / a tenth", STEPS[2].1),
        Target::cost(
            "p20d",
            "peak memory of recording and delivering, many / a tenth",
            program[1] / program[0],
            1.1,
            None,
        )
        .noting(memory(program)),
        Target::cost(
            "p20e",
            "peak memory of an insight, many visits / fewer",
            insight[1] / insight[0],
            1.1,
            None,
        )
        .noting(memory(insight)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ratio_is_of_its_own_step() {
        let cost = |record, deliver, ask| Cost { record, deliver, ask };
        let rounds = [[cost(1.0, 10.0, 100.0), cost(1.2, 13.0, 140.0)]];
        let values: Vec<f64> =
            targets(&rounds, [1e6, 2e6], [1e6, 3e6]).iter().map(|target| target.value).collect();
        for (value, wanted) in values.iter().zip([1.2, 1.3, 1.4, 2.0, 3.0]) {
            assert!((value - wanted).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn what_is_measured_does_what_it_says() {
        let cost = Cost::of(2000);
        assert!(cost.record > 0.0 && cost.deliver > 0.0 && cost.ask > 0.0);
        for peak in ["program", "insight"] {
            // It asserts what it counted.
            Peak::named(peak).expect("known").prepare(2000)();
        }
        assert_eq!(Peak::named("other"), None);
    }
}
