//! Plays at once what may be played at once, and tells of it in order.

use std::collections::BTreeMap;

use tokio::task::{JoinError, JoinSet};

/// Does the work for each of the tasks, at most `at_once` at a time. `tell` gets what came of them in the order of the
/// tasks, and says whether to go on; what is under way then is given up. A piece of work that panics ends all of it.
pub(super) async fn in_order<T, R, F>(
    tasks: impl IntoIterator<Item = T>,
    at_once: usize,
    work: impl Fn(T) -> F,
    mut tell: impl FnMut(R) -> bool,
) -> Result<(), JoinError>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let mut tasks = tasks.into_iter().enumerate();
    let mut working: JoinSet<(usize, R)> = JoinSet::new();
    let (mut done, mut next) = (BTreeMap::new(), 0);
    loop {
        // Not too far ahead of one that takes long: what is done waits to be told.
        while working.len() + done.len() < at_once.saturating_mul(2) && working.len() < at_once {
            let Some((number, task)) = tasks.next() else { break };
            let one = work(task);
            working.spawn(async move { (number, one.await) });
        }
        let Some(ended) = working.join_next().await else { return Ok(()) };
        let (number, result) = ended?;
        done.insert(number, result);
        while let Some(result) = done.remove(&next) {
            next += 1;
            if !tell(result) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_in_order_and_none_after_the_end_was_called() {
        let mut told = Vec::new();
        let work = |number: u64| async move {
            // The later ones are done first.
            for _ in number..20 {
                tokio::task::yield_now().await;
            }
            number
        };
        in_order(0..20, 4, work, |number| {
            told.push(number);
            number < 7
        })
        .await
        .expect("no panic");
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[tokio::test]
    async fn work_that_panics_is_not_taken_for_the_end() {
        let work = |number: u64| async move { assert_ne!(number, 3, "a fault of ours") };
        let ended = in_order(0..9, 2, work, |()| true).await;
        assert!(ended.is_err_and(|fault| fault.is_panic()));
    }
}
