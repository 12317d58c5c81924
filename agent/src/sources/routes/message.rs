//! A route in a netlink message: `struct rtmsg` and its attributes.

use std::net::IpAddr;

use netdiag_diagnosis::evidence::{Refusal, RouteAnswer, RouteEntry};

use super::{
    super::attributes::{array, attributes},
    HEADER,
};

const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
/// The types that refuse: RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT. The actions of rules have the same numbers.
const REFUSING: [(u8, Refusal); 3] = [
    (6, Refusal::Blackhole),
    (7, Refusal::Unreachable),
    (8, Refusal::Prohibit),
];
/// The local table: addresses of the node itself.
const RT_TABLE_LOCAL: u32 = 255;
const RTNH_F_ONLINK: u32 = 4;
/// Attributes that a command need not repeat: the age, and the preference that routers announce.
const OF_NO_WEIGHT: [u16; 2] = [libc::RTA_CACHEINFO, RTA_PREF];
const RTA_PREF: u16 = 20;
const RTA_TABLE: u16 = 15;

/// A type of routes that refuses.
pub(super) fn refusal(kind: u8) -> Option<Refusal> {
    let mut types = REFUSING.iter();
    types.find(|one| one.0 == kind).map(|one| one.1)
}

/// The answer to a look-up that found a route; what follows the netlink header.
pub(super) fn answer(message: &[u8]) -> Option<RouteAnswer> {
    if *message.get(7)? == RTN_LOCAL {
        return Some(RouteAnswer::Local);
    }
    let mut ifindex = None;
    let mut gateway = None;
    for attribute in attributes(message.get(HEADER..)?) {
        match attribute.kind {
            libc::RTA_OIF => ifindex = attribute.u32(),
            libc::RTA_GATEWAY => gateway = address(attribute.value),
            _ => {}
        }
    }
    Some(RouteAnswer::Leads {
        ifindex: ifindex?,
        gateway,
    })
}

/// A route that leads on or refuses; `None` for the local table and for other types.
pub(super) fn route(message: &[u8]) -> Option<RouteEntry> {
    let kind = *message.get(7)?;
    let refusal = refusal(kind);
    if kind != RTN_UNICAST && refusal.is_none() {
        return None;
    }
    let unspecified = match i32::from(*message.first()?) {
        libc::AF_INET => IpAddr::from([0_u8; 4]),
        libc::AF_INET6 => IpAddr::from([0_u8; 16]),
        _ => return None,
    };
    let mut route = RouteEntry {
        prefix: unspecified,
        length: *message.get(1)?,
        refusal,
        table: u32::from(*message.get(4)?),
        metric: 0,
        protocol: *message.get(5)?,
        gateway: None,
        ifindex: 0,
        is_onlink: u32::from_ne_bytes(array(message, 8)?) & RTNH_F_ONLINK != 0,
        // A source prefix, or a type of service.
        is_plain: *message.get(2)? == 0 && *message.get(3)? == 0,
    };
    for attribute in attributes(message.get(HEADER..)?) {
        match attribute.kind {
            libc::RTA_DST => route.prefix = address(attribute.value)?,
            libc::RTA_GATEWAY => route.gateway = Some(address(attribute.value)?),
            libc::RTA_PRIORITY => route.metric = attribute.u32()?,
            libc::RTA_OIF => route.ifindex = attribute.u32()?,
            RTA_TABLE => route.table = attribute.u32()?,
            kind if OF_NO_WEIGHT.contains(&kind) => {}
            _ => route.is_plain = false,
        }
    }
    (route.table != RT_TABLE_LOCAL).then_some(route)
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(IpAddr::from(array::<4>(value, 0)?)),
        16 => Some(IpAddr::from(array::<16>(value, 0)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::attributes::push, *};

    fn message(kind: u8) -> Vec<u8> {
        let mut message = vec![2, 24, 0, 0, 254, 3, 0, kind, 0, 0, 0, 0];
        push(&mut message, RTA_TABLE, &254_u32.to_ne_bytes());
        push(&mut message, libc::RTA_DST, &[198, 51, 100, 0]);
        message
    }

    #[test]
    fn a_route_is_read_with_its_prefix_and_table() {
        let read = route(&message(6)).unwrap();
        assert_eq!((read.prefix, read.length), ([198, 51, 100, 0].into(), 24));
        assert_eq!((read.table, read.refusal), (254, Some(Refusal::Blackhole)));
        assert!(read.has([198, 51, 100, 7].into()) && !read.has([198, 51, 101, 7].into()));
        assert_eq!(route(&message(RTN_LOCAL)), None);
        for end in 0..HEADER {
            assert_eq!(route(&message(6)[..end]), None);
        }
    }

    #[test]
    fn a_route_with_more_than_a_command_repeats_is_not_plain() {
        let mut message = message(RTN_UNICAST);
        push(&mut message, libc::RTA_OIF, &5_u32.to_ne_bytes());
        push(&mut message, libc::RTA_GATEWAY, &[10, 0, 0, 1]);
        push(&mut message, libc::RTA_CACHEINFO, &[0; 32]);
        let read = route(&message).unwrap();
        assert_eq!(
            (read.ifindex, read.gateway),
            (5, Some([10, 0, 0, 1].into()))
        );
        assert!(read.is_plain);
        push(&mut message, libc::RTA_MULTIPATH, &[0; 8]);
        assert!(!route(&message).unwrap().is_plain);
    }

    #[test]
    fn an_answer_is_a_device_with_the_next_hop() {
        let mut message = message(RTN_UNICAST);
        assert_eq!(answer(&message), None);
        push(&mut message, libc::RTA_OIF, &5_u32.to_ne_bytes());
        let gateway = None;
        let leads = RouteAnswer::Leads {
            ifindex: 5,
            gateway,
        };
        assert_eq!(answer(&message), Some(leads));
        message[7] = RTN_LOCAL;
        assert_eq!(answer(&message), Some(RouteAnswer::Local));
    }
}
