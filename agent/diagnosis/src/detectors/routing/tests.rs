mod circle;
mod no_way;

use super::{Routing, route_questions};
use crate::{
    EvidenceWindow, Window,
    causes::{BLACKHOLE_ROUTE, FORWARDING_OFF, NO_ROUTE, REVERSE_PATH_FILTER, TTL_EXCEEDED},
    detectors::Detector,
    evidence::{
        Address, DropCount, Ipv4Settings, Ipv6Settings, Link, LinkKind, NetnsId, OnDemand,
        PacketSample, Refusal, RouteAnswer, RouteEntry, RouteLookup, Routes, RoutingRule,
    },
    finding::{Confidence, Finding, Harm, Outcome, Severity},
    testing::{
        NODE, POD, drops_of, ipv4_drops, ipv4_sample, link, links_of, only, pod_namespace, veth,
        window,
    },
    uapi::{ethertype::ETH_P_IPV6, flags::IFF_UP},
};

const OTHER_POD: NetnsId = NetnsId(3);
/// The source of [`ipv4_sample`].
const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 1, 1];
const FAR: [u8; 4] = [192, 0, 2, 7];

fn ipv4(forwarding: bool, rp_filter: u32) -> Option<Ipv4Settings> {
    Some(Ipv4Settings {
        forwarding,
        forwarding_before: Some(forwarding),
        rp_filter,
    })
}

fn address(ifindex: u32, address: [u8; 4]) -> Address {
    Address {
        ifindex,
        address: address.into(),
        prefix: 24,
    }
}

/// The node with the NIC eth0, and veth1 and veth2 to two pods; nothing forwards.
fn node(key: DropCount, samples: Vec<PacketSample>) -> EvidenceWindow {
    let with = |link: Link| Link {
        ipv4: ipv4(false, 0),
        ..link
    };
    let links = vec![
        with(link(NODE, 1, "lo")),
        with(link(NODE, 2, "eth0")),
        with(veth(link(NODE, 3, "veth1"), (POD, 2))),
        with(veth(link(NODE, 4, "veth2"), (OTHER_POD, 2))),
        veth(link(POD, 2, "eth0"), (NODE, 3)),
        veth(link(OTHER_POD, 2, "eth0"), (NODE, 4)),
    ];
    let mut window = window(links, vec![key]);
    drops_of(&mut window).samples = samples;
    let server = pod_namespace(OTHER_POD, 4712, "shop", "web-0");
    window.namespaces.push(server);
    window.namespaces[1].addresses = vec![address(2, CLIENT)];
    window.namespaces[2].addresses = vec![address(2, SERVER)];
    window.namespaces[0].settings.ipv4_all = ipv4(false, 0);
    window.namespaces[0].settings.ipv4_default = ipv4(false, 0);
    window
}

fn not_forwarded(ifindex: u32, count: u64) -> DropCount {
    ipv4_drops(NODE, ifindex, "IP_INADDRERRORS", "ip_error", count)
}

fn to(destination: [u8; 4]) -> Vec<PacketSample> {
    vec![ipv4_sample(17, destination, &[0, 80, 0, 81, 0, 8, 0, 0]); 4]
}

fn judge(window: &EvidenceWindow) -> Outcome {
    Routing.judge(&Window::of(window), &Outcome::default())
}

/// Gives each question of the window the kernel's answer.
fn answer_all(window: &mut EvidenceWindow, answer: RouteAnswer) {
    let questions = route_questions(window).of_node.into_iter();
    let lookups = questions.map(|question| RouteLookup { question, answer });
    window.routes = OnDemand::Ran {
        question: String::new(),
        from_ms: 0,
        until_ms: 0,
        value: Routes {
            lookups: lookups.collect(),
            ..Routes::default()
        },
    };
}

fn routes_of(window: &mut EvidenceWindow) -> &mut Routes {
    match &mut window.routes {
        OnDemand::Ran { value, .. } => value,
        _ => panic!("no routes"),
    }
}

