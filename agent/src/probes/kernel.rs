//! What the running kernel offers to the probes.

use std::fs;

use netdiag_abi::{
    drop::DropLayout, frame_copies::FrameCopiesLayout, gro::GroLayout,
    net_devices::NetDeviceLayout, packet_sockets::PacketSocketLayout,
    retransmissions::RetransmissionLayout,
};
use netdiag_diagnosis::kernel::Reason;

use super::{btf, drop::layout, frame_copies, gro, net_devices, packet_sockets, retransmissions};

/// Plain facts about a kernel, enough to say which probes work on it. Recorded facts of other kernels test that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub architecture: String,
    /// It carries its own type information (BTF).
    pub has_types: bool,
    /// Number of arguments of the tracepoint `kfree_skb`: 2 (no reason), 3 (5.17 on) or 4 (6.11 on: receiving socket).
    pub kfree_skb_arguments: Option<usize>,
    /// The same of `netif_receive_skb`: 1.
    pub netif_receive_skb_arguments: Option<usize>,
    /// The same of `tcp_retransmit_skb`: 2, or 3 (6.16 on: what came of it).
    pub tcp_retransmit_skb_arguments: Option<usize>,
    /// It has the tracepoint `tcp_retransmit_synack`.
    pub has_retransmit_synack: bool,
    /// It has the four tracepoints around `napi_gro_receive` and `napi_gro_frags`.
    pub has_gro_tracepoints: bool,
    /// `enum gro_result`, values and names without the prefix.
    pub gro_results: Vec<(u32, String)>,
    /// Size of a `struct page`.
    pub page_description_bytes: Option<usize>,
    /// `enum skb_drop_reason`, values and names without the prefix.
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

/// Whether a probe works on a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// In full.
    Full,
    /// With less than it could give, and what that is.
    Degraded(String),
    /// Not at all, and why.
    No(String),
}

/// The running kernel, as read once when the agent starts.
#[derive(Debug)]
pub struct Kernel {
    /// What is known about it.
    pub facts: KernelFacts,
    /// Where the drop probe finds its fields, or why it cannot.
    pub(super) drop_layout: Result<DropLayout, String>,
    /// The same for the frame copies probe.
    pub(super) frame_copies_layout: Result<FrameCopiesLayout, String>,
    /// The same for the retransmission probe.
    pub(super) retransmission_layout: Result<RetransmissionLayout, String>,
    /// The same for the GRO probe.
    pub(super) gro_layout: Result<GroLayout, String>,
    /// The same for the iterator over packet sockets.
    pub(super) packet_socket_layout: Result<PacketSocketLayout, String>,
    /// The same for the iterator over network devices.
    pub(super) net_device_layout: Result<NetDeviceLayout, String>,
}

impl Kernel {
    /// Reads what the probes need to know. Never fails: what is missing shows when a probe is attached.
    pub fn load() -> Self {
        let mut facts = KernelFacts {
            release: read_line("/proc/sys/kernel/osrelease"),
            architecture: std::env::consts::ARCH.to_owned(),
            ..KernelFacts::default()
        };
        let types = btf::KernelTypes::read().map_err(|error| error.to_string());
        if let Ok(types) = &types {
            facts.read_types(types);
        }
        let types = types.as_ref().map_err(Clone::clone);
        let in_words = |error: btf::Error| error.to_string();
        let drop_layout = types
            .clone()
            .and_then(|types| layout::resolve(types, &facts).map_err(in_words));
        let retransmission_layout = types.clone().and_then(|types| {
            retransmissions::resolve(types, &facts, drop_layout.clone()?).map_err(in_words)
        });
        Self {
            drop_layout,
            frame_copies_layout: types
                .clone()
                .and_then(|types| frame_copies::resolve(types, &facts).map_err(in_words)),
            retransmission_layout,
            gro_layout: types
                .clone()
                .and_then(|types| gro::resolve(types, &facts).map_err(in_words)),
            packet_socket_layout: types
                .clone()
                .and_then(|types| packet_sockets::layout(types, &facts).map_err(in_words)),
            net_device_layout: types
                .and_then(|types| net_devices::layout(types, &facts).map_err(in_words)),
            facts,
        }
    }
}

impl KernelFacts {
    fn read_types(&mut self, types: &btf::KernelTypes) {
        let helpers = types.enumeration("bpf_func_id");
        let has_helper = |name: &str| helpers.iter().any(|(_, helper)| helper == name);
        self.has_types = true;
        self.kfree_skb_arguments = types.tracepoint_arguments("kfree_skb");
        self.netif_receive_skb_arguments = types.tracepoint_arguments("netif_receive_skb");
        self.tcp_retransmit_skb_arguments = types.tracepoint_arguments("tcp_retransmit_skb");
        self.has_retransmit_synack = types
            .tracepoint_arguments("tcp_retransmit_synack")
            .is_some();
        // The entries are older.
        self.has_gro_tracepoints = ["napi_gro_receive_exit", "napi_gro_frags_exit"]
            .iter()
            .all(|name| types.tracepoint_arguments(name).is_some());
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
        // An atomic64_t, a structure, until the cookie was given at creation.
        self.namespaces_have_cookies = types
            .member("net", "net_cookie")
            .is_ok_and(|member| member.is_scalar);
        self.has_ring_buffer = has_helper("BPF_FUNC_ringbuf_reserve");
        self.has_sock_from_file = has_helper("BPF_FUNC_sock_from_file");
    }

    /// Value of a drop reason.
    pub fn drop_reason(&self, reason: &Reason) -> Option<u32> {
        value_of(&self.drop_reasons, reason.as_str())
    }

    /// Value of a result of generic receive offload by its name without prefix.
    pub fn gro_result(&self, name: &str) -> Option<u32> {
        value_of(&self.gro_results, name)
    }

    /// The drop reason with this value. Reasons of modules are known by their subsystem only, as `OPENVSWITCH:3`.
    pub fn drop_reason_of(&self, value: u32) -> Reason {
        if self.drop_reasons.is_empty() {
            return Reason::ABSENT;
        }
        let named = |names: &[(u32, String)], value: u32| {
            names
                .iter()
                .find(|(known, _)| *known == value)
                .map(|(_, name)| name.clone())
        };
        named(&self.drop_reasons, value)
            .or_else(|| {
                let subsystem = named(&self.drop_reason_subsystems, value >> 16)?;
                (value >> 16 != 0).then(|| format!("{subsystem}:{}", value & 0xffff))
            })
            .unwrap_or_else(|| format!("REASON_{value}"))
            .into()
    }
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
        assert_eq!(facts().drop_reason_of(3 << 16 | 7), "OPENVSWITCH:7".into());
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
