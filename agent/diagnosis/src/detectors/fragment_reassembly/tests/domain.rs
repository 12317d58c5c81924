//! Findings about a shared domain, by what collides in it.

use super::*;
use crate::{
    Window,
    detectors::promiscuity::Promiscuity,
    evidence::{LinkKind, Observed, Peer, VlanSettings},
    finding::{Confidence, Finding, Harm, Verdict},
    kernel::Reason,
    testing::{links_of, proofs},
};

/// The member's copies come first: each datagram arrives where it should.
fn harmless_collisions() -> EvidenceWindow {
    let counts = vec![duplicates(STRANGER, 100), given_up(20)];
    let samples = [fragments(0, STRANGER, FIRST), fragments(1, STRANGER, LAST)];
    let mut window = node(counts, &samples);
    count(&mut window.namespaces[0], 20, 20);
    window.frame_copies = watched(vec![copies_of_fragments(120)]);
    window
}

/// Without connection tracking the copies die one by one.
fn strays() -> EvidenceWindow {
    let mut window = node(
        vec![unwanted(STRANGER, 120)],
        &[fragments(0, STRANGER, FIRST)],
    );
    count(&mut window.namespaces[0], 20, 0);
    window.frame_copies = watched(vec![copies_of_fragments(120)]);
    window
}

#[test]
fn collisions_beside_as_many_completed_datagrams_cost_none() {
    let mut window = harmless_collisions();
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::None);
    assert_eq!(finding.count, 100);
    assert!(finding.text.hurts.starts_with("Nobody so far"));

    // One datagram fewer was completed than failed: that one had no copy that lived.
    count(&mut window.namespaces[0], 19, 20);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Unknown);
    assert_eq!(finding.severity(), Severity::Info);
    assert!(finding.text.hurts.starts_with("Not known"));
}

#[test]
fn many_lost_datagrams_are_critical_by_their_share() {
    let mut window = conflict();
    drops_of(&mut window).counts[2].count = 40;
    count(&mut window.namespaces[0], 40, 40);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(
        (finding.severity(), finding.count),
        (Severity::Critical, 40)
    );
    assert_eq!(finding.assessment.carried, Some(0));
    // So many more were completed that each of the 40 may have had a copy that lived.
    count(&mut window.namespaces[0], 20_040, 40);
    let outcome = diagnose(&window);
    let assessment = &only(&outcome).assessment;
    assert_eq!(
        (assessment.harm, assessment.packets),
        (Harm::Unknown, Some(40))
    );
}

#[test]
fn what_no_program_has_joined_nobody_misses() {
    let mut window = conflict();
    window.namespaces[0].multicast_groups = Some(vec![IpAddr::V4(group())]);
    assert_eq!(only(&diagnose(&window)).assessment.harm, Harm::Loss);

    window.namespaces[0].multicast_groups = Some(vec!["239.1.1.1".parse().unwrap()]);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::None);
    assert!(
        finding.text.hurts.contains("no program here"),
        "{}",
        finding.text.hurts
    );
    let mut verdicts = outcome.claims.iter().map(|claim| claim.verdict);
    assert!(verdicts.all(|verdict| verdict == Verdict::Benign));
}

#[test]
fn copies_that_die_one_by_one_are_harmless_and_explained() {
    let outcome = diagnose(&strays());
    assert_eq!(
        severities(&outcome),
        [("SharedBroadcastDomain", Severity::Info)]
    );
    let verdicts: Vec<Verdict> = outcome.claims.iter().map(|claim| claim.verdict).collect();
    assert_eq!(verdicts, [Verdict::Benign]);
}

