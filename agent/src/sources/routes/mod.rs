//! Routes and routing rules of the agent's own namespace, by RTM_GETROUTE and RTM_GETRULE. The kernel answers for no other
//! namespace.

mod changes;
mod message;

use std::{collections::BTreeSet, io, net::IpAddr};

use netdiag_diagnosis::evidence::{
    Refusal, RouteAnswer, RouteEntry, RouteLookup, RouteQuestion, RoutingRule,
};

use super::{
    attributes::{attributes, push},
    route_netlink::RouteSocket,
};
use crate::bounded::{Bounded, Overflows};

pub(crate) use changes::RouteChanges;

/// `struct rtmsg` and `struct fib_rule_hdr`.
const HEADER: usize = 12;
/// Routes that cover the destinations of one window, and rules that matter: more tell no more.
const MOST: usize = 256;
const FRA_PRIORITY: u16 = 6;
/// Attributes of rules that a look-up by addresses and device does not have: FRA_FWMARK, FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE,
/// FRA_DPORT_RANGE.
const GOES_BY_MORE: [u16; 5] = [10, 20, 22, 23, 24];

/// Reads routes.
pub(crate) struct RouteReader(RouteSocket);

impl RouteReader {
    /// Opens a socket.
    ///
    /// # Errors
    /// When the kernel has no netlink, or no descriptor is left.
    pub(crate) fn open() -> io::Result<Self> {
        RouteSocket::open().map(Self)
    }

    /// The kernel's answer now.
    pub(crate) fn look_up(&self, question: RouteQuestion) -> RouteLookup {
        let mut route = None;
        let asked = self.0.request(
            libc::RTM_GETROUTE,
            &request(&question),
            |(message_type, message)| {
                if message_type == libc::RTM_NEWROUTE {
                    route = message::answer(message);
                }
            },
        );
        RouteLookup {
            question,
            answer: answer(asked, route),
        }
    }

    /// The routes of all tables that have one of these destinations.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn covering(
        &self,
        destinations: &BTreeSet<IpAddr>,
        overflows: &mut Overflows,
    ) -> io::Result<Vec<RouteEntry>> {
        let is_of = |route: &RouteEntry| destinations.iter().any(|one| route.has(*one));
        self.of_families(
            libc::RTM_GETROUTE,
            "routes to the destinations of dropped packets",
            overflows,
            |(message_type, body)| {
                let is_route = message_type == libc::RTM_NEWROUTE;
                is_route
                    .then(|| message::route(body))
                    .flatten()
                    .filter(is_of)
            },
        )
    }

    /// The rules that refuse, or that go by more than addresses and devices.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn rules(&self, overflows: &mut Overflows) -> io::Result<Vec<RoutingRule>> {
        self.of_families(
            libc::RTM_GETRULE,
            "routing rules",
            overflows,
            |(message_type, body)| {
                let is_rule = message_type == libc::RTM_NEWRULE;
                let rule = is_rule.then(|| rule(body)).flatten();
                rule.filter(|rule| rule.refusal.is_some() || rule.goes_by_more)
            },
        )
    }

    fn of_families<T>(
        &self,
        message_type: u16,
        what: &'static str,
        overflows: &mut Overflows,
        parse: impl Fn((u16, &[u8])) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut all = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut body = vec![0; HEADER];
            body[0] = family as u8;
            let dumped = self.0.dump(message_type, &body, (MOST, what), &parse);
            let (found, _): (Bounded<Vec<T>>, _) = dumped?;
            all.extend(found.noted(overflows));
        }
        Ok(all)
    }
}

fn request(question: &RouteQuestion) -> Vec<u8> {
    let RouteQuestion {
        destination,
        source,
        ingress,
    } = *question;
    let (family, bits) = match destination {
        IpAddr::V4(_) => (libc::AF_INET as u8, 32),
        IpAddr::V6(_) => (libc::AF_INET6 as u8, 128),
    };
    let mut body = vec![0; HEADER];
    body[..3].copy_from_slice(&[family, bits, bits]);
    push_address(&mut body, libc::RTA_DST, destination);
    push_address(&mut body, libc::RTA_SRC, source);
    push(&mut body, libc::RTA_IIF, &ingress.to_ne_bytes());
    body
}

fn push_address(body: &mut Vec<u8>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => push(body, kind, &address.octets()),
        IpAddr::V6(address) => push(body, kind, &address.octets()),
    }
}

/// `fib_props` (net/ipv4/fib_semantics.c) and `ip6_rt_type_to_error` (net/ipv6/route.c) give each type its error.
fn answer(asked: io::Result<()>, route: Option<RouteAnswer>) -> RouteAnswer {
    let Err(error) = asked else {
        return route.unwrap_or(RouteAnswer::Failed { errno: 0 });
    };
    let refused = |by| RouteAnswer::Refused { by };
    match error.raw_os_error().unwrap_or_default() {
        libc::ENETUNREACH => RouteAnswer::NoRoute,
        libc::EINVAL => refused(Refusal::Blackhole),
        libc::EHOSTUNREACH => refused(Refusal::Unreachable),
        libc::EACCES => refused(Refusal::Prohibit),
        errno => RouteAnswer::Failed { errno },
    }
}

/// A rule; the message begins behind the netlink header. Its action is a byte of the header (FR_ACT_*).
fn rule(message: &[u8]) -> Option<RoutingRule> {
    let mut rule = RoutingRule {
        is_ipv6: i32::from(*message.first()?) == libc::AF_INET6,
        priority: 0,
        refusal: message::refusal(*message.get(7)?),
        goes_by_more: false,
    };
    for attribute in attributes(message.get(HEADER..)?) {
        match attribute.kind {
            FRA_PRIORITY => rule.priority = attribute.u32()?,
            kind => rule.goes_by_more |= GOES_BY_MORE.contains(&kind),
        }
    }
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_answer_of_a_type_of_routes() {
        let refused = |errno| answer(Err(io::Error::from_raw_os_error(errno)), None);
        assert_eq!(refused(libc::ENETUNREACH), RouteAnswer::NoRoute);
        let by = Refusal::Prohibit;
        assert_eq!(refused(libc::EACCES), RouteAnswer::Refused { by });
        assert_eq!(refused(libc::EPERM), RouteAnswer::Failed { errno: 1 });
        let local = Some(RouteAnswer::Local);
        assert_eq!(answer(Ok(()), local), RouteAnswer::Local);
    }

    #[test]
    fn a_rule_that_refuses_or_goes_by_marks_is_told_from_others() {
        let mut message = vec![10, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0];
        push(&mut message, FRA_PRIORITY, &90_u32.to_ne_bytes());
        let read = rule(&message).unwrap();
        assert_eq!((read.is_ipv6, read.priority), (true, 90));
        assert_eq!(read.refusal, Some(Refusal::Prohibit));
        assert!(!read.goes_by_more);
        push(&mut message, 10, &1_u32.to_ne_bytes());
        assert!(rule(&message).unwrap().goes_by_more);
        for end in 0..HEADER {
            assert_eq!(rule(&message[..end]), None);
        }
    }

    /// Needs no privilege.
    #[test]
    fn the_kernel_answers() {
        let reader = RouteReader::open().unwrap();
        let loopback: IpAddr = [127, 0, 0, 1].into();
        let answer = reader.look_up(RouteQuestion {
            destination: loopback,
            source: loopback,
            ingress: 1,
        });
        assert_ne!(answer.answer, RouteAnswer::Failed { errno: 0 });
        let mut overflows = Overflows::default();
        reader.covering(&[loopback].into(), &mut overflows).unwrap();
        reader.rules(&mut overflows).unwrap();
    }
}
