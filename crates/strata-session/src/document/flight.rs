//! One sync at a time, shared by all who wait for it, and its course: `Flights`.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::FutureExt as _;
use futures_util::future::{Either, Shared, select};
use strata_core::{BoxFuture, Error, Result};

use super::events::Synced;
use super::live::Settled;
use super::steps::Core;
use super::transport::SyncFailure;
use crate::tokens::text::Text;

/// How often a sync that met changes of others, or had more to say than one request takes, is repeated at once.
const ROUNDS: usize = 8;

type Landing = Result<Synced, Arc<Error>>;

/// The sync under way in this process, if one is. Whoever awaits it drives it; if that one gives up, another does.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Underway>);

type Underway = Mutex<Option<Shared<BoxFuture<'static, Landing>>>>;

impl Flights {
    /// What a sync comes to that begins after this was called, so that it carries all that was edited before.
    pub(super) async fn sync(&self, core: &Arc<Core>) -> Result<Synced> {
        let (flight, is_ours) = self.join(core);
        let landing = flight.await;
        let landing = if is_ours { landing } else { self.join(core).0.await };
        landing.map_err(|error| Error::new(error.kind(), error.operation(), error.message()))
    }

    fn join(&self, core: &Arc<Core>) -> (Shared<BoxFuture<'static, Landing>>, bool) {
        let mut underway = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = &*underway {
            return (flight.clone(), false);
        }
        let (core, leave) = (Arc::clone(core), Leave(Arc::downgrade(&self.0)));
        let work: BoxFuture<'static, Landing> = Box::pin(async move {
            let landing = core.fly().await.map_err(Arc::new);
            drop(leave);
            landing
        });
        let flight = work.shared();
        *underway = Some(flight.clone());
        (flight, true)
    }
}

/// Takes the flight off when it is over, also when a transport panics. Holds it weakly, for the flight holds this.
struct Leave(Weak<Underway>);

impl Drop for Leave {
    fn drop(&mut self) {
        let Some(underway) = self.0.upgrade() else { return };
        let landed = underway.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(landed);
    }
}

impl Core {
    async fn fly(&self) -> Result<Synced> {
        if let Some(left) = self.pause() {
            return Ok(Synced::Waiting(SyncFailure::Offline { retry_after: Some(left) }));
        }
        for _ in 0..ROUNDS {
            let Some((asked, bearer)) = self.prepare().await? else { return Ok(Synced::NoSession) };
            let bearer = bearer.as_ref().map(Text::as_str);
            let settled = match self.in_time(self.transport.sync(&asked, bearer)).await {
                Ok(answer) => self.settle(&asked, &answer).await?,
                Err(SyncFailure::Unauthorized) if self.dismiss(asked.replica).await? => {
                    return Ok(Synced::Ended);
                }
                // Another session has begun meanwhile, or it was ended already.
                Err(SyncFailure::Unauthorized) => Ok(Settled::Outdated),
                Err(failure @ (SyncFailure::TooLarge | SyncFailure::Invalid)) => {
                    self.withdraw(&asked).await?;
                    Err(failure)
                }
                Err(failure) => Err(failure),
            };
            match settled {
                Ok(Settled::Applied) => {
                    self.encourage();
                    return Ok(Synced::InStep);
                }
                Ok(Settled::Rebased | Settled::Outdated) => {}
                Err(failure) => {
                    self.discourage(failure);
                    return Ok(Synced::Waiting(failure));
                }
            }
        }
        let failure = SyncFailure::Refused("it took too many rounds to agree; it goes on later");
        self.discourage(failure);
        Ok(Synced::Waiting(failure))
    }

    /// What `call` gives within the timeout. An answer that is there counts, however late it is looked at.
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, SyncFailure>>,
    ) -> Result<T, SyncFailure> {
        match select(pin!(call), self.timer.sleep(self.timeout)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(SyncFailure::Unanswered),
        }
    }
}
