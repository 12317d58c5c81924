//! The meaning of drop reasons and locations, as data: the class and the advice.

use super::rows;
use crate::{
    Window,
    evidence::{DropCount, KernelLogLine, Link, Namespace},
    kernel::{NamespaceCounter, Reason, Site},
};

/// One row of the table. The first that matches a drop key speaks for it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) matches: Match,
    pub(super) class: Class,
    /// The reason why the kernel dropped them, a clause.
    pub(super) meaning: &'static str,
    pub(super) advice: Option<Advice>,
}

/// The drop keys that a row speaks for.
#[derive(Debug)]
pub(super) enum Match {
    /// Keys with one of these reasons.
    Reasons(&'static [Reason]),
    /// Keys dropped at one of these sites, for which the kernel names no reason and the site tells.
    Sites(&'static [&'static Site]),
    /// Keys with this reason, dropped at one of these sites: there it means something else.
    ReasonAt(Reason, &'static [&'static Site]),
    /// Keys with this reason on a device that has no carrier.
    WithoutCarrier(Reason),
    /// Keys with this reason, while the kernel log of the window contains this text.
    Logged { reason: Reason, text: &'static str },
    /// Keys with one of these reasons, dropped at one of these sites, where a counter of their namespace accounts
    /// for most of them.
    Counted {
        reasons: &'static [Reason],
        sites: &'static [&'static Site],
        counter: NamespaceCounter,
    },
}

/// Facts beside the key that the row of a drop key may depend on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surroundings<'a> {
    /// The device.
    pub(super) link: Option<&'a Link>,
    /// The namespace.
    pub(super) namespace: Option<&'a Namespace>,
    /// The kernel's log of the window.
    pub(super) log: &'a [KernelLogLine],
}

impl<'a> Surroundings<'a> {
    /// Those of a key of this window.
    pub(super) fn of(window: &'a Window<'_>, key: &DropCount) -> Self {
        Self {
            link: key
                .netns
                .and_then(|netns| window.topology.link(netns, key.ifindex)),
            namespace: key.netns.and_then(|netns| window.namespace(netns)),
            log: window.kernel_log.value().map_or(&[], Vec::as_slice),
        }
    }
}

/// The kind of a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nobody misses the packet: a copy, old data, what is left in a queue at its end.
    NotLoss,
    /// Somebody decided so, by rules or by not listening. Whether rightly is not netdiag's to say.
    Decision,
    /// Somebody wanted the packet.
    Loss,
}

/// Advice for a person.
#[derive(Debug)]
pub(super) struct Advice {
    pub(super) text: &'static str,
    /// Words of a command, empty for none; [`DEVICE`] stands for the device's name.
    pub(super) command: &'static [&'static str],
    pub(super) scope: Scope,
    /// The change that it makes; empty when the command only looks.
    pub(super) effect: &'static str,
}

/// The namespace in which a command must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In the namespace of the drop.
    Namespace,
    /// In the node's own: the setting is one for all namespaces.
    Node,
}

/// Stands for the device's name in a command.
pub(super) const DEVICE: &str = "{device}";

