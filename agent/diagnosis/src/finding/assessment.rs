//! The judgement of a finding: its harm, whether it is a decision, who can end it; and the urgency that follows.

use super::{Culprit, Decision, Harm, Severity, Share, Verdict};

/// Packets from which loss can be a warning, and from which it can be critical.
const WARN_PACKETS: u64 = 3;
const CRITICAL_PACKETS: u64 = 30;
/// The shares, as lower bounds, above which loss is a warning, and critical.
const WARN_SHARE: f64 = 0.001;
const CRITICAL_SHARE: f64 = 0.01;

/// A detector's judgement of what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The harm.
    pub harm: Harm,
    /// The maker of the decision; `None` where it is none.
    pub decision: Option<Decision>,
    /// The place where a change would end it.
    pub culprit: Culprit,
    /// The packets that were harmed; `None` where nothing counts them.
    pub packets: Option<u64>,
    /// More packets may have been harmed than `packets`, which only samples prove.
    pub is_least: bool,
    /// Packets carried in the same direction meanwhile, by which the share is judged; `None` where nothing counts them.
    pub carried: Option<u64>,
    /// The destination is nobody's whom this node serves, or had gone away: a poller of an address that is gone, a scan.
    pub is_towards_nobody: bool,
    /// The flows that were seen, the most frequent first.
    pub flows: Vec<String>,
    /// These flows are connections of which nothing got through any more.
    pub are_flows_dead: bool,
    /// The urgency that it has from 3 packets on, whatever else follows: too few packets were seen to exclude a cause
    /// that is so urgent.
    pub at_least: Severity,
}

impl Assessment {
    /// A harm whose culprit and packets are not known.
    pub fn of(harm: Harm) -> Self {
        Self {
            harm,
            decision: None,
            culprit: Culprit::Unknown,
            packets: None,
            is_least: false,
            carried: None,
            is_towards_nobody: false,
            flows: Vec::new(),
            are_flows_dead: false,
            at_least: Severity::Info,
        }
    }

    /// No harm.
    pub fn none() -> Self {
        Self::of(Harm::None)
    }

    /// Wanted packets are gone, out of a known number or not.
    pub fn loss(packets: u64, carried: Option<u64>) -> Self {
        Self {
            packets: Some(packets),
            carried,
            ..Self::of(Harm::Loss)
        }
    }

    /// So many packets got no further, as this meant it.
    pub fn decided(by: Decision, harm: Harm, packets: u64) -> Self {
        Self {
            decision: Some(by),
            packets: Some(packets),
            ..Self::of(harm)
        }
    }

    /// A rule, a policy, a closed port or a shaper meant it so.
    pub fn is_decision(&self) -> bool {
        self.decision.is_some()
    }

    /// The verdict of the ledger on the drops that are so judged.
    pub fn verdict(&self) -> Verdict {
        match self.harm {
            _ if self.is_decision() => Verdict::Unknown,
            Harm::None | Harm::Cost => Verdict::Benign,
            Harm::Delay | Harm::Loss | Harm::Outage => Verdict::Harmful,
            Harm::Unknown => Verdict::Unknown,
        }
    }

    /// The same with its culprit.
    pub fn by(self, culprit: Culprit) -> Self {
        Self { culprit, ..self }
    }

    /// The same with the number of packets that were harmed.
    pub fn with_packets(self, packets: u64) -> Self {
        Self {
            packets: Some(packets),
            ..self
        }
    }

    /// The same with a number that is a lower bound, where that is so.
    pub fn or_more(self, is_least: bool) -> Self {
        Self { is_least, ..self }
    }

    /// The same with the packets that were carried meanwhile.
    pub fn out_of(self, carried: Option<u64>) -> Self {
        Self { carried, ..self }
    }

    /// The same with the flows that were seen.
    pub fn with_flows(self, flows: Vec<String>) -> Self {
        Self { flows, ..self }
    }

    /// The same, no less urgent than this.
    pub fn no_less_than(self, severity: Severity) -> Self {
        Self {
            at_least: self.at_least.max(severity),
            ..self
        }
    }

