//! Plain facts about a kernel.

use std::{collections::BTreeMap, fs};

use netdiag_diagnosis::kernel::Reason;

use super::types::Types;

/// Plain facts about a kernel, enough to say which probes work on it. Recorded facts of other kernels test that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub architecture: String,
    /// It carries its own type information (BTF).
    pub has_types: bool,
    /// Number of arguments of each tracepoint that some probe hooks, as far as the kernel has it.
    pub tracepoints: BTreeMap<&'static str, usize>,
    /// `enum gro_result`, values and names without the prefix.
    pub gro_results: Vec<(u32, String)>,
    /// Size of a `struct page`.
    pub page_description_bytes: Option<usize>,
    /// `enum skb_drop_reason` and the enums of the kernel's own subsystems, values and names without the prefix.
    pub drop_reasons: Vec<(u32, String)>,
    /// `enum skb_drop_reason_subsys`: whose reasons have this number in their upper 16 bits.
    pub drop_reason_subsystems: Vec<(u32, String)>,
    /// A namespace gets its `net_cookie` when it is made (5.12 on); before that, when somebody asks for it.
    pub namespaces_have_cookies: bool,
    /// `bpf_ringbuf_reserve` (5.8).
    pub has_ring_buffer: bool,
    /// `bpf_sock_from_file` (5.11).
    pub has_sock_from_file: bool,
}

/// The support of a probe on a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// In full.
    Full,
    /// With less than it could give, and what that is.
    Degraded(String),
    /// Not at all, and why.
    No(String),
}

impl KernelFacts {
    /// The facts that are known without the kernel's types.
    pub(super) fn read() -> Self {
        Self {
            release: read_line("/proc/sys/kernel/osrelease"),
            architecture: std::env::consts::ARCH.to_owned(),
            ..Self::default()
        }
    }

    /// Adds what the kernel's types tell, also about these tracepoints.
    pub(super) fn read_types(
        &mut self,
        types: &dyn Types,
        tracepoints: impl Iterator<Item = &'static str>,
    ) {
        let has_helper = |name: &str| types.enumerator("bpf_func_id", name).is_some();
        self.has_types = true;
        for name in tracepoints {
            if !self.tracepoints.contains_key(name)
                && let Some(arguments) = types.tracepoint_arguments(name)
            {
                self.tracepoints.insert(name, arguments);
            }
        }
        self.gro_results = without_prefix(types.enumeration("gro_result"), &["GRO_"]);
        self.page_description_bytes = types.size_of("page");
        self.drop_reasons = without_prefix(
            types.enumeration("skb_drop_reason"),
            &["SKB_DROP_REASON_", "SKB_"],
        );
        self.drop_reason_subsystems = without_prefix(
            types.enumeration("skb_drop_reason_subsys"),
            &["SKB_DROP_REASON_SUBSYS_"],
        );
        // Reasons of the kernel's own subsystems are in an enum each, such as qdisc_drop_reason.
        for (number, name) in &self.drop_reason_subsystems {
            let members = types.enumeration(&format!("{}_drop_reason", name.to_lowercase()));
            let reasons = members
                .into_iter()
                .filter(|(value, name)| value >> 16 == *number && is_reason(name));
            self.drop_reasons.extend(reasons);
        }
        // An atomic64_t, a structure, until the cookie was given at creation.
        self.namespaces_have_cookies = types
            .member("net", "net_cookie")
            .is_ok_and(|member| member.is_scalar);
        self.has_ring_buffer = has_helper("BPF_FUNC_ringbuf_reserve");
        self.has_sock_from_file = has_helper("BPF_FUNC_sock_from_file");
    }

    /// Number of arguments of a tracepoint; `None` where the kernel has no such tracepoint.
    pub(crate) fn arguments(&self, tracepoint: &str) -> Option<usize> {
        self.tracepoints.get(tracepoint).copied()
    }

    /// Value of a drop reason.
    pub(crate) fn drop_reason(&self, reason: &Reason) -> Option<u32> {
        value_of(&self.drop_reasons, reason.as_str())
    }

    /// Value of a result of generic receive offload by its name without prefix.
    pub(crate) fn gro_result(&self, name: &str) -> Option<u32> {
        value_of(&self.gro_results, name)
    }

    /// The drop reason with this value. Reasons of modules are known by their subsystem only, as `OPENVSWITCH:3`.
    pub(crate) fn drop_reason_of(&self, value: u32) -> Reason {
        if self.drop_reasons.is_empty() {
            return Reason::ABSENT;
        }
        let named = |names: &[(u32, String)], value: u32| {
            names
                .iter()
                .find(|(known, _)| *known == value)
                .map(|(_, name)| name.clone())
        };
        if let Some(name) = named(&self.drop_reasons, value) {
            return name.into();
        }
        match named(&self.drop_reason_subsystems, value >> 16) {
            Some(subsystem) if value >> 16 != 0 => Reason::of_module(&subsystem, value & 0xffff),
            _ => format!("REASON_{value}").into(),
        }
    }
}

/// A member of an enum of reasons is one: neither the number of the subsystem nor that of reasons.
fn is_reason(name: &str) -> bool {
    !name.starts_with("__") && !name.ends_with("_MAX")
}

fn value_of(names: &[(u32, String)], name: &str) -> Option<u32> {
    let found = names.iter().find(|(_, known)| known == name);
    found.map(|(value, _)| *value)
}

fn without_prefix(names: Vec<(u32, String)>, prefixes: &[&str]) -> Vec<(u32, String)> {
    names
        .into_iter()
        .map(|(value, name)| {
            let stem = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
            (value, stem.unwrap_or(&name).to_owned())
        })
        .collect()
}

fn read_line(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim_end().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> KernelFacts {
        KernelFacts {
            drop_reasons: without_prefix(
                vec![
                    (0, "SKB_NOT_DROPPED_YET".to_owned()),
                    (2, "SKB_DROP_REASON_NOT_SPECIFIED".to_owned()),
                ],
                &["SKB_DROP_REASON_", "SKB_"],
            ),
            drop_reason_subsystems: vec![(0, "CORE".to_owned()), (3, "OPENVSWITCH".to_owned())],
            ..KernelFacts::default()
        }
    }

    #[test]
    fn reasons_are_named_as_the_kernel_spells_them() {
        assert_eq!(facts().drop_reason_of(2), Reason::NOT_SPECIFIED);
        assert_eq!(facts().drop_reason(&Reason::NOT_DROPPED_YET), Some(0));
    }

    #[test]
    fn a_module_s_reason_is_named_by_its_subsystem() {
        let reason = facts().drop_reason_of(3 << 16 | 7);
        assert_eq!(reason, Reason::OVS_DROP_DEFERRED_LIMIT);
        let unknown = facts().drop_reason_of(3 << 16 | 77);
        assert_eq!(unknown, "OPENVSWITCH:77".into());
    }

    #[test]
    fn an_unknown_reason_keeps_its_number() {
        assert_eq!(facts().drop_reason_of(4711), "REASON_4711".into());
    }

    #[test]
    fn a_kernel_without_reasons_names_none() {
        assert_eq!(KernelFacts::default().drop_reason_of(2), Reason::ABSENT);
    }
}
