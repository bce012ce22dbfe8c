//! Background work that somebody owns: [`Background`], a task that ends with its guard.

use tokio::task::JoinHandle;

/// A running task. Dropping the guard stops it.
#[derive(Debug)]
pub(crate) struct Background(Option<JoinHandle<()>>);

impl Background {
    /// Starts `work` on the runtime that this is called from.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(tokio::spawn(work)))
    }

    /// Stops it and waits until it holds nothing any more.
    pub(crate) async fn stop(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            // It ends by being cancelled, which is what was asked.
            let _ = task.await;
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_stopped_task_holds_nothing() {
        let held = Arc::new(());
        let inner = Arc::clone(&held);
        let task = Background::start(async move {
            std::future::pending::<()>().await;
            drop(inner);
        });
        assert_eq!(Arc::strong_count(&held), 2);
        task.stop().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_dropped_guard_stops_its_task() {
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let guard = Background::start(async move {
            std::future::pending::<()>().await;
            drop(ended);
        });
        drop(guard);
        assert!(end.await.is_err(), "the task was dropped with what it held");
    }
}
