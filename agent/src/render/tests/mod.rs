//! Tests of the text that a person reads, word by word.

mod acts;
mod first;
mod long;
mod stored;

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::{
        BRIDGE_PORT, CHECKS, CHECKSUM_DROP, LINK_MTU, Mechanism, NO_RECEIVER, PEER_MTU_SMALLER,
        PROMISCUITY,
    },
    evidence::{
        Capability, Drops, Lost, Missing, Namespace, NetnsId, NodeFacts, Observed, PacketSocket,
    },
    finding::{
        Assessment, Culprit, Decision, Finding, Harm, Proof, Remedy, Subject, Text, Unchecked,
        Unmade, Verdict,
    },
    ledger::{Booking, LedgerEntry},
};

use super::*;

/// The text of what was just diagnosed.
fn render(window: &EvidenceWindow, diagnosis: &Diagnosis, style: Style) -> String {
    super::render(&crate::diagnose::report(window, diagnosis), style)
}

fn window(node: &str) -> EvidenceWindow {
    EvidenceWindow {
        node: NodeFacts {
            name: node.to_owned(),
            ..NodeFacts::default()
        },
        duration_ms: 35_000,
        links: Observed::Complete { value: Vec::new() },
        drops: Observed::Complete {
            value: Drops::default(),
        },
        ..EvidenceWindow::default()
    }
}

fn diagnosis() -> Diagnosis {
    Diagnosis {
        checks: CHECKS.to_vec(),
        ..Diagnosis::default()
    }
}

fn entry(interface: &str, increase: u64, explained: Vec<Booking>, unexplained: u64) -> LedgerEntry {
    LedgerEntry {
        interface: Some(interface.to_owned()),
        ifindex: Some(2),
        netns: NetnsId(1),
        place: None,
        counter: "rx_dropped",
        increase,
        explained,
        unexplained,
        uncertainty: 0,
    }
}

fn booking(count: u64, protocol: &str, reason: &str, verdict: Verdict) -> Booking {
    Booking {
        reason: reason.to_owned(),
        protocol: Some(protocol.to_owned()),
        count,
        verdict,
        finding: None,
    }
}

pub(super) fn text(headline: &str, what: &str, hurts: &str) -> Text {
    Text {
        headline: headline.to_owned(),
        what: what.to_owned(),
        hurts: hurts.to_owned(),
    }
}

fn on(interface: &str) -> Subject {
    Subject {
        interface: Some(interface.to_owned()),
        ..Subject::default()
    }
}

fn lldp_on_a_bridged_bond() -> Diagnosis {
    let bridged = text(
        "",
        "eth0 and eth1 are promiscuous because br0 enslaved bond0:  eth0, eth1 <- bond0 <- br0",
        "By design: br0 must see frames for MAC addresses behind its ports",
    );
    let mut promiscuity = Finding::new(&BRIDGE_PORT, Assessment::none(), on("bond0"), bridged);
    promiscuity.consequence =
        "br0 makes the NICs take frames that they would filter out".to_owned();
    promiscuity.remedies = vec![Remedy::advice("None needed")];
    let mut lldp = Finding::new(
        &NO_RECEIVER,
        Assessment::none(),
        on("bond0").with_protocol("LLDP"),
        text(
            "",
            "LLDP from leaf-3a and leaf-3b is dropped on bond0: no program on this node listens for it",
            "None. Announcements of the switches, nobody's traffic; 1 frame in 30 s from each",
        ),
    );
    lldp.details = vec![
        ("Sender", "leaf-3a  port Ethernet17  on eth0".to_owned()),
        ("Sender", "leaf-3b  port Ethernet17  on eth1".to_owned()),
    ];
    lldp.evidence = vec![
        Proof::new(
            "UNHANDLED_PROTO at __netif_receive_skb_core, dev bond0, 0x88CC",
            3,
            "",
            "kfree_skb",
        ),
        Proof::new("bond0 rx_dropped", "+3", "", "netlink"),
    ];
    lldp.evidence
        .push(Proof::new("handlers for 0x88CC", 0, "", "/proc/net/ptype"));
    lldp.caused_by = vec![promiscuity.id.clone()];
    lldp.remedies = vec![
        Remedy::advice("Nothing to fix: leave Benign drops out of the alert."),
        Remedy::command(
            "Drop them before they are counted",
            &["nft", "add", "table", "netdev", "lldp"],
            &[],
        )
        .with_effect("a listener would get none")
        .undone_by(Remedy::command(
            "",
            &["nft", "delete", "table", "netdev", "lldp"],
            &[],
        )),
    ];
    lldp.count = 3;
    lldp.first_ms = 1200;
    lldp.last_ms = 31_000;
    let mut row = entry(
        "bond0",
        3,
        vec![booking(3, "LLDP", "UNHANDLED_PROTO", Verdict::Benign)],
        0,
    );
    row.explained[0].finding = Some(lldp.id.clone());
    Diagnosis {
        findings: vec![lldp, promiscuity],
        ledger: vec![row],
        ..diagnosis()
    }
}

