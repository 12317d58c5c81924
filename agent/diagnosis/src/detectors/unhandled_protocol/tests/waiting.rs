//! Ports of bonds and teams that wait for their turn.

use super::*;

/// A bond whose port eth1 has this role at the end and counted so many frames that nobody took while it waited.
fn bond(is_active: bool, rx_nohandler: u64) -> Vec<Link> {
    let mut links = bridged_bond("active-backup");
    links[2].bond = Some(BondSettings {
        mode: "active-backup".to_owned(),
        active_slave: Some(if is_active { 3 } else { 2 }),
    });
    links[1].bond_slave = Some(BondSlave {
        active: is_active,
        mii_up: true,
    });
    links[1].stats.rx_nohandler = rx_nohandler;
    links
}

fn broadcasts() -> Vec<Dropped> {
    let loop_test = frame(BROADCAST, &[0x88, 0x99, 0x23, 0]);
    let arp = frame(BROADCAST, &[0x08, 0x06, 0, 1]);
    vec![
        dropped(3, 0x8899, 1, &[loop_test]),
        dropped(3, 0x0806, 1, &[arp]),
    ]
}

#[test]
fn a_waiting_port_drops_by_design() {
    let outcome = diagnose(&window(bond(false, 40), broadcasts()));
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(finding.subject.protocol, None);
    let headline = "eth1 drops frames by design, harmless: it is a waiting port of bond0";
    assert_eq!(finding.text.headline, headline);
    let claimed: Vec<Option<&str>> = outcome
        .claims
        .iter()
        .map(|claim| claim.protocol.as_deref())
        .collect();
    assert_eq!(claimed, [Some("Realtek loop detection"), Some("ARP")]);
    assert!(
        outcome
            .claims
            .iter()
            .all(|claim| claim.verdict == Verdict::Benign)
    );
}

#[test]
fn a_port_that_became_active_within_the_window_is_judged_by_its_counter() {
    let outcome = diagnose(&window(bond(true, 40), broadcasts()));
    let headline = &only(&outcome).text.headline;
    assert!(headline.contains("waiting port of bond0"), "{headline}");
    // The counter explains a part only, and the port carries traffic: by which role it dropped the rest is not known.
    let found = diagnose(&window(bond(true, 39), broadcasts())).findings;
    let of_check = found
        .iter()
        .filter(|found| *found.check() == UNHANDLED_PROTOCOL);
    let protocols: Vec<_> = of_check
        .map(|one| one.subject.protocol.as_deref())
        .collect();
    assert_eq!(protocols, [Some("ARP"), Some("Realtek loop detection")]);
}

#[test]
fn a_port_that_waits_at_the_end_and_counted_nothing_did_not_wait() {
    let found = diagnose(&window(bond(false, 0), broadcasts())).findings;
    let is_waiting = |found: &Finding| found.text.headline.contains("waiting port");
    assert!(!found.iter().any(is_waiting));
}

#[test]
fn counter_and_probe_may_differ_by_the_edges_of_the_window() {
    let outcome = diagnose(&window(bond(false, 39), broadcasts()));
    let headline = &only(&outcome).text.headline;
    assert!(headline.contains("waiting port of bond0"), "{headline}");
}

/// The active-backup mode of a team makes no exception for link-local frames, unlike that of a bond.
#[test]
fn a_waiting_port_of_a_team_drops_lldp_by_design() {
    let mut port = slave_of(promiscuous(device(3, "eth1", None)), 10, "team");
    let links = |port: &Link| vec![port.clone(), device(10, "team0", Some("team"))];
    let drops = || vec![dropped(3, 0x88cc, 2, &[lldp_frame("leaf-3a")])];
    port.stats.rx_nohandler = 20;
    let outcome = diagnose(&window(links(&port), drops()));
    let finding = only(&outcome);
    assert_eq!(finding.subject.protocol, None);
    let headline = &finding.text.headline;
    assert!(headline.contains("waiting port of team0"), "{headline}");
    // A disabled port lets them pass, so that they count as dropped.
    port.stats.rx_nohandler = 0;
    port.stats.rx_dropped = 20;
    let outcome = diagnose(&window(links(&port), drops()));
    assert_eq!(only(&outcome).subject.protocol.as_deref(), Some("LLDP"));
}
