//! Progress of what takes over a second, on a terminal only: [`Progress`].

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a command runs before it shows what it does.
const PATIENCE: Duration = Duration::from_secs(1);

/// A counter on standard error that appears once its work has taken a second. Where standard error is no terminal it
/// never does.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
    terminal: bool,
}

impl Progress {
    /// Counts `what`, such as `records checked`, up to `total` where that is known.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Self {
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let form = if total.is_some() {
            "{bar:30} {human_pos}/{human_len} {msg}, {eta} left"
        } else {
            "{spinner} {human_pos} {msg}, {per_sec}"
        };
        // The forms above are fixed and valid.
        bar.set_style(ProgressStyle::with_template(form).expect("a valid template"));
        bar.set_message(what);
        Self { bar, started: Instant::now(), shown: false, terminal: std::io::stderr().is_terminal() }
    }

    /// So many are done.
    pub(crate) fn at(&mut self, position: u64) {
        if self.terminal && !self.shown && self.started.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        self.bar.set_position(position);
    }

    /// One more is done.
    pub(crate) fn step(&mut self) {
        self.at(self.bar.position() + 1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
