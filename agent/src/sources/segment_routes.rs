//! Routes that put a segment routing header into packets or act on one, by RTM_GETROUTE.
//!
//! Only of the agent's own namespace: the kernel lists routes of the socket's namespace, and unlike links and
//! addresses they have no attribute for another one.

use std::io;

use super::{
    attributes::{Attribute, array, attributes},
    route_netlink::RouteSocket,
};
use crate::probes::question::SegmentRoute;

/// `struct rtmsg`.
const RTMSG: usize = 12;
/// `struct rtnexthop`.
const RTNEXTHOP: usize = 8;

/// Finds the kind of the first such route that the agent's own namespace has, if any.
///
/// # Errors
/// The kernel's answer.
pub(super) fn first(route: &RouteSocket) -> io::Result<Option<SegmentRoute>> {
    let mut body = [0; RTMSG];
    body[0] = libc::AF_INET6 as u8;
    let one = (1, "routes for segment routing");
    let (found, _) = route.dump(libc::RTM_GETROUTE, &body, one, |(message_type, message)| {
        (message_type == libc::RTM_NEWROUTE)
            .then(|| parse(message))
            .flatten()
    })?;
    Ok(found.part().first().copied())
}

/// Parses what follows the netlink header.
pub(super) fn parse(message: &[u8]) -> Option<SegmentRoute> {
    const RTA_MULTIPATH: u16 = 9;

    let of_route = || attributes(message.get(RTMSG..).unwrap_or_default());
    of_route().find_map(encapsulation).or_else(|| {
        let paths = of_route().find(|one| one.kind == RTA_MULTIPATH)?;
        next_hops(paths.value).find_map(|hop| attributes(hop).find_map(encapsulation))
    })
}

fn encapsulation(attribute: Attribute<'_>) -> Option<SegmentRoute> {
    const RTA_ENCAP_TYPE: u16 = 21;
    const LWTUNNEL_ENCAP_SEG6: u16 = 5;
    const LWTUNNEL_ENCAP_SEG6_LOCAL: u16 = 7;

    let kind = (attribute.kind == RTA_ENCAP_TYPE).then(|| attribute.u16());
    match kind.flatten()? {
        LWTUNNEL_ENCAP_SEG6 => Some(SegmentRoute::Adds),
        LWTUNNEL_ENCAP_SEG6_LOCAL => Some(SegmentRoute::ActsOn),
        _ => None,
    }
}

/// The attributes of each next hop of a route with several. Ends at the first that does not fit.
fn next_hops(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(array(rest, 0)?));
        let hop = rest.get(RTNEXTHOP..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(hop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::attributes::push;

    fn encap(kind: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, 1, &[0; 16]);
        push(&mut bytes, 21, &kind.to_ne_bytes());
        bytes
    }

    fn route(attributes: &[u8]) -> Vec<u8> {
        [&[0; RTMSG], attributes].concat()
    }

    #[test]
    fn routes_are_told_by_their_encapsulation() {
        assert_eq!(parse(&route(&encap(5))), Some(SegmentRoute::Adds));
        assert_eq!(parse(&route(&encap(7))), Some(SegmentRoute::ActsOn));
        assert_eq!(parse(&route(&encap(1))), None, "MPLS");
        assert_eq!(parse(&route(&[])), None);
    }

    #[test]
    fn one_of_several_next_hops_may_have_it() {
        let hop = |attributes: &[u8]| {
            let mut hop = vec![0; RTNEXTHOP];
            hop.extend(attributes);
            let length = hop.len() as u16;
            hop[..2].copy_from_slice(&length.to_ne_bytes());
            hop
        };
        let mut paths = Vec::new();
        push(&mut paths, 9, &[hop(&[]), hop(&encap(5))].concat());
        assert_eq!(parse(&route(&paths)), Some(SegmentRoute::Adds));
    }

    #[test]
    fn broken_messages_are_no_routes() {
        let mut broken = Vec::new();
        push(&mut broken, 9, &[0; 32]);
        for bytes in [&[][..], &[0; 5], &route(&broken), &route(&[0xff; 40])] {
            assert_eq!(parse(bytes), None);
        }
    }
}
