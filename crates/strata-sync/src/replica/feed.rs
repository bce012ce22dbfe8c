//! What brings the changes of peers to a handle, as far as a replica has to know: [`Feed`].

use std::fmt;

use strata_core::{MaybeSend, MaybeSync, Timestamp};

use crate::replication::Replication;
use crate::shared::SharedBus;

/// Whether peers can be heard.
pub trait Feed: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Since when peers cannot be heard; `None` while they can. A bus that nobody runs hears nobody.
    fn cut_off_since(&self) -> Option<Timestamp>;
}

impl Feed for SharedBus {
    fn cut_off_since(&self) -> Option<Timestamp> {
        Self::cut_off_since(self)
    }
}

impl Feed for Replication {
    fn cut_off_since(&self) -> Option<Timestamp> {
        Self::cut_off_since(self)
    }
}
