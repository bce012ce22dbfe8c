//! Analytics: visits, delivery, ingest and insight. What the tests share is here: a scene with a recorder, transports that do as they
//! are told, timers, and what the store holds.

mod delivery;
mod faults;
mod forget;
mod ingest;
mod insight;
mod not_again;
mod orders;
mod running;
mod sums;
mod visits;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{BoxFuture, Clock as _, ManualClock, Timer, Timestamp};
use strata_session::analytics::{
    AnalyticsTransport, Consent, Delivered, Delivery, Ingest, Insight, Insights, Period, Properties, Queue,
    Recorded, Recorder, Report, SendFailure, Summary, Visit, VisitStart,
};

use crate::{World, world};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A timer that nobody moves.
#[derive(Debug)]
struct Never;

impl Timer for Never {
    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A timer that moves the clock in place of waiting.
#[derive(Debug)]
struct Leap(Arc<ManualClock>);

impl Timer for Leap {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = Arc::clone(&self.0);
        let mut waited = false;
        Box::pin(std::future::poll_fn(move |context| {
            if std::mem::replace(&mut waited, true) {
                clock.advance(duration);
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        }))
    }
}

/// What a transport does with a batch.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Takes it and says so.
    Taken,
    /// Takes it; the answer is lost on its way.
    TakenSilently,
    /// Fails.
    Fails(SendFailure),
    /// Never answers.
    Hangs,
}

/// A server at the end of a wire: does what its script says, then takes everything; counts what it takes.
#[derive(Debug)]
struct Server {
    ingest: Ingest,
    script: Mutex<VecDeque<Answer>>,
    /// The batches that came, taken or not.
    came: Mutex<Vec<Vec<Report>>>,
    /// The most events and reports of a batch that it takes.
    most: Mutex<(usize, usize)>,
}

impl Server {
    fn new(world: &World) -> Arc<Self> {
        let ingest = Ingest::builder(&world.db).namespace("server").build().expect("an ingest");
        let most = Mutex::new((usize::MAX, usize::MAX));
        Arc::new(Self { ingest, script: Mutex::default(), came: Mutex::default(), most })
    }

    fn then(&self, answer: Answer) {
        self.script.lock().expect("lock").push_back(answer);
    }

    fn came(&self) -> Vec<Vec<Report>> {
        self.came.lock().expect("lock").clone()
    }

    fn is_too_much(&self, batch: &[Report]) -> bool {
        let (events, reports) = *self.most.lock().expect("lock");
        batch.len() > reports || batch.iter().map(|report| report.events.len()).sum::<usize>() > events
    }
}

impl AnalyticsTransport for Server {
    fn send<'a>(&'a self, batch: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move {
            self.came.lock().expect("lock").push(batch.to_vec());
            if self.is_too_much(batch) {
                return Err(SendFailure::TooLarge);
            }
            let answer = self.script.lock().expect("lock").pop_front().unwrap_or(Answer::Taken);
            match answer {
                Answer::Taken => self.ingest.send(batch).await,
                Answer::TakenSilently => {
                    self.ingest.send(batch).await?;
                    Err(SendFailure::Unavailable)
                }
                Answer::Fails(failure) => Err(failure),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }
}

/// A program with a recorder, and its server.
struct Scene {
    world: World,
    recorder: Recorder,
    server: Arc<Server>,
    delivery: Delivery,
}

fn scene() -> Scene {
    Scene::over(world())
}

impl Scene {
    fn over(world: World) -> Self {
        let recorder = Recorder::new(&world.db).expect("a recorder");
        Self::with(world, recorder)
    }

    fn with(world: World, recorder: Recorder) -> Self {
        let server = Server::new(&world);
        let delivery = Delivery::new(&recorder, Arc::clone(&server) as _, Arc::new(Never));
        Self { world, recorder, server, delivery }
    }

    fn visit(&self, visitor: &str, page: &str) -> Visit {
        let start = VisitStart::new(page);
        let visit = block_on(self.recorder.visit(visitor, Consent::Given, start)).expect("a visit");
        visit.expect("recorded")
    }

    fn wait(&self, time: Duration) {
        self.world.clock.advance(time);
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    fn close_due(&self) -> u64 {
        block_on(self.recorder.close_due()).expect("close")
    }

    fn deliver(&self) -> Delivered {
        block_on(self.delivery.deliver()).expect("deliver")
    }

    fn queue(&self) -> Queue {
        block_on(self.recorder.queue()).expect("queue")
    }

    /// What the server knows of the last month.
    fn insight(&self) -> Insight {
        let insights = Insights::in_namespace(&self.world.db, "server").expect("insights");
        block_on(insights.over(Period::last(30 * DAY, &*self.world.clock).expect("a period")))
            .expect("insight")
    }

    /// The names of all records that lie under `prefix`.
    fn names(&self, prefix: &str) -> Vec<String> {
        block_on(self.world.db.select().prefix(prefix).keys().collect()).expect("names")
    }

    /// The summaries that came to the server, in order.
    fn summaries(&self) -> Vec<Summary> {
        self.server.came().into_iter().flatten().filter_map(|report| report.summary).collect()
    }

    /// The one summary that came.
    fn summary(&self) -> Summary {
        let [summary] = self.summaries().try_into().unwrap_or_else(|all| panic!("one summary: {all:?}"));
        summary
    }
}

fn view(visit: &Visit, page: &str) -> Recorded {
    block_on(visit.page_view(page)).expect("a view")
}

fn event(visit: &Visit, name: &str) -> Recorded {
    block_on(visit.event(name, Properties::new())).expect("an event")
}

fn end(visit: &Visit) -> bool {
    block_on(visit.end()).expect("end")
}
