//! When a probe on the path of every packet is needed. Pure.

use std::collections::BTreeMap;

use netdiag_diagnosis::evidence::{Link, NetnsId, Stacks};

use super::on_demand::Need;
use crate::sources::{SegmentRoute, pulse::Rise};

/// IFF_UP and IFF_LOOPBACK of `<linux/if.h>`.
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;

/// Whether frames may come in twice, on two interfaces of one namespace in one broadcast domain.
///
/// Where two interfaces take in what is not addressed to them, any multicast frame may. Elsewhere only what both are to
/// receive does; of that, fragments are what gets harmed, and the kernel counts them.
#[derive(Debug, Default)]
pub struct FrameCopies {
    /// The reason that stands for the whole window.
    standing: Option<String>,
    /// Namespaces with two interfaces that do not hand each other's frames on, with the names of the first two.
    pairs: BTreeMap<NetnsId, String>,
}

impl FrameCopies {
    /// What the links are like as the window begins.
    pub fn of(links: &[Link]) -> Self {
        let stacks = Stacks::of(links);
        let mut by_namespace: BTreeMap<NetnsId, Vec<&Link>> = BTreeMap::new();
        for link in links.iter().filter(|link| is_receiver(link)) {
            by_namespace.entry(link.netns).or_default().push(link);
        }
        let takes_all = |link: &&Link| {
            let group = stacks.group((link.netns, link.ifindex));
            links.iter().any(|member| {
                member.netns == link.netns
                    && (member.is_promiscuous() || member.is_all_multicast())
                    && group.contains(&(member.netns, member.ifindex))
            })
        };
        let standing = by_namespace.values().find_map(|receivers| {
            let open: Vec<&Link> = receivers.iter().copied().filter(takes_all).collect();
            Some(format!(
                "{} take in multicast frames that they did not ask for: is one frame received twice?",
                two_apart(&stacks, &open)?
            ))
        });
        let pairs = by_namespace
            .into_iter()
            .filter_map(|(netns, receivers)| Some((netns, two_apart(&stacks, &receivers)?)))
            .collect();
        Self { standing, pairs }
    }

    /// What is needed after these counters rose.
    pub fn after(&self, rises: &[Rise]) -> Need {
        if let Some(question) = &self.standing {
            return Need::Question(question.clone());
        }
        let fragmented = rises.iter().find_map(|rise| {
            let names = self.pairs.get(&rise.netns)?;
            (rise.by.fragments > 0 || rise.by.failed_reassemblies > 0).then_some(names)
        });
        match fragmented {
            Some(names) => Need::Question(format!(
                "fragments came in where there are several interfaces ({names}): did they come in on two of them?"
            )),
            None if self.pairs.is_empty() => {
                Need::None("no namespace is known to have two interfaces that receive by themselves".to_owned())
            }
            None => Need::None(
                "no two interfaces of a namespace take in multicast frames that they did not ask for, and no fragments \
                 came in where there are two"
                    .to_owned(),
            ),
        }
    }
}

/// Whether what TCP sends again was dropped on this node.
pub fn retransmissions_after(rises: &[Rise]) -> Need {
    if rises.iter().any(|rise| rise.by.retransmitted_segments > 0) {
        Need::Question("Tcp.RetransSegs rose: were these segments dropped on this node?".to_owned())
    } else {
        Need::None("Tcp.RetransSegs rose in no namespace".to_owned())
    }
}

/// Whether what comes in with a segment routing header is joined: asked where such packets may come in. Neither setting
/// nor route says that they do.
pub fn gro_of(links: &[Link], route: Option<SegmentRoute>) -> Need {
    let is_set = |link: &&Link| {
        link.segment_routing == Some(true)
            && link.receive_offload != Some(false)
            && link.requested_flags & IFF_UP != 0
            && link.requested_flags & IFF_LOOPBACK == 0
    };
    if let Some(link) = links.iter().find(is_set) {
        return Need::Question(format!(
            "{} takes segment routing headers (seg6_enabled): does receive offload join such packets?",
            link.name
        ));
    }
    let kind = match route {
        Some(SegmentRoute::Adds) => "seg6",
        Some(SegmentRoute::ActsOn) => "seg6local",
        None => {
            return Need::None(
                "no interface with receive offload takes segment routing headers (seg6_enabled), and no route of the \
                 node has to do with them"
                    .to_owned(),
            );
        }
    };
    Need::Question(format!(
        "the node has a route with encap {kind}: does receive offload join packets with a segment routing header?"
    ))
}

/// It is up, and frames that come in on it reach no other device that is looked at.
fn is_receiver(link: &Link) -> bool {
    link.master.is_none()
        && link.requested_flags & IFF_UP != 0
        && link.requested_flags & IFF_LOOPBACK == 0
}

