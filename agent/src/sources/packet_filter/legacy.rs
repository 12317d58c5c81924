//! The rules of iptables-legacy and ip6tables-legacy that refuse, by getsockopt(2).
//!
//! Asking for a table that a namespace does not have makes it (`xt_find_table_lock`), so only those are read that
//! /proc/net/ip_tables_names lists.

use std::{fs, io, net::UdpSocket, ops::Range, os::fd::AsFd};

use netdiag_diagnosis::evidence::{
    FilterBackend, FilterFamily, FilterHook, FilterRule, FilterVerdict,
};

use super::{Rules, expressions::shortened, socket::MOST_BYTES};
use crate::sources::{
    attributes::{Attribute, array},
    system_calls,
};

/// IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES; those of IPv6 have the same numbers.
const GET_INFO: i32 = 64;
const GET_ENTRIES: i32 = 65;
/// `struct ipt_getinfo`.
const INFO: usize = 84;
/// The names of tables, of at most 32 bytes with the zero.
const NAME: usize = 32;
/// `struct ipt_get_entries` up to the entries.
const ENTRIES_AT: usize = 40;
/// NF_INET_NUMHOOKS, in the order of the kernel.
const HOOKS: [FilterHook; 5] = [
    FilterHook::Prerouting,
    FilterHook::Input,
    FilterHook::Forward,
    FilterHook::Output,
    FilterHook::Postrouting,
];

/// An IP version's tables.
struct Version {
    family: FilterFamily,
    /// The file that lists the tables.
    names: &'static str,
    /// An address to open a socket with.
    any: &'static str,
    level: i32,
    entry: Entry,
}

/// The layout of `struct ipt_entry` or `ip6t_entry`.
struct Entry {
    target_offset: usize,
    next_offset: usize,
    packets: usize,
    matches: usize,
}

const VERSIONS: [Version; 2] = [
    Version {
        family: FilterFamily::Ip,
        names: "/proc/thread-self/net/ip_tables_names",
        any: "0.0.0.0:0",
        level: libc::IPPROTO_IP,
        entry: Entry {
            target_offset: 88,
            next_offset: 90,
            packets: 96,
            matches: 112,
        },
    },
    Version {
        family: FilterFamily::Ip6,
        names: "/proc/thread-self/net/ip6_tables_names",
        any: "[::]:0",
        level: libc::IPPROTO_IPV6,
        entry: Entry {
            target_offset: 140,
            next_offset: 142,
            packets: 152,
            matches: 168,
        },
    },
];

/// Reads what the agent's own namespace has; nothing where no table is in use.
pub(super) fn read(rules: &mut Rules) {
    for version in &VERSIONS {
        let Ok(names) = fs::read_to_string(version.names) else {
            continue;
        };
        for table in names.lines().filter(|name| *name != "nat") {
            match version.read(table) {
                Ok(Some(found)) => rules.rules.extend(found),
                Ok(None) => rules.missing.push(format!(
                    "a legacy table holds more than {} MiB of rules",
                    MOST_BYTES >> 20
                )),
                Err(error) => rules
                    .missing
                    .push(format!("a legacy table could not be read: {error}")),
            }
        }
    }
}

impl Version {
    /// `None` where the table is too large.
    fn read(&self, table: &str) -> io::Result<Option<Vec<FilterRule>>> {
        let socket = UdpSocket::bind(self.any)?;
        let ask = |option, buffer: &mut [u8]| {
            if let Some(start) = buffer.get_mut(..table.len().min(NAME - 1)) {
                start.copy_from_slice(table.as_bytes().get(..start.len()).unwrap_or_default());
            }
            system_calls::read_option(socket.as_fd(), self.level, option, buffer)
        };
        let mut info = vec![0; INFO];
        ask(GET_INFO, &mut info)?;
        let size = array(&info, 80).map_or(0, u32::from_ne_bytes);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MOST_BYTES {
            return Ok(None);
        }
        let mut entries = vec![0; ENTRIES_AT + size];
        if let (Some(field), Ok(size)) = (entries.get_mut(NAME..NAME + 4), u32::try_from(size)) {
            field.copy_from_slice(&size.to_ne_bytes());
        }
        ask(GET_ENTRIES, &mut entries)?;
        let entries = entries.get(ENTRIES_AT..).unwrap_or_default();
        Ok(Some(self.rules_of(table, &info, entries)))
    }

