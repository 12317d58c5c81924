use super::SegmentOffload;
use crate::{
    Diagnosis, Settings, Window,
    detectors::Detector,
    evidence::{
        DropCount, EvidenceWindow, GroCount, GroKind, GroReceive, Link, LinkStats, OnDemand,
        PacketSample,
    },
    finding::{Confidence, Harm, Outcome, Severity, Verdict},
    testing::{NODE, POD, drops_of, link, links_of, only, proofs, unavailable, window},
};

fn diagnose(window: &EvidenceWindow) -> Outcome {
    SegmentOffload.diagnose(&Window::of(window), &Outcome::default())
}

fn silent(window: &EvidenceWindow) {
    assert_eq!(diagnose(window).findings, []);
}

mod receive {
    use super::*;

    fn count(kind: GroKind, offered: u64, merged: u64, held: u64) -> GroCount {
        GroCount {
            netns: NODE,
            ifindex: 2,
            kind,
            offered,
            merged,
            held,
        }
    }

    /// eth0 with GRO on, and what it was offered between 1 and 8 s of the window.
    fn received(counts: &[GroCount]) -> EvidenceWindow {
        let eth0 = Link {
            receive_offload: Some(true),
            ..link(NODE, 2, "eth0")
        };
        let mut window = window(vec![eth0], vec![]);
        window.node.kernel = "6.12.107".to_owned();
        window.gro = OnDemand::Ran {
            question: "eth0 takes segment routing headers".to_owned(),
            from_ms: 1_000,
            until_ms: 8_000,
            value: GroReceive {
                counts: counts.to_vec(),
                ..GroReceive::default()
            },
        };
        window
    }

    const INLINE: GroKind = GroKind::SegmentRoutingInline;
    const PLAIN: GroKind = GroKind::PlainTcp;
    const ENCAPSULATED: GroKind = GroKind::SegmentRoutingEncapsulated;

    #[test]
    fn inline_packets_that_are_not_joined_beside_others_that_are() {
        let window = received(&[
            count(PLAIN, 60_000, 54_000, 3_000),
            count(INLINE, 78_000, 0, 0),
        ]);
        let outcome = diagnose(&window);
        let finding = only(&outcome);
        assert_eq!(
            finding.text.headline,
            "eth0 joins none of 78000 packets with an inline segment routing header (of other traffic 95 %)"
        );
        assert_eq!(finding.severity(), Severity::Info);
        assert_eq!(finding.assessment.harm, Harm::Cost);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert_eq!(
            (finding.count, finding.first_ms, finding.last_ms),
            (78_000, 1_000, 8_000)
        );
        assert!(finding.text.what.contains("Linux 6.12.107"));
        let shares: Vec<_> = proofs(finding)
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        assert_eq!(shares, ["0 of 78000", "57000 of 60000", "on", "6.12.107"]);
        assert!(outcome.claims.is_empty(), "nothing is lost");
    }

    #[test]
    fn encapsulated_traffic_is_a_comparison_too() {
        let window = received(&[
            count(ENCAPSULATED, 900, 800, 50),
            count(INLINE, 1_000, 0, 0),
        ]);
        assert_eq!(only(&diagnose(&window)).confidence, Confidence::Certain);
    }

    #[test]
    fn alone_on_an_interface_with_offload_on_it_is_likely() {
        let mut window = received(&[count(INLINE, 1_000, 0, 0), count(PLAIN, 40, 30, 0)]);
        let outcome = diagnose(&window);
        let finding = only(&outcome);
        assert_eq!(finding.confidence, Confidence::Likely);
        assert!(finding.text.headline.ends_with("segment routing header"));
        links_of(&mut window)[0].receive_offload = None;
        silent(&window);
    }

    #[test]
    fn offload_that_is_off_or_joins_nothing_at_all_is_not_blamed_on_the_header() {
        let counts = [count(INLINE, 9_000, 0, 0), count(PLAIN, 9_000, 0, 0)];
        silent(&received(&counts));
        let mut off = received(&counts[..1]);
        links_of(&mut off)[0].receive_offload = Some(false);
        silent(&off);
    }