#[test]
fn a_datagram_that_dies_beside_a_copy_that_lived_is_not_lost() {
    // Whole copies one after the other, as a NIC hands over batches: each is put together, one of two dies.
    let mut window = node(vec![unwanted(STRANGER, 20)], &[wholes(0, STRANGER, 8_028)]);
    count(&mut window.namespaces[0], 40, 0);
    window.frame_copies = watched(vec![copies_of_fragments(120)]);
    assert_eq!(only(&diagnose(&window)).severity(), Severity::Info);

    // Batches that are cut now and then: 50 datagrams, 40 read, 17 of 27 that died had a copy that lived.
    let counts = vec![
        duplicates(MEMBER, 90),
        duplicates(STRANGER, 70),
        given_up(60),
        unwanted(STRANGER, 27),
    ];
    let samples = [
        fragments(0, MEMBER, FIRST),
        fragments(1, STRANGER, FIRST),
        fragments(2, MEMBER, LAST),
        wholes(3, STRANGER, 8_028),
    ];
    let mut window = node(counts, &samples);
    count(&mut window.namespaces[0], 67, 29);
    window.frame_copies = watched(vec![copies_of_fragments(300)]);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!((finding.severity(), finding.count), (Severity::Warning, 8));
    // 40 of the 67 that were completed arrived.
    assert_eq!(finding.assessment.carried, Some(40));
    assert!(finding.text.headline.contains("at least 8 datagrams lost"));
    assert!(
        finding.text.hurts.contains("up to 27"),
        "{}",
        finding.text.hurts
    );
}

/// The kernel's 30 s make the failures of most datagrams come after the window.
#[test]
fn duplicates_tell_of_the_loss_before_reassembly_is_given_up() {
    let mut window = conflict();
    count(&mut window.namespaces[0], 20, 0);
    drops_of(&mut window).counts[1].count = 0;
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!((finding.severity(), finding.count), (Severity::Warning, 18));
    assert!(finding.text.headline.contains("at least 18 datagrams lost"));
}

#[test]
fn failures_of_another_flow_make_no_datagram_lost() {
    let mut window = node(
        vec![unwanted(STRANGER, 20), given_up(25)],
        &[wholes(0, STRANGER, 8_028)],
    );
    let other = packet([192, 0, 2, 9].into(), 9, 1500, 0x2000);
    drops_of(&mut window)
        .samples
        .extend(vec![sample(1, MEMBER, 1500, other); 4]);
    count(&mut window.namespaces[0], 40, 5);
    window.frame_copies = watched(vec![copies_of_fragments(120)]);
    assert_eq!(
        severities(&diagnose(&window)),
        [
            ("SharedBroadcastDomain", Severity::Info),
            ("FragmentLoss", Severity::Warning)
        ]
    );
}

#[test]
fn a_datagram_smaller_than_a_frame_is_known_by_the_identification_of_its_fragments() {
    let mut window = conflict();
    let drops = drops_of(&mut window);
    drops.samples.retain(|sample| sample.key != 2);
    drops.samples.extend(wholes(2, STRANGER, 1_400));
    assert_eq!(only(&diagnose(&window)).assessment.harm, Harm::Loss);

    // The same, of a datagram that never was fragmented: a stray copy.
    let drops = drops_of(&mut window);
    for sample in drops.samples.iter_mut().filter(|sample| sample.key == 2) {
        sample.bytes[18] = 0x77;
    }
    assert_eq!(only(&diagnose(&window)).assessment.harm, Harm::None);
}

#[test]
fn other_packets_that_die_at_the_same_place_make_the_number_a_lower_bound() {
    let mut window = conflict();
    let drops = drops_of(&mut window);
    drops.counts[2].count = 500;
    let stranger = packet([192, 0, 2, 9].into(), 9, 300, 0);
    drops.samples.push(sample(2, STRANGER, 300, stranger));
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!((finding.severity(), finding.count), (Severity::Warning, 4));
    assert!(finding.text.headline.contains("at least 4 datagrams"));
    assert!(!outcome.claims.has(2), "not all of them are explained");
}

