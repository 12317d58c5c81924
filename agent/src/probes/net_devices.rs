//! The iterator over network devices: what it needs from the kernel.

use netdiag_abi::net_devices::NetDeviceLayout;

use super::{
    btf::Error,
    description::{Description, any_layout},
    facts::{KernelFacts, Support},
    probe::Registration,
    types::Types,
};

/// Its line in the registry. Links lack their flags in force without it, which detectors see.
pub(super) const PROBE: Registration = Registration {
    description: &DESCRIPTION,
    standing: None,
    counts: |_| Vec::new(),
    watch: None,
};

/// The programs and maps of this reading in the object.
pub(super) static DESCRIPTION: Description = Description {
    name: "net-devices",
    maps: "NET_DEVICES_",
    large_maps: &["NET_DEVICES_WRITTEN"],
    layout: "NET_DEVICE_LAYOUT",
    hooks: &[],
    supported: |_| Support::Full,
    resolve: |types, facts| any_layout(layout(types, facts)),
};

/// Its program in the eBPF object.
pub(super) const PROGRAM: &str = "net_devices";

/// Looks every offset up.
///
/// # Errors
/// This kernel lacks a field.
fn layout(types: &dyn Types, facts: &KernelFacts) -> Result<NetDeviceLayout, Error> {
    let uc_promisc = types.member("net_device", "uc_promisc")?;
    Ok(NetDeviceLayout {
        task_nsproxy: types.offset_of("task_struct", "nsproxy")?,
        nsproxy_net: types.offset_of("nsproxy", "net_ns")?,
        net_inum: types.offset_of("net", "ns.inum")?,
        net_cookie: types.offset_of("net", "net_cookie").unwrap_or(0),
        has_cookie: u32::from(facts.namespaces_have_cookies),
        net_devices: types.offset_of("net", "dev_base_head")?,
        device_list: types.offset_of("net_device", "dev_list")?,
        device_ifindex: types.offset_of("net_device", "ifindex")?,
        device_flags: types.offset_of("net_device", "flags")?,
        device_features: types.offset_of("net_device", "features")?,
        device_uc_promisc: uc_promisc.byte_offset(),
        device_uc_promisc_mask: match uc_promisc.bit_width {
            Some(_) => 1 << uc_promisc.bit_shift(),
            None => 0xff,
        },
    })
}
