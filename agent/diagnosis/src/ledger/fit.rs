//! The share of a counter's increase that each drop key explains, although counter and drops are read at different
//! instants.

/// The number of packets of one drop key that the counter can have seen within its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) at_least: u64,
    pub(super) at_most: u64,
}

/// Divides `increase` among the keys. The sum of the answer is never above `increase`, and what is missing to it is
/// unexplained.
///
/// - An increase above every key's maximum is explained as far as they go.
/// - One within the summed ranges is explained whole: the keys' slack takes the difference.
/// - One below every key's minimum is cut in proportion: the counter cannot have seen more than it counted.
pub(super) fn fit(increase: u64, ranges: &[Range]) -> Vec<u64> {
    let most: Vec<u64> = ranges.iter().map(|range| range.at_most).collect();
    let least: Vec<u64> = ranges
        .iter()
        .map(|range| range.at_least.min(range.at_most))
        .collect();
    let increase = u128::from(increase);
    if increase >= sum(&most) {
        return most;
    }
    let Some(above_least) = increase.checked_sub(sum(&least)) else {
        return divide(increase, &least);
    };
    let slack: Vec<u64> = most
        .iter()
        .zip(&least)
        .map(|(most, least)| most - least)
        .collect();
    least
        .iter()
        .zip(divide(above_least, &slack))
        .map(|(least, more)| least + more)
        .collect()
}

/// The largest possible error in the booking of these keys.
pub(super) fn uncertainty(ranges: &[Range]) -> u64 {
    ranges.iter().fold(0, |width, range| {
        width.saturating_add(range.at_most.saturating_sub(range.at_least))
    })
}

/// Divides `total` in proportion to `weights`, in whole numbers, none above its weight. `total` must not be above the
/// sum of the weights; what rounding leaves over goes to the first that have room.
fn divide(total: u128, weights: &[u64]) -> Vec<u64> {
    let all = sum(weights);
    if all == 0 {
        return vec![0; weights.len()];
    }
    let mut parts: Vec<u64> = weights
        .iter()
        .map(|weight| {
            // At most `weight`, because total <= all; the product cannot overflow while all < 2^64, else it saturates.
            let part = u128::from(*weight).saturating_mul(total) / all;
            u64::try_from(part).map_or(*weight, |part| part.min(*weight))
        })
        .collect();
    let mut left = total.saturating_sub(sum(&parts));
    for (part, weight) in parts.iter_mut().zip(weights) {
        let more = u64::try_from(left).map_or(weight - *part, |left| left.min(weight - *part));
        *part += more;
        left -= u128::from(more);
    }
    parts
}

fn sum(values: &[u64]) -> u128 {
    values.iter().map(|value| u128::from(*value)).sum()
}

#[cfg(test)]
mod tests {
    use super::{Range, fit};

    fn range(at_least: u64, at_most: u64) -> Range {
        Range { at_least, at_most }
    }

    #[test]
    fn a_counter_above_the_drops_is_explained_as_far_as_they_go() {
        assert_eq!(fit(12, &[range(7, 7), range(3, 3)]), [7, 3]);
    }

    #[test]
    fn a_counter_within_the_ranges_is_explained_whole() {
        assert_eq!(fit(9, &[range(6, 8), range(1, 3)]), [7, 2]);
    }

    #[test]
    fn a_counter_below_the_drops_is_never_overbooked() {
        assert_eq!(fit(5, &[range(8, 9), range(2, 2)]), [4, 1]);
    }

    #[test]
    fn numbers_at_the_edge_of_their_type_do_not_overflow() {
        let ranges = [range(u64::MAX, u64::MAX), range(0, u64::MAX)];
        assert_eq!(fit(u64::MAX, &ranges), [u64::MAX, 0]);
        assert_eq!(fit(0, &ranges), [0, 0]);
    }

    #[test]
    fn an_at_least_above_the_count_is_held_to_the_count() {
        assert_eq!(fit(2, &[range(9, 3)]), [2]);
    }
}
