//! The words about packets that are too long for the other end of their veth.

use super::judge::{End, Loss};
use crate::{
    Window,
    detectors::kit::{proof, say},
    finding::{Proof, Remedy, Text},
    kernel::hook,
};

pub(super) fn text(loss: &Loss<'_>) -> Text {
    let (sender, receiver) = (loss.sender, loss.receiver);
    Text {
        headline: format!(
            "{} sends packets that its veth peer {} refuses: {} lost",
            label(sender),
            label(receiver),
            say::count(loss.tally.count, "packet")
        ),
        what: format!(
            "The two ends of this veth differ in MTU. {} may send up to {} bytes, {} takes up to {} and drops what is \
             longer. The drop happens on the link, so no ICMP error tells the sender and path MTU discovery cannot \
             help.",
            sender.link.name, sender.link.mtu, receiver.link.name, receiver.link.mtu,
        ),
        hurts: "Every packet above the smaller MTU is lost in this direction, always the same ones when they are sent \
                again: UDP datagrams fail, TCP between these two ends gets by with the smaller segment size, and TCP \
                that is forwarded from further away connects and then stalls. Super-frames that are still to be \
                segmented (GSO) pass."
            .to_owned(),
    }
}

/// `a0 of pod shop/cart-0 (MTU 9000)`.
fn label(end: End<'_>) -> String {
    let device = say::device(end.link, Some(end.namespace));
    format!("{device} (MTU {})", end.link.mtu)
}

pub(super) fn proofs(window: &Window<'_>, loss: &Loss<'_>) -> Vec<Proof> {
    let (sender, receiver) = (loss.sender.link, loss.receiver.link);
    let sizes = loss.sizes.map(|(smallest, largest)| {
        let sizes = if smallest == largest {
            smallest.to_string()
        } else {
            format!("{smallest} to {largest}")
        };
        let name = "sizes of sampled lost packets, without the Ethernet header";
        Proof::new(name, sizes, "bytes", hook::KFREE_SKB)
    });
    let mut proofs: Vec<Proof> = sizes.into_iter().collect();
    proofs.extend(proof::drops(window, &loss.tally));
    proofs.push(proof::link_rose(sender, "tx_dropped", loss.tx_dropped));
    proofs.push(proof::link_rose(receiver, "rx_dropped", loss.rx_dropped));
    proofs.extend(
        [sender, receiver].map(|link| proof::setting(link, "MTU", link.mtu, "bytes", "netlink")),
    );
    proofs
}

/// Lowering the sender is always safe; raising the receiver helps only when the way onward is as wide.
pub(super) fn remedies(loss: &Loss<'_>) -> Vec<Remedy> {
    let (sender, receiver) = (loss.sender.link, loss.receiver.link);
    let lower = format!("Lower {} to the MTU of its peer.", sender.name);
    let lower = set_mtu(loss.sender, lower, receiver.mtu).with_effect(format!(
        "Packets above {} bytes are fragmented, or their sender gets an error that it can act on.",
        receiver.mtu
    ));
    let raise = format!("Or raise {} to the MTU of its peer.", receiver.name);
    let raise = set_mtu(loss.receiver, raise, sender.mtu).with_effect(format!(
        "Ends the loss on this link; do it only where the whole way behind {} carries {} bytes.",
        receiver.name, sender.mtu
    ));
    let mut remedies = vec![lower, raise];
    let mut ends = [loss.sender, loss.receiver].into_iter();
    if ends.any(|end| end.namespace.pod.is_some()) {
        remedies.push(Remedy::advice(
            "A pod's link is made anew with the pod: set one MTU for both ends in the configuration of the network \
             plugin.",
        ));
    }
    remedies
}

/// The command that gives an end another MTU.
fn set_mtu(end: End<'_>, text: String, mtu: u32) -> Remedy {
    let (name, mtu) = (end.link.name.as_str(), mtu.to_string());
    let words = ["ip", "link", "set", "dev", name, "mtu", &mtu];
    Remedy::command_in(end.namespace, text, &words, &[name])
}
