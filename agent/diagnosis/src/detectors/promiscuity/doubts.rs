//! Reasons for promiscuity that may be there without being seen: a doubt keeps the unexplained from being an alarm.

use std::collections::HashSet;

use crate::{
    Window,
    evidence::{Link, LinkKind},
};

/// Kinds that are known to leave the promiscuity of what lies below them alone, or whose share is counted above.
const COUNTED_KINDS: [LinkKind; 20] = [
    LinkKind::Bond,
    LinkKind::Bridge,
    LinkKind::Erspan,
    LinkKind::Geneve,
    LinkKind::Gre,
    LinkKind::GreTap,
    LinkKind::Ip6Gre,
    LinkKind::Ip6Tnl,
    LinkKind::IpIp,
    LinkKind::IpVlan,
    LinkKind::IpVtap,
    LinkKind::MacSec,
    LinkKind::MacVlan,
    LinkKind::MacVtap,
    LinkKind::Sit,
    LinkKind::Team,
    LinkKind::Veth,
    LinkKind::Vlan,
    LinkKind::Vrf,
    LinkKind::Vxlan,
];

/// A reason why the sum of users may not be the whole truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Doubt<'a> {
    /// Owners of packet sockets were not all read.
    SocketsUnread,
    /// Devices of some namespaces were not read.
    LinksUnread,
    /// The state of its unicast filter was not read.
    FilterUnread,
    /// The kernel logged that its promiscuity changed within the window.
    ChangeLogged,
    /// Its promiscuity was this before the window.
    ChangedFrom(u32),
    /// The device appeared within the window.
    Appeared,
    /// A device of a kind that is not known lies on it.
    UnknownUpper(&'a Link),
    /// This device in another namespace may lie on it.
    DistantUpper(&'a Link),
    /// Its master may want it promiscuous.
    Master(&'a Link),
    /// Its master was not seen.
    MasterUnseen,
    /// Its bond may want it promiscuous for seconds after a failover (`rlb_teach_disabled_mac_on_primary`).
    Failover(&'a Link),
}

/// The reasons why the sum of users may not be the whole truth.
pub(super) fn doubts<'a>(
    window: &'a Window<'_>,
    link: &Link,
    changed: &HashSet<&str>,
) -> Vec<Doubt<'a>> {
    let mut doubts = Vec::new();
    // Why they could not be read is said once for the whole check (`unchecked`).
    if window.packet_sockets.missing().is_some() {
        doubts.push(Doubt::SocketsUnread);
    }
    if window.links.missing().is_some() {
        doubts.push(Doubt::LinksUnread);
    }
    if link.unicast_promiscuous.is_none() {
        doubts.push(Doubt::FilterUnread);
    }
    match link.promiscuity_before {
        Some(before) if before == link.promiscuity => {
            if changed.contains(link.name.as_str()) {
                doubts.push(Doubt::ChangeLogged);
            }
        }
        Some(before) => doubts.push(Doubt::ChangedFrom(before)),
        None => doubts.push(Doubt::Appeared),
    }
    doubts.extend(upper_doubts(window, link));
    doubts
}

/// The names of devices whose change the kernel logged (`__dev_set_promiscuity`: `eth0: left promiscuous mode`, until 6.4
/// `device eth0 left promiscuous mode`). A capture that begins and ends again and again may show in the count and not
/// among the sockets, because the two are not read at one instant.
pub(super) fn changed_by_the_log<'a>(window: &'a Window<'_>) -> HashSet<&'a str> {
    let device = |text: &'a str| {
        let (device, _) = text
            .split_once(" entered promiscuous mode")
            .or_else(|| text.split_once(" left promiscuous mode"))?;
        let device = device.strip_prefix("device ").unwrap_or(device);
        Some(device.strip_suffix(':').unwrap_or(device))
    };
    let lines = window.kernel_log.value().into_iter().flatten();
    lines.filter_map(|line| device(&line.text)).collect()
}

/// Devices above `link` whose share cannot be told.
fn upper_doubts<'a>(window: &'a Window<'_>, link: &Link) -> Vec<Doubt<'a>> {
    let unknown = window.topology.on_top(link).filter(|upper| {
        let kind = upper.kind.as_ref();
        kind.is_some_and(|kind| !COUNTED_KINDS.contains(kind))
    });
    let distant = window.topology.maybe_on_top(link);
    let distant = distant.filter(|upper| upper.passes_below());
    let uppers = unknown.map(Doubt::UnknownUpper);
    let uppers = uppers.chain(distant.map(Doubt::DistantUpper));
    let mut doubts: Vec<Doubt<'a>> = uppers.take(3).collect();
    let master = window.topology.master(link);
    match master {
        Some(bond) if bond.bond.is_some() => {
            let settings = bond.bond.as_ref();
            let rebalances = settings.is_some_and(|settings| settings.mode == "balance-alb");
            doubts.extend(rebalances.then_some(Doubt::Failover(bond)));
        }
        Some(master)
            if master
                .kind
                .as_ref()
                .is_none_or(|kind| !COUNTED_KINDS.contains(kind)) =>
        {
            doubts.push(Doubt::Master(master));
        }
        None if link.master.is_some() => doubts.push(Doubt::MasterUnseen),
        _ => {}
    }
    doubts
}
