//! Gathers requests for a while, so that an object that many changes wake is looked at once.

use std::{collections::HashSet, hash::Hash, time::Duration};

use futures::{Stream, StreamExt, channel::mpsc::UnboundedReceiver, stream};

/// The requests within `period` of the first one, each once; then the next period. Unlike the scheduler's own
/// debouncing, which waits for silence, this never delays a request by more than the period: reports of a large
/// cluster come without a pause.
pub fn gather<T: Eq + Hash>(
    queue: UnboundedReceiver<T>,
    period: Duration,
) -> impl Stream<Item = T> {
    let rounds = stream::unfold(queue, move |mut queue| async move {
        let mut round = HashSet::from([queue.next().await?]);
        tokio::time::sleep(period).await;
        while let Ok(request) = queue.try_recv() {
            round.insert(request);
        }
        Some((stream::iter(round), queue))
    });
    rounds.flatten()
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;

    #[tokio::test]
    async fn requests_of_one_period_come_once_and_none_is_lost() {
        let (sender, queue) = mpsc::unbounded();
        for request in ["a", "b", "a", "a"] {
            sender.unbounded_send(request).expect("the queue is open");
        }
        let mut gathered = Box::pin(gather(queue, Duration::from_millis(1)));
        let mut first = [gathered.next().await, gathered.next().await];
        first.sort();
        assert_eq!(first, [Some("a"), Some("b")]);
        sender.unbounded_send("a").expect("the queue is open");
        assert_eq!(gathered.next().await, Some("a"));
        drop(sender);
        assert_eq!(gathered.next().await, None);
    }
}