fn harm(finding: &Finding) -> (Harm, Severity) {
    (finding.assessment.harm, finding.severity())
}

fn commands(finding: &Finding) -> (&str, &str) {
    let remedy = &finding.remedies[0];
    let undo = remedy.change.as_ref().and_then(|one| one.undo.as_deref());
    (
        remedy.command.as_deref().unwrap_or_default(),
        undo.unwrap_or_default(),
    )
}

#[test]
fn a_node_that_forwards_nothing_between_its_pods_is_named_with_both_devices() {
    let outcome = judge(&node(not_forwarded(3, 30), to(SERVER)));
    let finding = only(&outcome);
    assert!(finding.cause.is(&FORWARDING_OFF));
    assert_eq!(
        (finding.assessment.harm, finding.severity()),
        (Harm::Outage, Severity::Critical)
    );
    assert_eq!(finding.subject.interface.as_deref(), Some("veth1"));
    assert_eq!(
        commands(finding),
        (
            "sysctl -w net.ipv4.conf.veth1.forwarding=1 net.ipv4.conf.veth2.forwarding=1 \
             net.ipv4.conf.default.forwarding=1",
            "sysctl -w net.ipv4.conf.veth1.forwarding=0 net.ipv4.conf.veth2.forwarding=0 \
             net.ipv4.conf.default.forwarding=0"
        )
    );
}

#[test]
fn a_device_that_forwards_already_is_not_set_again() {
    let mut window = node(not_forwarded(3, 30), to(FAR));
    links_of(&mut window)[3].ipv4 = ipv4(true, 0);
    links_of(&mut window)[1].name = "eth0.7".to_owned();
    window.namespaces[0].settings.ipv4_default = ipv4(true, 0);
    let outcome = judge(&window);
    assert_eq!(
        commands(only(&outcome)).0,
        "sysctl -w net.ipv4.conf.veth1.forwarding=1 net/ipv4/conf/eth0.7/forwarding=1"
    );
}

#[test]
fn what_comes_from_outside_is_wanted_only_where_a_pod_has_its_address() {
    let for_pod = judge(&node(not_forwarded(2, 30), to(SERVER)));
    assert_eq!(only(&for_pod).severity(), Severity::Critical);
    let stray = judge(&node(not_forwarded(2, 30), to(FAR)));
    assert!(stray.findings.is_empty(), "a plain host");
    let mut group = to(SERVER);
    group.iter_mut().for_each(|sample| sample.packet_type = 3);
    assert!(
        judge(&node(not_forwarded(2, 30), group))
            .findings
            .is_empty()
    );
}

#[test]
fn a_pod_that_gets_what_is_not_for_it_is_a_plain_host() {
    let mut window = node(
        ipv4_drops(POD, 2, "IP_INADDRERRORS", "ip_error", 30),
        to(SERVER),
    );
    links_of(&mut window)[4].ipv4 = ipv4(false, 0);
    window.namespaces[0].addresses = vec![address(3, CLIENT)];
    window.namespaces[1].addresses.clear();
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn a_pod_with_the_destinations_network_behind_another_device_was_to_forward() {
    let drops = ipv4_drops(POD, 2, "IP_INADDRERRORS", "ip_error", 30);
    let mut window = node(drops, to([10, 9, 0, 7]));
    links_of(&mut window)[4].ipv4 = ipv4(false, 0);
    let mut second = link(POD, 3, "eth1");
    second.ipv4 = ipv4(false, 0);
    links_of(&mut window).push(second);
    window.namespaces[1].addresses = vec![address(2, SERVER), address(3, [10, 9, 0, 254])];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.confidence, Confidence::Likely);
    let command = commands(finding).0;
    assert!(
        command.contains("eth0.forwarding=1 net.ipv4.conf.eth1.forwarding=1"),
        "{command}"
    );
    window.namespaces[1].addresses[1].ifindex = 2;
    assert!(
        judge(&window).findings.is_empty(),
        "back where it came from"
    );
}

