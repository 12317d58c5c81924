//! The lines under the first sentence: what to type, how to take it back, what else there is.

use netdiag_diagnosis::{
    causes::{CORRUPTION, NOT_LOSS, SHARED_BROADCAST_DOMAIN, UNSUPPORTED_PROTOCOL},
    finding::Acts,
};

use super::*;

fn lost_with(remedies: Vec<Remedy>, headline: &str) -> Diagnosis {
    let mut finding = Finding::new(
        &PEER_MTU_SMALLER,
        Assessment::of(Harm::Outage).by(Culprit::Here),
        on("veth1"),
        text(headline, "", ""),
    );
    finding.remedies = remedies;
    Diagnosis {
        findings: vec![finding],
        ..diagnosis()
    }
}

fn set_mtu(mtu: &str) -> Remedy {
    Remedy::command(
        "Give both ends the same MTU",
        &["ip", "link", "set", "dev", "veth1", "mtu", mtu],
        &["veth1"],
    )
}

/// The lines of the second block.
fn acts(diagnosis: &Diagnosis) -> Vec<String> {
    let text = render(&window("node-17"), diagnosis, plain(110));
    let block = text.split("\n\n").nth(1).unwrap_or_default();
    block.lines().map(str::to_owned).collect()
}

#[test]
fn a_change_says_where_until_when_and_how_to_take_it_back() {
    let change = set_mtu("1500").undone_by(set_mtu("9000"));
    assert_eq!(
        acts(&lost_with(vec![change.clone()], "x")),
        [
            "  Do     ip link set dev veth1 mtu 1500    on node-17, until reboot",
            "  Undo   ip link set dev veth1 mtu 9000",
        ]
    );
    let later = change.clone().acting(Acts::NextListen);
    assert!(
        acts(&lost_with(vec![later], "x"))[0].ends_with("then restart the program that listens")
    );
    let peer = change.acting(Acts::Elsewhere("leaf-3a".to_owned()));
    assert!(acts(&lost_with(vec![peer], "x"))[0].ends_with("1500    on leaf-3a"));
}

#[test]
fn a_command_of_kubectl_is_for_any_host_that_has_it() {
    let text = "See which endpoints it has.";
    let look = Remedy::kubectl(text, &["-n", "shop", "get", "endpointslices"], &["shop"]);
    let diagnosis = lost_with(vec![look], "x");
    assert_eq!(
        acts(&diagnosis),
        [
            "  Do     kubectl -n shop get endpointslices    on any host with kubectl; changes nothing"
        ]
    );
    let whole = render(&window("node-17"), &diagnosis, plain(110));
    assert!(
        whole.contains("See which endpoints it has (look, on any host with kubectl):"),
        "{whole}"
    );
}

#[test]
fn advice_that_comes_first_stands_above_the_first_command() {
    let advice = Remedy::advice("Look for the faulty cable.");
    let both = lost_with(vec![advice.clone(), set_mtu("1500")], "x");
    assert_eq!(
        acts(&both),
        [
            "  Do     Look for the faulty cable.",
            "  Look   ip link set dev veth1 mtu 1500    on node-17; changes nothing"
        ]
    );
    assert_eq!(
        acts(&lost_with(vec![advice], "x")),
        ["  Do     Look for the faulty cable."]
    );
    assert_eq!(acts(&diagnosis())[0][..8], *"Checked:", "nothing to do");
}