    /// The rules that refuse, of a table's description and its entries.
    fn rules_of(&self, table: &str, info: &[u8], entries: &[u8]) -> Vec<FilterRule> {
        let chains = self.chains(info, entries);
        // The hooks from which each chain is reached.
        let mut hooks: Vec<Vec<FilterHook>> = vec![Vec::new(); chains.len()];
        for (start, chain) in chains.iter().enumerate() {
            let mut entered = Vec::new();
            if let Some(hook) = chain.hook {
                entered.push(start);
                while let Some(index) = entered.pop() {
                    let Some(of_chain) = hooks.get_mut(index) else {
                        continue;
                    };
                    if of_chain.contains(&hook) {
                        continue;
                    }
                    of_chain.push(hook);
                    let rules = chains.get(index).map_or(&[][..], |chain| &chain.rules);
                    entered.extend(rules.iter().filter_map(|rule| {
                        let to = rule.jump?;
                        chains.iter().position(|chain| chain.starts_at == to)
                    }));
                }
            }
        }
        let mut found = Vec::new();
        for (chain, hooks) in chains.iter().zip(hooks) {
            let last = chain.rules.len().saturating_sub(1);
            for (index, rule) in chain.rules.iter().enumerate() {
                let Some(verdict) = rule.verdict else {
                    continue;
                };
                let is_policy = chain.hook.is_some() && index == last;
                found.push(FilterRule {
                    backend: FilterBackend::Legacy,
                    family: self.family,
                    table: table.to_owned(),
                    chain: chain.name.clone(),
                    number: (!is_policy).then_some(index as u64 + 1),
                    verdict,
                    hooks: hooks.clone(),
                    packets_before: None,
                    packets: Some(rule.packets),
                    comment: rule.comment.clone(),
                });
            }
        }
        found
    }

    /// The chains: those of hooks, which end with their policy, and those that begin with an entry that names them.
    fn chains(&self, info: &[u8], entries: &[u8]) -> Vec<Chain> {
        const HOOK_ENTRY: usize = 36;
        const VALID_HOOKS: usize = 32;
        let valid = array(info, VALID_HOOKS).map_or(0, u32::from_ne_bytes);
        let start_of = |hook: usize| {
            let start = array(info, HOOK_ENTRY + 4 * hook).map(u32::from_ne_bytes)?;
            (valid & (1 << hook) != 0).then_some(start as usize)
        };
        let mut chains: Vec<Chain> = Vec::new();
        let mut at = 0;
        while let Some(entry) = self.entry.at(entries, at) {
            let hook = (0..HOOKS.len()).find(|hook| start_of(*hook) == Some(at));
            let next = entry.end;
            let error = self.entry.error_name(entries, &entry);
            if let Some(hook) = hook {
                chains.push(Chain {
                    name: format!("{:?}", HOOKS[hook]).to_uppercase(),
                    hook: HOOKS.get(hook).copied(),
                    starts_at: at,
                    rules: Vec::new(),
                });
            }
            match (error, chains.last_mut()) {
                (Some(name), _) => chains.push(Chain {
                    name,
                    hook: None,
                    starts_at: next,
                    rules: Vec::new(),
                }),
                (None, Some(chain)) => chain.rules.push(self.entry.rule(entries, &entry)),
                (None, None) => {}
            }
            at = next;
        }
        chains
    }
}

struct Chain {
    name: String,
    hook: Option<FilterHook>,
    starts_at: usize,
    rules: Vec<LegacyRule>,
}

struct LegacyRule {
    verdict: Option<FilterVerdict>,
    jump: Option<usize>,
    packets: u64,
    comment: Option<String>,
}

/// The bytes of one entry.
struct Span {
    matches: Range<usize>,
    target: usize,
    packets: u64,
    end: usize,
}

/// The name of a match or target (`struct xt_entry_match`): its length, 29 bytes, and its data behind these.
const NAME_AT: usize = 2;
const LONGEST_NAME: usize = 29;
const DATA_AT: usize = 32;

impl Entry {
    fn at(&self, entries: &[u8], at: usize) -> Option<Span> {
        let number = |offset| {
            Some(usize::from(u16::from_ne_bytes(array(
                entries,
                at + offset,
            )?)))
        };
        let (target, next) = (number(self.target_offset)?, number(self.next_offset)?);
        (target >= self.matches && next > target).then_some(())?;
        Some(Span {
            matches: at + self.matches..at + target,
            target: at + target,
            packets: u64::from_ne_bytes(array(entries, at + self.packets)?),
            end: at.checked_add(next)?,
        })
    }

