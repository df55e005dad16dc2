//! Plays at once what may be played at once, and tells of it in order.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

/// Does the work for each of the tasks, at most `at_once` at a time. `tell` gets what came of them in the order of the
/// tasks, and says whether to go on; what is under way then is given up.
pub(super) async fn in_order<T, R, F>(
    tasks: impl IntoIterator<Item = T>,
    at_once: usize,
    work: impl Fn(T) -> F,
    mut tell: impl FnMut(R) -> bool,
) where
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
        let Some(ended) = working.join_next().await else { return };
        // A task that panics has no result; everything behind it would wait for it in vain.
        let Ok((number, result)) = ended else { return };
        done.insert(number, result);
        while let Some(result) = done.remove(&next) {
            next += 1;
            if !tell(result) {
                return;
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
        .await;
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
