//! What is traced while something runs. One subscriber for the whole process, which sorts by thread: with one per test, a call site that
//! another test reaches first is taken for one that nobody listens to.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static TEXT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What `work` gives, and all that it traced on this thread, as text.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> (T, String) {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing::subscriber::set_global_default(Threads).expect("nobody else listens to all threads");
        tracing::callsite::rebuild_interest_cache();
    });
    TEXT.set(Some(String::new()));
    let value = work();
    (value, TEXT.take().unwrap_or_default())
}

struct Threads;

impl Visit for Threads {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        TEXT.with_borrow_mut(|text| {
            if let Some(text) = text {
                write!(text, "{field}={value:?} ").expect("a string takes it");
            }
        });
    }
}

impl Subscriber for Threads {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
