//! Random visits, outages, duplicates, restarts and clocks: whatever happens, what was acknowledged is counted once, and the numbers
//! equal those of a plain model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use strata_core::conformance::block_on;
use strata_core::{ReferenceStore, Store};
use strata_session::VisitId;
use strata_session::analytics::{Consent, Properties, Recorded, SendFailure, Visit, VisitStart};

use super::{Answer, HOUR, MINUTE, Scene, Server};
use crate::{grounds, world_over};

#[derive(Clone, Debug)]
enum Step {
    /// A visitor opens a page.
    Visit(u8),
    /// Something happens in the last visit that this visitor had.
    Event(u8),
    View(u8),
    End(u8),
    Wait(u32),
    Close,
    Deliver,
    /// What the server does next.
    Then(Answer),
    /// The most events and reports of a batch that the server takes from now on.
    Most(usize, usize),
    /// What the server has taken comes again.
    Again,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answer = prop_oneof![
        Just(Answer::Taken),
        Just(Answer::TakenSilently),
        Just(Answer::Fails(SendFailure::Unavailable)),
        Just(Answer::Fails(SendFailure::RetryAfter(MINUTE))),
    ];
    let step = prop_oneof![
        4 => (0..4_u8).prop_map(Step::Visit),
        4 => (0..4_u8).prop_map(Step::Event),
        2 => (0..4_u8).prop_map(Step::View),
        1 => (0..4_u8).prop_map(Step::End),
        2 => (0..45_u32).prop_map(Step::Wait),
        1 => Just(Step::Close),
        2 => Just(Step::Deliver),
        2 => answer.prop_map(Step::Then),
        1 => (1..6_usize, 1..4_usize).prop_map(|(events, reports)| Step::Most(events, reports)),
        1 => Just(Step::Again),
    ];
    proptest::collection::vec(step, 0..80)
}

/// What the model knows of a visit: views, events, when it began and was active last.
type Model = BTreeMap<VisitId, (u64, u64, u64, u64)>;

struct Run {
    scene: Scene,
    model: Model,
    last: BTreeMap<u8, Visit>,
}

impl Run {
    fn new(store: Arc<dyn Store>) -> Self {
        let mut scene = Scene::over(world_over(store));
        scene.delivery = scene.delivery.clone().batch(3).events(2).pauses(Duration::from_secs(1), MINUTE);
        Self { scene, model: Model::new(), last: BTreeMap::new() }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Visit(who) => self.visit(*who),
            Step::Event(who) => self.record(*who, false),
            Step::View(who) => self.record(*who, true),
            Step::End(who) => {
                let now = self.scene.now().as_millis();
                if let Some(visit) = self.last.get(who)
                    && block_on(visit.end()).expect("end")
                    && let Some(known) = self.model.get_mut(&visit.id())
                    && now - known.3 < 30 * 60_000
                {
                    known.3 = now;
                }
            }
            Step::Wait(minutes) => self.scene.wait(MINUTE * *minutes),
            Step::Close => drop(self.scene.close_due()),
            Step::Deliver => drop(self.scene.deliver()),
            Step::Then(answer) => self.scene.server.then(*answer),
            Step::Most(events, reports) => {
                *self.scene.server.most.lock().expect("lock") = (*events, *reports);
            }
            Step::Again => self.again(),
        }
    }

    fn visit(&mut self, who: u8) {
        let start = VisitStart::new("/page");
        let visit = block_on(self.scene.recorder.visit(&who.to_string(), Consent::Given, start));
        let visit = visit.expect("visit").expect("recorded");
        let now = self.scene.now().as_millis();
        let known = self.model.entry(visit.id()).or_insert((0, 0, now, now));
        (known.0, known.3) = (known.0 + 1, now);
        self.last.insert(who, visit);
    }

    fn record(&mut self, who: u8, view: bool) {
        let Some(visit) = self.last.get(&who) else { return };
        let recorded = block_on(async {
            if view { visit.page_view("/other").await } else { visit.event("x", Properties::new()).await }
        });
        let Ok(Recorded::Kept(_)) = recorded else { return };
        let known = self.model.get_mut(&visit.id()).expect("a visit");
        known.3 = self.scene.now().as_millis();
        *(if view { &mut known.0 } else { &mut known.1 }) += 1;
    }

    fn again(&self) {
        let server: &Server = &self.scene.server;
        for report in server.came().iter().flatten() {
            // A duplicate of something that was never taken is taken now, as from a queue in between.
            block_on(server.ingest.ingest(report)).expect("ingest");
        }
    }

    fn check(self) {
        self.scene.wait(HOUR);
        self.scene.close_due();
        self.scene.server.script.lock().expect("lock").clear();
        block_on(self.scene.delivery.deliver_now()).expect("deliver");
        let queue = self.scene.queue();
        assert_eq!((queue.waiting, queue.lost), (0, strata_session::analytics::Lost::default()));
        assert!(self.scene.names("analytics:").iter().all(|name| name == "analytics:queue"));
        let insight = self.scene.insight();
        let sum = |pick: fn(&(u64, u64, u64, u64)) -> u64| self.model.values().map(pick).sum::<u64>();
        assert_eq!(insight.visits, self.model.len() as u64);
        assert_eq!((insight.views, insight.events), (sum(|known| known.0), sum(|known| known.1)));
        let pages: u64 = insight.pages.top.iter().map(|page| page.count).sum();
        assert_eq!(pages, insight.views, "each view is among the events that came");
        let mut durations: Vec<u64> = self.model.values().map(|known| known.3 - known.2).collect();
        durations.sort_unstable();
        let median = durations.get(durations.len().div_ceil(2).saturating_sub(1)).copied().unwrap_or(0);
        assert_eq!(insight.duration.median, median);
        let bounces = self.model.values().filter(|known| known.0 == 1 && known.1 == 0).count();
        let rate = if self.model.is_empty() { 0.0 } else { count(bounces) / count(self.model.len()) };
        assert!((insight.bounce_rate - rate).abs() < 1e-9);
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).expect("few").into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_numbers_are_those_of_the_model(steps in steps()) {
        let mut run = Run::new(Arc::new(ReferenceStore::new()));
        for step in &steps {
            run.step(step);
        }
        run.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_disk_as_well(steps in steps()) {
        let mut run = Run::new(grounds::on_disk());
        for step in &steps {
            run.step(step);
        }
        run.check();
    }
}
