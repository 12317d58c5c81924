//! The rules that can have refused packets.

use super::services;
use crate::{
    evidence::{DropCount, FilterBackend, FilterFamily, FilterHook, FilterRule, PacketFilter},
    kernel::site,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// As many rules are named.
const MOST_NAMED: usize = 5;

/// The way of packets when a rule refused them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// From a program of that namespace.
    Out,
    /// Into the namespace or through it.
    In,
}

/// The rules that refused packets, or those of which one did.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Suspects<'a> {
    /// The rules, those whose counter rose most first.
    pub(super) rules: Vec<&'a FilterRule>,
    /// More of them, which are not named.
    pub(super) more: usize,
    /// Their counters rose by as much as was refused.
    pub(super) are_counted: bool,
    /// Counters of some rose; the others have none.
    pub(super) have_counters: bool,
}

impl<'a> Suspects<'a> {
    /// The rules on this way that can have refused packets of these keys.
    ///
    /// `taken`: packets of these keys that are explained otherwise.
    pub(super) fn of(
        filter: Option<&'a PacketFilter>,
        ways: &[Way],
        keys: &[(usize, &DropCount)],
        taken: u64,
    ) -> Self {
        let all = filter.map_or(&[][..], |filter| &filter.rules);
        let can = |rule: &&FilterRule| {
            services::named(rule).is_none()
                && rule
                    .hooks
                    .iter()
                    .any(|hook| ways.iter().any(|way| is_on(*way, *hook)))
                && keys.iter().any(|(_, key)| can_refuse(rule, key))
        };
        let risen: Vec<_> = all
            .iter()
            .filter(can)
            .filter(|rule| rule.increase().is_some_and(|increase| increase > 0))
            .collect();
        let counted: u64 = risen.iter().filter_map(|rule| rule.increase()).sum();
        let at_least: u64 = keys.iter().map(|(_, key)| key.at_least).sum();
        let at_least = at_least.saturating_sub(taken);
        let have_counters = !risen.is_empty();
        let are_counted = have_counters && counted >= at_least - at_least / 10;
        let mut rules = risen;
        if !are_counted {
            let uncounted = all.iter().filter(can);
            rules.extend(uncounted.filter(|rule| rule.increase().is_none()));
        }
        let more = rules.len().saturating_sub(MOST_NAMED);
        rules.truncate(MOST_NAMED);
        Self {
            rules,
            more,
            are_counted,
            have_counters,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule, where it is only one.
    pub(super) fn only(&self) -> Option<&'a FilterRule> {
        match self.rules[..] {
            [rule] if self.are_counted && self.more == 0 => Some(rule),
            _ => None,
        }
    }
}

/// Packets that rules which are there for no service counted, where all rules were read and each that can have refused
/// one of these keys has a counter.
pub(super) fn counted_by_others(
    filter: &PacketFilter,
    keys: &[(usize, &DropCount)],
) -> Option<u64> {
    let others = filter.rules.iter().filter(|rule| {
        !services::is_for_services(rule) && keys.iter().any(|(_, key)| can_refuse(rule, key))
    });
    let counted = others.map(FilterRule::increase).sum();
    filter.missing.is_empty().then_some(counted).flatten()
}

fn is_on(way: Way, hook: FilterHook) -> bool {
    use FilterHook::{Egress, Output, Postrouting};
    match way {
        Way::Out => matches!(hook, Output | Postrouting | Egress),
        Way::In => hook != Output,
    }
}

/// The rule sees packets of this key, and its refusals end at the key's function. From 6.7 on those of nftables have a
/// function of their own.
fn can_refuse(rule: &FilterRule, key: &DropCount) -> bool {
    let is_of_family = match rule.family {
        FilterFamily::Ip => key.ethertype == ETH_P_IP,
        FilterFamily::Ip6 => key.ethertype == ETH_P_IPV6,
        FilterFamily::Inet => matches!(key.ethertype, ETH_P_IP | ETH_P_IPV6),
        FilterFamily::Arp => !matches!(key.ethertype, ETH_P_IP | ETH_P_IPV6),
        FilterFamily::Bridge | FilterFamily::Netdev => true,
    };
    let is_of_nftables = key.location.is_of(&site::NFT_DO_CHAIN);
    is_of_family && (rule.backend == FilterBackend::Nftables || !is_of_nftables)
}
