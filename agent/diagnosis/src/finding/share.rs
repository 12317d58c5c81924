//! The part of the packets that was lost, with what chance leaves open.

/// Lost packets, and the packets of the same direction that were carried meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Packets that were lost.
    pub lost: u64,
    /// Packets that were carried; the lost ones are not among them.
    pub carried: u64,
}

/// The standard normal quantile of a two-sided confidence of 95 %.
const Z: f64 = 1.96;

impl Share {
    /// The lower bound of the share in which packets are lost, by Wilson's score interval at 95 %; 0 without packets.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 52 bits"
    )]
    pub fn lower_bound(self) -> f64 {
        let all = self.lost as f64 + self.carried as f64;
        if all == 0.0 {
            return 0.0;
        }
        let share = self.lost as f64 / all;
        let square = Z * Z;
        let centre = share + square / (2.0 * all);
        let width = Z * (share * (1.0 - share) / all + square / (4.0 * all * all)).sqrt();
        ((centre - width) / (1.0 + square / all)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(lost: u64, carried: u64) -> f64 {
        Share { lost, carried }.lower_bound()
    }

    #[test]
    fn few_packets_prove_a_small_share_only() {
        assert!((bound(1, 0) - 0.2065).abs() < 0.001);
        assert!((bound(3, 99_997) - 0.000_010_2).abs() < 0.000_001);
        assert!((bound(155, 19_245) - 0.006_83).abs() < 0.000_1);
    }

    #[test]
    fn nothing_and_everything_are_within_bounds() {
        assert_eq!(bound(0, 0), 0.0);
        assert_eq!(bound(0, 1_000), 0.0);
        let all = bound(u64::MAX, 0);
        assert!((0.999..=1.0).contains(&all), "{all}");
    }
}