    /// The name of the chain that this entry begins.
    fn error_name(&self, entries: &[u8], span: &Span) -> Option<String> {
        (name(entries, span.target)? == "ERROR").then_some(())?;
        Some(text(entries, span.target + DATA_AT, span.end))
    }

    fn rule(&self, entries: &[u8], span: &Span) -> LegacyRule {
        /// `-NF_DROP - 1`.
        const DROP: i32 = -1;
        let target = name(entries, span.target).unwrap_or_default();
        let standard = array(entries, span.target + DATA_AT).map(i32::from_ne_bytes);
        let standard = standard.filter(|_| target.is_empty());
        let verdict = match (target.as_str(), standard) {
            ("REJECT", _) => Some(FilterVerdict::Reject),
            (_, Some(DROP)) => Some(FilterVerdict::Drop),
            _ => None,
        };
        LegacyRule {
            verdict,
            jump: standard.and_then(|to| usize::try_from(to).ok()),
            packets: span.packets,
            comment: self.comment(entries, span),
        }
    }

    fn comment(&self, entries: &[u8], span: &Span) -> Option<String> {
        let mut at = span.matches.start;
        while at < span.matches.end {
            let size = usize::from(u16::from_ne_bytes(array(entries, at)?));
            let end = at.checked_add(size).filter(|end| *end > at)?;
            if name(entries, at)? == "comment" {
                return Some(shortened(&text(entries, at + DATA_AT, end)));
            }
            at = end;
        }
        None
    }
}

fn name(entries: &[u8], at: usize) -> Option<String> {
    let value = entries.get(at + NAME_AT..at + NAME_AT + LONGEST_NAME)?;
    Some(Attribute { kind: 0, value }.text())
}

fn text(entries: &[u8], start: usize, end: usize) -> String {
    let value = entries.get(start..end).unwrap_or_default();
    Attribute { kind: 0, value }.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of IPv4 with a target of this name and data.
    fn entry(target: &str, data: &[u8], packets: u64) -> Vec<u8> {
        let mut bytes = vec![0; 112];
        let mut end = vec![0; DATA_AT];
        end[NAME_AT..NAME_AT + target.len()].copy_from_slice(target.as_bytes());
        end.extend(data);
        end.resize(end.len().next_multiple_of(8), 0);
        let next = u16::try_from(112 + end.len()).unwrap();
        bytes[88..90].copy_from_slice(&112_u16.to_ne_bytes());
        bytes[90..92].copy_from_slice(&next.to_ne_bytes());
        bytes[96..104].copy_from_slice(&packets.to_ne_bytes());
        bytes.extend(end);
        bytes
    }

    #[test]
    fn rules_are_numbered_in_their_chains_and_reached_from_hooks() {
        let mut head = b"KUBE-FIREWALL".to_vec();
        head.resize(30, 0);
        let jump = entry("", &456_i32.to_ne_bytes(), 9);
        let rules = [
            jump.clone(),
            entry("REJECT", &[0; 4], 3),
            entry("", &(-1_i32).to_ne_bytes(), 2),
            entry("ERROR", &head, 0),
            entry("", &(-1_i32).to_ne_bytes(), 7),
        ];
        let start: usize = rules[..4].iter().map(Vec::len).sum();
        let mut entries = rules.concat();
        let to = i32::try_from(start).unwrap().to_ne_bytes();
        entries[112 + DATA_AT..112 + DATA_AT + 4].copy_from_slice(&to);
        let mut info = vec![0; INFO];
        info[32] = 1 << 1;
        let found = VERSIONS[0].rules_of("filter", &info, &entries);
        let seen: Vec<_> = found
            .iter()
            .map(|rule| (rule.chain.as_str(), rule.number, rule.packets))
            .collect();
        assert_eq!(
            seen,
            [
                ("INPUT", Some(2), Some(3)),
                ("INPUT", None, Some(2)),
                ("KUBE-FIREWALL", Some(1), Some(7)),
            ]
        );
        assert_eq!(found[2].hooks, [FilterHook::Input]);
        for end in 0..entries.len() {
            VERSIONS[0].rules_of("filter", &info, &entries[..end]);
        }
    }
}
