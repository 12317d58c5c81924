//! The condition under which the joining of segment routing packets is to be watched.

use netdiag_diagnosis::evidence::Link;

use crate::probes::question::{Demand, Question, Rise, SegmentRoute, WindowStart, receives};

/// The question whether packets with a segment routing header are joined, raised where such packets may come in.
/// Neither setting nor route says that they do, so it stands for the whole window.
pub(crate) struct SegmentRoutingJoined(Demand);

impl Question for SegmentRoutingJoined {
    fn of(start: &WindowStart<'_>) -> Self {
        Self(need(start.links, start.segment_route))
    }

    fn after(&self, _: &[Rise]) -> Demand {
        self.0.clone()
    }
}

fn need(links: &[Link], route: Option<SegmentRoute>) -> Demand {
    let is_set = |link: &&Link| {
        link.segment_routing == Some(true) && link.receive_offload != Some(false) && receives(link)
    };
    if let Some(link) = links.iter().find(is_set) {
        return Demand::Question(format!(
            "{} takes segment routing headers (seg6_enabled): does receive offload join such packets?",
            link.name
        ));
    }
    let kind = match route {
        Some(SegmentRoute::Adds) => "seg6",
        Some(SegmentRoute::ActsOn) => "seg6local",
        None => {
            return Demand::None(
                "no interface with receive offload takes segment routing headers (seg6_enabled), and no route of the \
                 node has to do with them"
                    .to_owned(),
            );
        }
    };
    Demand::Question(format!(
        "the node has a route with encap {kind}: does receive offload join packets with a segment routing header?"
    ))
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::uapi::flags::{IFF_LOOPBACK, IFF_UP};

    use super::*;

    fn eth0() -> Link {
        Link {
            name: "eth0".to_owned(),
            requested_flags: IFF_UP,
            ..Link::default()
        }
    }

    #[test]
    fn segment_routing_raises_the_question_whether_its_packets_are_joined() {
        let eth0 = Link {
            segment_routing: Some(true),
            receive_offload: Some(true),
            ..eth0()
        };
        let Demand::Question(question) = need(std::slice::from_ref(&eth0), None) else {
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
            assert!(matches!(need(&[other], None), Demand::None(_)));
        }
    }

    #[test]
    fn a_segment_route_raises_it_whatever_the_interfaces_take() {
        let plain = [eth0()];
        for (route, named) in [
            (SegmentRoute::Adds, "encap seg6:"),
            (SegmentRoute::ActsOn, "encap seg6local:"),
        ] {
            let Demand::Question(question) = need(&plain, Some(route)) else {
                panic!("nobody asks");
            };
            assert!(question.contains(named), "{question}");
        }
        assert!(matches!(need(&plain, None), Demand::None(_)));
    }
}
