//! Running futures without a runtime: [`Drive`], [`block_on`], [`parked`]. Stores that need a runtime bring their own drive.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::bounds::BoxFuture;

/// Runs a future to its end on the calling thread. Called from several threads at once.
///
/// [`parked`] is enough for stores that need no runtime. For others it is a function over theirs:
/// `fn on_tokio(future: BoxFuture<'_, ()>) { RUNTIME.block_on(future) }`.
pub type Drive = fn(BoxFuture<'_, ()>);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls `future` on this thread, which parks while there is nothing to do.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::park();
    }
}

/// The [`Drive`] of stores that need no runtime: [`block_on`].
pub fn parked(future: BoxFuture<'_, ()>) {
    block_on(future);
}

/// What `future` gives, run by `drive`.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn value<T: Send>(drive: Drive, future: impl Future<Output = T> + Send) -> T {
    let mut value = None;
    drive(Box::pin(async { value = Some(future.await) }));
    value.expect("a drive returns when the future has ended")
}
