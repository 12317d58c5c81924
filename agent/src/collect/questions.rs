//! When a probe on the path of every packet is needed. Pure.

mod frame_copies;

use netdiag_diagnosis::{evidence::Link, uapi::flags::IFF_LOOPBACK};

use super::on_demand::Need;
use crate::sources::{SegmentRoute, pulse::Rise};

pub use frame_copies::FrameCopies;

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
        link.segment_routing == Some(true) && link.receive_offload != Some(false) && receives(link)
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

/// It takes in packets from outside.
fn receives(link: &Link) -> bool {
    link.is_up() && link.requested_flags & IFF_LOOPBACK == 0
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::{evidence::NetnsId, uapi::flags::IFF_UP};

    use super::*;
    use crate::sources::pulse::Beat;

    fn eth0() -> Link {
        Link {
            name: "eth0".to_owned(),
            requested_flags: IFF_UP,
            ..Link::default()
        }
    }

    fn rise(by: Beat) -> Rise {
        Rise {
            netns: NetnsId(1),
            by,
        }
    }

    #[test]
    fn segments_that_are_sent_again_raise_the_question_where_they_were_dropped() {
        let resent = rise(Beat {
            retransmitted_segments: 1,
            ..Beat::default()
        });
        let fragments = rise(Beat {
            fragments: 6,
            ..Beat::default()
        });
        let asked = |rises: &[Rise]| matches!(retransmissions_after(rises), Need::Question(_));
        assert!(asked(&[fragments.clone(), resent]));
        assert!(!asked(&[fragments]));
    }

    #[test]
    fn segment_routing_raises_the_question_whether_its_packets_are_joined() {
        let eth0 = Link {
            segment_routing: Some(true),
            receive_offload: Some(true),
            ..eth0()
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
        let plain = [eth0()];
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
}
