//! Addresses of a namespace's links, by RTM_GETADDR.

use std::{io, net::IpAddr};

use netdiag_diagnosis::evidence::Address;

use crate::bounded::Overflows;

use super::{
    attributes::{array, attributes, push},
    namespaces::OpenNamespace,
    route_netlink::RouteSocket,
};

const IFA_TARGET_NETNSID: u16 = 10;
/// `struct ifaddrmsg`.
const IFADDRMSG: usize = 8;
/// Service proxies may hang thousands of addresses on one device of the node.
const MOST_ADDRESSES_OF_NODE: usize = 16_384;
/// The share of every other namespace.
const MOST_ADDRESSES: usize = 1_024;

/// The addresses of a namespace.
///
/// # Errors
/// The kernel's answer; that the namespace has no id in the agent's own.
pub(super) fn read(
    route: &RouteSocket,
    namespace: &OpenNamespace,
    overflows: &mut Overflows,
) -> io::Result<Vec<Address>> {
    let bound = match namespace.is_node {
        true => (MOST_ADDRESSES_OF_NODE, "addresses of the node"),
        false => (MOST_ADDRESSES, "addresses of a pod"),
    };
    let mut addresses = Vec::new();
    for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
        let mut body = vec![0; IFADDRMSG];
        body[0] = family;
        if !namespace.is_node {
            let nsid = namespace.nsid.ok_or(io::ErrorKind::NotFound)?;
            push(&mut body, IFA_TARGET_NETNSID, &nsid.to_ne_bytes());
        }
        let (found, _) = route.dump(
            libc::RTM_GETADDR,
            &body,
            bound,
            |(message_type, message)| {
                (message_type == libc::RTM_NEWADDR)
                    .then(|| parse(message))
                    .flatten()
            },
        )?;
        addresses.extend(found.noted(overflows));
    }
    Ok(addresses)
}

/// Parses what follows the netlink header. On a point-to-point link IFA_ADDRESS is the other end's; IFA_LOCAL is ours.
pub(super) fn parse(message: &[u8]) -> Option<Address> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;

    let prefix = *message.get(1)?;
    let ifindex = u32::from_ne_bytes(array(message, 4)?);
    let mut local = None;
    let mut other = None;
    for attribute in attributes(message.get(IFADDRMSG..)?) {
        match attribute.kind {
            IFA_LOCAL => local = ip_address(attribute.value),
            IFA_ADDRESS => other = ip_address(attribute.value),
            _ => {}
        }
    }
    Some(Address {
        ifindex,
        address: local.or(other)?,
        prefix,
    })
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_end_of_a_point_to_point_link_is_taken() {
        let mut message = vec![2, 32, 0, 0, 5, 0, 0, 0];
        push(&mut message, 1, &[10, 0, 0, 2]);
        push(&mut message, 2, &[10, 0, 0, 1]);
        let address = parse(&message).unwrap();
        assert_eq!(address.address, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(address.prefix, 32);
        assert_eq!(address.ifindex, 5);
    }

    #[test]
    fn addresses_of_odd_lengths_are_none() {
        let mut message = vec![2, 24, 0, 0, 5, 0, 0, 0];
        push(&mut message, 1, &[10, 0, 0]);
        assert_eq!(parse(&message), None);
        for end in 0..message.len() {
            assert_eq!(parse(&message[..end]), None);
        }
    }
}