#[test]
fn command_and_undo_stand_within_the_first_six_lines() {
    let long = |mtu: &str| {
        let name = "a-name-of-a-network-namespace-that-is-as-long-as-a-pods-name-and-longer-than-a-line-has-room";
        Remedy::command(
            "Set it",
            &["ip", "netns", "exec", name, "ip", "link", "set", "mtu", mtu],
            &[name],
        )
    };
    let headline = "a headline of many words about a device ".repeat(6);
    let mut diagnosis = lost_with(vec![long("1500").undone_by(long("9000"))], &headline);
    let mut second = diagnosis.findings[0].clone();
    second.cause = (&CORRUPTION).into();
    diagnosis.findings.push(second);
    let text = render(&window("node-17"), &diagnosis, plain(110));
    let first: Vec<&str> = text.lines().take(8).collect();
    let line_of = |label: &str| first.iter().position(|line| line.starts_with(label));
    assert_eq!(line_of("  Do "), Some(4), "{first:#?}");
    assert!(text.contains("1 more needs attention"), "{text}");
}

#[test]
fn what_nobody_must_act_on_is_one_line() {
    let mut diagnosis = lost_with(vec![set_mtu("1500")], "x");
    let plain_text = || text("x", "", "");
    for name in ["eth0", "eth1", "eth2"] {
        let finding = Finding::new(&BRIDGE_PORT, Assessment::none(), on(name), plain_text());
        diagnosis.findings.push(finding);
    }
    let mut lldp = Finding::new(
        &NO_RECEIVER,
        Assessment::none(),
        on("bond0").with_protocol("LLDP"),
        plain_text(),
    );
    lldp.count = 3;
    let port = text("no program listens for 12 packets", "", "");
    let refused = Finding::new(
        Mechanism::Kernel("NO_SOCKET".to_owned()),
        Assessment::decided(Decision::ClosedPort, Harm::Outage, 12),
        Subject::default(),
        port,
    );
    diagnosis.findings.extend([lldp, refused]);
    assert_eq!(
        acts(&diagnosis)[1..],
        [
            "  Also   harmless: interface promiscuous for a bridge (eth0, eth1 and 1 more); LLDP dropped, 3 times (bond0).",
            "         Refused as meant: no program listens for 12 packets.",
        ]
    );
    let text = render(&window("n"), &diagnosis, plain(110));
    assert!(!text.contains("[2]"), "folded: {text}");
    let wide = render(&window("n"), &diagnosis, Style::new(None, false, true));
    assert!(wide.contains("[6]") && !wide.contains("Also"), "{wide}");
}

#[test]
fn the_next_finding_of_the_verdict_gives_the_act_where_the_first_has_none() {
    let mut diagnosis = lost_with(Vec::new(), "x");
    let mut second = Finding::new(
        &CORRUPTION,
        Assessment::of(Harm::Outage).by(Culprit::Here),
        on("veth2"),
        text("y", "", ""),
    );
    second.remedies = vec![set_mtu("1500")];
    diagnosis.findings.push(second);
    let expected =
        ["  Do     ip link set dev veth1 mtu 1500    on node-17; changes nothing; for [2]"];
    assert_eq!(acts(&diagnosis), expected);
}

#[test]
fn what_is_folded_is_counted_in_words_that_fit() {
    let of = |cause: Mechanism, packets: u64, times: u64| {
        let assessment = Assessment::none().with_packets(packets);
        let assessment = Assessment {
            packets: Some(packets).filter(|many| *many > 0),
            ..assessment
        };
        let mut finding = Finding::new(cause, assessment, Subject::default(), text("", "", ""));
        finding.count = times;
        finding
    };
    let told = |findings: Vec<Finding>| {
        let diagnosis = Diagnosis {
            findings,
            ..Diagnosis::default()
        };
        acts(&diagnosis).join(" ")
    };
    let line = told(vec![of((&NOT_LOSS).into(), 1, 1)]);
    assert_eq!(
        line,
        "  Also   harmless: 1 packet dropped that nobody misses."
    );
    let line = told(vec![of((&UNSUPPORTED_PROTOCOL).into(), 0, 3)]);
    assert_eq!(
        line,
        "  Also   harmless: driver cannot fill in checksums, 3 times."
    );
    let line = told(vec![of((&SHARED_BROADCAST_DOMAIN).into(), 120, 120)]);
    assert_eq!(
        line,
        "  Also   harmless: two interfaces in one broadcast domain, 120 packets."
    );
    // The kernel's names for one mechanism differ by IP version.
    let by_version = ["ip_forward", "ip6_forward"].map(|name| {
        let mut finding = of(Mechanism::Kernel(name.to_owned()), 3, 3);
        finding.text = text("There was no way on for 3 packets", "The route is gone", "");
        finding
    });
    let line = told(by_version.to_vec());
    assert_eq!(
        line,
        "  Also   harmless: there was no way on for 3 packets; 1 more like it."
    );
}

