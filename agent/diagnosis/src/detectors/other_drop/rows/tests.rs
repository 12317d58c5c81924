//! The table speaks once for each key, and the evidence decides which row does.

mod noise;

use std::collections::BTreeSet;

use super::{all, lookup};
use crate::{
    detectors::other_drop::{
        advice::{DEVICE, Scope},
        class::{By, Class},
        table::{On, PACKETS, Surroundings, When},
    },
    evidence::{DropCount, KernelLogLine, Link, Namespace, PacketSample},
    finding::{Culprit, Decision},
    kernel::{Reason, recorded, site::Ends},
    testing::ipv4_sample as ipv4,
};

fn key(reason: &str, location: &str) -> DropCount {
    DropCount {
        reason: reason.into(),
        location: location.into(),
        count: 60,
        ..DropCount::default()
    }
}

fn nothing() -> Surroundings<'static> {
    Surroundings::default()
}

fn class_at(reason: &str, location: &str, around: &Surroundings<'_>) -> Option<Class> {
    lookup(&key(reason, location), around).map(|row| row.class)
}

fn class(reason: &str, location: &str) -> Option<Class> {
    class_at(reason, location, &nothing())
}

/// The class where one packet was sampled.
fn seen(reason: &str, location: &str, sample: &PacketSample) -> Option<Class> {
    let around = Surroundings {
        samples: vec![sample],
        ..nothing()
    };
    class_at(reason, location, &around)
}

