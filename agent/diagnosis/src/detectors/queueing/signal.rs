//! The harm of packets that a discipline dropped so that senders slow down.

use crate::{
    Window,
    detectors::kit::{
        Tally, harm,
        unreachable::{TUNNEL_PORTS, inner, unknown},
    },
    evidence::{Link, PacketSample},
    explained_retransmissions::Explained,
    finding::{Assessment, Culprit, Harm, Severity},
    packets::ip::{ICMP, ICMPV6, IpPacket, TCP, UDP},
};

/// UDP port of WireGuard, whose packets nobody can read.
const WIREGUARD: u16 = 51_820;

/// The end of a dropped packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// TCP sends it again.
    SentAgain,
    /// Nothing below the program sends it again.
    Lost,
    /// A tunnel's packet, of which nothing tells what it carries, or no IP.
    Unseen,
}

impl End {
    fn of(sample: &PacketSample) -> Self {
        let Some(packet) = IpPacket::of_sample(sample) else {
            return Self::Unseen;
        };
        let port = packet.transport().map(|ports| ports.destination_port);
        let is_tunnel = port.is_none_or(|port| port == WIREGUARD || TUNNEL_PORTS.contains(&port));
        match packet.protocol {
            TCP => Self::SentAgain,
            UDP if is_tunnel => Self::Unseen,
            UDP | ICMP | ICMPV6 => Self::Lost,
            _ => Self::Unseen,
        }
    }
}

/// Senders of TCP slow down, as they should, and wait where they learn only by a timeout. What else died is lost.
pub(super) fn assessment(window: &Window<'_>, link: &Link, tally: &Tally) -> Assessment {
    let judged = of_living(window, link, tally);
    Assessment {
        is_towards_nobody: window.has_ended(link),
        ..judged
    }
}

fn of_living(window: &Window<'_>, link: &Link, tally: &Tally) -> Assessment {
    let samples: Vec<PacketSample> = tally.samples(window).map(inner).collect();
    let dead = harm::dead_flows(samples.iter());
    if !dead.is_empty() {
        let outage = Assessment::of(Harm::Outage).with_packets(tally.count);
        return Assessment {
            are_flows_dead: true,
            ..outage.with_flows(dead)
        };
    }
    let ends: Vec<End> = samples.iter().map(End::of).collect();
    let late = Explained::by(window, &tally.keys).map_or(0, |explained| explained.late);
    let delay = Assessment::of(Harm::Delay)
        .with_packets(late)
        .out_of(Some(harm::sent(link)))
        .with_flows(harm::flows(window, tally));
    if ends.contains(&End::Lost) {
        return of_lost(window, link, tally, &ends).no_less_than(delay.severity());
    }
    if late > 0 {
        return harm::unless_dead(window, tally, delay);
    }
    let unseen = harm::unless_dead(window, tally, unknown(window, tally));
    let are_all_again = ends.iter().all(|end| *end == End::SentAgain);
    let is_seen = !ends.is_empty() && !tally.lacks_samples(window);
    match are_all_again && is_seen && unseen.at_least == Severity::Info {
        true => Assessment::none().with_packets(tally.count),
        false => unseen,
    }
}

/// Loss by its share of what was sent. Where TCP is among what was seen, how much is lost is not known, so that the share
/// proves no more than a warning.
fn of_lost(window: &Window<'_>, link: &Link, tally: &Tally, ends: &[End]) -> Assessment {
    let by_share = harm::loss(window, tally, Culprit::Unknown, Some(harm::sent(link)));
    let are_all_lost = ends.iter().all(|end| *end == End::Lost);
    match by_share.severity() {
        Severity::Critical if !are_all_lost => by_share.out_of(None),
        _ => by_share,
    }
}
