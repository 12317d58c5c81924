//! Each fault is found, with its cause, subject and numbers.

use netdiag_e2e::scenarios::{BridgedNics, Fault, LostChecksum, UnequalMtu};

use super::diagnosed::Diagnosed;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn lldp_is_blamed_on_the_bridge_only_where_the_nic_filters() {
    let diagnosed = Diagnosed::node("bridged-nics");
    let nics = BridgedNics::new(&diagnosed.node).unwrap();
    nics.build_bridge().unwrap();
    let (made, outcome) = diagnosed.diagnose(5, || nics.announce(20).unwrap());
    assert_eq!(made.dropped, [("eth0", 20), ("eth1", 20), ("eth2", 20)]);

    for (number, device) in ["eth0", "eth1", "eth2"].into_iter().enumerate() {
        let finding = outcome.finding("UnhandledProtocol", "NoReceiver", device);
        assert_eq!(finding["severity"], "Info");
        assert_eq!(finding["count"], 20, "{finding:#}");
        assert_eq!(finding["subject"]["protocol"], "LLDP");
        let text = finding.to_string();
        assert!(
            text.contains(&format!("leaf-{number}")),
            "the switch is named: {finding:#}"
        );
        assert!(
            text.contains("Ethernet17"),
            "its port is named: {finding:#}"
        );
        outcome.assert_explained("", device, "rx_dropped", 20);
    }
    let causes = |device: &str| -> Vec<String> {
        let finding = outcome.finding("UnhandledProtocol", "NoReceiver", device);
        let causes = finding["causedBy"].as_array().into_iter().flatten();
        causes
            .filter_map(|cause| Some(cause.as_str()?.to_owned()))
            .collect()
    };
    for device in ["eth0", "eth1"] {
        let [cause] = &causes(device)[..] else {
            panic!("{:?}", causes(device))
        };
        assert!(cause.starts_with("Promiscuity/BridgePort"), "{cause}");
        let promiscuity = outcome
            .all()
            .iter()
            .find(|finding| finding["id"] == cause.as_str());
        let promiscuity = promiscuity.unwrap();
        assert_eq!(promiscuity["severity"], "Info");
        assert!(promiscuity.to_string().contains("br0"), "{promiscuity:#}");
    }
    assert_eq!(
        causes("eth2"),
        Vec::<String>::new(),
        "a veth takes every frame by itself"
    );
    assert!(outcome.alarming().is_empty(), "{:#?}", outcome.alarming());
    assert_eq!(outcome.diagnosis["status"]["summary"]["severity"], "Info");
    outcome.assert_balanced();
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_program_that_loses_checksums_between_two_pods_is_named() {
    let diagnosed = Diagnosed::node("lost-checksum");
    let scenario = LostChecksum::new(&diagnosed.node, Fault::HalfMade).unwrap();
    let (counted, outcome) = diagnosed.diagnose(12, || scenario.talk(25, 6).unwrap());
    assert_eq!(counted.connected, 0);
    assert_eq!(counted.udp, 50, "25 read at once and 25 after a poll");
    assert!(counted.tcp >= 3, "{counted:?}");

    let finding = outcome.finding_in("server", "ChecksumDrop", "PartialChecksumLost", "eth0");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(finding["count"], counted.tcp + counted.udp, "{finding:#}");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    let forwarder = format!("netdiag-lab (pid {})", scenario.forwarder());
    assert_eq!(finding["subject"]["process"], forwarder, "{finding:#}");
    assert_eq!(finding["subject"]["container"], "forwarder");
    assert!(
        finding["summary"]
            .as_str()
            .unwrap()
            .contains("eth0 of pod shop/client"),
        "{finding:#}"
    );
    outcome.assert_explained("shop/server", "", "Tcp.InCsumErrors", counted.tcp);
    outcome.assert_explained("shop/server", "", "Udp.InCsumErrors", counted.udp);
    outcome.assert_balanced();
    assert_eq!(
        outcome.diagnosis["status"]["summary"]["severity"],
        "Critical"
    );
    assert_eq!(outcome.diagnosis["status"]["nodes"]["affected"], 1);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn half_made_checksums_are_seen_through_a_filter_that_drops_invalid_packets() {
    let diagnosed = Diagnosed::node("lost-checksum-filter");
    let scenario = LostChecksum::new(&diagnosed.node, Fault::HalfMadeBeforeFilter).unwrap();
    let (counted, outcome) = diagnosed.diagnose(12, || scenario.talk(10, 6).unwrap());
    assert_eq!(
        (counted.connected, counted.tcp, counted.udp),
        (0, 0, 0),
        "no socket saw a packet"
    );
    assert!(counted.filtered > 20, "{counted:?}");

    let finding = outcome.finding("ChecksumDrop", "PartialChecksumLost", "mesh1");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["count"], counted.filtered, "{finding:#}");
    let forwarder = format!("netdiag-lab (pid {})", scenario.forwarder());
    assert_eq!(finding["subject"]["process"], forwarder, "{finding:#}");
    assert!(
        finding["summary"]
            .as_str()
            .unwrap()
            .contains("pod shop/client"),
        "{finding:#}"
    );
    outcome.assert_balanced();
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn the_smaller_end_of_a_veth_is_found_with_both_counters() {
    let diagnosed = Diagnosed::node("unequal-mtu");
    let scenario = UnequalMtu::new(&diagnosed.node).unwrap();
    let ((sender, receiver), outcome) = diagnosed.diagnose(5, || scenario.send_large(50).unwrap());
    assert_eq!((sender, receiver), (50, 50));

    let found: Vec<_> = outcome
        .all()
        .iter()
        .filter(|finding| finding["check"] == "LinkMtu")
        .collect();
    let [finding] = found[..] else {
        panic!("{:#}", outcome.result)
    };
    assert_eq!(finding["cause"], "PeerMtuSmaller");
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["count"], 50, "{finding:#}");
    let text = finding.to_string();
    for named in ["9000", "1500", "veth-jumbo", "jumbo"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    outcome.assert_explained("shop/jumbo", "eth0", "tx_dropped", 50);
    outcome.assert_explained("", "veth-jumbo", "rx_dropped", 50);
    outcome.assert_balanced();
}
