//! Drop keys added up.

use crate::{
    Window,
    evidence::{DropCount, PacketSample},
    finding::{Finding, Outcome},
};

/// The drops of several keys as one number, with the time that they span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Indices into [`Drops::counts`](crate::evidence::Drops::counts).
    pub(crate) keys: Vec<usize>,
    pub(crate) count: u64,
    /// First and last drop, milliseconds since the window began; absent before the first key.
    times: Option<(u64, u64)>,
}

impl Tally {
    /// Adds one key.
    pub(crate) fn add(&mut self, index: usize, key: &DropCount) {
        self.keys.push(index);
        self.count = self.count.saturating_add(key.count);
        self.span(key.first_ms, key.last_ms);
    }

    /// Adds one event that is no drop.
    pub(crate) fn add_event(&mut self, at_ms: u64) {
        self.count = self.count.saturating_add(1);
        self.span(at_ms, at_ms);
    }

    /// A number that a counter tells, without drop keys.
    pub(crate) fn of_counter(count: u64, times: (u64, u64)) -> Self {
        Self {
            keys: Vec::new(),
            count,
            times: Some(times),
        }
    }

    /// The same keys, of which only so many drops count.
    pub(crate) fn with_count(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// Adds the keys of another tally.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.keys.extend(&other.keys);
        self.count = self.count.saturating_add(other.count);
        if let Some((first, last)) = other.times {
            self.span(first, last);
        }
    }

    fn span(&mut self, first_ms: u64, last_ms: u64) {
        let (first, last) = self.times.unwrap_or((first_ms, last_ms));
        self.times = Some((first.min(first_ms), last.max(last_ms)));
    }

    /// Milliseconds from the first drop to the last.
    pub(crate) fn lasted_ms(&self) -> u64 {
        let (first, last) = self.times.unwrap_or_default();
        last.saturating_sub(first)
    }

    /// The keys, in the order in which they were added.
    pub(crate) fn drops<'a>(&self, window: &'a Window<'_>) -> impl Iterator<Item = &'a DropCount> {
        let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
        self.keys.iter().filter_map(|index| counts.get(*index))
    }

    /// The sampled packets of the keys.
    pub(crate) fn samples<'a>(
        &self,
        window: &'a Window<'_>,
    ) -> impl Iterator<Item = &'a PacketSample> {
        self.keys.iter().flat_map(|key| window.samples_of(*key))
    }

    /// Too few packets of some key were seen.
    pub(crate) fn lacks_samples(&self, window: &Window<'_>) -> bool {
        self.keys.iter().any(|key| window.lacks_samples(*key))
    }

    /// Gives the finding the number of drops, and the times of the first and the last.
    pub(crate) fn measure(&self, finding: &mut Finding) {
        finding.count = self.count;
        (finding.first_ms, finding.last_ms) = self.times.unwrap_or_default();
    }
}

impl<'a> FromIterator<(usize, &'a DropCount)> for Tally {
    fn from_iter<I: IntoIterator<Item = (usize, &'a DropCount)>>(keys: I) -> Self {
        let mut tally = Self::default();
        for (index, key) in keys {
            tally.add(index, key);
        }
        tally
    }
}

/// The drop keys, with their indices, that no earlier check has explained.
pub(crate) fn unclaimed<'a>(
    window: &'a Window<'_>,
    so_far: &Outcome,
) -> impl Iterator<Item = (usize, &'a DropCount)> {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let keys = counts.iter().enumerate();
    keys.filter(|(index, key)| key.count > 0 && !so_far.claims.has(*index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        causes::RING_FULL,
        finding::{Assessment, Subject},
        testing::{NODE, drops_of, first_drop_claimed, ipv4_drops, text, window},
    };

    fn key(count: u64, first_ms: u64, last_ms: u64) -> DropCount {
        DropCount {
            first_ms,
            last_ms,
            ..ipv4_drops(NODE, 2, "NO_SOCKET", "udp_rcv", count)
        }
    }

    #[test]
    fn keys_add_up_and_span_their_time() {
        let keys = [key(5, 300, 400), key(u64::MAX, 100, 350)];
        let mut tally: Tally = [(4, &keys[0])].into_iter().collect();
        let other: Tally = [(7, &keys[1])].into_iter().collect();
        tally.merge(&other);
        tally.merge(&Tally::default());
        let mut finding = Finding::new(&RING_FULL, Assessment::none(), Subject::default(), text());
        tally.measure(&mut finding);
        assert_eq!(tally.keys, [4, 7]);
        assert_eq!(
            (finding.count, finding.first_ms, finding.last_ms),
            (u64::MAX, 100, 400)
        );
    }

    #[test]
    fn its_samples_are_those_of_its_keys() {
        let mut window = window(Vec::new(), vec![key(1, 0, 0), key(2, 0, 0)]);
        let sample = |key| PacketSample {
            key,
            ..PacketSample::default()
        };
        drops_of(&mut window).samples = vec![sample(0), sample(1), sample(1), sample(9)];
        let tally = Tally {
            keys: vec![1, 8],
            ..Tally::default()
        };
        let window = Window::of(&window);
        assert_eq!(tally.samples(&window).count(), 2);
        assert_eq!(tally.drops(&window).map(|key| key.count).sum::<u64>(), 2);
    }

    #[test]
    fn claimed_and_empty_keys_are_left_out() {
        let window = window(Vec::new(), vec![key(3, 0, 0), key(0, 0, 0), key(2, 0, 0)]);
        let left: Vec<usize> = unclaimed(&Window::of(&window), &first_drop_claimed())
            .map(|(index, _)| index)
            .collect();
        assert_eq!(left, [2]);
    }
}
