//! The rules of nftables that refuse, found along the jumps from the hooks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use netdiag_diagnosis::evidence::{
    FilterBackend, FilterFamily, FilterHook, FilterRule, FilterVerdict, RefusedPort,
};

use super::{
    Rules,
    elements::{self, Map},
    expressions::{self, Rule, Verdict, be32, be64, terminated, text},
    socket::{Failure, FilterSocket},
};
use crate::sources::attributes::{attributes, push};

const NFT_MSG_GETCHAIN: u8 = 4;
const NFT_MSG_GETRULE: u8 = 7;
/// Chains that are entered, each once a hook. Tables with more have most of them for translation, which is not looked at.
const MOST_CHAINS: usize = 4_096;

/// A chain by its family, its table and its name.
type ChainName = (u8, String, String);

/// A chain with a hook.
struct BaseChain {
    name: ChainName,
    hook: FilterHook,
    /// Its policy drops.
    drops: bool,
    /// Packets that met the policy, where the kernel counts them.
    packets: Option<u64>,
}

/// Reads what the agent's own namespace has.
///
/// # Errors
/// See [`Failure`]. What was read before is kept in `rules`.
pub(super) fn read(socket: &FilterSocket, rules: &mut Rules) -> Result<(), Failure> {
    let mut bases = Vec::new();
    socket.list(NFT_MSG_GETCHAIN, 0, &[], |family, message| {
        bases.extend(base_chain(family, message));
    })?;
    let mut walk = Walk {
        socket,
        chains: HashMap::new(),
        maps: HashMap::new(),
        hooks: BTreeMap::new(),
    };
    let mut result = Ok(());
    for base in &bases {
        if base.drops {
            rules.rules.push(policy(base));
        }
        result = walk.enter(base);
        if result.is_err() {
            break;
        }
    }
    walk.finish(rules);
    result
}

struct Walk<'a> {
    socket: &'a FilterSocket,
    chains: HashMap<ChainName, Vec<Rule>>,
    maps: HashMap<ChainName, Map>,
    /// The hooks from which each chain is reached.
    hooks: BTreeMap<ChainName, BTreeSet<FilterHook>>,
}

impl Walk<'_> {
    /// Follows the jumps from a chain with a hook.
    fn enter(&mut self, base: &BaseChain) -> Result<(), Failure> {
        let mut entered: Vec<ChainName> = vec![base.name.clone()];
        while let Some(chain) = entered.pop() {
            if self.hooks.len() >= MOST_CHAINS {
                return Err(Failure::Budget);
            }
            if !self
                .hooks
                .entry(chain.clone())
                .or_default()
                .insert(base.hook)
            {
                continue;
            }
            if !self.chains.contains_key(&chain) {
                let rules = self.rules_of(&chain)?;
                self.chains.insert(chain.clone(), rules);
            }
            let rules = self.chains.get(&chain).map_or(&[][..], Vec::as_slice);
            let mut verdicts: Vec<Verdict> = Vec::new();
            let mut maps: Vec<ChainName> = Vec::new();
            for rule in rules {
                verdicts.extend(rule.verdict.clone());
                let map = rule.map.clone();
                maps.extend(map.map(|map| (chain.0, chain.1.clone(), map)));
            }
            for map in maps {
                if !self.maps.contains_key(&map) {
                    let read = elements::read(self.socket, &map)?;
                    self.maps.insert(map.clone(), read);
                }
                let map = self.maps.get(&map).into_iter();
                verdicts.extend(map.flat_map(|map| map.verdicts.iter().cloned()));
            }
            entered.extend(verdicts.into_iter().filter_map(|verdict| match verdict {
                Verdict::Enter(name) => Some((chain.0, chain.1.clone(), name)),
                Verdict::Refuse(_) => None,
            }));
        }
        Ok(())
    }

    fn rules_of(&self, (family, table, chain): &ChainName) -> Result<Vec<Rule>, Failure> {
        const NFTA_RULE_TABLE: u16 = 1;
        const NFTA_RULE_CHAIN: u16 = 2;
        let mut request = Vec::new();
        push(&mut request, NFTA_RULE_TABLE, &terminated(table));
        push(&mut request, NFTA_RULE_CHAIN, &terminated(chain));
        let mut rules = Vec::new();
        self.socket
            .list(NFT_MSG_GETRULE, *family, &request, |_, message| {
                rules.push(expressions::rule(message));
            })?;
        Ok(rules)
    }

    fn finish(self, rules: &mut Rules) {
        for (chain, hooks) in &self.hooks {
            let of_chain = self.chains.get(chain).into_iter().flatten();
            let refusing = of_chain.filter_map(|rule| {
                let verdict = self.refusal(chain, rule)?;
                Some(FilterRule {
                    number: Some(rule.handle),
                    verdict,
                    // Of a map's packets only some are refused.
                    packets: rule.packets.filter(|_| rule.map.is_none()),
                    comment: rule.comment.clone(),
                    ..in_chain(chain, hooks.iter().copied())?
                })
            });
            rules.rules.extend(refusing);
        }
        let ports = self.maps.into_values().flat_map(|map| map.ports);
        let mut ports: Vec<RefusedPort> = ports.collect();
        ports.sort_by_key(|port| (port.address, port.protocol, port.port));
        rules.ports.extend(ports);
    }

    fn refusal(&self, chain: &ChainName, rule: &Rule) -> Option<FilterVerdict> {
        let map = rule.map.as_ref().and_then(|map| {
            let name = (chain.0, chain.1.clone(), map.clone());
            self.maps.get(&name)
        });
        let verdicts = map.map_or(&[][..], |map| &map.verdicts);
        let mut verdicts = rule.verdict.iter().chain(verdicts);
        verdicts.find_map(|verdict| match verdict {
            Verdict::Refuse(verdict) => Some(*verdict),
            Verdict::Enter(_) => None,
        })
    }
}

