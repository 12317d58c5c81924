//! The assessment of a group of drops: its class, the packets that were sampled and the traffic beside it.

use std::net::IpAddr;

use super::{
    class::{By, Carried, Class},
    group::Group,
};
use crate::{
    Window,
    detectors::kit::{
        harm,
        seen::Around,
        unreachable::{unknown, unreachable},
    },
    evidence::{LinkKind, Namespace},
    finding::{Assessment, Culprit, Harm, Severity},
    kernel::{
        DeviceCounter,
        site::{Layer, Raises},
    },
    packets::ip::IpPacket,
};

/// Shorter, and peers of a pod that was deleted do the same: what they sent dies for some seconds.
const LASTING_MS: u64 = 10_000;

impl Group<'_> {
    /// The judgement on these drops.
    ///
    /// It is no decision and no less urgent than a cause that too few packets were seen to exclude.
    pub(super) fn assess(&self, window: &Window<'_>) -> Assessment {
        let assessed = self.assess_class(window);
        if self.drops.at_least == Severity::Info {
            return assessed;
        }
        Assessment {
            decision: None,
            ..assessed.no_less_than(self.drops.at_least)
        }
    }

    fn assess_class(&self, window: &Window<'_>) -> Assessment {
        let tally = &self.drops.tally;
        let outage = |culprit| harm::outage(window, tally, culprit);
        match self.class() {
            Class::Unmissed => Assessment::none(),
            Class::Wanted => Assessment::none().with_packets(tally.count),
            Class::Decision(by) => match outage(Culprit::Unknown) {
                Some(outage) => Assessment {
                    decision: Some(by),
                    ..outage
                },
                None => Assessment::decided(by, Harm::Unknown, tally.count)
                    .with_flows(harm::flows(window, tally)),
            },
            Class::Unknown => outage(Culprit::Unknown)
                .unwrap_or_else(|| harm::unless_last_try(window, tally, unknown(window, tally))),
            Class::Flow(by) => {
                let culprit = self.culprit(window, by);
                outage(culprit).unwrap_or_else(|| {
                    harm::unless_last_try(window, tally, unknown(window, tally).by(culprit))
                })
            }
            Class::NoWay(by) => {
                let culprit = self.culprit(window, by);
                if self.ended(window).is_some() {
                    return Assessment {
                        is_towards_nobody: true,
                        ..Assessment::of(Harm::Outage)
                            .by(Culprit::Elsewhere)
                            .with_packets(tally.count)
                            .with_flows(harm::flows(window, tally))
                    };
                }
                let outage = outage(culprit).filter(|_| tally.lasted_ms() >= LASTING_MS);
                outage.unwrap_or_else(|| unknown(window, tally).by(culprit))
            }
            Class::NotForwarded => {
                // What a guest's device leaves to the host found nobody who reads it: who should is not known.
                let outage = if self.is_of_guest() {
                    outage(Culprit::Unknown)
                } else {
                    outage(Culprit::Here).filter(|_| self.should_forward(window))
                };
                outage.unwrap_or_else(|| unknown(window, tally))
            }
            Class::Loss(culprit, carried) => Assessment {
                is_towards_nobody: carried == Carried::Sent && self.device_is_gone(window),
                ..harm::loss(window, tally, culprit, self.carried(window, carried))
            },
            Class::Delay => outage(Culprit::Here).unwrap_or_else(|| {
                Assessment::of(Harm::Delay)
                    .by(Culprit::Here)
                    .with_packets(tally.count)
                    .out_of(self.namespace.increase("Tcp.PassiveOpens"))
                    .with_flows(harm::flows(window, tally))
            }),
            Class::Unreachable(culprit) => unreachable(window, tally, self.around(), culprit),
        }
    }

    fn class(&self) -> Class {
        self.drops.row.map_or(Class::Unknown, |row| row.class)
    }

    fn around(&self) -> Around<'_> {
        Around {
            namespace: Some(self.namespace),
            link: self.link,
        }
    }

    fn culprit(&self, window: &Window<'_>, by: By) -> Culprit {
        match by {
            By::Culprit(culprit) => culprit,
            By::Device if self.is_of_pod_or_guest(window) => Culprit::Here,
            By::Device => Culprit::Unknown,
        }
    }

    /// The device is a pod's, a guest's, or the node's end of a pod's.
    fn is_of_pod_or_guest(&self, window: &Window<'_>) -> bool {
        harm::is_of_pod_or_guest(window, self.namespace, self.link)
    }

    /// The device hands what it receives to a program, a virtual machine as a rule, and not to the host.
    fn is_of_guest(&self) -> bool {
        let kind = self.link.and_then(|link| link.kind.as_ref());
        matches!(kind, Some(LinkKind::MacVtap | LinkKind::IpVtap))
    }

    /// Packets came from a pod or a guest behind this host, or were for one.
    fn should_forward(&self, window: &Window<'_>) -> bool {
        let is_behind = |address: IpAddr| {
            // Every host has link-local addresses, and nobody forwards them.
            let is_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
            let mut holders = window.holders_of(address).iter();
            !is_local && holders.any(|(holder, _)| holder.id != self.namespace.id)
        };
        let mut packets = self.drops.tally.samples(window);
        packets.any(|sample| {
            let packet = IpPacket::of_sample(sample);
            packet.is_some_and(|packet| {
                is_behind(packet.source) || is_behind(packet.final_destination)
            })
        })
    }

    /// The device ended within the window: links are read at its end. What was sent into it was for a pod or a guest that
    /// had gone away.
    fn device_is_gone(&self, window: &Window<'_>) -> bool {
        let mut keys = self.drops.tally.drops(window);
        let is_gone = self.link.is_none_or(|link| window.has_ended(link));
        is_gone && window.links.value().is_some() && keys.all(|key| key.ifindex != 0)
    }

    /// The packets that went the same way meanwhile.
    fn carried(&self, window: &Window<'_>, carried: Carried) -> Option<u64> {
        let lost = self.drops.tally.count;
        let link = self.link.filter(|link| !window.has_ended(link));
        let received = || link.map(|link| harm::received_beside(link, lost));
        let sent = || link.map(harm::sent);
        match carried {
            Carried::Received => received(),
            Carried::Sent => sent(),
            Carried::Uncounted => None,
            Carried::BySite => {
                let site = self.drops.site?;
                let raises = site.raises().iter().map(|(_, raises)| raises);
                let device = raises.clone().find_map(|raises| match raises {
                    Raises::Receive | Raises::Backlog => Some(received()),
                    Raises::Device(DeviceCounter::TxDropped) => Some(sent()),
                    Raises::Device(_) => Some(received()),
                    Raises::Transmit | Raises::VethSender => Some(sent()),
                    Raises::Namespace(_) | Raises::UdpByVersion => None,
                });
                match site.layer() {
                    Layer::Udp => harm::udp_received(self.namespace),
                    Layer::Tcp => harm::tcp_received_beside(self.namespace, lost),
                    // What IP refuses has come in on the device.
                    Layer::Ip => received(),
                    _ => device.flatten(),
                }
            }
        }
    }

    /// The namespaces that had the destinations and ended within the window, where each packet that was seen was for
    /// one: an address that goes away takes its route with it. `None` where some packet was for anybody else.
    pub(super) fn ended<'a>(&self, window: &'a Window<'_>) -> Option<Vec<&'a Namespace>> {
        let tally = &self.drops.tally;
        let is_no_way = matches!(self.class(), Class::NoWay(_));
        if !is_no_way || tally.lacks_samples(window) {
            return None;
        }
        let mut ended: Vec<&Namespace> = Vec::new();
        for sample in tally.samples(window) {
            let holders = window.holders_of(IpPacket::of_sample(sample)?.destination);
            let has_ended = |(namespace, ifindex): &(&Namespace, u32)| {
                let link = window.topology.link(namespace.id, *ifindex);
                link.is_some_and(|link| window.has_ended(link))
            };
            if holders.is_empty() || !holders.iter().all(has_ended) {
                return None;
            }
            for (namespace, _) in holders {
                if ended.iter().all(|known| known.id != namespace.id) {
                    ended.push(namespace);
                }
            }
        }
        (!ended.is_empty()).then_some(ended)
    }
}
