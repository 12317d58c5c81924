//! The sites of each layer.

use super::{Site, bridge, device, fragments, ip, netfilter, socket, tcp, udp};

pub(super) static SITES: [&[&Site]; 8] = [
    device::SITES,
    bridge::SITES,
    ip::SITES,
    fragments::SITES,
    netfilter::SITES,
    tcp::SITES,
    udp::SITES,
    socket::SITES,
];
