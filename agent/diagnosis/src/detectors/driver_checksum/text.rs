//! The words about a driver's complaints: which device, which protocol, what becomes of the packets.

use super::{judge::Complaints, line::Refused};
use crate::{
    Window,
    detectors::kit::offload,
    finding::{Proof, Remedy, Text},
};

pub(super) fn text(group: &Complaints<'_>) -> Text {
    let refused = group.refused;
    let driver = group.drivers().next().unwrap_or("of an unknown name");
    let whose = match group.link {
        Some(link) => format!("The driver {driver} of {}", link.name),
        None => format!("The driver {driver}"),
    };
    let number = match refused {
        Refused::Transport(number) => format!(" (protocol number {number:#04x})"),
        Refused::IpVersion(_) | Refused::EtherType(_) => String::new(),
    };
    let mut what = format!(
        "The stack left the checksum of these packets to the device (CHECKSUM_PARTIAL). The driver looked for TCP or \
         UDP behind the IP header and found another protocol, {refused}{number}, which it cannot pass over. The kernel \
         limits the rate of these lines, so there may be more packets than lines."
    );
    if group.link.is_none() {
        what.push_str(
            " No NIC of this node fits the line for sure: every node on this kernel shares its log.",
        );
    }
    let hurts = if group.are_harmless() {
        "This driver finishes the checksum in software: nothing is lost, and each such packet costs CPU time."
    } else {
        "Not known from this node: most drivers send such packets with the checksum not filled in, and then the \
         receiver drops them. Look for ChecksumDrop or Tcp.InCsumErrors there. Other packets of the device are not \
         affected."
    };
    Text {
        headline: format!("{whose} cannot finish checksums of packets with {refused}"),
        what,
        hurts: hurts.to_owned(),
    }
}

pub(super) fn proofs(group: &Complaints<'_>) -> Vec<Proof> {
    let fact = |name: &str, value: String, unit| Proof::new(name, value, unit, "kernel log");
    let lines = group.tally.count.to_string();
    let mut proofs = vec![fact("lines about an unfinished checksum", lines, "lines")];
    if let Refused::Transport(number) = group.refused {
        let value = format!("{number:#04x}, {}", group.refused);
        proofs.push(fact("protocol in them", value, ""));
    }
    proofs
}

pub(super) fn details(group: &Complaints<'_>) -> Vec<(&'static str, String)> {
    let named = group.lines.iter().filter(|line| !line.source.is_empty());
    named
        .map(|line| ("Device", line.source.to_owned()))
        .collect()
}

pub(super) fn remedies(window: &Window<'_>, group: &Complaints<'_>) -> Vec<Remedy> {
    const TEXT: &str = "Let the stack finish checksums before the device gets them.";
    let namespace = group.link.and_then(|link| window.namespace(link.netns));
    let off = match (group.link, namespace) {
        (Some(link), Some(namespace)) => offload::off(namespace, link, TEXT),
        _ => Some(Remedy::advice(format!(
            "{TEXT} On the device: ethtool -K DEVICE tx off"
        ))),
    };
    let newer = "Take a newer kernel, whose driver passes over extension headers or hands such packets back to the \
                 stack.";
    off.into_iter().chain([Remedy::advice(newer)]).collect()
}

pub(super) fn too_many(shown: usize) -> String {
    format!("only the {shown} most frequent protocols are shown")
}
