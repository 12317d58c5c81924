//! On which kernels retransmissions can be joined to drops.

use crate::probes::facts::{KernelFacts, Support};

/// Decides whether the probe works on a kernel with types and these facts.
pub(super) fn supported(facts: &KernelFacts) -> Support {
    let has = |tracepoint, least| {
        let arguments = facts.arguments(tracepoint);
        arguments.is_some_and(|count| count >= least)
    };
    if has("kfree_skb", 2) && has("tcp_retransmit_skb", 2) && has("tcp_retransmit_synack", 0) {
        Support::Full
    } else {
        Support::No(
            "the kernel lacks one of the tracepoints kfree_skb, tcp_retransmit_skb and tcp_retransmit_synack"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts recorded on stock kernels.
    fn recorded(release: &str, drop_arguments: usize, retransmit_arguments: usize) -> KernelFacts {
        KernelFacts {
            release: release.to_owned(),
            architecture: "x86_64".to_owned(),
            tracepoints: [
                ("kfree_skb", drop_arguments),
                ("tcp_retransmit_skb", retransmit_arguments),
                ("tcp_retransmit_synack", 2),
            ]
            .into(),
            ..KernelFacts::default()
        }
    }

    #[test]
    fn stock_kernels_are_supported_with_and_without_drop_reasons() {
        for facts in [
            recorded("5.10.0-46-cloud-amd64", 2, 2),
            recorded("6.1.0-56-cloud-amd64", 3, 2),
            recorded("6.12.107+deb13-cloud-amd64", 4, 2),
            recorded("6.18.44", 4, 3),
        ] {
            assert_eq!(supported(&facts), Support::Full, "{}", facts.release);
        }
    }

    #[test]
    fn a_kernel_without_what_the_probe_stands_on_is_not_supported() {
        let mut lacking = Vec::new();
        for tracepoint in ["kfree_skb", "tcp_retransmit_skb", "tcp_retransmit_synack"] {
            let mut facts = recorded("6.1.0", 3, 2);
            facts.tracepoints.remove(tracepoint);
            lacking.push(facts);
        }
        for facts in lacking {
            assert!(matches!(supported(&facts), Support::No(_)), "{facts:?}");
        }
    }
}