#[test]
fn drops_of_which_none_was_seen_are_told_by_the_pods_device() {
    let unseen = judge(&node(not_forwarded(3, 30), Vec::new()));
    assert_eq!(only(&unseen).severity(), Severity::Critical);
    let uplink = judge(&node(not_forwarded(2, 30), Vec::new()));
    assert!(uplink.findings.is_empty());
}

#[test]
fn two_packets_and_forwarding_that_is_on_by_now_are_no_outage() {
    let few = judge(&node(not_forwarded(3, 2), to(SERVER)[..2].to_vec()));
    assert_eq!(only(&few).severity(), Severity::Info);
    let mut window = node(not_forwarded(3, 30), to(SERVER));
    for link in links_of(&mut window) {
        link.ipv4 = ipv4(true, 0);
    }
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Loss);
    assert!(finding.remedies.is_empty());
}

#[test]
fn without_reasons_the_devices_setting_tells() {
    let key = ipv4_drops(NODE, 3, "", "ip_error", 30);
    let outcome = judge(&node(key.clone(), to(SERVER)));
    assert!(only(&outcome).cause.is(&FORWARDING_OFF));
    let mut window = node(key, to(SERVER));
    links_of(&mut window)[2].ipv4 = ipv4(true, 0);
    assert!(judge(&window).findings.is_empty(), "a missing route");
}

/// An UDP packet of fd00::1 or of a link-local address to fd01::1.
fn ipv6_sample(source: u8) -> PacketSample {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    bytes.extend([source, if source == 0xfe { 0x80 } else { 0 }]);
    bytes.extend([0; 13]);
    bytes.extend([1, 0xfd, 1]);
    bytes.extend([0; 13]);
    bytes.extend([1, 0, 80, 0, 81, 0, 8, 0, 0]);
    PacketSample {
        bytes,
        ..PacketSample::default()
    }
}

fn ipv6_key() -> DropCount {
    DropCount {
        ethertype: ETH_P_IPV6,
        ..ipv4_drops(NODE, 3, "IP_INADDRERRORS", "ip6_forward", 30)
    }
}

fn ipv6(forwarding: bool, accept_ra: u32) -> Option<Ipv6Settings> {
    Some(Ipv6Settings {
        forwarding,
        accept_ra,
    })
}

#[test]
fn ipv6_asks_what_all_devices_share() {
    let mut window = node(ipv6_key(), vec![ipv6_sample(0xfd); 4]);
    let holder = Address {
        ifindex: 2,
        address: "fd00::1".parse().expect("an address"),
        prefix: 64,
    };
    window.namespaces[1].addresses.push(holder);
    window.namespaces[0].settings.ipv6_all = ipv6(false, 1);
    window.namespaces[0].settings.ipv6_default = ipv6(false, 1);
    links_of(&mut window)[1].ipv6 = ipv6(true, 1);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(finding.subject.protocol.as_deref(), Some("IPv6"));
    assert_eq!(
        commands(finding),
        (
            "sysctl -w net.ipv6.conf.all.forwarding=1",
            "sysctl -w net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.forwarding=1"
        )
    );
    let effect = finding.remedies[0].effect.as_deref().unwrap_or_default();
    assert!(effect.contains("accept_ra"), "{effect}");
    window.namespaces[0].settings.ipv6_all = ipv6(true, 1);
    assert!(judge(&window).findings.is_empty(), "it does forward");
    window.namespaces[0].settings.ipv6_all = None;
    assert_eq!(judge(&window).findings.len(), 1, "not read");
    drops_of(&mut window).samples = vec![ipv6_sample(0xfe); 4];
    assert!(judge(&window).findings.is_empty(), "a link-local source");
}

