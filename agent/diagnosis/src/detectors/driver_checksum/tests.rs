//! Lines as drivers print them, and lines that only look so.

use super::{
    DriverChecksum,
    judge::MOST_FINDINGS,
    line::{Complaint, Refused},
};
use crate::{
    Window,
    detectors::Detector,
    evidence::{EvidenceWindow, KernelLogLine, Link},
    finding::{Confidence, Harm, Outcome, Severity},
    testing::{NODE, complete, link, node_namespace, only, unavailable},
};

const ROUTING: &str = "ixgbe 0000:03:00.0: partial checksum but l4 proto=2b!";

fn window(lines: &[&str]) -> EvidenceWindow {
    let nic = |ifindex, name: &str, driver: &str| Link {
        driver: Some(driver.to_owned()),
        tx_checksum_offload: Some(true),
        ..link(NODE, ifindex, name)
    };
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: vec![node_namespace(NODE)],
        links: complete(vec![
            nic(2, "eth0", "ixgbe"),
            nic(3, "ens1np0", "nfp"),
            nic(4, "ens1np1", "nfp"),
        ]),
        kernel_log: complete(
            lines
                .iter()
                .zip(5..)
                .map(|(text, at_ms)| KernelLogLine {
                    at_ms,
                    level: 4,
                    text: (*text).to_owned(),
                })
                .collect(),
        ),
        ..EvidenceWindow::default()
    }
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    DriverChecksum.diagnose(&Window::of(window), &Outcome::default())
}

#[test]
fn a_routing_header_is_named_with_driver_and_device() {
    let outcome = diagnose(&window(&[ROUTING, "eth0: link up", ROUTING]));
    let finding = only(&outcome);
    assert_eq!(
        finding.id.as_str(),
        "DriverChecksum/UnsupportedProtocol/eth0/IPv6 routing header"
    );
    assert_eq!(
        finding.text.headline,
        "The driver ixgbe of eth0 cannot finish checksums of packets with IPv6 routing header"
    );
    assert_eq!(
        (finding.severity(), finding.confidence, finding.count),
        (Severity::Info, Confidence::Likely, 2)
    );
    assert_eq!((finding.first_ms, finding.last_ms), (5, 7));
    assert_eq!(finding.evidence[1].value, "0x2b, IPv6 routing header");
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("ethtool -K eth0 tx off")
    );
    assert!(outcome.unchecked.is_empty() && outcome.claims.is_empty());
}

