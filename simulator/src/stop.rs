//! Telling every task of a sandbox to stop.

use tokio::sync::watch;

/// What a task listens to.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The two ends: send `true` to stop.
    pub(crate) fn pair() -> (watch::Sender<bool>, Self) {
        let (tell, told) = watch::channel(false);
        (tell, Self(told))
    }

    /// Returns once the sandbox is to stop.
    pub(crate) async fn told(&mut self) {
        // An error means that the sandbox was dropped: it is to stop as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether it is to stop by now.
    pub(crate) fn is_told(&self) -> bool {
        *self.0.borrow()
    }
}
