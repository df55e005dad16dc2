//! A run while it goes on: signals stop it, and whoever waits hears where it is.

use std::pin::pin;

use tokio::sync::watch;
use tokio::time::interval;

use super::super::super::contract::broken_off;
use super::super::super::exit::Failure;
use super::super::super::say;
use super::super::super::signals::Signals;
use super::in_play::LONG;

/// Waits for the end of a run and calls `tell` now and then. A first signal stops what is in play, so that it is
/// told of as far as it got; a second one ends the run at once.
pub(super) async fn to_the_end(
    mut signals: Signals,
    playing: impl Future<Output = Result<(), Failure>>,
    stop: &watch::Sender<bool>,
    tell: impl Fn(),
) -> Result<(), Failure> {
    let signalled = async || {
        signals.next().await;
    };
    unless(signalled, playing, stop, tell).await
}

async fn unless(
    mut signalled: impl AsyncFnMut(),
    playing: impl Future<Output = Result<(), Failure>>,
    stop: &watch::Sender<bool>,
    tell: impl Fn(),
) -> Result<(), Failure> {
    let mut playing = pin!(playing);
    let mut beat = interval(LONG);
    beat.reset();
    let mut told_to_stop = false;
    loop {
        tokio::select! {
            ended = &mut playing => return if told_to_stop { Err(broken_off()) } else { ended },
            _ = beat.tick() => tell(),
            () = signalled() => {
                if told_to_stop {
                    return Err(broken_off());
                }
                told_to_stop = true;
                say("stopping what is in play, to tell of it as far as it got; once more ends at once");
                stop.send_replace(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::mpsc;

    use super::super::super::super::exit::Exit;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_stops_the_second_ends_and_between_them_it_is_told_where_it_is() {
        let (stop, stopped) = watch::channel(false);
        let (kill, mut signals) = mpsc::channel(2);
        let signalled = async || signals.recv().await.unwrap_or_default();
        // It would never end by itself, told to stop or not.
        let (told, never) = (Cell::new(0), std::future::pending());
        let tell = || {
            told.set(told.get() + 1);
            if told.get() > 1 {
                assert_eq!(*stopped.borrow(), told.get() > 2);
                kill.try_send(()).expect("room");
            }
        };
        let ended = unless(signalled, never, &stop, tell).await;
        assert!(ended.is_err_and(|failure| failure.exit == Exit::Harness));
        assert_eq!(told.get(), 3);
    }

    #[tokio::test]
    async fn what_is_told_to_stop_and_ends_was_broken_off_and_what_ends_by_itself_was_not() {
        let (stop, mut stopped) = watch::channel(false);
        let playing = async { stopped.wait_for(|stop| *stop).await.map(drop).map_err(Failure::internal) };
        let once = Cell::new(false);
        let signalled = async || {
            if once.replace(true) {
                std::future::pending().await
            }
        };
        let ended = unless(signalled, playing, &stop, || ()).await;
        assert!(ended.is_err_and(|failure| failure.exit == Exit::Harness));
        let ended = unless(async || std::future::pending().await, async { Ok(()) }, &stop, || ()).await;
        assert!(ended.is_ok());
    }
}
