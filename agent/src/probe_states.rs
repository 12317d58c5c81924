//! What the agent is, and how its probes stood in a window: the `agent` and `probes` of a report.

use netdiag_crds::report::{AgentInfo, Probe};
use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{Observed, OnDemand},
};

use crate::sources::WITHOUT_ITERATOR;

/// It reads.
pub const ATTACHED: &str = "Attached";
/// It could read, and nobody asks.
pub const IDLE: &str = "Idle";
const DEGRADED: &str = "Degraded";
/// It could not read.
pub const UNAVAILABLE: &str = "Unavailable";

/// This agent on this kernel.
pub fn agent_info(kernel: String, btf: bool) -> AgentInfo {
    AgentInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel,
        btf,
    }
}

/// How each probe stood while this window ran.
pub fn of(window: &EvidenceWindow) -> Vec<Probe> {
    let backend = window.drops.value().map(|drops| drops.backend.as_str());
    let (copies, gro, retransmissions) =
        (&window.frame_copies, &window.gro, &window.retransmissions);
    vec![
        state("drop", backend, &window.drops),
        state("links", Some("netlink"), &window.links),
        state(
            "packet-sockets",
            Some(packet_socket_backend(&window.packet_sockets)),
            &window.packet_sockets,
        ),
        state("tun-holders", Some("procfs"), &window.tun_holders),
        state("kernel-log", Some("syslog"), &window.kernel_log),
        on_demand("frame-copies", copies, |seen| &seen.backend),
        on_demand("gro", gro, |seen| &seen.backend),
        on_demand("retransmissions", retransmissions, |seen| &seen.backend),
    ]
}

fn state<T>(name: &str, backend: Option<&str>, evidence: &Observed<T>) -> Probe {
    let state = match evidence {
        Observed::Complete { .. } => ATTACHED,
        Observed::Partial { .. } => DEGRADED,
        Observed::Unavailable { .. } => UNAVAILABLE,
    };
    Probe {
        name: name.to_owned(),
        state: state.to_owned(),
        backend: backend.filter(|_| state != UNAVAILABLE).map(str::to_owned),
        reason: evidence.missing().map(str::to_owned),
    }
}

fn packet_socket_backend<T>(evidence: &Observed<T>) -> &'static str {
    let missing = evidence.missing().unwrap_or_default();
    if missing.starts_with(WITHOUT_ITERATOR) {
        "procfs"
    } else {
        "bpf_iterator"
    }
}

/// A probe that only a question attaches: it is idle without one, and says which it was and for how long.
fn on_demand<T>(name: &str, evidence: &OnDemand<T>, backend: impl Fn(&T) -> &str) -> Probe {
    let (state, reason) = match evidence {
        OnDemand::Idle { reason } => (IDLE, reason.clone()),
        OnDemand::Unavailable { reason } => (UNAVAILABLE, reason.clone()),
        OnDemand::Ran {
            question,
            from_ms,
            until_ms,
            ..
        } => {
            let seconds = until_ms.saturating_sub(*from_ms).div_ceil(1_000);
            (ATTACHED, format!("for {seconds} s, since {question}"))
        }
    };
    Probe {
        name: name.to_owned(),
        state: state.to_owned(),
        backend: evidence.value().map(|value| backend(value).to_owned()),
        reason: Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::{Drops, FrameCopies};

    use super::*;

    #[test]
    fn each_probe_says_how_it_reads_or_why_it_does_not() {
        let window = EvidenceWindow {
            drops: Observed::Complete {
                value: Drops {
                    backend: "tp_btf".to_owned(),
                    ..Drops::default()
                },
            },
            links: Observed::Partial {
                value: Vec::new(),
                missing: "one namespace".to_owned(),
            },
            packet_sockets: Observed::Partial {
                value: Vec::new(),
                missing: format!("{WITHOUT_ITERATOR} (no BPF)"),
            },
            kernel_log: Observed::Unavailable {
                reason: "needs SYSLOG".to_owned(),
            },
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
        let question = "for 34 s, since eth0 and eth1 take in multicast frames";
        assert_eq!(probe("frame-copies").reason.as_deref(), Some(question));
        assert_eq!(probe("gro").state, IDLE);
        assert_eq!(probe("gro").backend, None);
        assert_eq!(probe("gro").reason.as_deref(), Some("no segment routing"));
        assert_eq!(probe("retransmissions").state, UNAVAILABLE);
    }
}
