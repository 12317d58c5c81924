//! Numbers of the kernel's interface to user space that several modules need.

/// Flags of a device, `<linux/if.h>`.
pub mod flags {
    /// Switched on.
    pub const IFF_UP: u32 = 0x1;
    /// Has a valid broadcast address.
    pub const IFF_BROADCAST: u32 = 0x2;
    /// The loopback device.
    pub const IFF_LOOPBACK: u32 = 0x8;
    /// Takes frames for every address.
    pub const IFF_PROMISC: u32 = 0x100;
    /// Takes every multicast frame.
    pub const IFF_ALLMULTI: u32 = 0x200;
    /// Supports multicast.
    pub const IFF_MULTICAST: u32 = 0x1000;
    /// Has a carrier.
    pub const IFF_LOWER_UP: u32 = 0x1_0000;
}

/// EtherTypes and other numbers of `skb->protocol`, `<linux/if_ether.h>`.
pub mod ethertype {
    /// Every protocol, for packet sockets and protocol handlers.
    pub const ETH_P_ALL: u16 = 0x0003;
    /// A frame with an 802.3 length, and an 802.2 header behind it.
    pub const ETH_P_802_2: u16 = 0x0004;
    /// The least EtherType; a smaller number is a length.
    pub const ETH_P_802_3_MIN: u16 = 0x0600;
    /// IPv4.
    pub const ETH_P_IP: u16 = 0x0800;
    /// ARP.
    pub const ETH_P_ARP: u16 = 0x0806;
    /// IPv6.
    pub const ETH_P_IPV6: u16 = 0x86dd;
    /// Slow protocols: LACP, OAM and others.
    pub const ETH_P_SLOW: u16 = 0x8809;
    /// EAPOL.
    pub const ETH_P_PAE: u16 = 0x888e;
    /// LLDP.
    pub const ETH_P_LLDP: u16 = 0x88cc;
}
