//! Activity, what it adds to a read: p05.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Handle, ManualClock, Touch};

use crate::harness::{Case, Effort, compare, ready};
use crate::record::{Record, id};
use crate::section::Section;
use crate::subject::memory;
use crate::target::Target;

const RESIDENT: u64 = 20_000;
const IDLE: Duration = Duration::from_mins(30);
/// How long it takes until every session has been read once; a slide is due every 180 s, so at every 18th read.
const LAP: Duration = Duration::from_secs(10);

/// Sessions whose activity is throttled, and sessions whose every read slides.
#[derive(Debug)]
pub struct Touched {
    ids: Vec<String>,
    throttled: (Handle, Arc<ManualClock>),
    due: (Handle, Arc<ManualClock>),
}

impl Default for Touched {
    fn default() -> Self {
        let [clock, fast]: [Arc<ManualClock>; 2] = Default::default();
        let touched = Self {
            ids: (0..RESIDENT).map(id).collect(),
            throttled: (memory(Arc::clone(&clock) as _, Touch::default()), clock),
            due: (memory(Arc::clone(&fast) as _, Touch::Every(Duration::from_millis(1))), fast),
        };
        for (number, id) in (0..).zip(&touched.ids) {
            let record = Record::of(number);
            ready(touched.throttled.0.set(id, &record).idle(IDLE).into_future()).expect("set");
            ready(touched.due.0.set(id, &record).idle(IDLE).into_future()).expect("set");
        }
        touched
    }
}

impl Touched {
    /// Reads that are no activity, and reads that are: throttled, then written down each time.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let Self { throttled, due, .. } = self;
        let [mut a, mut b, mut c, mut d] = [0, 0, 0, 0];
        vec![
            Case::cpu("strata peek", move |times| {
                for _ in 0..times {
                    black_box(ready(throttled.0.peek::<Record>(self.next(&mut a))).expect("peek"));
                }
            }),
            Case::cpu("strata get, throttled", move |times| {
                for _ in 0..times {
                    if b == 0 {
                        throttled.1.advance(LAP);
                    }
                    black_box(ready(throttled.0.get::<Record>(self.next(&mut b))).expect("get"));
                }
            }),
            Case::cpu("strata peek, the other store", move |times| {
                for _ in 0..times {
                    black_box(ready(due.0.peek::<Record>(self.next(&mut c))).expect("peek"));
                }
            }),
            Case::cpu("strata get, a slide each time", move |times| {
                for _ in 0..times {
                    due.1.advance(Duration::from_millis(1));
                    black_box(ready(due.0.get::<Record>(self.next(&mut d))).expect("get"));
                }
            }),
        ]
    }

    fn next(&self, index: &mut usize) -> &str {
        *index = (*index + 7919) % self.ids.len();
        &self.ids[*index]
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let touched = Touched::default();
    let table = compare(effort, touched.cases());
    let more = table.nanos(3) - table.nanos(2);
    Section {
        name: "touch",
        title: "Activity",
        how: format!(
            "{RESIDENT} encrypted sessions in memory, read in turn; idle time 30 minutes, touch interval a tenth. A \
             peek is the same read without activity."
        ),
        unit: "ns",
        rows: table.rows(),
        targets: vec![
            Target::cost("p05", "activity, amortised: get / peek", table.ratio(1, 0), 1.05, None)
                .noting(table.versus(1, 0)),
            Target::cost("p05b", "a slide that is due / a load", table.ratio(3, 2) - 1.0, 0.7, None)
                .noting(format!("{more:.0} ns more than a peek")),
        ],
    }
}