#[test]
fn every_driver_has_its_own_words() {
    for (line, refused) in [
        (ROUTING, Refused::Transport(43)),
        (
            "nfp 0000:04:00.0 ens1np0: partial checksum but l4 proto=84!",
            Refused::Transport(132),
        ),
        (
            "nfp 0000:04:00.0: partial checksum but ipv=5!",
            Refused::IpVersion(5),
        ),
        (
            "fm10k 0000:01:00.0: partial checksum, version=56710 l4 proto=2b",
            Refused::Transport(43),
        ),
        (
            "igb 0000:01:00.0: partial checksum but proto=ca88!",
            Refused::EtherType(0x88ca),
        ),
        (
            "[  T123] ixgbe 0000:03:00.0: partial checksum but l4 proto=0!",
            Refused::Transport(0),
        ),
        ("partial checksum but l4 proto=ff!", Refused::Transport(255)),
    ] {
        let complaint = Complaint::parse(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(complaint.refused, refused, "{line}");
        let outcome = diagnose(&window(&[line]));
        let harm = if line.starts_with("fm10k") {
            Harm::Cost
        } else {
            Harm::Unknown
        };
        assert_eq!(only(&outcome).assessment.harm, harm, "{line}");
    }
}

#[test]
fn lines_that_only_look_so_are_silent() {
    let long = format!("{}: partial checksum but l4 proto=2b!", "x".repeat(500));
    let many = format!("{}: partial checksum but l4 proto=2b!", "x ".repeat(20));
    for line in [
        "ixgbe 0000:03:00.0: partial checksum but l4 proto=!",
        "ixgbe 0000:03:00.0: partial checksum but l4 proto=2b! and more",
        "ixgbe 0000:03:00.0: partial checksum but l4 proto=1ff!",
        "ixgbe 0000:03:00.0: partial checksum but l4 proto=+2b!",
        "ixgbe 0000:03:00.0: partial checksum but l4 proto=ffffffffffffffffff!",
        "ixgbe 0000:03:00.0: partial checksum, version= l4 proto=2b",
        "ixgbe 0000:03:00.0: partial checksum, version=-6 l4 proto=2b",
        "ixgbe 0000:03:00.0: partial checksum offload enabled",
        "ixgbe 0000:03:00.0: l4 proto=2b!",
        "ixgbe 0000:03:00.0: Partial checksum but l4 proto=2b!",
        "audit: comm=\"partial checksum but l4 proto=2b!",
        "audit: comm=\"x\": partial checksum but l4 proto=2b!",
        "a\\u{1b}[31m: partial checksum but l4 proto=2b!",
        "ixgbe 0000:03:00.0 partial checksum but l4 proto=2b!",
        "[ixgbe: partial checksum but l4 proto=2b!",
        "ixgbe: pärtial: partial checksum but l4 proto=2b\u{e9}",
        "eth0: hw csum failure",
        "partial checksum",
        "",
        &long,
        &many,
    ] {
        assert_eq!(diagnose(&window(&[line])).findings, [], "{line}");
    }
}

#[test]
fn a_device_that_is_none_of_this_nodes_is_at_most_possible() {
    // mlx5_core has no NIC here, ens9 is none, nfp has two and the line names neither.
    for line in [
        "fm10k 0000:01:00.0: partial checksum, version=56710 l4 proto=2b",
        "ixgbe 0000:03:00.0 ens9: partial checksum but l4 proto=2b!",
        "nfp 0000:04:00.0: partial checksum but l4 proto=2b!",
        "partial checksum but l4 proto=2b!",
    ] {
        let outcome = diagnose(&window(&[line]));
        let finding = only(&outcome);
        assert_eq!(
            (finding.confidence, &finding.subject.interface),
            (Confidence::Possible, &None),
            "{line}"
        );
        assert_eq!(finding.remedies[0].command, None);
    }
    let named = window(&["nfp 0000:04:00.0 ens1np1: partial checksum but l4 proto=2b!"]);
    let outcome = diagnose(&named);
    assert_eq!(only(&outcome).subject.interface.as_deref(), Some("ens1np1"));
    assert_eq!(only(&outcome).confidence, Confidence::Likely);
}

#[test]
fn a_name_of_this_nodes_with_another_driver_is_another_device() {
    let outcome = diagnose(&window(&[
        "nfp 0000:04:00.0 eth0: partial checksum but l4 proto=2b!",
    ]));
    assert_eq!(only(&outcome).confidence, Confidence::Possible);
    assert_eq!(only(&outcome).subject.interface, None);
}

#[test]
fn a_driver_that_finishes_them_itself_loses_nothing() {
    let outcome = diagnose(&window(&[
        "fm10k 0000:01:00.0: partial checksum, version=56710 l4 proto=2b",
    ]));
    assert!(only(&outcome).text.hurts.contains("nothing is lost"));
    let other = diagnose(&window(&[ROUTING]));
    assert!(only(&other).text.hurts.starts_with("Not known"));
}

#[test]
fn a_flood_of_protocols_is_bounded_and_said() {
    let lines: Vec<String> = (0..=255)
        .map(|number| format!("partial checksum but l4 proto={number:x}!"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let outcome = diagnose(&window(&lines));
    assert_eq!(outcome.findings.len(), MOST_FINDINGS);
    assert!(outcome.unchecked[0].is_made());
}

#[test]
fn without_the_log_it_is_unchecked_and_the_reason_told() {
    let mut window = window(&[]);
    window.kernel_log = unavailable("CAP_SYSLOG is missing");
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings, []);
    let [entry] = &outcome.unchecked[..] else {
        panic!("one entry: {:?}", outcome.unchecked);
    };
    assert!(!entry.is_made());
    assert_eq!(entry.reason, "kernel log: CAP_SYSLOG is missing");
}
