//! A NIC whose driver counts what its ring had no room for, and a CPU whose backlog was full.

use super::ReceiveOverrun;
use crate::{
    Settings, Window,
    detectors::Detector,
    evidence::{
        CpuBacklog, DropCount, EvidenceWindow, Link, LinkKind, LinkStats, NetnsId, Observed,
        Softnet, SoftnetCounters,
    },
    finding::{Confidence, Outcome, Severity},
    kernel::Reason,
    testing::{
        self, NODE, complete, drops_of, ipv4_drops, links_of, named_drops, node_namespace, only,
        proofs, unavailable,
    },
};

fn nic(stats: LinkStats) -> Link {
    Link {
        driver: Some("virtio_net".to_owned()),
        stats_before: Some(LinkStats {
            rx_missed_errors: 100,
            ..LinkStats::default()
        }),
        stats,
        ..testing::link(NODE, 2, "eth0")
    }
}

/// Counters of two CPUs as a kernel had them, and what the second dropped.
fn softnet(dropped: u32) -> Softnet {
    let counters = |processed, dropped, time_squeeze| SoftnetCounters {
        processed,
        dropped,
        time_squeeze,
    };
    Softnet {
        max_backlog: Some(1_000),
        cpus: vec![
            CpuBacklog {
                cpu: 0,
                before: Some(counters(0x02d9_0ca7, 0, 1)),
                after: counters(0x02d9_1ca7, 0, 1),
            },
            CpuBacklog {
                cpu: 1,
                before: Some(counters(0x020c_ec60, 9, 3)),
                after: counters(0x020d_ec60, 9 + dropped, 12),
            },
        ],
    }
}

fn healthy() -> EvidenceWindow {
    let stats = LinkStats {
        rx_missed_errors: 100,
        rx_packets: 70_000,
        ..LinkStats::default()
    };
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: vec![node_namespace(NODE)],
        links: complete(vec![nic(stats)]),
        drops: complete(named_drops(Vec::new())),
        softnet: complete(softnet(0)),
        ..EvidenceWindow::default()
    }
}

fn full_backlog() -> EvidenceWindow {
    let mut window = healthy();
    window.softnet = complete(softnet(300));
    drops_of(&mut window).counts = vec![DropCount {
        first_ms: 7,
        last_ms: 900,
        ..ipv4_drops(NODE, 2, "CPU_BACKLOG", "enqueue_to_backlog", 300)
    }];
    window
}

fn link(window: &mut EvidenceWindow) -> &mut Link {
    &mut links_of(window)[0]
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    ReceiveOverrun.diagnose(&Window::of(window), &Outcome::default())
}

#[test]
fn a_healthy_node_is_silent() {
    let outcome = diagnose(&healthy());
    assert_eq!(outcome.findings, []);
    assert_eq!(outcome.unchecked, []);
}

#[test]
fn what_a_nic_had_no_room_for_is_named_and_stays_out_of_the_ledger() {
    let mut window = healthy();
    link(&mut window).stats.rx_missed_errors = 340;
    link(&mut window).stats.rx_fifo_errors = 12;
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "ReceiveOverrun/RingFull/eth0");
    assert_eq!(
        (finding.severity(), finding.confidence),
        (Severity::Warning, Confidence::Certain)
    );
    // Some drivers count a packet in both.
    assert_eq!(finding.count, 240);
    assert_eq!(
        proofs(finding),
        [
            ("eth0 rx_missed_errors, counted by the driver", "+240"),
            ("eth0 rx_fifo_errors, counted by the driver", "+12"),
            ("eth0 rx_packets", "+70000"),
            ("driver of eth0", "virtio_net"),
        ]
    );
    assert!(finding.text.what.contains("no packet is visible"));
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("ethtool -g eth0")
    );
    assert!(outcome.claims.is_empty());
    let ledger = crate::diagnose(&window, &Settings::default()).ledger;
    assert_eq!(ledger, []);
}

