//! Findings about devices that take every multicast frame without being promiscuous.

use super::{
    cause,
    causes::{about, process, undo},
    chain,
    users::{BridgeUse, bridge_of, sockets_on},
};
use crate::{
    evidence::{EvidenceWindow, Link, MembershipKind},
    finding::{Finding, Proof, Remedy, Severity, Text},
};

const LETS_IN_MULTICAST: &str = "The device takes every multicast frame, also of groups that nobody here has joined, and still filters unicast.";

/// Why the device takes every multicast frame: a port of a bridge that filters VLANs, a
/// user's request or a socket's. Multicast routers do it too and are left alone.
pub(super) fn of_device(window: &EvidenceWindow, link: &Link) -> Option<Finding> {
    let opens_a_filter = |device: &&Link| device.filters_addresses();
    if !chain::stack_below(window, link).iter().any(opens_a_filter) {
        return None;
    }
    let bridge = bridge_of(window, link);
    let sockets = sockets_on(window, link, MembershipKind::AllMulticast);
    let (who, remedy) = match (bridge, sockets.first()) {
        (Some(BridgeUse { bridge, .. }), _) => (
            format!("{} enslaved it", bridge.name),
            Some(Remedy::advice(
                "None needed: a bridge must see the groups behind its other ports.",
            )),
        ),
        (None, _) if link.all_multicast_requested() => (
            "someone set it so".to_owned(),
            undo(
                window,
                link,
                "Take it back, if nobody needs it:",
                &[
                    "ip",
                    "link",
                    "set",
                    "dev",
                    &link.name,
                    "allmulticast",
                    "off",
                ],
            ),
        ),
        (None, Some(socket)) => (
            format!("{} asked for it", process(&socket.owner)),
            Some(Remedy::advice("None needed. It ends with the socket.")),
        ),
        (None, None) => return None,
    };
    let chain = chain::chain(window, link, Link::is_all_multicast);
    let chain = bridge.map_or(chain.clone(), |bridge| {
        format!("{chain} <- {}", bridge.bridge.name)
    });
    let text = Text {
        headline: format!(
            "{} takes every multicast frame because {who}: {chain}",
            link.name
        ),
        what: format!("It is not promiscuous. {LETS_IN_MULTICAST}"),
        hurts: match bridge {
            Some(BridgeUse { bridge, .. }) => {
                format!(
                    "By design: {} must see multicast for hosts behind its ports.",
                    bridge.name
                )
            }
            None => "None by itself. It costs CPU for frames that nobody here wants.".to_owned(),
        },
    };
    let mut finding = about(window, link, cause::ALL_MULTICAST, Severity::Info, text);
    finding.consequence = format!(
        "{} takes every multicast frame, also those that it would filter out.",
        link.name
    );
    let allmulti = link
        .allmulti
        .map_or("IFF_ALLMULTI set".to_owned(), |users| users.to_string());
    let mut value = format!("promiscuity 0; allmulti {allmulti}");
    if let Some(settings) = bridge.and_then(|bridge| bridge.bridge.bridge) {
        value.push_str(&format!(
            "; vlan_filtering {}",
            u8::from(settings.vlan_filtering)
        ));
    }
    finding
        .evidence
        .push(Proof::new(link.name.clone(), value, "", "netlink"));
    finding.remedies.extend(remedy);
    Some(finding)
}