    /// The lost part of all packets, where both are known.
    pub fn share(&self) -> Option<Share> {
        Some(Share {
            lost: self.packets?,
            carried: self.carried?,
        })
    }

    /// The urgency. It follows from the judgement only: no fixed rate decides it.
    pub fn severity(&self) -> Severity {
        let is_one_of_few = self.packets.is_some_and(|packets| packets < WARN_PACKETS);
        let proved = self.proved_severity();
        if is_one_of_few || self.is_towards_nobody {
            proved
        } else {
            proved.max(self.at_least)
        }
    }

    fn proved_severity(&self) -> Severity {
        match self.harm {
            _ if self.is_decision() => Severity::Info,
            Harm::Outage if self.is_towards_nobody => Severity::Info,
            Harm::Outage if self.culprit == Culprit::Here => Severity::Critical,
            Harm::Outage => Severity::Warning,
            Harm::Loss if self.is_towards_nobody => Severity::Info,
            Harm::Loss => self.by_share(),
            Harm::Delay => self.by_share().min(Severity::Warning),
            Harm::None | Harm::Cost | Harm::Unknown => Severity::Info,
        }
    }

    fn by_share(&self) -> Severity {
        let Some(packets) = self.packets else {
            return Severity::Warning;
        };
        let Some(share) = self.share().map(Share::lower_bound) else {
            return match packets {
                ..WARN_PACKETS => Severity::Info,
                _ => Severity::Warning,
            };
        };
        if share > CRITICAL_SHARE && packets >= CRITICAL_PACKETS {
            Severity::Critical
        } else if share > WARN_SHARE && packets >= WARN_PACKETS {
            Severity::Warning
        } else {
            Severity::Info
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Severity::*, *};

    fn loss(packets: u64, carried: u64) -> Severity {
        Assessment::loss(packets, Some(carried)).severity()
    }

    #[test]
    fn loss_is_as_urgent_as_its_share_proves() {
        assert_eq!(loss(2, 0), Info);
        assert_eq!(loss(3, 0), Warning);
        assert_eq!(loss(3, 99_997), Info);
        assert_eq!(loss(29, 100), Warning);
        assert_eq!(loss(30, 100), Critical);
        assert_eq!(loss(155, 19_245), Warning);
        assert_eq!(loss(1_000, 10_000_000), Info);
    }

    #[test]
    fn loss_without_a_share_is_never_critical() {
        let without = |packets| Assessment::loss(packets, None).severity();
        assert_eq!(without(2), Info);
        assert_eq!(without(3), Warning);
        assert_eq!(without(u64::MAX), Warning);
        assert_eq!(Assessment::of(Harm::Loss).severity(), Warning);
    }

    #[test]
    fn an_outage_is_critical_where_a_change_here_ends_it() {
        let outage = Assessment::of(Harm::Outage);
        assert_eq!(outage.clone().by(Culprit::Here).severity(), Critical);
        assert_eq!(outage.clone().by(Culprit::Elsewhere).severity(), Warning);
        assert_eq!(outage.clone().severity(), Warning);
        let nobody = Assessment {
            is_towards_nobody: true,
            ..outage.by(Culprit::Here)
        };
        assert_eq!(nobody.severity(), Info);
    }

    #[test]
    fn what_nobody_could_see_keeps_the_urgency_that_it_may_have() {
        let unseen = |packets| Assessment::loss(packets, Some(1_000_000)).no_less_than(Critical);
        assert_eq!(unseen(2).severity(), Info);
        assert_eq!(unseen(3).severity(), Critical);
        let milder = unseen(3).no_less_than(Warning);
        assert_eq!(milder.severity(), Critical);
    }

    #[test]
    fn delay_is_at_most_a_warning_and_a_decision_is_info() {
        let late = Assessment {
            harm: Harm::Delay,
            ..Assessment::loss(500, Some(1_000))
        };
        assert_eq!(late.severity(), Warning);
        for harm in Harm::ALL {
            assert_eq!(
                Assessment::decided(Decision::Rule, harm, 1_000).severity(),
                Info
            );
        }
        for harm in [Harm::None, Harm::Cost, Harm::Unknown] {
            assert_eq!(Assessment::of(harm).with_packets(1_000).severity(), Info);
        }
    }
}