fn symptom(reason: &str, location: &str, around: &Surroundings<'_>) -> &'static str {
    lookup(&key(reason, location), around).map_or("", |row| row.symptom)
}

/// A router solicitation.
fn router_solicitation() -> PacketSample {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    bytes.extend([0; 16]);
    bytes.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend([133, 0, 0, 0, 0, 0, 0, 0]);
    PacketSample {
        bytes,
        ..PacketSample::default()
    }
}

fn unicast() -> PacketSample {
    ipv4(17, [10, 0, 0, 2], &[0; 8])
}

fn segment(flags: u8, data: &[u8]) -> PacketSample {
    let mut bytes = vec![0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags];
    bytes.extend([0; 6]);
    bytes.extend(data);
    ipv4(6, [10, 0, 0, 2], &bytes)
}

/// A namespace whose counters rose by so much.
fn counted(counters: &[(&str, u64)]) -> Namespace {
    let mut namespace = Namespace::default();
    for (counter, increase) in counters {
        namespace.counters_before.insert((*counter).to_owned(), 7);
        let after = namespace.counters.entry((*counter).to_owned());
        after.or_insert(7 + increase);
    }
    namespace
}

#[test]
fn no_reason_and_no_location_has_two_rows() {
    let mut seen = BTreeSet::new();
    for row in all().filter(|row| matches!(row.when, When::Always)) {
        let words: Vec<&str> = match row.on {
            On::Reasons(reasons) => reasons.iter().map(Reason::as_str).collect(),
            On::Sites(sites) => {
                let functions = sites.iter().flat_map(|site| site.functions());
                functions.copied().collect()
            }
            On::At(..) => continue,
        };
        for word in words {
            assert!(seen.insert(word), "{word} is in two rows");
        }
    }
}

#[test]
fn each_reason_of_each_recorded_kernel_has_a_meaning() {
    for kernel in recorded::all() {
        for reason in kernel.reasons.iter().filter(|reason| !reason.is_unnamed()) {
            let row = lookup(&key(reason.as_str(), "somewhere"), &nothing());
            assert!(row.is_some(), "{reason} on {}", kernel.release);
        }
    }
}

#[test]
fn a_row_is_of_the_class_that_its_sites_tell() {
    for row in all() {
        let On::Sites(sites) = row.on else {
            continue;
        };
        for site in sites {
            let told = [Reason::NOT_SPECIFIED, Reason::ABSENT].map(|reason| site.ends(&reason));
            let fits = |ends| match row.class {
                Class::Unmissed => ends == Ends::Unmissed,
                Class::Decision(_) => ends == Ends::Refused,
                Class::Unknown => ends == Ends::Either,
                Class::Flow(_) | Class::NoWay(_) | Class::Unreachable(_) => ends != Ends::Unmissed,
                _ => [Ends::Wanted, Ends::Either].contains(&ends),
            };
            let is_told = told.into_iter().flatten().any(fits);
            assert!(is_told, "{site} ends {told:?}: {:?}", row.class);
        }
    }
}

#[test]
fn words_and_advice_are_whole() {
    for row in all() {
        if row.class == Class::Unmissed {
            assert!(row.symptom.is_empty() && row.advice.is_empty());
            continue;
        }
        let says_packets = row.symptom.contains(PACKETS) || row.symptom.contains("{packets were}");
        assert!(
            says_packets && !row.symptom.ends_with('.'),
            "{}",
            row.symptom
        );
        assert!(row.mechanism.ends_with('.'), "{}", row.mechanism);
        for advice in row.advice {
            assert!(advice.text.ends_with('.'), "{}", advice.text);
            assert!(!advice.asks_for(DEVICE) || advice.scope == Scope::Namespace);
        }
    }
}

#[test]
fn no_command_changes_anything() {
    for row in all() {
        for advice in row.advice {
            let changes = ["-w", "set", "add", "del", "replace", "change"];
            let word = advice.command.iter().find(|word| changes.contains(word));
            assert_eq!(word, None, "{:?}", advice.command);
            assert!(!advice.command.iter().any(|word| word.contains('=')));
        }
    }
}

#[test]
fn a_location_speaks_only_where_the_kernel_gives_no_reason() {
    assert_eq!(
        class("NOT_SPECIFIED", "ip6_mc_input"),
        Some(Class::Unmissed)
    );
    assert_eq!(class("", "ip6_mc_input"), Some(Class::Unmissed));
    assert_eq!(class("SOMETHING_NEW", "ip6_mc_input"), None);
}

#[test]
fn an_ordinary_end_is_known_only_where_the_kernel_has_reasons() {
    assert_eq!(class("NOT_SPECIFIED", "tcp_v4_rcv"), Some(Class::Unmissed));
    assert_eq!(class("", "tcp_v4_rcv"), None);
}

#[test]
fn a_full_connection_table_is_told_from_a_rule_by_the_log() {
    assert_eq!(
        class("NETFILTER_DROP", "nf_hook_slow"),
        Some(Class::Decision(Decision::Rule))
    );
    let line = KernelLogLine {
        at_ms: 5,
        level: 4,
        text: "nf_conntrack: nf_conntrack: table full, dropping packet".to_owned(),
    };
    let around = Surroundings {
        log: &[line],
        ..nothing()
    };
    let full = class_at("NETFILTER_DROP", "nf_hook_slow", &around);
    assert!(matches!(full, Some(Class::Loss(Culprit::Here, _))));
}

#[test]
fn a_counter_of_the_namespace_tells_a_collision_from_a_rule() {
    let of = |counters: &[(&str, u64)]| {
        let namespace = counted(counters);
        let around = Surroundings {
            namespace: Some(&namespace),
            ..nothing()
        };
        symptom("NETFILTER_DROP", "nf_hook_slow", &around)
    };
    let race = [("Conntrack.drop", 60), ("Conntrack.insert_failed", 60)];
    assert!(of(&race).starts_with("Connection tracking refused"));
    // One connection was refused, but nearly all of these were not.
    assert!(of(&[("Conntrack.drop", 1)]).contains("rule"));
    assert!(of(&[]).contains("rule"));
}

#[test]
fn without_reasons_a_counter_tells_why_a_function_dropped() {
    let mut namespace = Namespace::default();
    let counter = "TcpExt.IPReversePathFilter".to_owned();
    namespace.counters.insert(counter, 60);
    let around = Surroundings {
        namespace: Some(&namespace),
        ..nothing()
    };
    let of = |reason| symptom(reason, "ip_rcv_finish_core", &around);
    assert!(of("").contains("reverse path filter"));
    assert!(!of("NOT_SPECIFIED").contains("reverse path filter"));
}

#[test]
fn a_bridge_without_another_port_is_told_from_a_tunnel_without_an_end() {
    let bridge = class("NO_TX_TARGET", "br_handle_frame_finish");
    assert_eq!(bridge, Some(Class::NoWay(By::Culprit(Culprit::Unknown))));
    let tunnel = class("NO_TX_TARGET", "vxlan_xmit");
    assert_eq!(tunnel, Some(Class::Unreachable(Culprit::Unknown)));
}

#[test]
fn the_hop_limit_is_told_from_a_broken_header() {
    for location in ["ip_forward", "ip6_forward"] {
        let of = symptom("IP_INHDR", location, &nothing());
        assert!(of.contains("hop limit"), "{location}");
    }
    let of = symptom("IP_INHDR", "ip_rcv_core", &nothing());
    assert!(of.contains("broken"));
}

#[test]
fn a_device_without_a_queue_is_told_from_a_full_queue() {
    let of = |requested_flags, qdisc: Option<&str>| {
        let link = Link {
            requested_flags,
            qdisc: qdisc.map(str::to_owned),
            ..Link::default()
        };
        let around = Surroundings {
            link: Some(&link),
            ..nothing()
        };
        symptom("QDISC_DROP", "__dev_queue_xmit", &around)
    };
    assert!(of(0x1_1043, None).contains("queueing discipline"));
    assert!(of(0x1_1043, Some("fq_codel")).contains("queueing discipline"));
    assert!(of(0x1_1043, Some("noqueue")).contains("not active yet"));
}

/// It is read without the symptom where the first sentence has that.
#[test]
fn a_mechanism_names_what_it_is_about() {
    const PRONOUNS: [&str; 7] = ["It", "Its", "They", "Their", "Them", "These", "This"];
    for row in all() {
        let first = row.mechanism.split(' ').next();
        let is_pronoun = first.is_some_and(|first| PRONOUNS.contains(&first));
        assert!(!is_pronoun, "{}", row.mechanism);
    }
}
