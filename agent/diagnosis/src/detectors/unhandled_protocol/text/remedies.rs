//! Remedies for frames without a receiver: mostly nothing.

use crate::{
    Window,
    detectors::unhandled_protocol::judge::Unreceived,
    evidence::{Link, Namespace},
    finding::Remedy,
    packets::frame::Mac,
    uapi::ethertype::{ETH_P_802_3_MIN, ETH_P_SLOW},
};

/// Ordered, best first.
pub(crate) fn remedies(window: &Window<'_>, found: &Unreceived<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if found.is_for_us() {
        remedies.push(Remedy::advice(format!(
            "Start the program on this node that should receive {}, or stop whoever sends it.",
            found.frames.name()
        )));
        return remedies;
    }
    remedies.push(Remedy::advice(if found.is_counted() {
        "Nothing to fix: leave Benign drops out of the alert."
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
        Remedy::advice("Turn it off at the sender, if nobody needs it.")
    });
    let namespace = window.namespace(found.netns);
    if let (Some(link), Some(namespace), true) = (found.link, namespace, found.is_counted()) {
        remedies.extend(filter(found, link, namespace));
    }
    remedies
}

/// Drops the frames before they are counted. The ingress hook runs for the device that counts them.
fn filter(found: &Unreceived<'_>, link: &Link, namespace: &Namespace) -> Option<Remedy> {
    let expression = match_expression(found)?;
    let table = table_name(&found.frames.name(), &link.name);
    let rules = format!(
        "table netdev {table} {{ chain in {{ type filter hook ingress device \"{}\" priority 0; {expression} drop; }}; \
         }}",
        link.name
    );
    let undo = if namespace.is_node {
        "undo"
    } else {
        "undo in the same namespace"
    };
    Some(
        Remedy::command_in(
            namespace,
            format!("Drop them before they are counted ({undo}: nft delete table netdev {table}):"),
            &["nft", &rules],
            &[&link.name],
        )
        .with_effect("a program that listens for them later would not get them"),
    )
}

/// The nftables expression that matches the frames: their EtherType, or their group if they have none (802.2).
fn match_expression(found: &Unreceived<'_>) -> Option<String> {
    let key = found.keys.first()?;
    let frames = &found.frames;
    match (key.ethertype, frames.slow_subtypes.as_slice()) {
        // Only by their EtherType, the rule would take LACP from a bond whose port drops something else.
        (ETH_P_SLOW, [subtype]) => Some(format!("ether type 0x8809 @ll,112,8 {subtype}")),
        (ETH_P_SLOW, _) => None,
        (ETH_P_802_3_MIN.., _) => Some(format!("ether type 0x{:04x}", key.ethertype)),
        _ => match frames.destinations.as_slice() {
            [group] if Mac::is_multicast(*group) => Some(format!("ether daddr {group}")),
            _ => None,
        },
    }
}

/// A name for an nftables table: letters, digits and underscores.
fn table_name(protocol: &str, device: &str) -> String {
    let clean = |text: &str| -> String {
        text.chars()
            .map(|character| {
                if character.is_ascii_alphanumeric() {
                    character.to_ascii_lowercase()
                } else {
                    '_'
                }
            })
            .collect()
    };
    format!("no_{}_{}", clean(protocol), clean(device))
}
