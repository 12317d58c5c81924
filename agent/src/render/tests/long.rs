//! Tests of the text where there is much to report, or something hostile.

use netdiag_diagnosis::finding::{Acts, Change};

use super::*;

#[test]
fn many_alike_findings_are_told_in_short_and_keep_their_numbers() {
    let mut diagnosis = diagnosis();
    diagnosis.findings = (0..40)
        .map(|index| {
            let name = format!("veth{index}");
            let text = text(&format!("{name} refuses packets"), "", "Everybody");
            Finding::new(
                &PEER_MTU_SMALLER,
                Assessment::of(Harm::Loss),
                on(&name),
                text,
            )
        })
        .collect();
    let text = render(&window("n"), &diagnosis, plain(110));
    assert_eq!(text.matches("    Hurts").count(), 5);
    assert!(
        text.contains("\n[40] Warning  LinkMtu/PeerMtuSmaller  veth39: veth39 refuses packets.\n"),
        "{text}"
    );
    let wide = render(&window("n"), &diagnosis, Style::new(None, false, true));
    assert_eq!(wide.matches("    Hurts").count(), 40);
    assert!(
        wide.contains("    Docs     https://netdiag.dev/docs/checks/LinkMtu.md"),
        "{wide}"
    );
}

#[test]
fn many_harmless_counters_are_summed_and_those_that_hurt_come_first() {
    let mut diagnosis = diagnosis();
    diagnosis.ledger = (0..30)
        .map(|index| {
            let lldp = booking(2, "LLDP", "UNHANDLED_PROTO", Verdict::Benign);
            entry(&format!("veth{index}"), 2, vec![lldp], 0)
        })
        .collect();
    let lost = booking(7, "TCP", "TCP_CSUM", Verdict::Harmful);
    diagnosis.ledger.push(entry("eth0", 7, vec![lost], 0));
    let lines = |wide| {
        let text = render(&window("n"), &diagnosis, Style::new(None, false, wide));
        let ledger = text
            .lines()
            .skip_while(|line| !line.starts_with("  eth0 rx_dropped"))
            .take_while(|line| !line.is_empty());
        ledger.map(str::to_owned).collect::<Vec<_>>()
    };
    let short = lines(false);
    assert_eq!(short.len(), 1 + 10 + 1);
    assert!(
        short[0].trim_start().starts_with("eth0 rx_dropped"),
        "{short:?}"
    );
    assert_eq!(
        short[11],
        "  20 more (-o wide lists them): rx_dropped  +40 = 40 LLDP (benign) + 0 unexplained"
    );
    assert_eq!(lines(true).len(), 31);
}

#[test]
fn no_line_is_wider_than_the_terminal_and_nothing_hostile_gets_through() {
    let hostile = "ev\x1b]0;owned\x07il\u{202e}".repeat(12);
    let mut diagnosis = lldp_on_a_bridged_bond();
    for finding in &mut diagnosis.findings {
        finding.subject.interface = Some(hostile.clone());
        finding.text.headline.push_str(&hostile);
        finding.text.what.push_str(&hostile);
        finding.text.hurts.push_str(&hostile);
        finding.details.push(("Sender", hostile.clone()));
        finding
            .evidence
            .push(Proof::new(&hostile, &hostile, "frames", &hostile));
        finding.remedies.insert(
            0,
            Remedy {
                text: hostile.clone(),
                command: Some(format!("ip link show {hostile}")),
                effect: Some(hostile.clone()),
                change: Some(Change {
                    acts: Acts::Elsewhere(hostile.clone()),
                    undo: Some(format!("ip link show {hostile}")),
                    lasting: Some(hostile.clone()),
                }),
                ..Remedy::default()
            },
        );
    }
    diagnosis.findings[0].assessment =
        Assessment::of(Harm::Outage).with_flows(vec![hostile.clone()]);
    diagnosis.ledger = vec![entry(&hostile, 1, Vec::new(), 1)];
    let mut window = window(&hostile);
    window.node.name.clone_from(&hostile);
    let forms = [0, 60, 80, 200].map(|width| [(width, false), (width, true)]);
    for (width, wide) in forms.into_iter().flatten() {
        let text = render(&window, &diagnosis, Style::new(Some(width), false, wide));
        assert!(text.contains("  Do "), "{text}");
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']));
        // A command is broken only where a shell allows it, so its lines may be longer.
        let longest = text
            .lines()
            .filter(|line| !line.contains("ip link show") && !line.trim_start().starts_with('e'))
            .map(textwrap::core::display_width)
            .max();
        assert!(longest <= Some(usize::from(width).clamp(60, 110)), "{text}");
    }
}
