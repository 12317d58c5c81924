//! The records that the iterator over network devices writes, and the layout that it needs.

use crate::plain::plain;

plain!(NetDeviceLayout, NetDeviceRecord);

/// Devices of a namespace that are written; their records must fit the 32 KiB that an iterator may write at once.
pub const MAX_DEVICES: u32 = 768;

/// Namespaces that are remembered as written; above the most that the agent looks at.
pub const MAX_NAMESPACES: u32 = 2_048;

/// One network device.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetDeviceRecord {
    /// `net->net_cookie` of its namespace, 0 when unknown.
    pub cookie: u64,
    /// `net_device.features`.
    pub features: u64,
    /// `net->ns.inum` of its namespace.
    pub inum: u32,
    /// `net_device.ifindex`.
    pub ifindex: u32,
    /// `net_device.flags`: what is in force.
    pub flags: u32,
    /// `net_device.uc_promisc`.
    pub unicast_promiscuous: u32,
}

/// Layout of the kernel structures that are read: byte offsets from the running kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetDeviceLayout {
    /// `task_struct.nsproxy`.
    pub task_nsproxy: u32,
    /// `nsproxy.net_ns`.
    pub nsproxy_net: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `net.net_cookie`; meaningless without `has_cookie`.
    pub net_cookie: u32,
    /// Not 0 where a namespace gets its cookie at creation (5.12 on).
    pub has_cookie: u32,
    /// `net.dev_base_head`, a list of `net_device.dev_list`.
    pub net_devices: u32,
    /// `net_device.dev_list`.
    pub device_list: u32,
    /// `net_device.ifindex`.
    pub device_ifindex: u32,
    /// `net_device.flags`.
    pub device_flags: u32,
    /// `net_device.features`.
    pub device_features: u32,
    /// Byte that holds `net_device.uc_promisc`.
    pub device_uc_promisc: u32,
    /// Bits of that byte.
    pub device_uc_promisc_mask: u32,
}

impl NetDeviceLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        task_nsproxy: 0,
        nsproxy_net: 0,
        net_inum: 0,
        net_cookie: 0,
        has_cookie: 0,
        net_devices: 0,
        device_list: 0,
        device_ifindex: 0,
        device_flags: 0,
        device_features: 0,
        device_uc_promisc: 0,
        device_uc_promisc_mask: 0,
    };
}
