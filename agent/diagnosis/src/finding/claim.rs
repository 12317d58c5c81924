//! A detector's claim on dropped packets, which the ledger books.

use std::{collections::HashSet, ops::Deref};

use super::FindingId;

/// The verdict on a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nobody misses the packet.
    Benign,
    /// Somebody wanted it.
    Harmful,
    /// Not known.
    Unknown,
}

/// A detector's word on one key of the drop evidence: what it was and the finding that explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Index into [`crate::evidence::Drops::counts`].
    pub drop: usize,
    /// The verdict on the drop.
    pub verdict: Verdict,
    /// Protocol by name, when known: `LLDP`.
    pub protocol: Option<String>,
    /// The finding that explains it; `None` where nobody misses so few packets and no finding tells of them.
    pub finding: Option<FindingId>,
}

/// Claims on drops. A drop is claimed once: the first claim stands.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    list: Vec<Claim>,
    drops: HashSet<usize>,
}

impl Claims {
    /// Some detector has explained this drop key.
    pub fn has(&self, drop: usize) -> bool {
        self.drops.contains(&drop)
    }
}

impl Deref for Claims {
    type Target = [Claim];

    fn deref(&self) -> &[Claim] {
        &self.list
    }
}

impl Extend<Claim> for Claims {
    fn extend<I: IntoIterator<Item = Claim>>(&mut self, claims: I) {
        let drops = &mut self.drops;
        let first = claims.into_iter().filter(|claim| drops.insert(claim.drop));
        self.list.extend(first);
    }
}

impl FromIterator<Claim> for Claims {
    fn from_iter<I: IntoIterator<Item = Claim>>(claims: I) -> Self {
        let mut all = Self::default();
        all.extend(claims);
        all
    }
}

impl IntoIterator for Claims {
    type Item = Claim;
    type IntoIter = std::vec::IntoIter<Claim>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