fn plain(width: u16) -> Style {
    Style::new(Some(width), false, false)
}

/// The last line as it must be for a full window of 35 s, whatever checks there are.
fn all_checked() -> String {
    format!(
        "Checked: all {} checks, 35 s. Lost: 0 counts, 0 samples. Not seen in 35 s can still exist (CDP: every 60 s).\n",
        CHECKS.len()
    )
}

#[test]
fn harmless_frames_are_called_harmless_and_explained_in_full() {
    let text = render(&window("node-17"), &lldp_on_a_bridged_bond(), plain(110));
    let expected = "\
node-17: no packet loss found. One counter rose, and harmless LLDP frames explain all of it.

  Do     nothing; leave benign drops out of the alert on rx_dropped

  bond0 rx_dropped  +3 = 3 LLDP (benign) + 0 unexplained

[1] Info  UnhandledProtocol/NoReceiver  bond0  LLDP  (certain)
    What     LLDP from leaf-3a and leaf-3b is dropped on bond0: no program on this node listens for it.
    Hurts    None. Announcements of the switches, nobody's traffic; 1 frame in 30 s from each.
    Do       1. Nothing to fix: leave Benign drops out of the alert.
             2. Drop them before they are counted (change):
                nft add table netdev lldp
                undo: nft delete table netdev lldp
                effect: a listener would get none.
    Proof    UNHANDLED_PROTO at __netif_receive_skb_core, dev bond0, 0x88CC: 3  kfree_skb
             bond0 rx_dropped: +3                                               netlink
    Sender   leaf-3a  port Ethernet17  on eth0
             leaf-3b  port Ethernet17  on eth1
    Because  [2] br0 makes the NICs take frames that they would filter out.

[2] Info  Promiscuity/BridgePort  bond0  (certain)
    What     eth0 and eth1 are promiscuous because br0 enslaved bond0:  eth0, eth1 <- bond0 <- br0.
    Hurts    By design: br0 must see frames for MAC addresses behind its ports.
    Do       None needed.

"
    .to_owned()
        + &all_checked().replace("60 s).\n", "60 s).\nMore proofs, ids and times: -o wide.\n");
    assert_eq!(text, expected);
}

#[test]
fn a_healthy_node_takes_two_lines() {
    let text = render(&window("node-31"), &diagnosis(), plain(110));
    let expected = format!(
        "node-31: no packet loss found. No drop counter rose.\n\n{}",
        all_checked()
    );
    assert_eq!(text, expected);
}

#[test]
fn a_run_that_could_not_look_gives_no_verdict_of_health() {
    let mut window = window("node-204");
    window.drops = Observed::unavailable(Missing::not_permitted(
        "failed to load eBPF: CAP_BPF is missing",
        vec![Capability::Bpf],
    ));
    let mut diagnosis = diagnosis();
    diagnosis.checks = vec![&PROMISCUITY, &CHECKSUM_DROP, &LINK_MTU];
    let unchecked = |check, partly, reason: &str| Unchecked {
        check,
        unmade: if partly { Unmade::Part } else { Unmade::All },
        reason: reason.to_owned(),
    };
    diagnosis.unchecked = vec![
        unchecked(&CHECKSUM_DROP, false, "needs the drop probe: EPERM"),
        unchecked(&LINK_MTU, false, "needs the drop probe: EPERM"),
        unchecked(&PROMISCUITY, true, "owners of packet sockets need BPF"),
    ];
    let last = "
Not checked
  ChecksumDrop, LinkMtu: needs the drop probe: EPERM
  Promiscuity: checked in part; owners of packet sockets need BPF
  Next: run it as root on the host, or give the container BPF, PERFMON, NET_ADMIN, SYS_PTRACE and SYSLOG, as
    the chart does

Checked: 0 of 3 checks, 1 in part (Promiscuity), 35 s.
";
    assert_eq!(
        render(&window, &diagnosis, plain(110)),
        format!(
            "node-204: no verdict: the drop probe could not be loaded. No drop counter rose.\n{last}"
        )
    );
    diagnosis.ledger = vec![entry("eth0", 37, Vec::new(), 37)];
    assert_eq!(
        render(&window, &diagnosis, plain(110)),
        format!(
            "node-204: no verdict: the drop probe could not be loaded. eth0 rx_dropped rose by 37, harmful or harmless is
not known.

  eth0 rx_dropped  +37 = 0 explained + 37 unexplained
{last}"
        )
    );
}