#[test]
fn a_cause_says_what_it_causes_when_that_is_worse() {
    let mut diagnosis = lost_with(Vec::new(), "x");
    let cause = Finding::new(
        &BRIDGE_PORT,
        Assessment::none(),
        on("br0"),
        text("br0 takes all", "", ""),
    );
    diagnosis.findings[0].caused_by = vec![cause.id.clone()];
    diagnosis.findings.push(cause);
    let text = render(&window("n"), &diagnosis, plain(110));
    assert!(
        text.contains("[2] Info  Promiscuity/BridgePort  br0  (certain)  causes [1] (Critical)\n"),
        "{text}"
    );
    assert!(text.contains("    Because  [2] br0 takes all.\n"), "{text}");
}

#[test]
fn proofs_beyond_two_are_for_the_wide_form() {
    let mut diagnosis = lost_with(Vec::new(), "x");
    diagnosis.findings[0].evidence = ["a", "b", "c"]
        .map(|name| Proof::new(name, 1, "packets", "kfree_skb"))
        .to_vec();
    let text = render(&window("n"), &diagnosis, plain(110));
    assert!(text.contains(" b: 1 packet") && !text.contains(" c: 1 packet"));
    assert!(text.contains("proofs, ids and times: -o wide."), "{text}");
    let wide = render(&window("n"), &diagnosis, Style::new(None, false, true));
    assert!(wide.contains(" c: 1 packet") && !wide.contains("-o wide"));
}

#[test]
fn colours_add_nothing() {
    let diagnosis = lost_with(vec![set_mtu("1500")], &"many words ".repeat(20));
    let plain_text = render(&window("n"), &diagnosis, plain(110));
    let coloured = render(&window("n"), &diagnosis, Style::new(None, true, false));
    assert!(coloured.contains("\x1b["), "{coloured}");
    assert_eq!(without_escapes(&coloured), plain_text);
    for line in coloured.lines() {
        let (on, off) = (
            line.matches("\x1b[0m").count(),
            line.matches("\x1b[").count(),
        );
        assert!(on > 0 || off == 0, "an escape ends on its line: {line:?}");
    }
}

#[test]
fn the_wide_form_says_harm_and_culprit() {
    let mut diagnosis = lost_with(Vec::new(), "x");
    let wide =
        |diagnosis: &Diagnosis| render(&window("n"), diagnosis, Style::new(None, false, true));
    diagnosis.findings[0].assessment = Assessment::loss(140, Some(8_001)).by(Culprit::Here);
    let line = "    Harm     Loss, 140 of 8141 packets; a change on this node ends it\n";
    assert!(wide(&diagnosis).contains(line), "{}", wide(&diagnosis));
    diagnosis.findings[0].assessment = Assessment::decided(Decision::Rule, Harm::Outage, 1);
    let line = "    Harm     Outage as meant: a decision, 1 packet\n";
    assert!(wide(&diagnosis).contains(line), "{}", wide(&diagnosis));
}

#[test]
fn a_hostile_host_is_escaped_beside_a_command_too() {
    let diagnosis = lost_with(vec![set_mtu("1500")], "x");
    let text = render(&window("n\x1b[2J"), &diagnosis, plain(110));
    assert!(text.contains(r"mtu 1500    on n\u{1b}[2J;"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}
