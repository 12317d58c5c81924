//! The words about packets that are too long for the other end of their veth.

use super::judge::{End, Loss};
use crate::{
    Window,
    detectors::kit::{change::set_mtu, proof, say},
    finding::{Assessment, Harm, Proof, Remedy, Text},
    kernel::hook,
};

pub(super) fn text(window: &Window<'_>, loss: &Loss<'_>, assessment: &Assessment) -> Text {
    let (sender, receiver) = (loss.sender, loss.receiver);
    let lost = say::count(loss.tally.count, "packet");
    let (verb, doubt) = match loss.sizes {
        Some(_) => ("refuses", ""),
        None => (
            "seems to refuse",
            " No packet showed its length: a receiver that was down or a full backlog looks the same.",
        ),
    };
    Text {
        headline: format!(
            "{} sends packets that its veth peer {} {verb}: {lost} lost",
            label(sender),
            label(receiver),
        ),
        what: format!(
            "The two ends of this veth differ in MTU. {} may send up to {} bytes, {} takes up to {} and drops what is \
             longer. The drop happens on the link, so no ICMP error tells the sender and path MTU discovery cannot \
             help.{doubt}",
            sender.link.name, sender.link.mtu, receiver.link.name, receiver.link.mtu,
        ),
        hurts: match assessment.harm {
            Harm::Outage => format!(
                "No packet longer than {} bytes gets from {} to {}, however often it is sent: {lost} lost{}. UDP fails, \
                 TCP from further away connects and then stalls; shorter packets and super-frames (GSO) pass.{}",
                receiver.link.mtu,
                say::device(sender.link, Some(sender.namespace)),
                say::device(receiver.link, Some(receiver.namespace)),
                say::within(window),
                say::seen(assessment),
            ),
            _ => format!(
                "{} from {} to {} were lost; TCP sends its own again.",
                say::part(assessment, "packet"),
                say::device(sender.link, Some(sender.namespace)),
                say::device(receiver.link, Some(receiver.namespace)),
            ),
        },
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

/// Lowering the sender is always safe; raising the receiver helps only when the way onward is as wide. Where no packet
/// showed its length, neither is offered.
pub(super) fn remedies(loss: &Loss<'_>) -> Vec<Remedy> {
    let (sender, receiver) = (loss.sender.link, loss.receiver.link);
    if loss.sizes.is_none() {
        let words = ["ip", "-s", "-s", "link", "show", "dev", &receiver.name];
        let text = "See whether the receiver is up, and whether its `dropped` rises with long packets only \
                    (ping -M do -s SIZE).";
        let names = [receiver.name.as_str()];
        return vec![Remedy::command_in(
            loss.receiver.namespace,
            text,
            &words,
            &names,
        )];
    }
    let lower = format!("Lower {} to the MTU of its peer.", sender.name);
    let lower = lasting(loss.sender, &lower, receiver.mtu).with_effect(format!(
        "packets above {} bytes are fragmented, or their sender gets an error that it can act on",
        receiver.mtu
    ));
    let raise = format!("Or raise {} to the MTU of its peer.", receiver.name);
    let raise = lasting(loss.receiver, &raise, sender.mtu).with_effect(format!(
        "ends the loss on this link; do it only where the whole way behind {} carries {} bytes",
        receiver.name, sender.mtu
    ));
    vec![lower, raise]
}

fn lasting(end: End<'_>, text: &str, mtu: u32) -> Remedy {
    let change = set_mtu(end.link, end.namespace, text, mtu);
    match end.namespace.pod {
        Some(_) => change.lasting("the MTU in the network plugin's configuration, for both ends"),
        None => change.lasting(format!(
            "MTUBytes={mtu} in [Link] of a .link file for this end"
        )),
    }
}
