//! Network devices of every namespace, by RTM_GETLINK.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use netdiag_diagnosis::evidence::{Link, LinkStats, Missing, NetnsId, Observed};

use crate::{
    bounded::{Bounded, Overflows},
    privileges::{Access, Restrictions},
};

use super::{
    attributes::push,
    link_attributes::parse,
    namespaces::{Discovery, OpenNamespace},
    queueing,
    route_netlink::{Consistency, RouteSocket},
};

/// The most links of all namespaces. A large node has some hundred. A namespace is read whole or left out, so that its
/// links are read at both ends of a window or at none; those with the most links are left out first, and never the
/// node's own, of which some are better than none.
const MOST_LINKS: usize = 16_384;
/// The most links of a namespace other than the node's own.
const MOST_LINKS_OF_POD: usize = 4_096;

const IFLA_TARGET_NETNSID: u16 = 46;
/// `struct ifinfomsg` of any family and device.
const IFINFOMSG: [u8; 16] = [0; 16];

/// Reads the links of the wanted namespaces, each namespace in one dump, so that a bond and its slaves belong
/// together. Also gives the namespaces that it could read.
pub(super) fn read(
    route: &RouteSocket,
    discovery: &Discovery,
    wanted: impl Fn(&OpenNamespace) -> bool,
) -> (Observed<Vec<Link>>, HashSet<NetnsId>) {
    let names = discovery.by_nsid();
    let mut links = LinkShares::default();
    let mut missing = discovery.missing.clone();
    let mut overflows = Overflows::default();
    let mut is_closed = false;
    for namespace in discovery.namespaces.iter().filter(|one| wanted(one)) {
        match links_of(route, namespace, &names) {
            Ok((found, _)) if !found.is_whole() && !namespace.is_node => {
                missing.push(Missing::failed(format!(
                    "the links of {}, more than {MOST_LINKS_OF_POD}",
                    namespace.id
                )));
            }
            Ok((found, consistency)) => {
                if consistency == Consistency::Interrupted {
                    missing.push(Missing::failed(format!(
                        "the links of {} changed while they were read",
                        namespace.id
                    )));
                }
                let found = found.noted(&mut overflows);
                missing.extend(links.add(namespace.id, namespace.is_node, found));
            }
            Err(error) if namespace.is_node => {
                let reason = format!("the node's links could not be read: {error}");
                return (
                    Observed::unavailable(Missing::failed(reason)),
                    HashSet::new(),
                );
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => is_closed = true,
            Err(error) => {
                missing.push(Missing::failed(format!(
                    "the links of {}: {error}",
                    namespace.id
                )));
            }
        }
    }
    if is_closed {
        missing.push(Restrictions::read().refused(Access::Links));
    }
    missing.extend(overflows.missing());
    let links_read = links.read.iter().map(|(id, _)| *id).collect();
    let links = links.read.into_iter().flat_map(|(_, links)| links);
    (Observed::without(links.collect(), missing), links_read)
}

/// The links of the namespaces that were read, no more than [`MOST_LINKS`].
#[derive(Default)]
struct LinkShares {
    /// In the order of reading; the node's own first.
    read: Vec<(NetnsId, Vec<Link>)>,
    total: usize,
}

impl LinkShares {
    /// Adds the links of a namespace; gives what had to be left out for it, or of it.
    fn add(&mut self, id: NetnsId, is_node: bool, links: Vec<Link>) -> Vec<Missing> {
        self.total += links.len();
        match is_node {
            true => self.read.insert(0, (id, links)),
            false => self.read.push((id, links)),
        }
        let mut missing = Vec::new();
        while self.total > MOST_LINKS {
            let others = self.read.iter().enumerate().skip(1);
            let largest = others.max_by_key(|(_, (_, links))| links.len());
            let Some((at, _)) = largest else {
                break;
            };
            let (id, left_out) = self.read.remove(at);
            self.total -= left_out.len();
            missing.push(Missing::failed(format!(
                "the {} links of {id}, for which the limit of {MOST_LINKS} leaves no room",
                left_out.len()
            )));
        }
        missing
    }
}

fn links_of(
    route: &RouteSocket,
    namespace: &OpenNamespace,
    names: &HashMap<i32, NetnsId>,
) -> io::Result<(Bounded<Vec<Link>>, Consistency)> {
    let bound = match namespace.is_node {
        true => (MOST_LINKS, "links of the node"),
        false => (MOST_LINKS_OF_POD, "links of a pod"),
    };
    let mut body = IFINFOMSG.to_vec();
    if !namespace.is_node {
        // RTM_NEWNSID is refused as everything that changes something is (`rtnetlink_rcv_msg`), and with an id that
        // others had made so is the dump (`rtnl_get_net_ns_capable`).
        let nsid = namespace.nsid.ok_or(io::ErrorKind::PermissionDenied)?;
        push(&mut body, IFLA_TARGET_NETNSID, &nsid.to_ne_bytes());
    }
    route.dump(
        libc::RTM_GETLINK,
        &body,
        bound,
        |(message_type, message)| {
            if message_type != libc::RTM_NEWLINK {
                return None;
            }
            let parsed = parse(message)?;
            let mut link = parsed.link;
            link.netns = namespace.id;
            link.peer = parsed
                .peer
                .map(|peer| peer.resolve(namespace.id, |nsid| names.get(&nsid).copied()));
            Some(link)
        },
    )
}

/// The links as of `after`, with the counters and promiscuity of `before`.
///
/// A link that was made within the window starts from nothing: it has another index, its namespace is in `renewed`
/// (the number means another namespace than it did), or its counters went back. A link that is gone is left out.
pub(super) fn merge(before: &[Link], after: Vec<Link>, renewed: &HashSet<NetnsId>) -> Vec<Link> {
    let earlier: HashMap<_, _> = before
        .iter()
        .filter(|link| !renewed.contains(&link.netns))
        .map(|link| ((link.netns, link.ifindex), link))
        .collect();
    after
        .into_iter()
        .map(|mut link| {
            let same = earlier
                .get(&(link.netns, link.ifindex))
                .filter(|earlier| is_same(earlier, &link));
            link.stats_before = same.map(|earlier| earlier.stats);
            link.promiscuity_before = same.map(|earlier| earlier.promiscuity);
            let earlier = same.map(|earlier| earlier.disciplines.as_deref());
            match (earlier, &mut link.disciplines) {
                // What they had dropped before the window is not known.
                (Some(None), disciplines) => *disciplines = None,
                (earlier, Some(disciplines)) => queueing::merge(earlier.flatten(), disciplines),
                (_, None) => {}
            }
            if let Some(port) = &mut link.bridge_port {
                let earlier = same.and_then(|earlier| earlier.bridge_port);
                port.state_before = earlier.map(|earlier| earlier.state);
            }
            if let Some(ipv4) = &mut link.ipv4 {
                let earlier = same.and_then(|earlier| earlier.ipv4);
                ipv4.forwarding_before = earlier.map(|earlier| earlier.forwarding);
            }
            link
        })
        .collect()
}

/// True if both are the same device. It may have been renamed, but it cannot change its kind, and its packet counters
/// never fall. (A driver that resets its counters with the device down looks like a new device, which is the safe
/// reading: what came before is not in the counters any more.)
fn is_same(before: &Link, after: &Link) -> bool {
    before.kind == after.kind
        && after.stats.rx_packets >= before.stats.rx_packets
        && after.stats.tx_packets >= before.stats.tx_packets
        && after.stats.rx_dropped >= before.stats.rx_dropped
        && after.stats.tx_dropped >= before.stats.tx_dropped
}

/// The links of `before` that are gone, without the counters that went with them. One whose number is another's now is
/// left out.
pub(super) fn ended(
    before: &[Link],
    after: &[Link],
    is_there: impl Fn(NetnsId) -> bool,
) -> Vec<Link> {
    let there: HashSet<_> = after.iter().map(Link::id).collect();
    let gone = before
        .iter()
        .filter(|link| is_there(link.netns) && !there.contains(&link.id()));
    gone.map(|link| Link {
        stats: LinkStats::default(),
        stats_before: None,
        ..link.clone()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::{LinkKind, QueueingDiscipline};

    use super::*;

    fn link(netns: u32, ifindex: u32, rx_dropped: u64) -> Link {
        Link {
            netns: NetnsId(netns),
            ifindex,
            name: "eth0".to_owned(),
            promiscuity: ifindex,
            stats: LinkStats {
                rx_dropped,
                ..LinkStats::default()
            },
            ..Link::default()
        }
    }

    fn increase(before: &[Link], after: Link, renewed: &[u32]) -> u64 {
        let renewed = renewed.iter().map(|number| NetnsId(*number)).collect();
        merge(before, vec![after], &renewed)[0].increase(|stats| stats.rx_dropped)
    }

    #[test]
    fn counters_rise_from_where_they_stood() {
        assert_eq!(increase(&[link(1, 2, 10)], link(1, 2, 15), &[]), 5);
        let merged = merge(&[link(1, 2, 10)], vec![link(1, 2, 15)], &HashSet::new());
        assert_eq!(merged[0].promiscuity_before, Some(2));
    }

    #[test]
    fn disciplines_of_a_link_count_only_where_they_were_read_before() {
        let with = |disciplines| Link {
            disciplines,
            ..link(1, 2, 0)
        };
        let dropped = |drops| {
            let discipline = QueueingDiscipline {
                drops,
                ..QueueingDiscipline::default()
            };
            with(Some(vec![discipline]))
        };
        let risen = |before: &[Link]| {
            let merged = merge(before, vec![dropped(12)], &HashSet::new());
            let disciplines = merged[0].disciplines.as_ref()?;
            Some(disciplines[0].increase())
        };
        assert_eq!(risen(&[dropped(4)]), Some(8));
        assert_eq!(risen(&[with(None)]), None);
        // One that is new, and a link that is.
        assert_eq!(risen(&[with(Some(Vec::new()))]), Some(12));
        assert_eq!(risen(&[]), Some(12));
    }

    #[test]
    fn a_link_made_again_under_its_name_counts_from_nothing() {
        assert_eq!(increase(&[link(1, 2, 10)], link(1, 3, 4), &[]), 4);
        assert_eq!(increase(&[link(1, 2, 10)], link(1, 2, 4), &[]), 4);
        let mut bridge = link(1, 2, 15);
        bridge.kind = Some(LinkKind::Bridge);
        assert_eq!(increase(&[link(1, 2, 10)], bridge, &[]), 15);
    }

    #[test]
    fn the_same_index_elsewhere_is_another_link() {
        assert_eq!(increase(&[link(1, 2, 10)], link(9, 2, 15), &[]), 15);
        assert_eq!(increase(&[link(1, 2, 10)], link(1, 2, 15), &[1]), 15);
    }

    #[test]
    fn namespaces_full_of_links_hide_none_of_the_others() {
        let mut shares = LinkShares::default();
        let mut add = |id, is_node, number| {
            let links = (1..=number).map(|index| link(id, index, 0)).collect();
            let missing = shares.add(NetnsId(id), is_node, links);
            missing.into_iter().map(|one| one.text).collect::<Vec<_>>()
        };
        assert_eq!(add(2, false, 3), [""; 0]);
        for full in 10..13 {
            assert_eq!(add(full, false, 4_096), [""; 0]);
        }
        let left_out = add(1, true, 8_000);
        let text = "the 4096 links of net:[12], for which the limit of 16384 leaves no room";
        assert_eq!(left_out, [text]);
        assert_eq!(add(3, false, 2), [""; 0]);
        let read: Vec<u32> = shares.read.iter().map(|(id, _)| id.0).collect();
        assert_eq!(read, [1, 2, 10, 11, 3]);
        assert_eq!(shares.total, 8_000 + 2 * 4_096 + 5);
    }

    #[test]
    fn a_link_that_is_gone_is_named_without_its_counters() {
        let before = [link(1, 2, 10), link(1, 3, 10), link(9, 2, 10)];
        assert_eq!(merge(&before[..1], vec![], &HashSet::new()), []);
        let gone = ended(&before, &[link(1, 3, 12)], |netns| netns == NetnsId(1));
        assert_eq!(gone.len(), 1);
        assert_eq!(
            (gone[0].id(), gone[0].stats),
            ((NetnsId(1), 2), LinkStats::default())
        );
    }
}
