//! Findings as they are read from drops, samples and handlers.

use super::*;
use crate::causes::UNHANDLED_PROTOCOL;

#[test]
fn cdp_is_read_behind_its_snap_header() {
    let announcement = cdp::tests::announcement("sw1.example", "Ethernet1/7");
    let snap = [
        &[0, 60, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0][..],
        &announcement,
    ]
    .concat();
    let bytes = frame([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc], &snap);
    let at_core = dropped(4, ETH_P_802_2, 2, std::slice::from_ref(&bytes));
    let at_llc = Dropped {
        reason: "NOT_SPECIFIED",
        location: "llc_rcv",
        ..dropped(9, ETH_P_802_2, 2, &[bytes])
    };
    let outcome = diagnose(&window(
        bridged_bond("active-backup"),
        vec![at_core, at_llc],
    ));
    let found: Vec<&Finding> = outcome
        .findings
        .iter()
        .filter(|finding| *finding.check() == UNHANDLED_PROTOCOL)
        .collect();
    assert_eq!(found.len(), 2);
    for finding in found {
        assert_eq!(finding.subject.protocol.as_deref(), Some("CDP"));
        assert_eq!(finding.neighbours, ["sw1.example"]);
        assert!(
            finding.details[0]
                .1
                .starts_with("sw1.example  port Ethernet1/7")
        );
        let filter = finding
            .remedies
            .iter()
            .find_map(|remedy| remedy.command.as_deref());
        let is_on_bond = finding.subject.interface.as_deref() == Some("bond0");
        let by_group = "ether daddr 01:00:0c:cc:cc:cc drop";
        assert_eq!(
            filter.is_some_and(|command| command.contains(by_group)),
            is_on_bond
        );
        // What the SNAP and LLC code drops was received, as far as the device's counters go.
        assert_eq!(
            finding.text.what.contains("no counter of the device"),
            !is_on_bond
        );
    }
}

#[test]
fn kernels_without_reasons_are_told_by_the_function() {
    let mut drop = dropped(2, 0x88cc, 2, &[lldp_frame("leaf-3a")]);
    drop.reason = "";
    let outcome = diagnose(&window(vec![device(2, "eth0", None)], vec![drop]));
    assert_eq!(only(&outcome).confidence, Confidence::Likely);
}

#[test]
fn other_drops_are_left_alone() {
    let check = |reason, location, ethertype| {
        let drop = Dropped {
            reason,
            location,
            ..dropped(2, ethertype, 0, &[])
        };
        let outcome = diagnose(&window(vec![device(2, "eth0", None)], vec![drop]));
        assert!(outcome.findings.is_empty() && outcome.claims.is_empty());
    };
    check("OTHERHOST", "ip_rcv_core", 0x0800);
    check("TCP_CSUM", "tcp_v4_rcv", 0x0800);
    check("NOT_SPECIFIED", "stp_pdu_rcv", ETH_P_802_2);
    check("NOT_SPECIFIED", "llc_rcv", 0x0800);
}

#[test]
fn tags_are_told_wherever_the_kernel_keeps_them() {
    let in_frame = frame(LLDP_GROUP, &[0x81, 0, 0, 100, 0x88, 0xcc, 2, 7, 4]);
    let mut window = window(
        vec![device(2, "eth0", None)],
        vec![dropped(2, 0x88cc, 2, &[in_frame])],
    );
    let drops = drops_of(&mut window);
    let mut taken_out = drops.samples[0].clone();
    taken_out.bytes = lldp_frame("leaf-3a");
    taken_out.vlan_tci = Some(0xe000);
    drops.samples.push(taken_out);
    let outcome = diagnose(&window);
    let tags: Vec<&str> = only(&outcome)
        .details
        .iter()
        .filter(|(label, _)| *label == "Tag")
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(tags, ["VLAN 100", "VLAN 0, a priority without a VLAN"]);
}