    #[test]
    fn traffic_that_is_joined_is_silent() {
        silent(&received(&[
            count(PLAIN, 60_000, 54_000, 3_000),
            count(ENCAPSULATED, 40_000, 36_000, 1_000),
        ]));
        silent(&received(&[
            count(PLAIN, 60_000, 54_000, 3_000),
            count(INLINE, 60_000, 50_000, 3_000),
        ]));
        // One in fifty: some of it is on its last segment, and joined.
        silent(&received(&[
            count(PLAIN, 60_000, 54_000, 3_000),
            count(INLINE, 60_000, 1_200, 0),
        ]));
        // Kept to be joined: the offload took it, and nothing more came in time.
        silent(&received(&[
            count(PLAIN, 60_000, 54_000, 3_000),
            count(INLINE, 60_000, 0, 50_000),
        ]));
    }

    #[test]
    fn few_packets_tell_nothing() {
        silent(&received(&[
            count(PLAIN, 60_000, 54_000, 3_000),
            count(INLINE, 499, 0, 0),
        ]));
    }

    #[test]
    fn other_interfaces_are_no_comparison() {
        let mut elsewhere = count(PLAIN, 60_000, 54_000, 3_000);
        elsewhere.netns = POD;
        let window = received(&[elsewhere, count(INLINE, 1_000, 0, 0)]);
        assert_eq!(only(&diagnose(&window)).confidence, Confidence::Likely);
    }

    #[test]
    fn what_was_not_asked_is_no_gap_and_what_could_not_be_seen_is_one() {
        let idle = window(vec![], vec![]);
        assert_eq!(diagnose(&idle).unchecked, []);

        let mut refused = window(vec![], vec![]);
        refused.gro = OnDemand::Unavailable {
            reason: "no tracepoint".to_owned(),
        };
        let unchecked = diagnose(&refused).unchecked;
        assert_eq!(unchecked.len(), 1);
        assert!(unchecked[0].is_made() && unchecked[0].reason.contains("no tracepoint"));

        let mut unread = received(&[]);
        if let OnDemand::Ran { value, .. } = &mut unread.gro {
            value.unread = 12;
        }
        let unchecked = diagnose(&unread).unchecked;
        assert!(
            unchecked[0]
                .reason
                .starts_with("packets that come in: 12 could not be counted")
        );
    }

    #[test]
    fn counts_at_the_edge_of_their_type_are_survived() {
        let window = received(&[
            count(PLAIN, u64::MAX, u64::MAX, u64::MAX),
            count(ENCAPSULATED, u64::MAX, u64::MAX, 1),
            count(INLINE, u64::MAX, 0, 0),
        ]);
        assert_eq!(diagnose(&window).findings.len(), 1);
    }
}

mod transmit {
    use super::*;

    const DROPPED: u64 = 38;

