use super::PacketFilter;
use crate::{
    EvidenceWindow, Window,
    causes::{OUTPUT_RULE_DROPPED, RULE_DROPPED, SERVICE_WITHOUT_ENDPOINTS},
    detectors::Detector,
    evidence::{
        Address, DropCount, FilterBackend, FilterFamily, FilterHook, FilterRule, FilterVerdict,
        InetSocket, OnDemand, PacketFilter as Rules, PacketSample, RefusedPort,
    },
    finding::{Confidence, Culprit, Harm, Outcome, Place, Severity},
    testing::{
        NODE, POD, complete, drops_of, ipv4_drops, ipv4_sample, link, listener, only, owner,
        proofs, window,
    },
};

fn refused(count: u64, function: &str) -> DropCount {
    ipv4_drops(NODE, 2, "NETFILTER_DROP", function, count)
}

fn node(keys: Vec<DropCount>, rules: Vec<FilterRule>) -> EvidenceWindow {
    let mut window = window(vec![link(NODE, 2, "eth0")], keys);
    window.packet_filter = OnDemand::Ran {
        question: String::new(),
        from_ms: 0,
        until_ms: 35_000,
        value: Rules {
            rules,
            ..Rules::default()
        },
    };
    window
}

fn rules_of(window: &mut EvidenceWindow) -> &mut Rules {
    match &mut window.packet_filter {
        OnDemand::Ran { value, .. } => value,
        other => panic!("{other:?}"),
    }
}

/// A rule of `inet filter forward` whose counter rose by so much.
fn rule(number: u64, increase: u64) -> FilterRule {
    FilterRule {
        family: FilterFamily::Inet,
        table: "filter".to_owned(),
        chain: "forward".to_owned(),
        number: Some(number),
        hooks: vec![FilterHook::Forward],
        packets_before: Some(1_000),
        packets: Some(1_000 + increase),
        ..FilterRule::default()
    }
}

fn uncounted(number: u64, hook: FilterHook) -> FilterRule {
    FilterRule {
        packets: None,
        packets_before: None,
        hooks: vec![hook],
        ..rule(number, 0)
    }
}

fn judge(window: &EvidenceWindow) -> Outcome {
    PacketFilter.judge(&Window::of(window), &Outcome::default())
}

/// A SYN to 10.0.0.2:80 that came in on a device.
fn syn(sequence: u32) -> PacketSample {
    let mut bytes = vec![0x9c, 0x40, 0, 80];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
    PacketSample {
        skb_iif: 2,
        ..ipv4_sample(6, [10, 0, 0, 2], &bytes)
    }
}

/// A datagram to another port of it.
fn datagram() -> PacketSample {
    PacketSample {
        skb_iif: 2,
        ..ipv4_sample(17, [10, 0, 0, 2], &[0x9c, 0x40, 0, 53, 0, 8, 0, 0])
    }
}

/// A SYN that a program of the node sent.
fn sent_by(window: &mut EvidenceWindow) -> PacketSample {
    window.namespaces[0].addresses = vec![Address {
        ifindex: 2,
        address: [10, 0, 0, 1].into(),
        prefix: 24,
    }];
    PacketSample {
        skb_iif: 0,
        ..syn(1)
    }
}

/// The port of a service at 10.0.0.2 without endpoints.
fn pay() -> RefusedPort {
    RefusedPort {
        address: Some([10, 0, 0, 2].into()),
        protocol: 6,
        port: 80,
        verdict: FilterVerdict::Reject,
        comment: Some("shop/pay:http".to_owned()),
    }
}

#[test]
fn the_rule_whose_counter_rose_by_as_much_refused_them() {
    let window = node(
        vec![refused(40, "nft_do_chain")],
        vec![rule(5, 40), rule(6, 0), uncounted(7, FilterHook::Forward)],
    );
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&RULE_DROPPED));
    assert!(finding.assessment.is_decision());
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(
        finding.text.headline,
        "Rule 5 of chain inet filter forward refused 40 packets in the node's own namespace"
    );
    assert_eq!(
        proofs(finding)[0],
        ("rule 5 of chain inet filter forward (drop)", "+40")
    );
    assert_eq!(finding.remedies.len(), 1);
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("nft -a list chain inet filter forward")
    );
}