fn policy(base: &BaseChain) -> FilterRule {
    FilterRule {
        packets: base.packets,
        ..in_chain(&base.name, [base.hook]).unwrap_or_default()
    }
}

fn in_chain(
    (family, table, chain): &ChainName,
    hooks: impl IntoIterator<Item = FilterHook>,
) -> Option<FilterRule> {
    Some(FilterRule {
        backend: FilterBackend::Nftables,
        family: family_of(*family)?,
        table: table.clone(),
        chain: chain.clone(),
        hooks: hooks.into_iter().collect(),
        ..FilterRule::default()
    })
}

/// A chain with a hook that sees packets to filter them. Those that translate addresses are passed over: kube-proxy's are
/// the longest of all, and nothing refuses packets there.
fn base_chain(family: u8, message: &[u8]) -> Option<BaseChain> {
    const NFTA_CHAIN_TABLE: u16 = 1;
    const NFTA_CHAIN_NAME: u16 = 3;
    const NFTA_CHAIN_HOOK: u16 = 4;
    const NFTA_CHAIN_POLICY: u16 = 5;
    const NFTA_CHAIN_TYPE: u16 = 7;
    const NFTA_CHAIN_COUNTERS: u16 = 8;
    const NFTA_HOOK_HOOKNUM: u16 = 1;
    const NFTA_COUNTER_PACKETS: u16 = 2;
    const NF_DROP: u32 = 0;

    let part = |kind| attributes(message).find(|one| one.kind == kind);
    let hook = part(NFTA_CHAIN_HOOK)?;
    let number = hook.nested().find(|one| one.kind == NFTA_HOOK_HOOKNUM)?;
    let name = text(message, NFTA_CHAIN_NAME)?;
    let table = text(message, NFTA_CHAIN_TABLE)?;
    if text(message, NFTA_CHAIN_TYPE)? == "nat" {
        return None;
    }
    let policy = part(NFTA_CHAIN_POLICY).and_then(|policy| be32(policy.value));
    let counters = part(NFTA_CHAIN_COUNTERS).and_then(|counters| {
        let mut parts = counters.nested();
        parts.find(|one| one.kind == NFTA_COUNTER_PACKETS)
    });
    Some(BaseChain {
        hook: hook_of(family_of(family)?, be32(number.value)?)?,
        name: (family, table, name),
        drops: policy == Some(NF_DROP),
        packets: counters.and_then(|packets| be64(packets.value)),
    })
}

/// NFPROTO_* of include/uapi/linux/netfilter.h.
fn family_of(number: u8) -> Option<FilterFamily> {
    Some(match number {
        1 => FilterFamily::Inet,
        2 => FilterFamily::Ip,
        3 => FilterFamily::Arp,
        5 => FilterFamily::Netdev,
        7 => FilterFamily::Bridge,
        10 => FilterFamily::Ip6,
        _ => return None,
    })
}

/// `enum nf_inet_hooks`, `nf_dev_hooks`, and those of ARP.
fn hook_of(family: FilterFamily, number: u32) -> Option<FilterHook> {
    use FilterHook::{Egress, Forward, Ingress, Input, Output, Postrouting, Prerouting};
    let hooks: &[FilterHook] = match family {
        FilterFamily::Netdev => &[Ingress, Egress],
        FilterFamily::Arp => &[Input, Output, Forward],
        _ => &[Prerouting, Input, Forward, Output, Postrouting, Ingress],
    };
    hooks.get(usize::try_from(number).ok()?).copied()
}
