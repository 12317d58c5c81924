//! Settings of IP, of one device or of those that all devices share.

use serde::{Deserialize, Serialize};

/// Settings of IPv4 on one device, in IFLA_AF_SPEC, or those that all devices share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Settings {
    /// `forwarding`: what comes in on the device and is for another host goes on.
    pub forwarding: bool,
    /// The same before the window; absent for a device that was not there, and for what all devices share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding_before: Option<bool>,
    /// `rp_filter`: 0 off, 1 strict, any other value loose. In force is the larger of the device's and `all`
    /// (IN_DEV_RPFILTER).
    pub rp_filter: u32,
}

/// The same of IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv6Settings {
    /// `forwarding`. `ip6_forward` asks only what all devices share; the device's own decides whether it acts as a host.
    pub forwarding: bool,
    /// `accept_ra`: 0 no, 1 unless it forwards, 2 always.
    pub accept_ra: u32,
}
