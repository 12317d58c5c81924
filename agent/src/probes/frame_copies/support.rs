//! On which kernels frames can be compared.

use crate::probes::facts::{KernelFacts, Support};

/// Decides whether the probe works on a kernel with types and these facts.
pub(super) fn supported(facts: &KernelFacts) -> Support {
    match facts.arguments("netif_receive_skb") {
        Some(1) => Support::Full,
        _ => Support::No("the kernel has no usable tracepoint netif_receive_skb".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Facts recorded on stock kernels.
    fn recorded(release: &str, has_cookies: bool) -> KernelFacts {
        KernelFacts {
            release: release.to_owned(),
            architecture: "x86_64".to_owned(),
            tracepoints: [("netif_receive_skb", 1)].into(),
            namespaces_have_cookies: has_cookies,
            ..KernelFacts::default()
        }
    }

    #[test]
    fn every_kernel_with_type_information_and_the_tracepoint_is_supported() {
        for facts in [
            recorded("5.10.0-46-cloud-amd64", false),
            recorded("6.1.0-56-cloud-amd64", true),
            recorded("6.12.107+deb13-cloud-amd64", true),
            recorded("6.18.44", true),
        ] {
            assert_eq!(supported(&facts), Support::Full, "{}", facts.release);
        }
    }

    #[test]
    fn a_kernel_without_what_the_probe_stands_on_is_not_supported() {
        for facts in [
            KernelFacts {
                tracepoints: BTreeMap::new(),
                ..recorded("6.1.0", true)
            },
            KernelFacts {
                tracepoints: [("netif_receive_skb", 2)].into(),
                ..recorded("7.0.0", true)
            },
        ] {
            assert!(matches!(supported(&facts), Support::No(_)), "{facts:?}");
        }
    }
}
