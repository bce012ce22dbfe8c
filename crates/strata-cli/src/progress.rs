//! Progress of what takes over a second, on a terminal only: [`Progress`].

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a command runs before it shows what it does.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often what is shown moves while nothing is counted.
const TICK: Duration = Duration::from_millis(200);

/// A counter on standard error that appears once its work has taken a second and goes when it is dropped. Where standard error
/// is no terminal it never appears.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Dropped with the counter, which calls off its appearance.
    _waits: Option<Sender<()>>,
}

impl Progress {
    /// Counts `what`, such as `values opened`, up to `total` where that is known.
    pub(crate) fn counting(what: &'static str, total: Option<u64>) -> Self {
        match total {
            Some(total) => {
                Self::new(ProgressBar::new(total), "{bar:30} {human_pos}/{human_len} {msg}, {eta} left", what)
            }
            None => Self::new(ProgressBar::no_length(), "{spinner} {human_pos} {msg}, {per_sec}", what),
        }
    }

    /// Says that `what` goes on.
    pub(crate) fn waiting(what: &'static str) -> Self {
        Self::new(ProgressBar::no_length(), "{spinner} {msg}, {elapsed}", what)
    }

    fn new(bar: ProgressBar, form: &str, what: &'static str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        // The forms above are fixed and valid.
        bar.set_style(ProgressStyle::with_template(form).expect("a valid template"));
        bar.set_message(what);
        let waits = std::io::stderr().is_terminal().then(|| appear_later(bar.clone()));
        Self { bar, _waits: waits }
    }

    /// So many are done.
    pub(crate) fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }
}

/// Shows the bar in a second, unless what this returns is dropped before.
fn appear_later(bar: ProgressBar) -> Sender<()> {
    let (waits, called_off) = channel();
    std::thread::spawn(move || {
        if called_off.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
    });
    waits
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_works_unseen() {
        let progress = Progress::counting("things", Some(3));
        progress.at(1);
        progress.step();
        assert_eq!((progress.bar.position(), progress.bar.length()), (2, Some(3)));
        assert_eq!(Progress::counting("things", None).bar.length(), None);
        drop(Progress::waiting("thinking"));
    }
}