    /// fd0a::1 to fd0b::1 by way of fd0b::100: IPv6, a segment routing header with two segments, TCP.
    fn inline_packet(behind: u8) -> Vec<u8> {
        let address = |group: u8, last: u16| {
            let mut address = vec![0xfd, group];
            address.extend([0; 12]);
            address.extend(last.to_be_bytes());
            address
        };
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 43, 64];
        packet.extend(address(0x0a, 1));
        packet.extend(address(0x0b, 0x100));
        packet.extend([behind, 4, 4, 1, 1, 0, 0, 0]);
        packet.extend(address(0x0b, 1));
        packet.extend(address(0x0b, 0x100));
        packet.extend([0x9c, 0x40, 0x13, 0x89]);
        packet.extend([0; 16]);
        packet
    }

    fn sample(bytes: Vec<u8>) -> PacketSample {
        PacketSample {
            length: 28_000,
            truncated: true,
            network_offset: Some(0),
            bytes,
            ..PacketSample::default()
        }
    }

    /// eth0 whose tx_dropped rose with drops of these packets.
    fn sent(reason: &str, samples: Vec<PacketSample>) -> EvidenceWindow {
        let eth0 = Link {
            mtu: 1500,
            gso_max_segments: Some(65_535),
            stats_before: Some(LinkStats::default()),
            stats: LinkStats {
                tx_dropped: DROPPED,
                ..LinkStats::default()
            },
            ..link(NODE, 2, "eth0")
        };
        let dropped = DropCount {
            netns: Some(NODE),
            ifindex: 2,
            ethertype: 0x86dd,
            reason: reason.into(),
            location: "__dev_queue_xmit".into(),
            at_least: DROPPED,
            count: DROPPED,
            first_ms: 10,
            last_ms: 900,
        };
        let mut window = window(vec![eth0], vec![dropped]);
        drops_of(&mut window).samples = samples;
        window
    }

    fn inline() -> Vec<PacketSample> {
        let segment = |sequence| {
            let mut packet = inline_packet(6);
            let at = packet.len() - 13;
            packet[at] = sequence;
            sample(packet)
        };
        (0..4).map(segment).collect()
    }

    #[test]
    fn super_frames_with_an_inline_header_are_a_critical_loss() {
        let outcome = diagnose(&sent("SKB_BAD_GSO", inline()));
        let finding = only(&outcome);
        assert_eq!(
            finding.text.headline,
            "eth0 drops TCP super-frames with an inline segment routing header: 38 packets lost on the way out"
        );
        assert_eq!(finding.severity(), Severity::Critical);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert_eq!(
            (finding.count, finding.first_ms, finding.last_ms),
            (DROPPED, 10, 900)
        );
        assert_eq!(outcome.claims[0].verdict, Verdict::Harmful);
        assert_eq!(
            finding.details,
            [("Flow", "[fd0a::1]:40000 -> [fd0b::1]:5001 TCP".to_owned())]
        );
        assert_eq!(
            finding.remedies[0].command.as_deref(),
            Some("ip link set dev eth0 gso_max_segs 1")
        );
        let change = finding.remedies[0].change.as_ref().expect("a change");
        let undo = "ip link set dev eth0 gso_max_segs 65535";
        assert_eq!(change.undo.as_deref(), Some(undo));
    }

    #[test]
    fn an_old_value_that_was_not_read_is_looked_at_first() {
        let mut window = sent("SKB_BAD_GSO", inline());
        links_of(&mut window)[0].gso_max_segments = None;
        let outcome = diagnose(&window);
        let look = &only(&outcome).remedies[0];
        let command = "ip -details link show dev eth0";
        assert_eq!(look.command.as_deref(), Some(command));
        assert_eq!(look.change, None);
    }

    #[test]
    fn super_frames_are_judged_by_their_share() {
        let mut window = sent("SKB_BAD_GSO", inline());
        for (tx_packets, severity) in [
            (1_000, Severity::Critical),
            (10_000, Severity::Warning),
            (1_000_000, Severity::Info),
        ] {
            links_of(&mut window)[0].stats.tx_packets = tx_packets;
            let outcome = diagnose(&window);
            assert_eq!(only(&outcome).severity(), severity, "{tx_packets}");
        }
    }

    #[test]
    fn the_device_s_counter_is_booked_in_full() {
        let window = sent("SKB_BAD_GSO", inline());
        let Diagnosis {
            findings, ledger, ..
        } = crate::diagnose(&window, &Settings::default());
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            crate::testing::ledger(&crate::diagnose(&window, &Settings::default())),
            [(Some("eth0"), "tx_dropped", DROPPED, DROPPED, 0)]
        );
        assert_eq!(ledger[0].explained[0].verdict, Verdict::Harmful);
    }

    #[test]
    fn a_drop_in_a_pod_is_fixed_in_the_pod() {
        let mut window = sent("SKB_BAD_GSO", inline());
        links_of(&mut window)[0].netns = POD;
        drops_of(&mut window).counts[0].netns = Some(POD);
        let outcome = diagnose(&window);
        let remedy = &only(&outcome).remedies[0];
        assert_eq!(
            remedy.command.as_deref(),
            Some(
                r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" ip link set dev eth0 gso_max_segs 1"#
            )
        );
    }

    #[test]
    fn other_malformed_frames_and_other_drops_are_other_faults() {
        silent(&sent("SKB_BAD_GSO", vec![]));
        let mut mixed = inline();
        mixed.push(sample(vec![0x45; 40]));
        silent(&sent("SKB_BAD_GSO", mixed));
        silent(&sent("SKB_BAD_GSO", vec![sample(inline_packet(41))]));
        silent(&sent("QDISC_DROP", inline()));
        silent(&sent("", inline()));
    }

    #[test]
    fn another_routing_header_is_no_segment_routing() {
        let mut packet = inline_packet(6);
        packet[42] = 2;
        silent(&sent("SKB_BAD_GSO", vec![sample(packet)]));
    }

    #[test]
    fn a_kernel_without_reasons_drops_none_and_leaves_nothing_open() {
        let mut window = sent("", inline());
        drops_of(&mut window).has_reasons = false;
        assert_eq!(diagnose(&window).unchecked, []);
        window.drops = unavailable("no CAP_BPF");
        assert!(diagnose(&window).unchecked[0].reason.contains("no CAP_BPF"));
    }
}