/// The names of the first two that do not hand each other's frames on.
fn two_apart(stacks: &Stacks, links: &[&Link]) -> Option<String> {
    let (first, others) = links.split_first()?;
    let group = stacks.group((first.netns, first.ifindex));
    let apart = |other: &&&Link| !group.contains(&(other.netns, other.ifindex));
    let other = others.iter().find(apart)?;
    Some(format!("{} and {}", first.name, other.name))
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::Peer;

    use super::*;
    use crate::sources::pulse::Beat;

    const NODE: NetnsId = NetnsId(1);
    const POD: NetnsId = NetnsId(2);

    fn link(ifindex: u32, name: &str) -> Link {
        Link {
            netns: NODE,
            ifindex,
            name: name.to_owned(),
            requested_flags: IFF_UP,
            ..Link::default()
        }
    }

    fn promiscuous(link: Link) -> Link {
        Link {
            promiscuity: 1,
            ..link
        }
    }

    fn port_of(master: u32, link: Link) -> Link {
        Link {
            master: Some(master),
            ..link
        }
    }

    fn over(lower: u32, kind: &str, link: Link) -> Link {
        Link {
            kind: Some(kind.to_owned()),
            peer: Some(Peer {
                ifindex: lower,
                netns: Some(NODE),
            }),
            ..link
        }
    }

    fn fragments_in(netns: NetnsId) -> Rise {
        Rise {
            netns,
            by: Beat {
                fragments: 6,
                ..Beat::default()
            },
        }
    }

    fn asked(links: &[Link], rises: &[Rise]) -> Option<String> {
        match FrameCopies::of(links).after(rises) {
            Need::Question(question) => Some(question),
            Need::None(_) => None,
        }
    }

    #[test]
    fn two_promiscuous_interfaces_raise_it_at_once() {
        let links = [promiscuous(link(2, "eth0")), promiscuous(link(3, "eth1"))];
        let question = asked(&links, &[]).unwrap();
        assert!(question.starts_with("eth0 and eth1 take in"), "{question}");
    }

    #[test]
    fn one_that_takes_every_multicast_frame_is_as_good_as_a_promiscuous_one() {
        let all_multicast = Link {
            effective_flags: Some(0x200),
            ..link(3, "eth1")
        };
        assert!(asked(&[promiscuous(link(2, "eth0")), all_multicast], &[]).is_some());
    }

    #[test]
    fn two_bridges_over_promiscuous_ports_raise_it() {
        let links = [
            link(2, "br0"),
            promiscuous(port_of(2, link(3, "eth0"))),
            link(4, "br1"),
            promiscuous(port_of(4, link(5, "eth1"))),
        ];
        let question = asked(&links, &[]).unwrap();
        assert!(question.starts_with("br0 and br1 "), "{question}");
    }

    #[test]
    fn devices_that_hand_frames_to_each_other_raise_nothing() {
        let ports = [
            link(2, "br0"),
            promiscuous(port_of(2, link(3, "eth0"))),
            promiscuous(port_of(2, link(4, "eth1"))),
        ];
        assert_eq!(asked(&ports, &[fragments_in(NODE)]), None);
        let uppers = [
            promiscuous(link(2, "eth0")),
            over(2, "macvlan", promiscuous(link(3, "m0"))),
            over(2, "macvlan", promiscuous(link(4, "m1"))),
        ];
        assert_eq!(asked(&uppers, &[fragments_in(NODE)]), None);
    }

    #[test]
    fn an_ordinary_interface_beside_a_promiscuous_one_raises_nothing() {
        let links = [promiscuous(link(2, "eth0")), link(3, "eth1")];
        assert_eq!(asked(&links, &[]), None);
    }

    #[test]
    fn fragments_raise_it_where_there_are_two_interfaces() {
        let links = [link(2, "eth0"), link(3, "eth1")];
        assert_eq!(asked(&links, &[fragments_in(POD)]), None);
        let question = asked(&links, &[fragments_in(NODE)]).unwrap();
        assert!(question.starts_with("fragments came in"), "{question}");
        assert!(question.contains("eth0 and eth1"), "{question}");
    }

    #[test]
    fn segments_that_are_sent_again_raise_the_question_where_they_were_dropped() {
        let resent = Rise {
            netns: POD,
            by: Beat {
                retransmitted_segments: 1,
                ..Beat::default()
            },
        };
        let asked = |rises: &[Rise]| matches!(retransmissions_after(rises), Need::Question(_));
        assert!(asked(&[fragments_in(NODE), resent]));
        assert!(!asked(&[fragments_in(NODE)]));
    }

    #[test]
    fn segment_routing_raises_the_question_whether_its_packets_are_joined() {
        let eth0 = Link {
            segment_routing: Some(true),
            receive_offload: Some(true),
            ..link(1, "eth0")
        };
        let Need::Question(question) = gro_of(std::slice::from_ref(&eth0), None) else {
            panic!("nobody asks");
        };
        assert!(question.starts_with("eth0 takes"), "{question}");
        for (receive_offload, requested_flags) in [
            (Some(false), IFF_UP),
            (None, 0),
            (None, IFF_UP | IFF_LOOPBACK),
        ] {
            let other = Link {
                receive_offload,
                requested_flags,
                ..eth0.clone()
            };
            assert!(matches!(gro_of(&[other], None), Need::None(_)));
        }
    }

    #[test]
    fn a_segment_route_raises_it_whatever_the_interfaces_take() {
        let plain = [link(1, "eth0")];
        for (route, named) in [
            (SegmentRoute::Adds, "encap seg6:"),
            (SegmentRoute::ActsOn, "encap seg6local:"),
        ] {
            let Need::Question(question) = gro_of(&plain, Some(route)) else {
                panic!("nobody asks");
            };
            assert!(question.contains(named), "{question}");
        }
        assert!(matches!(gro_of(&plain, None), Need::None(_)));
    }

    #[test]
    fn the_loopback_and_what_is_down_are_no_second_interface() {
        let loopback = Link {
            requested_flags: IFF_UP | IFF_LOOPBACK,
            ..link(1, "lo")
        };
        let down = Link {
            requested_flags: 0,
            ..promiscuous(link(3, "eth1"))
        };
        let links = [loopback, promiscuous(link(2, "eth0")), down];
        let Need::None(reason) = FrameCopies::of(&links).after(&[fragments_in(NODE)]) else {
            panic!("asked");
        };
        assert!(
            reason.starts_with("no namespace is known to have two"),
            "{reason}"
        );
    }
}