#[test]
fn other_errors_and_devices_of_software_are_no_full_ring() {
    let mut window = healthy();
    link(&mut window).stats.rx_crc_errors = 50;
    link(&mut window).stats.rx_errors = 50;
    link(&mut window).stats.rx_dropped = 50;
    assert_eq!(diagnose(&window).findings, []);
    link(&mut window).stats.rx_missed_errors = 340;
    link(&mut window).kind = Some(LinkKind::Bond);
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn loss_at_a_ring_is_judged_by_its_share() {
    let mut window = healthy();
    for (lost, severity) in [
        (4, Severity::Info),
        (300, Severity::Warning),
        (2_000, Severity::Critical),
    ] {
        link(&mut window).stats.rx_over_errors = lost;
        let outcome = diagnose(&window);
        assert_eq!(only(&outcome).severity(), severity, "{lost} of 70000");
    }
    link(&mut window).stats.rx_over_errors = 300;
    let outcome = diagnose(&window);
    let hurts = &only(&outcome).text.hurts;
    assert!(hurts.contains("300 of 70300 packets (0.4 %)"), "{hurts}");
}

#[test]
fn a_counter_that_went_back_is_no_loss() {
    let mut window = healthy();
    link(&mut window).stats.rx_missed_errors = 0;
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn a_full_backlog_names_the_cpu_the_device_and_a_longer_queue() {
    let outcome = diagnose(&full_backlog());
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "ReceiveOverrun/BacklogFull");
    assert_eq!(
        finding.text.headline,
        "300 packets lost because the backlog of CPU 1 was full"
    );
    assert_eq!(
        (finding.severity(), finding.confidence),
        (Severity::Warning, Confidence::Certain)
    );
    assert_eq!(
        finding.evidence[1].name,
        "CPU 1 dropped; it processed 65536 and ran out of time 9 times"
    );
    assert_eq!(finding.evidence[1].value, "+300");
    assert_eq!(
        finding.details[0],
        ("Device", "eth0: 300 packets".to_owned())
    );
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("sysctl -w net.core.netdev_max_backlog=4000")
    );
    let change = finding.remedies[0].change.as_ref().expect("a change");
    let undo = "sysctl -w net.core.netdev_max_backlog=1000";
    assert_eq!(change.undo.as_deref(), Some(undo));
    // Of the packets that CPU 1 took, not of those of every CPU.
    let hurts = &finding.text.hurts;
    assert!(hurts.contains("300 of 65836 packets (0.4 %)"), "{hurts}");
    assert_eq!((finding.first_ms, finding.last_ms), (7, 900));
    assert_eq!(outcome.claims.len(), 1);
}

#[test]
fn without_the_drop_probe_the_counter_makes_it_likely() {
    let mut window = full_backlog();
    window.drops = unavailable("no CAP_BPF");
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(
        (finding.count, finding.confidence),
        (300, Confidence::Likely)
    );
    assert!(outcome.unchecked.is_empty() && outcome.claims.is_empty());
}

#[test]
fn a_counter_of_another_nodes_packets_is_silent() {
    let mut window = full_backlog();
    drops_of(&mut window).counts.clear();
    assert_eq!(diagnose(&window).findings, []);
    let mut window = full_backlog();
    drops_of(&mut window).counts[0].netns = Some(NetnsId(77));
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn without_reasons_a_device_that_is_down_is_told_by_the_cpus_counter() {
    let mut window = full_backlog();
    drops_of(&mut window).counts[0].reason = Reason::ABSENT;
    assert_eq!(only(&diagnose(&window)).confidence, Confidence::Likely);
    window.softnet = complete(softnet(0));
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn other_drops_at_that_function_are_left_to_other_checks() {
    for (reason, location) in [
        ("DEV_READY", "enqueue_to_backlog"),
        ("CPU_BACKLOG", "some_driver_rx"),
        ("NOT_SPECIFIED", "__netif_receive_skb_core"),
    ] {
        let mut window = full_backlog();
        let key = &mut drops_of(&mut window).counts[0];
        key.reason = reason.into();
        key.location = location.into();
        let outcome = diagnose(&window);
        assert!(outcome.findings.is_empty(), "{reason} at {location}");
    }
}

#[test]
fn a_long_backlog_is_not_raised_without_end() {
    let mut window = full_backlog();
    if let Observed::Complete { value } = &mut window.softnet {
        value.max_backlog = Some(u32::MAX);
    }
    assert_eq!(only(&diagnose(&window)).remedies.len(), 1);
}

#[test]
fn what_could_not_be_read_is_unchecked() {
    let mut window = full_backlog();
    window.softnet = unavailable("not read");
    let outcome = diagnose(&window);
    assert_eq!(
        only(&outcome).text.headline,
        "300 packets lost because a CPU's backlog was full"
    );
    let look = &only(&outcome).remedies[0];
    let command = "sysctl net.core.netdev_max_backlog";
    assert_eq!(look.command.as_deref(), Some(command));
    assert_eq!(look.change, None);
    assert_eq!(outcome.unchecked[0].reason, "CPU backlogs: not read");
    assert!(outcome.unchecked[0].is_made());
    window.links = Observed::default();
    drops_of(&mut window).counts.clear();
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings, []);
    assert!(outcome.unchecked.iter().all(|entry| !entry.is_made()));
}
