//! The condition under which frames are to be compared across interfaces.

use std::collections::{BTreeMap, HashSet};

use netdiag_diagnosis::{
    evidence::{Link, Namespace, NetnsId},
    topology::Topology,
};

use crate::probes::question::{Demand, Question, Rise, WindowStart, receives};

/// The question whether frames may come in twice, on two interfaces of one namespace in one broadcast domain.
///
/// Where two interfaces take in what is not addressed to them, any multicast frame may. Elsewhere it is what a program
/// receives from a group. What gets harmed is fragments, which the kernel counts.
#[derive(Debug, Default)]
pub(crate) struct ReceivedTwice {
    /// The reason that stands for the whole window.
    standing: Option<String>,
    /// Namespaces with two interfaces that do not hand each other's frames on, with the names of the first two.
    pairs: BTreeMap<NetnsId, String>,
}

impl Question for ReceivedTwice {
    fn of(start: &WindowStart<'_>) -> Self {
        let receives_groups = |one: &&Namespace| {
            let groups = one.multicast_groups.as_ref();
            groups.is_some_and(|all| !all.is_empty())
        };
        let receiving = start.namespaces.iter().filter(receives_groups);
        Self::on(start.links, &receiving.map(|one| one.id).collect())
    }

    fn after(&self, rises: &[Rise]) -> Demand {
        if let Some(question) = &self.standing {
            return Demand::Question(question.clone());
        }
        let fragmented = rises.iter().find_map(|rise| {
            let names = self.pairs.get(&rise.netns)?;
            (rise.by.fragments > 0 || rise.by.failed_reassemblies > 0).then_some(names)
        });
        match fragmented {
            Some(names) => Demand::Question(format!(
                "fragments came in where there are several interfaces ({names}): did they come in on two of them?"
            )),
            None if self.pairs.is_empty() => {
                Demand::None("no namespace is known to have two interfaces that receive by themselves".to_owned())
            }
            None => Demand::None(
                "where a namespace has two interfaces, they take in only what they asked for, no program receives from \
                 a multicast group, and no fragments came in"
                    .to_owned(),
            ),
        }
    }
}

impl ReceivedTwice {
    /// Asks about these links, and the namespaces in which programs receive multicast groups.
    fn on(links: &[Link], receiving_groups: &HashSet<NetnsId>) -> Self {
        let topology = Topology::of(links);
        let mut by_namespace: BTreeMap<NetnsId, Vec<&Link>> = BTreeMap::new();
        for link in links.iter().filter(|link| ends_here(link)) {
            by_namespace.entry(link.netns).or_default().push(link);
        }
        let takes_all = |link: &&Link| {
            links.iter().any(|member| {
                member.netns == link.netns
                    && (member.is_promiscuous() || member.is_all_multicast())
                    && topology.are_joined(link.id(), member.id())
            })
        };
        let standing = by_namespace.values().find_map(|receivers| {
            let open: Vec<&Link> = receivers.iter().copied().filter(takes_all).collect();
            Some(format!(
                "{} take in multicast frames that they did not ask for: is one frame received twice?",
                two_apart(&topology, &open)?
            ))
        });
        let pairs: BTreeMap<_, _> = by_namespace
            .into_iter()
            .filter_map(|(netns, receivers)| Some((netns, two_apart(&topology, &receivers)?)))
            .collect();
        let standing = standing.or_else(|| {
            let mut pairs = pairs.iter();
            let (_, names) = pairs.find(|(netns, _)| receiving_groups.contains(netns))?;
            Some(format!(
                "a program receives from a multicast group where there are several interfaces ({names}): does one \
                 frame come in on two of them?"
            ))
        });
        Self { standing, pairs }
    }
}

/// Frames that come in on it reach no other device that is looked at.
fn ends_here(link: &Link) -> bool {
    link.master.is_none() && receives(link)
}

/// The names of the first two that do not hand each other's frames on.
fn two_apart(topology: &Topology<'_>, links: &[&Link]) -> Option<String> {
    let (first, others) = links.split_first()?;
    let apart = |other: &&&Link| !topology.are_joined(first.id(), other.id());
    let other = others.iter().find(apart)?;
    Some(format!("{} and {}", first.name, other.name))
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::{
        evidence::Peer,
        uapi::flags::{IFF_LOOPBACK, IFF_UP},
    };

    use super::*;
    use crate::probes::question::ProtocolCounters;

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
            kind: Some(kind.into()),
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
            by: ProtocolCounters {
                fragments: 6,
                ..ProtocolCounters::default()
            },
        }
    }

    fn asked(links: &[Link], rises: &[Rise]) -> Option<String> {
        match ReceivedTwice::on(links, &HashSet::new()).after(rises) {
            Demand::Question(question) => Some(question),
            Demand::None(_) => None,
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
    fn a_group_raises_it_at_once_where_there_are_two_interfaces() {
        let links = [link(2, "eth0"), link(3, "eth1")];
        let need = |netns| ReceivedTwice::on(&links, &HashSet::from([netns])).after(&[]);
        assert!(matches!(need(POD), Demand::None(_)));
        let Demand::Question(question) = need(NODE) else {
            panic!("nobody asks");
        };
        assert!(question.contains("(eth0 and eth1)"), "{question}");
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
        let Demand::None(reason) =
            ReceivedTwice::on(&links, &HashSet::new()).after(&[fragments_in(NODE)])
        else {
            panic!("asked");
        };
        assert!(
            reason.starts_with("no namespace is known to have two"),
            "{reason}"
        );
    }
}
