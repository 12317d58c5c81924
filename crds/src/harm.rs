//! Whom a finding hurts, and whose change would end it, as words that programs compare.

/// The effect on the packets of a finding. The order is the order of harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// Nobody misses them: a copy, old data, nobody's frames.
    #[default]
    None,
    /// Everything arrives, with more CPU or less throughput.
    Cost,
    /// Nothing tells wanted from unwanted packets, or nobody tried often enough to tell.
    Unknown,
    /// Wanted packets arrive late.
    Delay,
    /// Wanted packets are gone.
    Loss,
    /// Of a flow, a service or a device nothing gets through.
    Outage,
}

impl Harm {
    /// From the least to the worst.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Cost,
        Self::Unknown,
        Self::Delay,
        Self::Loss,
        Self::Outage,
    ];

    /// The word that resources use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Cost => "Cost",
            Self::Unknown => "Unknown",
            Self::Delay => "Delay",
            Self::Loss => "Loss",
            Self::Outage => "Outage",
        }
    }

    /// The harm of a status field. Of a newer agent's word nothing is known.
    pub fn from_status(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|harm| harm.as_str() == word);
        known.unwrap_or(Self::Unknown)
    }

    /// True if wanted packets never arrive.
    pub fn is_loss(self) -> bool {
        self >= Self::Loss
    }
}

/// The suffering of traffic from a finding: the harm, and what is proved of connections. The order is the order of harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suffering {
    /// The effect on the packets.
    pub harm: Harm,
    /// Of an outage: samples prove that connections died.
    pub connections_died: bool,
}

impl From<Harm> for Suffering {
    /// Of connections nothing is proved.
    fn from(harm: Harm) -> Self {
        Self {
            harm,
            connections_died: false,
        }
    }
}

/// The place where a change would end a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Culprit {
    /// On this node.
    Here,
    /// On another host, at the peer, on the wire.
    Elsewhere,
    /// Not known.
    #[default]
    Unknown,
}

impl Culprit {
    /// The word that resources use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "Here",
            Self::Elsewhere => "Elsewhere",
            Self::Unknown => "Unknown",
        }
    }

    /// The culprit of a status field. A newer agent's word names none that is known.
    pub fn from_status(word: &str) -> Self {
        match word {
            "Here" => Self::Here,
            "Elsewhere" => Self::Elsewhere,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_order_go_together() {
        assert!(Harm::ALL.is_sorted());
        for harm in Harm::ALL {
            assert_eq!(Harm::from_status(harm.as_str()), harm);
        }
        assert_eq!(Harm::from_status("Catastrophe"), Harm::Unknown);
        let losses = Harm::ALL.into_iter().filter(|harm| harm.is_loss());
        assert_eq!(losses.collect::<Vec<_>>(), [Harm::Loss, Harm::Outage]);
        for culprit in [Culprit::Here, Culprit::Elsewhere, Culprit::Unknown] {
            assert_eq!(Culprit::from_status(culprit.as_str()), culprit);
        }
        assert_eq!(Culprit::from_status("Nearby"), Culprit::Unknown);
    }
}
