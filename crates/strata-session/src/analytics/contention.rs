//! Trying again after a lost race: [`Contention`].

use strata_core::{Error, ErrorKind, Result};

/// How often a change is tried before the conflict is given to the caller. Each failure means that somebody else's change succeeded.
const ATTEMPTS: u32 = 256;

/// Lost races of one operation.
#[derive(Debug, Default)]
pub(super) struct Contention(u32);

impl Contention {
    /// Lets others run once before the next try; [`ErrorKind::Conflict`] after too many.
    pub(super) async fn again(&mut self) -> Result<()> {
        self.0 += 1;
        if self.0 >= ATTEMPTS {
            return Err(Error::new(
                ErrorKind::Conflict,
                "record analytics",
                format!("others changed the same visit or queue {ATTEMPTS} times in a row; retry"),
            ));
        }
        let mut yielded = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        Ok(())
    }
}

/// Whether a commit failed because somebody else was faster.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone)
}
