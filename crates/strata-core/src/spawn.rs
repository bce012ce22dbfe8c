//! Work that goes on when its caller gives up: the ingredient [`Spawn`]. Runtimes live above.

use std::fmt;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};

/// Starts a task on a runtime. Injected like the clock, for this crate and the managers know no runtime.
pub trait Spawn: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// Runs `task` to its end, whatever becomes of the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}
