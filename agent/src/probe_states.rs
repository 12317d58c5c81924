//! What the agent is, and how its probes stood in a window: the `agent` and `probes` of a report.

use netdiag_crds::report::{AgentInfo, Probe};
use netdiag_diagnosis::{EvidenceWindow, evidence::Observed};

/// It reads.
pub const ATTACHED: &str = "Attached";
/// It could read, and nobody asks.
pub const IDLE: &str = "Idle";
const DEGRADED: &str = "Degraded";
const UNAVAILABLE: &str = "Unavailable";

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
    vec![
        state("drop", backend, &window.drops),
        state("links", Some("netlink"), &window.links),
        state(
            "packet-sockets",
            Some("bpf_iterator"),
            &window.packet_sockets,
        ),
        state("tun-holders", Some("procfs"), &window.tun_holders),
        state("kernel-log", Some("syslog"), &window.kernel_log),
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

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::Drops;

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
            kernel_log: Observed::Unavailable {
                reason: "needs SYSLOG".to_owned(),
            },
            ..EvidenceWindow::default()
        };
        let probes = of(&window);
        let probe = |name: &str| probes.iter().find(|probe| probe.name == name).unwrap();
        assert_eq!(probe("drop").state, ATTACHED);
        assert_eq!(probe("drop").backend.as_deref(), Some("tp_btf"));
        assert_eq!(probe("links").state, DEGRADED);
        assert_eq!(probe("links").reason.as_deref(), Some("one namespace"));
        assert_eq!(probe("kernel-log").state, UNAVAILABLE);
        assert_eq!(probe("kernel-log").backend, None);
        assert_eq!(probe("kernel-log").reason.as_deref(), Some("needs SYSLOG"));
    }
}
