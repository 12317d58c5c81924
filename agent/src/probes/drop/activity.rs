//! The time in which each key was active, as far as the reads show.

use std::collections::HashMap;

use netdiag_abi::drop::DropKey;

use super::DropSnapshot;

/// First and last read that saw a key's count move, nanoseconds of CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub first_ns: u64,
    pub last_ns: u64,
}

/// Follows the counts from read to read, so that the program need not read a clock for every drop.
#[derive(Default)]
pub(super) struct Activity {
    seen: HashMap<DropKey, (u64, Span)>,
}

impl Activity {
    /// Compares a read with the one before it.
    pub(super) fn note(&mut self, snapshot: &DropSnapshot) {
        for (key, count) in &snapshot.counts {
            let now = Span {
                first_ns: snapshot.taken_ns,
                last_ns: snapshot.taken_ns,
            };
            self.seen
                .entry(*key)
                .and_modify(|(before, span)| {
                    if count > before {
                        *before = *count;
                        span.last_ns = snapshot.taken_ns;
                    }
                })
                .or_insert((*count, now));
        }
    }

    /// The time in which a key was active.
    pub(super) fn span(&self, key: &DropKey) -> Option<Span> {
        self.seen.get(key).map(|(_, span)| *span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(taken_ns: u64, count: u64) -> DropSnapshot {
        DropSnapshot {
            taken_ns,
            counts: HashMap::from([(DropKey::default(), count)]),
            ..DropSnapshot::default()
        }
    }

    #[test]
    fn spans_from_the_first_to_the_last_read_that_saw_the_count_move() {
        let mut activity = Activity::default();
        for (taken_ns, count) in [(10, 1), (20, 1), (30, 5), (40, 5)] {
            activity.note(&snapshot(taken_ns, count));
        }
        assert_eq!(
            activity.span(&DropKey::default()),
            Some(Span {
                first_ns: 10,
                last_ns: 30
            })
        );
    }
}