#[test]
fn counters_that_rose_by_less_leave_the_rule_likely() {
    let window = node(vec![refused(40, "nft_do_chain")], vec![rule(5, 10)]);
    let outcome = judge(&window);
    assert_eq!(only(&outcome).confidence, Confidence::Likely);
    assert!(
        only(&outcome)
            .text
            .what
            .contains("by less than was refused")
    );
}

#[test]
fn without_counters_at_most_five_rules_of_the_way_are_named() {
    let mut rules: Vec<_> = (1..=7)
        .map(|number| uncounted(number, FilterHook::Forward))
        .collect();
    rules.push(uncounted(8, FilterHook::Output));
    let window = node(vec![refused(40, "nft_do_chain")], rules);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.confidence, Confidence::Likely);
    assert!(finding.text.what.contains("rule 5") && finding.text.what.contains("and 2 more"));
    assert!(!finding.text.what.contains("rule 8"));
}

#[test]
fn a_rule_of_a_legacy_table_is_shown_by_its_own_program() {
    let legacy = FilterRule {
        backend: FilterBackend::Legacy,
        family: FilterFamily::Ip,
        chain: "FORWARD".to_owned(),
        ..rule(3, 40)
    };
    let window = node(vec![refused(40, "nf_hook_slow")], vec![legacy.clone()]);
    let outcome = judge(&window);
    assert_eq!(
        only(&outcome).remedies[0].command.as_deref(),
        Some("iptables-legacy -t filter -v -S FORWARD 3")
    );
    // It refuses nothing at the function of nftables, so that no rule is left for these.
    let window = node(vec![refused(40, "nft_do_chain")], vec![legacy]);
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn a_pods_refusals_are_never_answered_from_the_nodes_rules() {
    let mut key = refused(40, "nft_do_chain");
    key.netns = Some(POD);
    let outcome = judge(&node(vec![key], vec![rule(5, 40)]));
    let finding = only(&outcome);
    assert!(finding.cause.is(&RULE_DROPPED));
    assert!(!finding.text.headline.contains("ule 5"));
    assert!(finding.text.what.contains("not read"));
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some(r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" nft -a list ruleset"#)
    );
}

#[test]
fn what_a_program_sends_is_told_from_what_came_in() {
    let output = uncounted(9, FilterHook::Output);
    let mut window = node(vec![refused(4, "nft_do_chain")], vec![output, rule(5, 0)]);
    let sent = sent_by(&mut window);
    drops_of(&mut window).samples = vec![sent; 4];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&OUTPUT_RULE_DROPPED));
    assert!(finding.text.what.contains("rule 9") && finding.text.what.contains("EPERM"));
    assert_eq!(finding.assessment.harm, Harm::Outage);
    assert!(finding.assessment.is_decision());
    assert!(finding.text.headline.contains("packets of programs in"));
}

#[test]
fn the_program_that_sent_refused_packets_is_named() {
    let output = FilterRule {
        hooks: vec![FilterHook::Output],
        ..rule(9, 4)
    };
    let mut window = node(vec![refused(4, "nft_do_chain")], vec![output]);
    let sent = sent_by(&mut window);
    drops_of(&mut window).samples = vec![sent; 4];
    let socket = |pid: u32, port: u16| InetSocket {
        port,
        is_listening: false,
        address: [10, 0, 0, 1].into(),
        ..listener(NODE, owner(pid, "curl"))
    };
    let elsewhere = InetSocket {
        netns: POD,
        ..socket(9, 40_000)
    };
    window.inet_sockets = complete(vec![socket(8, 40_001), elsewhere, socket(7, 40_000)]);
    let outcome = judge(&window);
    let finding = only(&outcome);
    let headline = &finding.text.headline;
    assert!(
        headline.contains("4 packets of curl (pid 7) in"),
        "{headline}"
    );
    drops_of(&mut window).counts[0].count = 500;
    let others = judge(&window);
    let headline = &only(&others).text.headline;
    assert!(
        headline.contains("500 packets of programs, among them curl (pid 7), in"),
        "{headline}"
    );
    let sender = ("Sender", "curl (pid 7), TCP port 40000".to_owned());
    assert_eq!(finding.details[0], sender);
}