#[test]
fn what_dies_on_a_device_of_another_node_is_not_counted() {
    let mut window = strays();
    let drops = drops_of(&mut window);
    drops.counts.push(DropCount {
        netns: None,
        ifindex: 0,
        ..unwanted(MEMBER, 120)
    });
    drops.samples.extend(fragments(1, MEMBER, FIRST));
    let outcome = diagnose(&window);
    assert!(outcome.claims.has(0) && !outcome.claims.has(1));
    let commands = only(&outcome).remedies.iter();
    let mut commands = commands.filter_map(|remedy| remedy.command.as_deref());
    assert!(commands.any(|command| command.contains("device \"lan1\"")));
}

#[test]
fn without_reasons_the_functions_tell() {
    let mut window = conflict();
    let drops = drops_of(&mut window);
    drops.has_reasons = false;
    for key in &mut drops.counts {
        key.reason = Reason::ABSENT;
    }
    let outcome = diagnose(&window);
    assert_eq!(only(&outcome).assessment.harm, Harm::Loss);
    assert_eq!(only(&outcome).count, 20);
}

#[test]
fn what_the_counters_do_not_confirm_is_no_certain_loss() {
    let mut window = conflict();
    window.namespaces[0].counters.clear();
    window.namespaces[0].counters_before.clear();
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Unknown);
    assert_eq!(finding.assessment.packets, Some(20));
    let whole = outcome.claims.iter().find(|claim| claim.drop == 2);
    assert_eq!(whole.map(|claim| claim.verdict), Some(Verdict::Unknown));
    let hurts = &finding.text.hurts;
    assert!(
        hurts.contains("up to 20 datagrams may be missed"),
        "{hurts}"
    );
}

#[test]
fn three_interfaces_are_one_domain() {
    let mut window = conflict();
    links_of(&mut window).push(nic(4, "lan2"));
    window.frame_copies = watched(vec![
        copies_of_fragments(120),
        FrameCopy {
            second: 4,
            ..copies_of_fragments(118)
        },
    ]);
    let outcome = diagnose(&window);
    assert!(
        only(&outcome)
            .text
            .headline
            .starts_with("lan0, lan1 and lan2 are in one")
    );
}

#[test]
fn arp_makes_a_domain_likely() {
    let mut window = node(Vec::new(), &[]);
    let arp = FrameCopy {
        ethertype: 0x0806,
        source: None,
        destination: None,
        fragments: false,
        ..copies_of_fragments(7)
    };
    window.frame_copies = watched(vec![arp.clone()]);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(finding.confidence, Confidence::Likely);
    assert_eq!(finding.count, 7);

    window.frame_copies = watched(vec![FrameCopy { count: 1, ..arp }]);
    assert_eq!(
        diagnose(&window).findings,
        [],
        "one frame may look like another"
    );
}

/// The opener of a filtering interface is to blame, that of a veth is not.
#[test]
fn only_the_promiscuity_of_an_interface_that_filters_is_a_cause() {
    let opened = |kind: Option<&str>| -> Finding {
        let mut window = conflict();
        for link in links_of(&mut window) {
            link.kind = kind.map(LinkKind::from);
            link.promiscuity = 1;
            link.requested_flags = 0x1103;
        }
        let before = Promiscuity.diagnose(&Window::of(&window), &Outcome::default());
        let outcome = FragmentReassembly.diagnose(&Window::of(&window), &before);
        only(&outcome).clone()
    };
    let finding = opened(None);
    let causes: Vec<&str> = finding.caused_by.iter().map(|id| id.as_str()).collect();
    assert_eq!(
        causes,
        ["Promiscuity/UserRequest/lan1"],
        "lan0 takes the group in any case"
    );
    let commands = |finding: &Finding| -> Vec<String> {
        let remedies = finding.remedies.iter();
        remedies
            .filter_map(|remedy| remedy.command.clone())
            .collect()
    };
    assert_eq!(commands(&finding)[0], "ip link set dev lan1 promisc off");
    let change = finding.remedies[0].change.as_ref().expect("a change");
    let undo = "ip link set dev lan1 promisc on";
    assert_eq!(change.undo.as_deref(), Some(undo));

    let finding = opened(Some("veth"));
    assert_eq!(finding.caused_by, []);
    let commands = commands(&finding);
    assert!(
        commands[0].contains("ingress device \"lan1\"") && commands[0].contains("239.77.0.15"),
        "{commands:?}"
    );
    assert!(proofs(&finding).contains(&("lan1 promiscuity (takes every frame anyway)", "1")));
}

