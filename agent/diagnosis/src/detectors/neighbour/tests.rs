use super::Neighbour;
use crate::{
    Window,
    detectors::Detector,
    evidence::{
        Address, DropCount, EvidenceWindow, LimitsIn, Link, LinkKind, MacvlanSettings,
        NeighbourTable, NeighbourTables, PacketSample, Peer,
    },
    finding::{Confidence, Culprit, Finding, Harm, Outcome, Severity},
    testing::{
        NODE, POD, complete, drops_of, ipv4_drops, ipv4_sample, link, links_of, only, proofs,
        unavailable, window,
    },
    uapi::ethertype::ETH_P_IPV6,
};

fn judge(window: &EvidenceWindow) -> Outcome {
    Neighbour.diagnose(&Window::of(window), &Outcome::default())
}

fn datagram(destination: [u8; 4], port: u16) -> PacketSample {
    let [high, low] = port.to_be_bytes();
    ipv4_sample(17, destination, &[0x9c, 0x40, high, low, 0, 8, 0, 0])
}

/// Nine drops on the node's eth0, 10.0.0.254/24, with these samples; the pod's eth0 is 10.0.1.9/24.
fn dropped(reason: &str, location: &str, samples: Vec<PacketSample>) -> EvidenceWindow {
    let links = vec![link(NODE, 2, "eth0"), link(POD, 2, "eth0")];
    let mut window = window(links, vec![ipv4_drops(NODE, 2, reason, location, 9)]);
    drops_of(&mut window).samples = samples;
    let address = |address: [u8; 4]| Address {
        ifindex: 2,
        address: address.into(),
        prefix: 24,
    };
    window.namespaces[0].addresses = vec![address([10, 0, 0, 254])];
    window.namespaces[1].addresses = vec![address([10, 0, 1, 9])];
    window
}

fn silent(samples: Vec<PacketSample>) -> EvidenceWindow {
    dropped("NEIGH_FAILED", "arp_error_report", samples)
}

fn told(window: &EvidenceWindow) -> (Harm, Culprit, Severity) {
    let outcome = judge(window);
    let found = &only(&outcome).assessment;
    (found.harm, found.culprit, found.severity())
}

const OUTAGE: (Harm, Culprit, Severity) = (Harm::Outage, Culprit::Elsewhere, Severity::Warning);

#[test]
fn a_poller_of_an_address_that_is_gone_is_info_and_a_silent_gateway_is_not() {
    let polled = vec![datagram([10, 0, 0, 9], 5000); 4];
    let gone = judge(&silent(polled.clone()));
    let finding = only(&gone);
    assert_eq!(finding.id.as_str(), "Neighbour/Unanswered/eth0");
    assert!(finding.assessment.is_towards_nobody);
    assert_eq!(finding.severity(), Severity::Info);
    // Of nine packets the only one that was seen does not speak for the others.
    let few = judge(&silent(polled[..1].to_vec()));
    let finding = only(&few);
    assert_eq!(finding.severity(), Severity::Warning);
    assert!(finding.text.hurts.starts_with("Nothing gets through"));
    let gateway = silent(vec![
        datagram([10, 0, 0, 9], 5000),
        datagram([203, 0, 113, 9], 5000),
    ]);
    assert_eq!(told(&gateway), OUTAGE);
    assert_eq!(
        only(&judge(&gateway)).text.headline,
        "The next hop to 203.0.113.9 does not answer: 9 packets for this and other neighbours dropped on eth0"
    );
    assert_eq!(told(&silent(vec![datagram([10, 0, 0, 9], 8472)])), OUTAGE);
    // It may be the gateway.
    let unseen = (Harm::Unknown, Culprit::Elsewhere, Severity::Warning);
    assert_eq!(told(&silent(Vec::new())), unseen);
}

#[test]
fn an_address_that_a_pod_has_is_missed_until_the_pod_ends() {
    let mut held = silent(vec![datagram([10, 0, 0, 9], 5000); 4]);
    held.namespaces[1].addresses[0].address = [10, 0, 0, 9].into();
    assert_eq!(told(&held), OUTAGE);
    let ended = links_of(&mut held).remove(1);
    held.ended_links.push(ended);
    assert!(only(&judge(&held)).assessment.is_towards_nobody);
}

