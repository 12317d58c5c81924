//! On which kernels drops can be counted.

use crate::probes::facts::{KernelFacts, Support};

/// Decides whether and how well the probe works on a kernel with types and these facts.
pub(super) fn supported(facts: &KernelFacts) -> Support {
    if !facts.has_ring_buffer {
        return Support::No("the kernel has no BPF ring buffer (5.8 and later have)".to_owned());
    }
    match facts.arguments("kfree_skb") {
        Some(3..) => Support::Full,
        Some(2) => Support::Degraded(
            "the kernel gives no drop reasons (5.17 and later do): drops are told apart only by location"
                .to_owned(),
        ),
        _ => Support::No("the kernel has no usable tracepoint kfree_skb".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Facts recorded on stock kernels.
    fn recorded(release: &str, arguments: usize, has_cookies: bool) -> KernelFacts {
        KernelFacts {
            release: release.to_owned(),
            architecture: "x86_64".to_owned(),
            tracepoints: [("kfree_skb", arguments)].into(),
            namespaces_have_cookies: has_cookies,
            has_ring_buffer: true,
            ..KernelFacts::default()
        }
    }

    #[test]
    fn kernels_with_reasons_are_supported_in_full() {
        for facts in [
            recorded("6.1.0-56-cloud-amd64", 3, true),
            recorded("6.12.107+deb13-cloud-amd64", 4, true),
            recorded("6.18.44", 4, true),
        ] {
            assert_eq!(supported(&facts), Support::Full, "{}", facts.release);
        }
    }

    #[test]
    fn a_kernel_without_reasons_is_degraded_and_says_what_is_missing() {
        let Support::Degraded(reason) = supported(&recorded("5.10.0-46-cloud-amd64", 2, false))
        else {
            panic!("not degraded");
        };
        assert!(reason.contains("no drop reasons"));
    }

    #[test]
    fn a_kernel_without_what_the_probe_stands_on_is_not_supported() {
        let whole = recorded("6.1.0", 3, true);
        for facts in [
            KernelFacts {
                has_ring_buffer: false,
                ..whole.clone()
            },
            KernelFacts {
                tracepoints: BTreeMap::new(),
                ..whole
            },
        ] {
            assert!(matches!(supported(&facts), Support::No(_)), "{facts:?}");
        }
    }
}
