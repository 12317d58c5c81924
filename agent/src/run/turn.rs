//! The turn of a node: nodes whose windows end together write their results one after the other.

use std::time::Duration;

use netdiag_crds::limits;

/// The wait of this node before it writes what a window saw: its own place within the seconds over which the nodes of a
/// run are spread. It is the same each time, so that windows back to back are heard of at equal intervals.
pub(super) fn turn(node: &str, spread_seconds: i32) -> Duration {
    let spread = u64::try_from(spread_seconds.clamp(0, limits::SPREAD_SECONDS)).unwrap_or_default();
    let milliseconds = spread * 1000;
    Duration::from_millis(fnv1a(node.as_bytes()) % milliseconds.max(1))
}

/// FNV-1a, 64 bit: names that differ in their last letter are far apart after the multiplication that follows it.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_take_turns_over_the_whole_spread() {
        let mut seconds = [0; 25];
        for number in 0..5000 {
            let wait = turn(&format!("node-{number:04}"), 25);
            seconds[usize::try_from(wait.as_secs()).unwrap()] += 1;
        }
        let (least, most) = (seconds.iter().min(), seconds.iter().max());
        assert!(least >= Some(&140) && most <= Some(&260), "{seconds:?}");
    }

    #[test]
    fn a_turn_is_the_same_each_time_and_none_without_a_spread() {
        assert_eq!(turn("a", 25), turn("a", 25));
        assert_ne!(turn("a", 25), turn("b", 25));
        assert_eq!(turn("a", 0), Duration::ZERO);
        assert_eq!(turn("a", -7), Duration::ZERO);
        assert!(turn("a", i32::MAX) < Duration::from_secs(30));
    }
}