#[test]
fn interfaces_that_hand_frames_on_to_each_other_are_no_domain() {
    let lower = |index| Peer {
        ifindex: index,
        netns: Some(NODE),
    };
    let joins: [fn(&mut Vec<Link>, Peer); 3] = [
        |links, _| links.iter_mut().for_each(|link| link.master = Some(9)),
        |links, peer| {
            links[1].peer = Some(peer);
            links[1].vlan = Some(VlanSettings { id: 7 });
            links[1].kind = Some(LinkKind::Vlan);
        },
        |links, peer| {
            for link in links.iter_mut() {
                link.kind = Some(LinkKind::MacVlan);
                link.peer = Some(Peer {
                    ifindex: 9,
                    ..peer.clone()
                });
            }
        },
    ];
    for join in joins {
        let mut window = strays();
        join(links_of(&mut window), lower(MEMBER));
        assert_eq!(diagnose(&window).findings, []);
    }
}

/// A NIC may leave all headers outside the linear part, where they cannot be compared when a frame comes in.
#[test]
fn a_flow_that_dies_on_both_interfaces_makes_a_domain_likely() {
    let mut window = conflict();
    window.frame_copies = watched(Vec::new());
    assert_eq!(
        diagnose(&window).findings,
        [],
        "all were compared, and none came in twice"
    );

    if let OnDemand::Ran { value, .. } = &mut window.frame_copies {
        value.unreadable = 720;
    }
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!((finding.assessment.harm, finding.count), (Harm::Loss, 20));
    assert_eq!(finding.confidence, Confidence::Likely);
    assert!(
        finding
            .text
            .what
            .starts_with("Fragments were dropped on one of")
    );

    // Another sender on the other interface: each flow may have come to one interface only.
    let drops = drops_of(&mut window);
    for sample in drops.samples.iter_mut().filter(|sample| sample.key == 2) {
        sample.bytes[29] = 0x77;
    }
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn what_could_not_be_watched_is_said() {
    let mut window = harmless_collisions();
    window.frame_copies = OnDemand::Unavailable {
        reason: "bpf(BPF_PROG_LOAD) gave EPERM".to_owned(),
    };
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings, []);
    let reasons = |outcome: &Outcome| -> Vec<String> {
        let unchecked = outcome.unchecked.iter();
        unchecked.map(|entry| entry.reason.clone()).collect()
    };
    assert!(reasons(&outcome)[0].contains("EPERM"));

    window.frame_copies = OnDemand::default();
    assert!(reasons(&diagnose(&window))[0].contains("was not watched"));
    links_of(&mut window)[0].requested_flags = 0;
    assert!(reasons(&diagnose(&window)).is_empty(), "one way in");

    links_of(&mut window)[0].requested_flags = IFF_UP;
    let mut seen = watched(Vec::new());
    if let OnDemand::Ran { value, .. } = &mut seen {
        value.unreadable = 720;
    }
    window.frame_copies = seen;
    assert!(reasons(&diagnose(&window))[0].contains("of 720 frames"));

    window.frame_copies = watched(Vec::new());
    assert!(reasons(&diagnose(&window)).is_empty());
    window.duration_ms = 8_000;
    assert!(reasons(&diagnose(&window))[0].contains("8 s can miss them"));
    window.drops = Observed::default();
    assert!(!diagnose(&window).unchecked[0].is_made());
}