#[test]
fn a_reason_that_keeps_several_checks_from_their_evidence_is_read_once() {
    let unchecked = |check, unmade, reason: &str| Unchecked {
        check,
        unmade,
        reason: reason.to_owned(),
    };
    let unchecked = vec![
        unchecked(
            &CHECKSUM_DROP,
            Unmade::Part,
            "drop probe: no reasons before 5.17: by function",
        ),
        unchecked(
            &LINK_MTU,
            Unmade::Part,
            "sizes of lost packets: no reasons before 5.17: by function",
        ),
        unchecked(&PROMISCUITY, Unmade::Part, "unicast filters: EPERM"),
        unchecked(
            &PROMISCUITY,
            Unmade::TooRare,
            "CDP comes every 60 s: 35 s can miss it",
        ),
    ];
    let diagnosis = Diagnosis {
        unchecked,
        ..diagnosis()
    };
    let told = |wide| {
        let text = render(&window("n"), &diagnosis, Style::new(None, false, wide));
        let blocks = text.split("\n\n").map(str::to_owned);
        let block = blocks
            .filter(|block| block.starts_with("Not checked"))
            .last();
        block
            .expect("a block")
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(false),
        [
            "  ChecksumDrop, LinkMtu: checked in part; no reasons before 5.17: by function",
            "  Promiscuity: checked in part; unicast filters: EPERM",
            "  Promiscuity: CDP comes every 60 s: 35 s can miss it",
        ]
    );
    assert!(
        told(true)
            .iter()
            .any(|line| line.contains("sizes of lost packets"))
    );
}

#[test]
fn capabilities_are_advised_where_they_are_missing_and_nowhere_else() {
    let advised = |missing| {
        let mut window = window("n");
        window.drops = Observed::unavailable(missing);
        let mut diagnosis = diagnosis();
        diagnosis.unchecked = vec![Unchecked {
            check: &LINK_MTU,
            unmade: Unmade::All,
            reason: "no drops".to_owned(),
        }];
        render(&window, &diagnosis, plain(110)).contains("give the container BPF")
    };
    let lacking = vec![Capability::Bpf];
    assert!(advised(Missing::not_permitted("refused", lacking)));
    assert!(!advised(Missing::not_permitted("lockdown", Vec::new())));
    let has_it = "the agent has CAP_BPF, and its seccomp profile forbids bpf(2)";
    assert!(!advised(Missing::failed(has_it)));
}

#[test]
fn unreadable_counters_are_not_counters_that_did_not_rise() {
    let mut window = window("n");
    window.links = Observed::unavailable(Missing::failed("netlink gave EPERM"));
    let text = render(&window, &diagnosis(), plain(110));
    assert!(
        text.starts_with(
            "n: no verdict: the drop counters could not be read: netlink gave EPERM.\n"
        ),
        "{text}"
    );
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut in_escape = false;
    for character in text.chars() {
        match character {
            '\x1b' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ if in_escape => {}
            _ => plain.push(character),
        }
    }
    plain
}

#[test]
fn a_window_that_was_interrupted_at_once_gives_no_verdict() {
    let mut window = window("node-17");
    window.duration_ms = 300;
    let text = render(&window, &diagnosis(), Style::new(None, false, false));
    assert!(text.starts_with("node-17: no verdict"), "{text}");
}
