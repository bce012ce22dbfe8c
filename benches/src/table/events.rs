//! Announcing changes: p13.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use strata_core::{Change, ChangeKind, Hub, Key, Origin, Pattern, Subscription, Version};
use tokio::sync::broadcast;

use crate::harness::{Case, Effort, compare};
use crate::section::Section;
use crate::target::Target;

/// Hubs and channels with nobody, and with one subscriber that does not read.
#[derive(Debug)]
pub struct Channels {
    quiet: Hub,
    heard: Hub,
    listeners: AtomicUsize,
    sender: broadcast::Sender<Change>,
    change: Change,
    _receiver: broadcast::Receiver<Change>,
    _subscription: Subscription,
}

impl Default for Channels {
    fn default() -> Self {
        let heard = Hub::new();
        let (sender, receiver) = broadcast::channel(Hub::CAPACITY);
        let key = Key::new("sessions:0123456789abcdef0123456789abcdef").expect("key");
        Self {
            quiet: Hub::new(),
            listeners: AtomicUsize::new(0),
            change: Change {
                key,
                kind: ChangeKind::Updated,
                version: Version::new(1),
                origin: Origin::Local,
            },
            _subscription: heard.subscribe(Pattern::all(), None),
            heard,
            sender,
            _receiver: receiver,
        }
    }
}

impl Channels {
    /// One listener, then none, each after its floor.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let Self { quiet, heard, listeners, sender, change, .. } = self;
        vec![
            Case::cpu("floor tokio broadcast send", move |times| {
                for _ in 0..times {
                    let _ = black_box(sender.send(black_box(change).clone()));
                }
            }),
            Case::cpu("strata announce, one idle subscriber", move |times| {
                for _ in 0..times {
                    heard.announce(black_box(change).clone());
                }
            }),
            Case::cpu("floor one atomic load", move |times| {
                for _ in 0..times {
                    black_box(black_box(listeners).load(Ordering::Acquire));
                }
            }),
            Case::cpu("strata nobody listens", move |times| {
                for _ in 0..times {
                    black_box(black_box(quiet).is_heard());
                }
            }),
        ]
    }
}

/// Measures the table.
pub fn run(effort: Effort) -> Section {
    let channels = Channels::default();
    let table = compare(effort, channels.cases());
    let quiet = table.nanos(3) - table.nanos(2);
    Section {
        name: "events",
        title: "Announcing changes",
        how: "A change of 40 bytes of key, cloned and sent, to one subscriber that does not read; and what a commit pays when nobody \
              listens."
            .to_owned(),
        unit: "ns",
        rows: table.rows(),
        targets: vec![
            Target::cost("p13", "announce / tokio broadcast send", table.ratio(1, 0), 1.3, None).noting(table.versus(1, 0)),
            Target::cost("p13b", "nobody listens: more than one atomic load, ns", quiet.max(0.0), 1.0, None)
                .noting(format!("{:.2} ns against {:.2}", table.nanos(3), table.nanos(2))),
        ],
    }
}
