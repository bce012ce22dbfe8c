//! Whose time an open store goes by: [`Time`].

use std::sync::Arc;

use strata_core::{Clock, Error, ErrorKind, Result, Timestamp};

use crate::engine::Engine;

/// A given clock, or the system's clocks made steady.
#[derive(Clone, Debug)]
pub(crate) enum Time {
    Given(Arc<dyn Clock>),
    #[cfg(all(feature = "ttl", not(target_arch = "wasm32")))]
    System(Arc<strata_ttl::SteadyClock>),
}

impl Time {
    /// The given clock, else a steady one that starts no earlier than the store's watermark. Without the feature `ttl` there
    /// is no steady clock, so one has to be given.
    pub(crate) async fn open(given: Option<Arc<dyn Clock>>, engine: &Engine) -> Result<Self> {
        if let Some(clock) = given {
            return Ok(Self::Given(clock));
        }
        Self::system(engine).await.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Unsupported,
                "open",
                "there is no clock; build with the feature `ttl`, or give one with `.clock(…)`",
            ))
        })
    }

    #[allow(clippy::unused_async)] // it waits where there is a watermark to read
    async fn system(engine: &Engine) -> Option<Result<Self>> {
        #[cfg(all(feature = "ttl", not(target_arch = "wasm32")))]
        return Some(strata_ttl::Watermark::of(engine.store()).read().await.map(|watermark| {
            Self::System(Arc::new(crate::native::system_clock().watermark(watermark).open()))
        }));
        #[allow(unreachable_code)]
        {
            let _ = engine;
            None
        }
    }

    /// The clock as the handle knows it.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Given(clock) => Arc::clone(clock),
            #[cfg(all(feature = "ttl", not(target_arch = "wasm32")))]
            Self::System(clock) => Arc::clone(clock) as _,
        }
    }

    /// Raises the store's watermark to now, unless it stands lower than `stood`, where this program left it: then an operator
    /// has reset it, which time that was wrong must not undo. Says where it stands. A given clock leaves it alone.
    #[allow(clippy::unused_async)] // it waits where there is a watermark
    pub(crate) async fn keep(&self, engine: &Engine, stood: Option<Timestamp>) -> Result<Option<Timestamp>> {
        match self {
            Self::Given(_) => {
                let _ = engine;
                Ok(stood)
            }
            #[cfg(all(feature = "ttl", not(target_arch = "wasm32")))]
            Self::System(clock) => {
                let watermark = strata_ttl::Watermark::of(engine.store());
                if let (Some(stood), Some(stands)) = (stood, watermark.read().await?)
                    && stands < stood
                {
                    return Ok(Some(stands));
                }
                watermark.raise(clock.now()).await.map(Some)
            }
        }
    }

    /// Whether time is the system's.
    #[cfg(feature = "ttl")]
    pub(crate) fn is_system(&self) -> bool {
        !matches!(self, Self::Given(_))
    }

    /// What the clock met.
    #[cfg(feature = "ttl")]
    pub(crate) fn reports(&self) -> Vec<strata_ttl::ClockReport> {
        match self {
            Self::Given(_) => Vec::new(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::System(clock) => clock.reports(),
        }
    }
}
