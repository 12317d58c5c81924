//! The outcome of a run over all nodes: what is said first of it. Judges; `sentences` words it.

use netdiag_crds::harm::Harm;

use super::{
    loose::{Loose, Packets},
    standing::{Share, Standing, Standings},
};

/// The subject of the first clause. Decisions never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Nodes are affected.
    Affected,
    /// Delay, loss or an outage on these nodes that asks for no act.
    Minor(Harm, Share),
    /// No loss is proven, and no node could look in full.
    Unseen,
    /// Drops on these nodes of which nothing tells wanted from unwanted, or findings that nobody has judged.
    Untold(Share),
    /// Packets were lost, and what explains them is not among what was asked for.
    LostUnasked(Packets<'a>),
    /// Packets that nothing explains.
    Unexplained(Packets<'a>),
    /// These nodes are slower than they must be.
    Costly(Share),
    /// No loss was found where nodes could look.
    NoLoss,
}

impl<'a> Outcome<'a> {
    /// The outcome of nodes that stand like this.
    pub fn of(standings: &Standings<'_>, loose: &Loose<'a>) -> Self {
        let worst = standings.worst();
        match worst {
            Standing::Affected(_) => return Self::Affected,
            Standing::Minor(harm) => return Self::Minor(harm, standings.share(worst)),
            _ if standings.is_all_blind() => return Self::Unseen,
            Standing::Unknown => return Self::Untold(standings.share(worst)),
            Standing::Unseen | Standing::Costly | Standing::Harmless | Standing::Clean => {}
        }
        if let Some(lost) = loose.lost {
            return Self::LostUnasked(lost);
        }
        if let Some(unexplained) = loose.unexplained {
            return Self::Unexplained(unexplained);
        }
        let costly = standings.share(Standing::Costly);
        if costly.nodes > 0 {
            Self::Costly(costly)
        } else {
            Self::NoLoss
        }
    }

    /// True for nodes that what is said first is about.
    pub fn is_about(self, standing: Standing) -> bool {
        match self {
            Self::Affected => matches!(standing, Standing::Affected(_)),
            Self::Minor(harm, _) => standing == Standing::Minor(harm),
            Self::Untold(_) => standing == Standing::Unknown,
            Self::Costly(_) => standing == Standing::Costly,
            Self::Unseen | Self::LostUnasked(_) | Self::Unexplained(_) | Self::NoLoss => false,
        }
    }
}
