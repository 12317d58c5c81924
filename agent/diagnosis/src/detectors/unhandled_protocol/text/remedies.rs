//! Remedies for frames without a receiver: mostly nothing.

use crate::{
    Window,
    detectors::{kit::change::part_of_table_name, unhandled_protocol::judge::Unreceived},
    evidence::{Link, Namespace},
    finding::Remedy,
    packets::frame::Mac,
    uapi::ethertype::{ETH_P_802_3_MIN, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_SLOW},
};

/// EtherTypes of VLAN tags.
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;

/// 01:80:c2:00:00:00, the group of the spanning tree.
const SPANNING_TREE: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);

/// Ordered, best first.
pub(crate) fn remedies(window: &Window<'_>, found: &Unreceived<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if found.is_for_us() {
        remedies.push(Remedy::advice(format!(
            "Start the program on this node that should receive {}, or stop the sender.",
            found.frames.name()
        )));
        return remedies;
    }
    if found.is_unseen() {
        return found
            .link
            .into_iter()
            .filter_map(|link| watch(window, found, link))
            .collect();
    }
    remedies.push(Remedy::advice(if found.is_counted() {
        "Nothing to fix: leave benign drops out of the alert."
    } else {
        "Nothing to fix: no drop counter rises by it."
    }));
    if found.inactive_slave_of.is_some() {
        return remedies;
    }
    let is_announcement = found
        .frames
        .protocols
        .iter()
        .any(|protocol| protocol.is_announcement);
    remedies.push(if is_announcement {
        Remedy::advice(
            "Run an LLDP daemon on this node (lldpd -c hears CDP too); it consumes the frames, and you learn the \
             switch ports.",
        )
    } else {
        Remedy::advice("Turn the protocol off at the sender, if nobody needs it.")
    });
    let namespace = window.namespace(found.netns);
    if let (Some(link), Some(namespace), true) = (found.link, namespace, found.is_counted()) {
        remedies.extend(filter(found, link, namespace));
    }
    remedies
}

/// Shows some of the frames with their addresses.
fn watch(window: &Window<'_>, found: &Unreceived<'_>, link: &Link) -> Option<Remedy> {
    let namespace = window.namespace(found.netns)?;
    let ethertype = found.keys.first()?.ethertype;
    let number = (ethertype >= ETH_P_802_3_MIN).then(|| format!("0x{ethertype:04x}"))?;
    let words = [
        "tcpdump", "-p", "-e", "-n", "-c", "10", "-i", &link.name, "ether", "proto",
    ];
    let words = [&words[..], &[&number]].concat();
    let text = "See to whom they are sent.";
    Some(Remedy::command_in(namespace, text, &words, &[&link.name]))
}

/// Drops the frames before they are counted. The ingress hook runs for the device that counts them.
fn filter(found: &Unreceived<'_>, link: &Link, namespace: &Namespace) -> Option<Remedy> {
    let expression = match_expression(found, link)?;
    let table = table_name(&found.frames.name(), &link.name);
    let rules = format!(
        "table netdev {table} {{ chain in {{ type filter hook ingress device \"{}\" priority 0; {expression} drop; }}; \
         }}",
        link.name
    );
    let names = [link.name.as_str()];
    let delete = ["nft", "delete", "table", "netdev", &table];
    let undo = Remedy::command_in(namespace, "", &delete, &names);
    let text = "Drop them before they are counted:";
    Some(
        Remedy::command_in(namespace, text, &["nft", &rules], &names)
            .with_effect("a program that listens for them later does not get them")
            .undone_by(undo),
    )
}

/// The nftables expression that matches the frames: their EtherType, or their group if they have none (802.2). `None`
/// where it would match frames that are wanted, or would not match these.
fn match_expression(found: &Unreceived<'_>, link: &Link) -> Option<String> {
    let key = found.keys.first()?;
    let frames = &found.frames;
    // Of a tagged frame the rule reads the tag's number in place of the EtherType. A VLAN device gets it untagged.
    let is_tagged = frames.of_foreign_vlan || (!frames.vlans.is_empty() && link.vlan.is_none());
    if is_tagged {
        return None;
    }
    match (key.ethertype, frames.slow_subtypes.as_slice()) {
        // The node's own traffic: unreceived on this device now, and wanted on it after a failover.
        (ETH_P_IP | ETH_P_ARP | ETH_P_IPV6 | ETH_P_8021Q | ETH_P_8021AD, _) => None,
        // Only by their EtherType, the rule would take LACP from a bond whose port drops something else.
        (ETH_P_SLOW, [subtype]) => Some(format!("ether type 0x8809 @ll,112,8 {subtype}")),
        (ETH_P_SLOW, _) => None,
        (ETH_P_802_3_MIN.., _) => Some(format!("ether type 0x{:04x}", key.ethertype)),
        _ => match frames.destinations.as_slice() {
            // A bridge needs the messages of its spanning tree.
            [SPANNING_TREE] => None,
            [group] if Mac::is_multicast(*group) => Some(format!("ether daddr {group}")),
            _ => None,
        },
    }
}

/// A name for an nftables table.
fn table_name(protocol: &str, device: &str) -> String {
    let [protocol, device] = [protocol, device].map(part_of_table_name);
    format!("no_{protocol}_{device}")
}
