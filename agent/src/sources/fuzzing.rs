//! The parsers of the sources, for the crate `fuzz/`.

use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{Link, NetnsId, Observed},
};

use super::{
    addresses, attributes, cgroups, counters, descriptors, devices, kernel_log, link_attributes,
    multicast_groups, neighbour_tables, packet_sockets, pods, processes, protocol_handlers, pulse,
    route_netlink, segment_routes, snmp, softnet, tun_holders,
};
use crate::privileges::Confinement;

/// Lines of the kernel log, read as both sources give them, and diagnosed beside a NIC and a bond.
pub fn kernel_log(text: &str) {
    let records = text
        .lines()
        .filter_map(|line| kernel_log::parse_kmsg(line).or_else(|| kernel_log::parse_syslog(line)));
    let lines: Vec<_> = records.map(|record| record.since(0)).collect();
    let shown = |text: &str| !text.chars().any(char::is_control);
    assert!(lines.iter().all(|line| shown(&line.text)));
    let link = |ifindex, name: &str, driver: Option<&str>| Link {
        netns: NetnsId(1),
        ifindex,
        name: name.to_owned(),
        driver: driver.map(str::to_owned),
        ..Link::default()
    };
    let links = vec![link(2, "eth0", Some("ixgbe")), link(3, "uplink-a", None)];
    crate::fuzzing::window(&EvidenceWindow {
        duration_ms: 10_000,
        links: Observed::Complete { value: links },
        kernel_log: Observed::Complete { value: lines },
        ..EvidenceWindow::default()
    });
}

/// A batch of rtnetlink messages, whatever each is about.
pub fn netlink(bytes: &[u8]) {
    for message in route_netlink::messages(bytes) {
        let body = message.body;
        if let Some(parsed) = link_attributes::parse(body) {
            let name = parsed.link.name;
            assert!(!name.chars().any(char::is_control), "{name:?}");
        }
        addresses::parse(body);
        neighbour_tables::parse(body);
        segment_routes::parse(body);
        assert!(attributes::attributes(body).count() <= body.len());
    }
}

/// A file of /proc or a name of the host's folders, chosen by a number.
pub fn proc_file(file: u8, text: &str) {
    match file % 16 {
        0 => drop(snmp::pairs_of_lines(text).count()),
        1 => drop(snmp::lines(text).count()),
        2 => drop(counters::parse_conntrack(text)),
        3 => drop(softnet::parse(text)),
        4 => drop(protocol_handlers::parse(text)),
        5 => drop(text.lines().filter_map(packet_sockets::parse_line).count()),
        6 => {
            let name = tun_holders::parse(text).unwrap_or_default();
            assert!(!name.chars().any(char::is_control), "{name:?}");
        }
        7 => drop(cgroups::parse(text)),
        8 => drop(pods::parse_pod_folder(text)),
        9 => drop(pods::parse_container_log(text)),
        10 => drop(devices::parse_flags(text)),
        11 => drop(multicast_groups::groups_of_ipv4(text).count()),
        12 => drop(multicast_groups::groups_of_ipv6(text).count()),
        13 => drop((descriptors::inode_of(text), processes::start_of(text))),
        14 => drop(Confinement::parse(text)),
        _ => {
            let mut all = counters::Counters::default();
            counters::add(&mut all, snmp::pairs_of_lines(text)).part();
            pulse::pick(snmp::lines(text));
        }
    }
}