/// The kernel forgets the tag before it drops the frame; what it was for shows in `pkt_type`, or in the device.
#[test]
fn forgotten_tags_are_told_by_what_they_left() {
    let mut vlan = device(5, "bond0.100", Some("vlan"));
    vlan.vlan = Some(VlanSettings { id: 100 });
    let tags = |link: Link, packet_type| {
        let drops = dropped(link.ifindex, 0x88cc, packet_type, &[lldp_frame("leaf-3a")]);
        let outcome = diagnose(&window(vec![link], vec![drops]));
        let details = only(&outcome).details.clone();
        let tags = details.into_iter().filter(|(label, _)| *label == "Tag");
        tags.map(|(_, text)| text).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(tags(device(2, "eth0", None), 2), none);
    let foreign = tags(device(2, "eth0", None), frames::PACKET_OTHERHOST);
    assert_eq!(foreign, ["a VLAN that has no device on eth0"]);
    assert_eq!(tags(vlan, 2), ["VLAN 100"]);
}

#[test]
fn a_receiver_that_is_there_now_is_said() {
    let mut window = window(
        vec![device(2, "eth0", None)],
        vec![dropped(2, 0x88cc, 2, &[lldp_frame("leaf-3a")])],
    );
    window.namespaces[0].protocol_handlers = Some(vec![
        ProtocolHandler {
            ethertype: Some(0x88cc),
            device: Some("eth0".to_owned()),
            function: "packet_rcv".to_owned(),
        },
        ProtocolHandler {
            ethertype: None,
            device: Some("eth9".to_owned()),
            function: "packet_rcv".to_owned(),
        },
    ]);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(
        finding.evidence.last().map(|proof| proof.value.as_str()),
        Some("1")
    );
    assert!(
        finding
            .text
            .what
            .contains("may have started within the window")
    );
}

#[test]
fn a_hostile_sender_is_escaped_and_bounded() {
    let frames = [
        lldp_frame(&"\u{1b}[2Jevil".repeat(20)),
        lldp_frame("b"),
        lldp_frame("c"),
    ];
    let window = window(
        vec![device(2, "eth0", None)],
        vec![dropped(2, 0x88cc, 2, &frames)],
    );
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    let texts = finding
        .details
        .iter()
        .map(|(_, text)| text)
        .chain([&finding.text.headline]);
    for text in texts {
        assert!(!text.contains('\u{1b}'));
        assert!(text.chars().count() < 600);
    }
    assert!(finding.text.headline.contains("and 2 more"));
}

#[test]
fn garbage_in_the_samples_is_survived() {
    let mut garbage = Vec::new();
    for length in 0..40_u8 {
        garbage.push(
            (0..length)
                .map(|byte| byte.wrapping_mul(37) ^ 0xaa)
                .collect(),
        );
    }
    for ethertype in [0x88cc, ETH_P_802_2, 0x8809, 0xffff, 0] {
        let window = window(
            vec![device(2, "eth0", None)],
            vec![dropped(2, ethertype, 2, &garbage)],
        );
        diagnose(&window);
    }
}

#[test]
fn a_device_that_is_gone_is_still_told() {
    let window = window(
        Vec::new(),
        vec![dropped(7, 0x88cc, 2, &[lldp_frame("leaf-3a")])],
    );
    let outcome = diagnose(&window);
    assert!(
        only(&outcome)
            .text
            .headline
            .contains("a vanished device (index 7)")
    );
}

#[test]
fn a_blind_or_short_window_is_said() {
    let mut window = window(Vec::new(), Vec::new());
    let said = |window: &EvidenceWindow| -> Vec<(bool, String)> {
        let unchecked = diagnose(window).unchecked.into_iter();
        unchecked
            .filter(|entry| *entry.check == UNHANDLED_PROTOCOL)
            .map(|entry| (entry.is_made(), entry.reason))
            .collect()
    };
    window.duration_ms = 10_000;
    let short = "LLDP comes every 30 s, CDP every 60 s: 10 s can miss them";
    assert_eq!(said(&window), [(true, short.to_owned())]);
    window.drops = unavailable("bpf(BPF_PROG_LOAD) gave EPERM");
    let blind = "drop probe: bpf(BPF_PROG_LOAD) gave EPERM";
    assert_eq!(said(&window), [(false, blind.to_owned())]);
}

#[test]
fn what_a_broadcast_does_in_every_pod_is_one_finding() {
    let pods: Vec<u32> = (0..30).collect();
    let loop_test = frame(BROADCAST, &[0x88, 0x99, 0x23, 0]);
    let drops = pods
        .iter()
        .map(|pod| dropped(100 + pod, 0x8899, 1, std::slice::from_ref(&loop_test)))
        .collect();
    let mut links: Vec<Link> = Vec::new();
    let mut namespaces = Vec::new();
    for pod in &pods {
        let mut link = device(100 + pod, "eth0", Some("veth"));
        link.netns = NetnsId(1000 + pod);
        namespaces.push(Namespace {
            id: link.netns,
            name: Some(format!("pod{pod}")),
            ..Namespace::default()
        });
        links.push(link);
    }
    let mut window = window(links, drops);
    window.namespaces.extend(namespaces);
    for count in &mut drops_of(&mut window).counts {
        count.netns = Some(NetnsId(900 + count.ifindex));
    }
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(
        finding.text.headline,
        "Realtek loop detection is dropped on 30 virtual devices, harmless: no program listens for it"
    );
    assert_eq!(finding.count, 600);
    assert!(finding.details[0].1.starts_with("eth0 of netns pod0, "));
    assert_eq!(outcome.claims.len(), 30);
    assert!(
        outcome
            .claims
            .iter()
            .all(|claim| claim.finding.as_ref() == Some(&finding.id))
    );
}

#[test]
fn protocols_that_share_a_number_are_findings_of_their_own() {
    let slow = |subtype: u8| frame([1, 0x80, 0xc2, 0, 0, 2], &[0x88, 0x09, subtype, 1]);
    let drops = [(1, 11), (3, 13)].map(|(subtype, count)| Dropped {
        count,
        ..dropped(2, 0x8809, 2, &[slow(subtype)])
    });
    let outcome = diagnose(&window(vec![device(2, "eth0", None)], drops.into()));
    let found: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| (finding.subject.protocol.as_deref(), finding.count))
        .collect();
    assert_eq!(found, [(Some("Ethernet OAM"), 13), (Some("LACP"), 11)]);
}
