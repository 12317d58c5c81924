//! The rules of the agent's own namespace that refuse packets: of nftables by netlink, of legacy tables by getsockopt(2).
//!
//! A pod's rules cannot be read so: both answer for the namespace of the socket.

mod elements;
mod expressions;
mod legacy;
mod nftables;
mod socket;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    sync::OnceLock,
};

use netdiag_diagnosis::{
    evidence::{FilterBackend, FilterFamily, FilterRule, PacketFilter, RefusedPort},
    kernel::{Site, site},
};

use socket::{Failure, FilterSocket, MOST_BYTES};

/// Rules and ports that the evidence holds at most, each.
const MOST_RULES: usize = 512;
/// The number of times that the rules are read again which changed under way.
const ATTEMPTS: usize = 3;

/// The rules at one moment.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<FilterRule>,
    ports: Vec<RefusedPort>,
    missing: Vec<String>,
}

/// Reads the rules of this moment.
pub(crate) fn read() -> Rules {
    let mut rules = Rules::default();
    if has_nftables() {
        read_nftables(&mut rules);
    }
    legacy::read(&mut rules);
    rules
}

fn read_nftables(rules: &mut Rules) {
    for _ in 0..ATTEMPTS {
        *rules = Rules::default();
        // A new one, so that nothing is left of a list that was given up.
        let read = FilterSocket::open()
            .map_err(Failure::from)
            .and_then(|socket| nftables::read(&socket, rules));
        let missing = match read {
            Ok(()) => return,
            Err(Failure::Changed) => continue,
            Err(Failure::Budget) => {
                let most = MOST_BYTES >> 20;
                format!("rules of nftables beyond the limit of {most} MiB")
            }
            Err(Failure::Refused(error)) => {
                format!("rules of nftables could not be read: {error}")
            }
        };
        rules.missing = vec![missing];
        return;
    }
    rules.missing = vec!["rules of nftables changed while they were read".into()];
}

/// nftables is in the kernel. Asking a kernel that has not loaded its module would load it.
fn has_nftables() -> bool {
    static IS_BUILT_IN: OnceLock<bool> = OnceLock::new();
    Path::new("/sys/module/nf_tables").exists()
        || *IS_BUILT_IN.get_or_init(|| has_function(&site::NFT_DO_CHAIN).unwrap_or(false))
}

fn has_function(site: &Site) -> io::Result<bool> {
    for line in BufReader::new(File::open("/proc/kallsyms")?).lines() {
        let line = line?;
        let mut words = line.split_ascii_whitespace().skip(2);
        // A module's name would follow: what a module brings can go again.
        if words
            .next()
            .is_some_and(|name| site.functions().contains(&name))
            && words.next().is_none()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rules of both ends.
pub(crate) fn between(before: &Rules, after: Rules) -> PacketFilter {
    let was_read = before.missing.is_empty();
    let before: BTreeMap<_, &FilterRule> =
        before.rules.iter().map(|rule| (key(rule), rule)).collect();
    let mut rules = after.rules;
    for rule in &mut rules {
        rule.packets_before = match before.get(&key(rule)) {
            Some(before) => before.packets,
            // A handle is never used again, a place in a legacy chain is.
            None if was_read && rule.backend == FilterBackend::Nftables => Some(0),
            None => None,
        };
        if rule.packets < rule.packets_before {
            rule.packets_before = None;
        }
    }
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.increase()));
    let mut missing = after.missing;
    for (what, length) in [("rules", rules.len()), ("ports", after.ports.len())] {
        if length > MOST_RULES {
            missing.push(format!(
                "{} {what} that refuse packets, beyond the limit of {MOST_RULES}",
                length - MOST_RULES
            ));
        }
    }
    rules.truncate(MOST_RULES);
    let mut refused_ports = after.ports;
    refused_ports.truncate(MOST_RULES);
    PacketFilter {
        rules,
        refused_ports,
        missing,
    }
}

/// The parts that make a rule the same at both ends. Rules of a legacy chain move when others are added before them; their
/// comment moves with them.
fn key(
    rule: &FilterRule,
) -> (
    FilterBackend,
    FilterFamily,
    &str,
    &str,
    Option<u64>,
    Option<&str>,
) {
    (
        rule.backend,
        rule.family,
        &rule.table,
        &rule.chain,
        rule.number,
        rule.comment.as_deref(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(backend: FilterBackend, counted: &[(u64, u64)]) -> Rules {
        let rules = counted.iter().map(|(number, packets)| FilterRule {
            backend,
            number: Some(*number),
            packets: Some(*packets),
            ..FilterRule::default()
        });
        Rules {
            rules: rules.collect(),
            ..Rules::default()
        }
    }

    fn increases(backend: FilterBackend) -> Vec<(Option<u64>, Option<u64>)> {
        let before = rules(backend, &[(1, 10), (2, 5), (3, 9)]);
        let after = rules(backend, &[(1, 10), (2, 45), (3, 2), (4, 7)]);
        let rules = between(&before, after).rules.into_iter();
        rules.map(|rule| (rule.number, rule.increase())).collect()
    }

    #[test]
    fn a_new_handle_counts_from_nothing_and_a_new_place_tells_nothing() {
        assert_eq!(
            increases(FilterBackend::Nftables),
            [
                (Some(2), Some(40)),
                (Some(4), Some(7)),
                (Some(1), Some(0)),
                (Some(3), None)
            ]
        );
        assert_eq!(
            increases(FilterBackend::Legacy),
            [
                (Some(2), Some(40)),
                (Some(1), Some(0)),
                (Some(3), None),
                (Some(4), None)
            ]
        );
    }

    #[test]
    fn what_is_too_much_is_told() {
        let many: Vec<(u64, u64)> = (0..600).map(|number| (number, 1)).collect();
        let found = between(&Rules::default(), rules(FilterBackend::Nftables, &many));
        assert_eq!(found.rules.len(), MOST_RULES);
        assert!(found.missing[0].starts_with("88 rules"));
    }
}