#[test]
fn what_was_not_seen_counts_where_others_prove_that_nothing_is_forwarded() {
    let mut window = node(ipv6_key(), vec![ipv6_sample(0xfd); 4]);
    let holder = Address {
        ifindex: 2,
        address: "fd00::1".parse().expect("an address"),
        prefix: 64,
    };
    window.namespaces[1].addresses.push(holder);
    let by_uplink = DropCount {
        ifindex: 2,
        ..ipv6_key()
    };
    drops_of(&mut window).counts.push(by_uplink);
    let outcome = judge(&window);
    assert_eq!(only(&outcome).count, 60);
    assert_eq!(only(&outcome).severity(), Severity::Critical);
    // Nothing proves it, where the setting was not read either.
    drops_of(&mut window).samples.clear();
    assert!(judge(&window).findings.is_empty());
}

/// Refusals of the filter on veth1, with the value of all devices and of its own.
fn filtered(all: u32, own: u32, samples: Vec<PacketSample>) -> EvidenceWindow {
    let key = ipv4_drops(NODE, 3, "IP_RPFILTER", "ip_rcv_finish_core", 30);
    let mut window = node(key, samples);
    window.namespaces[0].settings.ipv4_all = ipv4(true, all);
    links_of(&mut window)[2].ipv4 = ipv4(true, own);
    links_of(&mut window)[3].ipv4 = ipv4(true, 2);
    window
}

#[test]
fn the_filters_value_that_works_is_printed() {
    let outcome = judge(&filtered(0, 1, to(SERVER)));
    let finding = only(&outcome);
    assert!(finding.cause.is(&REVERSE_PATH_FILTER));
    assert_eq!(finding.severity(), Severity::Info, "datagrams");
    assert_eq!(
        commands(finding),
        (
            "sysctl -w net.ipv4.conf.veth1.rp_filter=0",
            "sysctl -w net.ipv4.conf.veth1.rp_filter=1"
        )
    );
    let shared = judge(&filtered(1, 0, to(SERVER)));
    assert_eq!(
        commands(only(&shared)),
        (
            "sysctl -w net.ipv4.conf.all.rp_filter=0",
            "sysctl -w net.ipv4.conf.all.rp_filter=1"
        )
    );
    let effect = only(&shared).remedies[0].effect.clone().unwrap_or_default();
    assert!(
        effect.contains("eth0") && !effect.contains("veth2"),
        "{effect}"
    );
    let both = judge(&filtered(1, 2, to(SERVER)));
    assert_eq!(
        commands(only(&both)).0,
        "sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.veth1.rp_filter=0"
    );
}

#[test]
fn a_value_that_was_not_read_is_looked_at_and_not_changed() {
    let mut window = filtered(0, 1, to(SERVER));
    window.namespaces[0].settings.ipv4_all = None;
    let outcome = judge(&window);
    let remedy = &only(&outcome).remedies[0];
    assert_eq!(remedy.change, None);
    assert_eq!(
        remedy.command.as_deref(),
        Some("sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.veth1.rp_filter")
    );
}

#[test]
fn copies_for_a_group_are_missed_by_nobody() {
    let group = judge(&filtered(0, 1, to([239, 1, 2, 3])));
    assert_eq!(only(&group).assessment.harm, Harm::None);
    assert!(only(&group).remedies.is_empty());
    let mut mixed = to([239, 1, 2, 3]);
    mixed.extend(to(SERVER));
    let mixed = judge(&filtered(0, 1, mixed));
    assert_eq!(only(&mixed).assessment.harm, Harm::Unknown);
}

#[test]
fn a_connection_that_died_is_an_outage_of_the_pod() {
    let syn = [
        0, 80, 0, 81, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0,
    ];
    let samples = vec![ipv4_sample(6, SERVER, &syn); 4];
    let outcome = judge(&filtered(0, 1, samples.clone()));
    assert_eq!(only(&outcome).severity(), Severity::Critical);
    let mut uplink = filtered(0, 1, samples);
    links_of(&mut uplink)[2].kind = Some(LinkKind::Vlan);
    assert_eq!(only(&judge(&uplink)).severity(), Severity::Warning);
}