#[test]
fn what_is_sent_into_a_device_that_has_gone_is_missed_by_nobody() {
    let mut window = silent(vec![datagram([203, 0, 113, 9], 5000)]);
    let ended = links_of(&mut window).remove(0);
    window.ended_links.push(ended);
    assert_eq!(told(&window).2, Severity::Info);
}

#[test]
fn a_queue_for_a_silent_neighbour_is_its_symptom() {
    let mut window = silent(vec![datagram([203, 0, 113, 9], 5000)]);
    let queue = ipv4_drops(NODE, 2, "NEIGH_QUEUEFULL", "__neigh_event_send", 90);
    drops_of(&mut window).counts.push(queue);
    let outcome = judge(&window);
    assert_eq!((only(&outcome).count, outcome.claims.len()), (99, 2));
    // A queue that was full while its neighbour answered late is another check's.
    drops_of(&mut window).counts.remove(0);
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn ipv6_gives_no_reason_and_has_commands_of_its_own() {
    let mut window = dropped("NOT_SPECIFIED", "neigh_invalidate", Vec::new());
    drops_of(&mut window).counts[0].ethertype = ETH_P_IPV6;
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "Neighbour/Unanswered/eth0/IPv6");
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("ip -6 neigh show dev eth0 nud failed")
    );
    assert!(finding.text.what.contains("neighbour discovery"));
}

/// A macvlan device on the node's eth0.
fn macvlan(ifindex: u32, mode: &str) -> Link {
    Link {
        kind: Some(LinkKind::MacVlan),
        peer: Some(Peer {
            ifindex: 2,
            netns: Some(NODE),
        }),
        macvlan: Some(MacvlanSettings {
            mode: mode.to_owned(),
            no_promiscuity: false,
        }),
        ..link(POD, ifindex, "eth0")
    }
}

#[test]
fn a_node_and_its_own_macvlan_pod_are_kept_apart() {
    let mut window = silent(vec![datagram([10, 0, 0, 9], 5000); 9]);
    links_of(&mut window)[1] = macvlan(2, "bridge");
    window.namespaces[1].addresses[0].address = [10, 0, 0, 9].into();
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.assessment.is_decision());
    assert_eq!(finding.severity(), Severity::Info);
    assert!(finding.text.what.contains("by design"), "{finding:?}");
    assert_eq!(
        proofs(finding)[0],
        ("macvlan of eth0", "on eth0, mode bridge")
    );
    // The pod asks for the node.
    drops_of(&mut window).counts[0].netns = Some(POD);
    drops_of(&mut window).samples = vec![datagram([10, 0, 0, 254], 5000); 9];
    assert!(only(&judge(&window)).assessment.is_decision());
    // A silent gateway beside it is what hurts.
    drops_of(&mut window)
        .samples
        .push(datagram([203, 0, 113, 9], 5000));
    assert_eq!(told(&window), OUTAGE);
}

#[test]
fn a_node_and_its_own_ipvlan_pod_are_kept_apart_as_well() {
    let mut window = silent(vec![datagram([10, 0, 0, 9], 5000); 9]);
    links_of(&mut window)[1] = Link {
        kind: Some(LinkKind::IpVlan),
        macvlan: None,
        ..macvlan(2, "")
    };
    window.namespaces[1].addresses[0].address = [10, 0, 0, 9].into();
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.assessment.is_decision());
    assert!(finding.text.headline.contains("ipvlan"), "{finding:?}");
    assert_eq!(proofs(finding)[0], ("ipvlan of eth0", "on eth0"));
}

#[test]
fn macvlan_pods_of_one_device_talk_except_in_private_mode() {
    for (mode, is_decision) in [("bridge", false), ("private", true)] {
        let mut window = silent(vec![datagram([10, 0, 1, 8], 5000); 9]);
        links_of(&mut window)[1] = macvlan(2, mode);
        links_of(&mut window).push(macvlan(3, mode));
        drops_of(&mut window).counts[0].netns = Some(POD);
        let mut other = window.namespaces[1].addresses[0].clone();
        (other.ifindex, other.address) = (3, [10, 0, 1, 8].into());
        window.namespaces[1].addresses.push(other);
        let outcome = judge(&window);
        assert_eq!(
            only(&outcome).assessment.is_decision(),
            is_decision,
            "{mode}"
        );
    }
}

/// A table of IPv4 with room for 4, which refused so many.
fn with_table(mut window: EvidenceWindow, table_fulls: u64, entries: u32) -> EvidenceWindow {
    let table = NeighbourTable {
        entries,
        gc_thresh3: 4,
        table_fulls,
    };
    window.neighbour_tables = complete(NeighbourTables {
        ipv4: Some(table),
        ipv6: Some(NeighbourTable {
            table_fulls: 0,
            ..table
        }),
        limits_in: LimitsIn::Node,
    });
    window
}

