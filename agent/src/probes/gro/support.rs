//! On which kernels the work of generic receive offload can be counted.

use super::layout::has_array_of_pages;
use crate::probes::facts::{KernelFacts, Support};

/// The ends of receive offload; the tracepoints at its beginnings are older.
const TRACEPOINTS: [&str; 4] = [
    "napi_gro_receive_entry",
    "napi_gro_receive_exit",
    "napi_gro_frags_entry",
    "napi_gro_frags_exit",
];

/// Decides whether and how well the probe works on a kernel with types and these facts.
pub(super) fn supported(facts: &KernelFacts) -> Support {
    if TRACEPOINTS
        .iter()
        .any(|name| facts.arguments(name).is_none())
    {
        return Support::No(
            "the kernel lacks the tracepoints of generic receive offload (5.1 and later have them)"
                .to_owned(),
        );
    }
    if ["MERGED", "MERGED_FREE", "HELD"]
        .iter()
        .any(|name| facts.gro_result(name).is_none())
    {
        return Support::No(
            "the kernel does not name what generic receive offload answers".to_owned(),
        );
    }
    if has_array_of_pages(facts) {
        Support::Full
    } else {
        Support::Degraded(
            "packets whose headers the driver left in a page cannot be told apart on this architecture".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Facts recorded on stock kernels.
    fn recorded(release: &str, has_cookies: bool, results: &[(u32, &str)]) -> KernelFacts {
        KernelFacts {
            release: release.to_owned(),
            architecture: "x86_64".to_owned(),
            tracepoints: TRACEPOINTS.map(|name| (name, 1)).into(),
            gro_results: results
                .iter()
                .map(|(value, name)| (*value, (*name).to_owned()))
                .collect(),
            page_description_bytes: Some(64),
            namespaces_have_cookies: has_cookies,
            ..KernelFacts::default()
        }
    }

    const RESULTS: [(u32, &str); 5] = [
        (0, "MERGED"),
        (1, "MERGED_FREE"),
        (2, "HELD"),
        (3, "NORMAL"),
        (4, "CONSUMED"),
    ];
    /// GRO_DROP went with 5.12.
    const RESULTS_OF_5_10: [(u32, &str); 6] = [
        (0, "MERGED"),
        (1, "MERGED_FREE"),
        (2, "HELD"),
        (3, "NORMAL"),
        (4, "DROP"),
        (5, "CONSUMED"),
    ];

    #[test]
    fn recorded_kernels_are_supported_in_full() {
        for facts in [
            recorded("5.10.0-46-cloud-amd64", false, &RESULTS_OF_5_10),
            recorded("6.1.0-56-cloud-amd64", true, &RESULTS),
            recorded("6.12.107+deb13-cloud-amd64", true, &RESULTS),
            recorded("6.18.44", true, &RESULTS),
        ] {
            assert_eq!(supported(&facts), Support::Full, "{}", facts.release);
        }
    }

    #[test]
    fn elsewhere_headers_in_pages_are_out_of_reach() {
        let mut facts = recorded("6.12.0-arm64", true, &RESULTS);
        facts.architecture = "aarch64".to_owned();
        let Support::Degraded(reason) = supported(&facts) else {
            panic!("not degraded");
        };
        assert!(reason.contains("in a page"));
    }

    #[test]
    fn a_kernel_without_what_the_probe_stands_on_is_not_supported() {
        let whole = recorded("6.1.0", true, &RESULTS);
        for facts in [
            KernelFacts {
                tracepoints: BTreeMap::new(),
                ..whole.clone()
            },
            KernelFacts {
                gro_results: Vec::new(),
                ..whole
            },
        ] {
            assert!(matches!(supported(&facts), Support::No(_)), "{facts:?}");
        }
    }
}