#[test]
fn a_key_with_packets_of_both_ways_leaves_no_rule_out() {
    let output = FilterRule {
        hooks: vec![FilterHook::Output],
        ..rule(9, 2)
    };
    let rules = vec![output, uncounted(5, FilterHook::Forward)];
    let mut window = node(vec![refused(4, "nft_do_chain")], rules);
    let sent = sent_by(&mut window);
    drops_of(&mut window).samples = vec![sent.clone(), sent, syn(2), syn(3)];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.confidence, Confidence::Likely);
    assert!(finding.text.what.contains("rule 9") && finding.text.what.contains("rule 5"));
}

#[test]
fn a_rule_for_a_service_without_endpoints_is_no_decision() {
    let mut service = rule(5, 40);
    service.comment = Some("shop/cart:http has no endpoints".to_owned());
    service.verdict = FilterVerdict::Reject;
    let window = node(vec![refused(40, "nft_do_chain")], vec![service.clone()]);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&SERVICE_WITHOUT_ENDPOINTS));
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.assessment.culprit, Culprit::Elsewhere);
    assert!(!finding.assessment.is_decision());
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("kubectl -n shop get endpointslices -l kubernetes.io/service-name=cart")
    );
    assert_eq!(finding.remedies[0].place, Place::Cluster);
    // Beside it another rule refused others: each has its own packets.
    let window = node(
        vec![refused(100, "nft_do_chain")],
        vec![service, rule(6, 60)],
    );
    let outcome = judge(&window);
    let counts: Vec<_> = outcome.findings.iter().map(|one| one.count).collect();
    assert_eq!(counts, [40, 60]);
    assert_eq!(outcome.findings[1].confidence, Confidence::Certain);
    assert_eq!(outcome.claims.iter().count(), 1);
}

#[test]
fn a_port_in_kube_proxys_map_is_a_service_without_endpoints() {
    let reject = uncounted(5, FilterHook::Forward);
    let mut window = node(vec![refused(4, "nft_do_chain")], vec![reject]);
    rules_of(&mut window).refused_ports = vec![pay()];
    drops_of(&mut window).samples = (1..=4).map(syn).collect();
    let outcome = judge(&window);
    assert!(only(&outcome).cause.is(&SERVICE_WITHOUT_ENDPOINTS));
    assert!(only(&outcome).text.headline.contains("shop/pay:http"));
    // Packets of others under the same key stay a decision.
    drops_of(&mut window).samples = vec![syn(1), syn(2), syn(3), datagram()];
    let outcome = judge(&window);
    let counts: Vec<_> = outcome.findings.iter().map(|one| one.count).collect();
    assert_eq!(counts, [3, 1]);
    assert!(outcome.findings[1].assessment.is_decision());
    // Nothing was seen: no less urgent than the service would be.
    drops_of(&mut window).samples.clear();
    let outcome = judge(&window);
    assert_eq!(only(&outcome).severity(), Severity::Warning);
    assert!(!only(&outcome).assessment.is_decision());
}

#[test]
fn what_the_rules_beside_did_not_count_was_for_the_service() {
    let reject = FilterRule {
        family: FilterFamily::Ip,
        table: "kube-proxy".to_owned(),
        chain: "reject-chain".to_owned(),
        ..uncounted(3, FilterHook::Forward)
    };
    let keys = vec![refused(60, "nft_do_chain")];
    let mut window = node(keys, vec![reject, rule(2, 40)]);
    rules_of(&mut window).refused_ports = vec![pay()];
    // Every packet that was seen was for the service, and most were not.
    drops_of(&mut window).samples = (1..=4).map(syn).collect();
    let counts = |window: &EvidenceWindow| {
        let findings = judge(window).findings;
        findings.iter().map(|one| one.count).collect::<Vec<_>>()
    };
    assert_eq!(counts(&window), [20, 40]);
    // Rules that were not read may have refused the rest: only what was seen is the service's.
    rules_of(&mut window).missing = vec!["2 tables were left out".to_owned()];
    drops_of(&mut window).samples.push(datagram());
    assert_eq!(counts(&window), [4, 56]);
}

#[test]
fn packets_that_no_rule_can_have_refused_are_left_to_others() {
    let output = uncounted(9, FilterHook::Output);
    let window = node(vec![refused(4, "nf_hook_slow")], vec![output]);
    assert!(judge(&window).findings.is_empty());
}