fn refused(table_fulls: u64, entries: u32) -> EvidenceWindow {
    let samples = vec![datagram([10, 0, 0, 9], 5000)];
    let window = dropped("NEIGH_CREATEFAIL", "ip_finish_output2", samples);
    with_table(window, table_fulls, entries)
}

fn change(finding: &Finding) -> (Option<&str>, Option<&str>) {
    let remedy = &finding.remedies[0];
    let undo = remedy
        .change
        .as_ref()
        .and_then(|change| change.undo.as_deref());
    (remedy.command.as_deref(), undo)
}

#[test]
fn a_full_table_cuts_off_new_neighbours_and_is_made_larger() {
    let mut window = refused(9, 4);
    // Entries that the limit does not count may be among those that are there.
    window.duration_ms = 35_000;
    let earlier = judge(&window);
    assert_eq!(only(&earlier).assessment.harm, Harm::Loss);
    drops_of(&mut window).counts[0].last_ms = 31_000;
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "Neighbour/TableFull");
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!((finding.assessment.harm, finding.count), (Harm::Outage, 9));
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(
        change(finding),
        (
            Some("sysctl -w net.ipv4.neigh.default.gc_thresh3=8"),
            Some("sysctl -w net.ipv4.neigh.default.gc_thresh3=4")
        )
    );
    assert_eq!(proofs(finding)[0], ("table_fulls of arp_cache", "+9"));
    let tables = NeighbourTables {
        limits_in: LimitsIn::FirstProcess,
        ..*window.neighbour_tables.value().expect("tables")
    };
    window.neighbour_tables = complete(tables);
    let outcome = judge(&window);
    let (command, _) = change(only(&outcome));
    let entered = "nsenter --net=/proc/1/ns/net sysctl -w net.ipv4.neigh.default.gc_thresh3=8";
    assert_eq!(command, Some(entered));
    window.neighbour_tables = complete(NeighbourTables {
        limits_in: LimitsIn::Elsewhere,
        ..tables
    });
    assert_eq!(change(only(&judge(&window))), (None, None));
}

#[test]
fn a_table_that_had_room_refused_nothing() {
    // The device went down.
    assert!(judge(&refused(0, 4)).findings.is_empty());
    // The table of IPv6 refused nothing.
    let mut window = refused(9, 4);
    drops_of(&mut window).counts[0].ethertype = ETH_P_IPV6;
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn a_table_with_room_at_the_end_lost_what_it_refused() {
    let mut window = refused(9, 3);
    let sample = datagram([10, 0, 0, 9], 5000);
    drops_of(&mut window).samples = vec![sample; 9];
    links_of(&mut window)[0].stats.tx_packets = 991;
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(
        (finding.assessment.harm, finding.severity()),
        (Harm::Loss, Severity::Warning)
    );
    let few = refused(2, 4);
    assert_eq!(only(&judge(&few)).confidence, Confidence::Likely);
}

#[test]
fn kernels_without_reasons_tell_by_place_and_table() {
    for (location, ethertype) in [
        ("ip_finish_output2", 0x800),
        ("ip6_finish_output2", ETH_P_IPV6),
    ] {
        let window = dropped("", location, Vec::new());
        let mut window = with_table(window, 9, 4);
        let key: &mut DropCount = &mut drops_of(&mut window).counts[0];
        key.ethertype = ethertype;
        let tables = *window.neighbour_tables.value().expect("tables");
        window.neighbour_tables = complete(NeighbourTables {
            ipv6: tables.ipv4,
            ..tables
        });
        assert_eq!(judge(&window).findings.len(), 1, "{location}");
    }
}

#[test]
fn a_table_that_was_not_read_is_told_where_it_matters() {
    let mut window = refused(9, 4);
    window.neighbour_tables = unavailable("EPERM");
    let outcome = judge(&window);
    assert!(outcome.findings.is_empty());
    let [unchecked] = &outcome.unchecked[..] else {
        panic!("{:?}", outcome.unchecked)
    };
    assert!(unchecked.reason.contains("EPERM"), "{unchecked:?}");
    drops_of(&mut window).counts.clear();
    assert!(judge(&window).unchecked.is_empty());
}
