//! The conditions for joining retransmissions to drops.

use crate::probes::question::{Demand, Question, Rise, WindowStart};

/// The question whether segments that TCP sends again were dropped on this node.
pub(crate) struct DroppedHere;

impl Question for DroppedHere {
    fn of(_: &WindowStart<'_>) -> Self {
        Self
    }

    fn after(&self, rises: &[Rise]) -> Demand {
        if rises.iter().any(|rise| rise.by.retransmitted_segments > 0) {
            Demand::Question(
                "Tcp.RetransSegs rose: were these segments dropped on this node?".to_owned(),
            )
        } else {
            Demand::None("Tcp.RetransSegs rose in no namespace".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::NetnsId;

    use super::*;
    use crate::probes::question::ProtocolCounters;

    fn rise(by: ProtocolCounters) -> Rise {
        Rise {
            netns: NetnsId(1),
            by,
        }
    }

    #[test]
    fn segments_that_are_sent_again_raise_the_question_where_they_were_dropped() {
        let resent = rise(ProtocolCounters {
            retransmitted_segments: 1,
            ..ProtocolCounters::default()
        });
        let fragments = rise(ProtocolCounters {
            fragments: 6,
            ..ProtocolCounters::default()
        });
        let asked = |rises: &[Rise]| matches!(DroppedHere.after(rises), Demand::Question(_));
        assert!(asked(&[fragments.clone(), resent]));
        assert!(!asked(&[fragments]));
    }
}
