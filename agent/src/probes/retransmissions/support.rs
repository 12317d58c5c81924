//! On which kernels retransmissions can be joined to drops.

use crate::probes::{KernelFacts, Support};

/// Whether the probe works on a kernel with these facts.
pub fn supported(facts: &KernelFacts) -> Support {
    if !facts.has_types {
        return Support::No(
            "the kernel carries no type information (CONFIG_DEBUG_INFO_BTF), so the layout of its packets is unknown"
                .to_owned(),
        );
    }
    let has_drops = facts.kfree_skb_arguments.is_some_and(|count| count >= 2);
    let has_segments = facts
        .tcp_retransmit_skb_arguments
        .is_some_and(|count| count >= 2);
    if has_drops && has_segments && facts.has_retransmit_synack {
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
            has_types: true,
            kfree_skb_arguments: Some(drop_arguments),
            tcp_retransmit_skb_arguments: Some(retransmit_arguments),
            has_retransmit_synack: true,
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
        let whole = recorded("6.1.0", 3, 2);
        for facts in [
            KernelFacts::default(),
            KernelFacts {
                kfree_skb_arguments: None,
                ..whole.clone()
            },
            KernelFacts {
                tcp_retransmit_skb_arguments: None,
                ..whole.clone()
            },
            KernelFacts {
                has_retransmit_synack: false,
                ..whole
            },
        ] {
            assert!(matches!(supported(&facts), Support::No(_)), "{facts:?}");
        }
    }
}
