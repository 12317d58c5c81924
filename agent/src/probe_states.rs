//! The agent's own facts, and the state of its probes in a window: the `agent` and `probes` of a report.

use netdiag_crds::report::{AgentInfo, Probe};
use netdiag_diagnosis::EvidenceWindow;

use crate::probes::{registry, standing::in_every_window};

/// This agent on this kernel.
pub(crate) fn agent_info(kernel: String, btf: bool) -> AgentInfo {
    AgentInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel,
        btf,
        host: None,
    }
}

/// The state of each probe and of each other reading while this window ran.
pub(crate) fn of(window: &EvidenceWindow) -> Vec<Probe> {
    let sources = [
        in_every_window("links", Some("netlink"), &window.links),
        in_every_window("tun-holders", Some("procfs"), &window.tun_holders),
        in_every_window("kernel-log", Some("syslog"), &window.kernel_log),
    ];
    registry::standing(window).chain(sources).collect()
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::{
        Drops, FrameCopies, Missing, Observed, OnDemand, PacketSocketReader,
    };

    use super::*;
    use crate::probes::standing::{ATTACHED, DEGRADED, IDLE, UNAVAILABLE};

    #[test]
    fn each_probe_says_how_it_reads_or_why_it_does_not() {
        let window = EvidenceWindow {
            drops: Observed::Complete {
                value: Drops {
                    backend: "tp_btf".to_owned(),
                    ..Drops::default()
                },
            },
            links: Observed::without(Vec::new(), [Missing::failed("one namespace")]),
            packet_sockets: Observed::without(Vec::new(), [Missing::unsupported("no BPF")]),
            packet_socket_reader: PacketSocketReader::Procfs,
            kernel_log: Observed::unavailable(Missing::failed("needs SYSLOG")),
            frame_copies: OnDemand::Ran {
                question: "eth0 and eth1 take in multicast frames".to_owned(),
                from_ms: 2_000,
                until_ms: 35_010,
                value: FrameCopies {
                    backend: "tp_btf".to_owned(),
                    ..FrameCopies::default()
                },
            },
            gro: OnDemand::Idle {
                reason: "no segment routing".to_owned(),
            },
            retransmissions: OnDemand::Unavailable {
                reason: "no such tracepoint".to_owned(),
            },
            ..EvidenceWindow::default()
        };
        let probes = of(&window);
        let probe = |name: &str| probes.iter().find(|probe| probe.name == name).unwrap();
        assert_eq!(probe("drop").state, ATTACHED);
        assert_eq!(probe("drop").backend.as_deref(), Some("tp_btf"));
        assert_eq!(probe("links").state, DEGRADED);
        assert_eq!(probe("links").reason.as_deref(), Some("one namespace"));
        assert_eq!(probe("packet-sockets").state, DEGRADED);
        assert_eq!(probe("packet-sockets").backend.as_deref(), Some("procfs"));
        assert_eq!(probe("kernel-log").state, UNAVAILABLE);
        assert_eq!(probe("kernel-log").backend, None);
        assert_eq!(probe("kernel-log").reason.as_deref(), Some("needs SYSLOG"));
        assert_eq!(probe("frame-copies").state, ATTACHED);
        assert_eq!(probe("frame-copies").backend.as_deref(), Some("tp_btf"));
        let question = "for 34 s, because eth0 and eth1 take in multicast frames";
        assert_eq!(probe("frame-copies").reason.as_deref(), Some(question));
        assert_eq!(probe("gro").state, IDLE);
        assert_eq!(probe("gro").backend, None);
        assert_eq!(probe("gro").reason.as_deref(), Some("no segment routing"));
        assert_eq!(probe("retransmissions").state, UNAVAILABLE);
    }
}