/// The row for this drop key, if the table knows it.
pub(super) fn lookup(key: &DropCount, around: &Surroundings<'_>) -> Option<&'static Row> {
    rows::all().find(|row| match &row.matches {
        Match::Reasons(reasons) => reasons.contains(&key.reason),
        Match::Sites(sites) => sites
            .iter()
            .any(|site| key.location.is_of(site) && site.ends(&key.reason).is_some()),
        Match::ReasonAt(reason, sites) => key.reason == *reason && key.location.is_of_any(sites),
        Match::WithoutCarrier(reason) => {
            key.reason == *reason && around.link.is_some_and(Link::lacks_carrier)
        }
        Match::Logged { reason, text } => {
            key.reason == *reason && around.log.iter().any(|line| line.text.contains(text))
        }
        Match::Counted {
            reasons,
            sites,
            counter,
        } => {
            let rose = around
                .namespace
                .and_then(|namespace| namespace.increase(counter.name()));
            reasons.contains(&key.reason)
                && key.location.is_of_any(sites)
                && rose.is_some_and(|rose| rose.saturating_mul(2) >= key.count.max(1))
        }
    })
}

/// The site says more than the reason about these drops.
pub(super) fn is_told_by_site(key: &DropCount) -> bool {
    rows::all().any(|row| match &row.matches {
        Match::ReasonAt(reason, sites) => key.reason == *reason && key.location.is_of_any(sites),
        _ => false,
    })
}

impl Class {
    /// The order of badness: the worst of several rows speaks for a finding.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::NotLoss => 0,
            Self::Decision => 1,
            Self::Loss => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Class, DEVICE, Match, Surroundings, lookup, rows};
    use crate::{
        evidence::{DropCount, KernelLogLine, Link, Namespace},
        kernel::{Reason, site::Ends},
    };

    const NOTHING: Surroundings<'static> = Surroundings {
        link: None,
        namespace: None,
        log: &[],
    };

    fn key(reason: &str, location: &str) -> DropCount {
        DropCount {
            reason: reason.into(),
            location: location.into(),
            ..DropCount::default()
        }
    }

    #[test]
    fn no_reason_and_no_location_has_two_rows() {
        let mut seen = BTreeSet::new();
        for row in rows::all() {
            let words: Vec<&str> = match &row.matches {
                Match::Reasons(reasons) => reasons.iter().map(Reason::as_str).collect(),
                Match::Sites(sites) => {
                    let functions = sites.iter().flat_map(|site| site.functions());
                    functions.copied().collect()
                }
                Match::Logged { .. }
                | Match::ReasonAt(..)
                | Match::WithoutCarrier(_)
                | Match::Counted { .. } => continue,
            };
            for word in words {
                assert!(seen.insert(word), "{word} is in two rows");
            }
        }
    }

    #[test]
    fn a_row_is_of_the_class_that_its_sites_tell() {
        for row in rows::all() {
            let Match::Sites(sites) = row.matches else {
                continue;
            };
            for site in sites {
                let told = [Reason::NOT_SPECIFIED, Reason::ABSENT].map(|reason| site.ends(&reason));
                let is_told = told.into_iter().flatten().any(|ends| match row.class {
                    Class::NotLoss => ends == Ends::Unmissed,
                    Class::Decision => ends == Ends::Refused,
                    Class::Loss => [Ends::Wanted, Ends::Either].contains(&ends),
                });
                assert!(
                    is_told,
                    "{site} ends {told:?}, and its row says {:?}",
                    row.class
                );
            }
        }
    }

    #[test]
    fn meanings_are_clauses_and_advice_sentences() {
        for row in rows::all() {
            assert!(!row.meaning.ends_with('.'), "{}", row.meaning);
            if let Some(advice) = &row.advice {
                assert!(advice.text.ends_with('.'), "{}", advice.text);
                let asks_device = advice.command.iter().any(|word| word.contains(DEVICE));
                assert!(!asks_device || advice.scope == super::Scope::Namespace);
            }
        }
    }

    #[test]
    fn a_location_speaks_only_where_the_kernel_gives_no_reason() {
        assert!(lookup(&key("NOT_SPECIFIED", "ip6_mc_input"), &NOTHING).is_some());
        assert!(lookup(&key("", "ip6_mc_input"), &NOTHING).is_some());
        assert!(lookup(&key("SOMETHING_NEW", "ip6_mc_input"), &NOTHING).is_none());
    }

    #[test]
    fn a_packet_that_must_not_be_cut_is_named() {
        let row = lookup(&key("NOT_SPECIFIED", "ip_fragment"), &NOTHING);
        assert!(row.is_some_and(|row| row.meaning.contains("must not be cut")));
    }

    #[test]
    fn an_ordinary_end_is_known_only_where_the_kernel_has_reasons() {
        let class = |reason| lookup(&key(reason, "tcp_v4_rcv"), &NOTHING).map(|row| row.class);
        assert_eq!(class("NOT_SPECIFIED"), Some(Class::NotLoss));
        assert_eq!(class(""), None);
    }

    #[test]
    fn a_full_connection_table_is_told_from_a_rule_by_the_log() {
        let dropped = key("NETFILTER_DROP", "nf_hook_slow");
        let rule = lookup(&dropped, &NOTHING).map(|row| row.class);
        assert_eq!(rule, Some(Class::Decision));
        let line = KernelLogLine {
            at_ms: 5,
            level: 4,
            text: "nf_conntrack: nf_conntrack: table full, dropping packet".to_owned(),
        };
        let around = Surroundings {
            log: &[line],
            ..NOTHING
        };
        let full = lookup(&dropped, &around).map(|row| row.class);
        assert!(matches!(full, Some(Class::Loss)));
    }

    #[test]
    fn a_counter_of_the_namespace_tells_a_full_table_from_a_rule_and_from_a_race() {
        let meaning = |counters: &[(&str, u64)], count| {
            let mut namespace = Namespace::default();
            for (counter, increase) in counters {
                namespace.counters_before.insert((*counter).to_owned(), 7);
                namespace
                    .counters
                    .insert((*counter).to_owned(), 7 + increase);
            }
            let around = Surroundings {
                namespace: Some(&namespace),
                ..NOTHING
            };
            let dropped = DropCount {
                count,
                ..key("NETFILTER_DROP", "nf_hook_slow")
            };
            lookup(&dropped, &around).map_or("", |row| row.meaning)
        };
        assert!(meaning(&[("Conntrack.drop", 60)], 60).contains("table of tracked connections"));
        let race = [("Conntrack.drop", 60), ("Conntrack.insert_failed", 60)];
        assert!(meaning(&race, 60).contains("raced"));
        // One connection was refused, but nearly all of these were not.
        assert!(meaning(&[("Conntrack.drop", 1)], 60).contains("rule"));
        assert!(meaning(&[], 60).contains("rule"));
    }

    #[test]
    fn without_reasons_a_counter_tells_why_a_function_dropped() {
        let mut namespace = Namespace::default();
        let counter = "TcpExt.IPReversePathFilter".to_owned();
        namespace.counters.insert(counter, 30);
        let around = Surroundings {
            namespace: Some(&namespace),
            ..NOTHING
        };
        let meaning = |reason| {
            let row = lookup(&key(reason, "ip_rcv_finish_core"), &around);
            row.map_or("", |row| row.meaning)
        };
        assert!(meaning("").contains("reverse path filter"));
        assert!(!meaning("NOT_SPECIFIED").contains("reverse path filter"));
    }

    #[test]
    fn a_bridge_without_another_port_is_told_from_a_tunnel_without_an_end() {
        let class =
            |location| lookup(&key("NO_TX_TARGET", location), &NOTHING).map(|row| row.class);
        assert_eq!(class("br_handle_frame_finish"), Some(Class::Decision));
        assert!(matches!(class("vxlan_xmit"), Some(Class::Loss)));
    }

    #[test]
    fn the_hop_limit_is_told_from_a_broken_header() {
        let meaning = |location| {
            let row = lookup(&key("IP_INHDR", location), &NOTHING);
            row.map_or("", |row| row.meaning)
        };
        for location in ["ip_forward", "ip6_forward"] {
            assert!(meaning(location).contains("hop limit"), "{location}");
        }
        assert!(meaning("ip_rcv_core").contains("headers were cut"));
    }

    #[test]
    fn a_device_without_carrier_is_told_from_a_full_queue() {
        let meaning = |requested_flags| {
            let link = Link {
                requested_flags,
                ..Link::default()
            };
            let dropped = key("QDISC_DROP", "__dev_queue_xmit");
            let around = Surroundings {
                link: Some(&link),
                ..NOTHING
            };
            lookup(&dropped, &around).map_or("", |row| row.meaning)
        };
        assert!(meaning(0x1003).contains("no carrier"));
        assert!(meaning(0x1_1043).contains("queue was full"));
    }
}
