//! Driver and offloads of a link, by the ethtool ioctl.
//!
//! An ioctl asks the namespace of the socket that it is given. For another namespace the agent borrows a socket from a
//! process there, asks, and gives it back at once.

use std::os::{
    fd::{AsFd, OwnedFd},
    unix::net::UnixDatagram,
};

use netdiag_diagnosis::{evidence::Link, text::printable_up_to};

use super::{descriptors, namespaces::OpenNamespace, system_calls};

/// ETHTOOL_BUSINFO_LEN and the other texts of `struct ethtool_drvinfo` have 32 bytes.
const LONGEST_TEXT: usize = 32;
/// The firmware's version in the words of drivers that have none.
const NO_FIRMWARE: &str = "N/A";

/// Fills `driver`, `firmware` and, unless known, the offloads of the links of one namespace. Leaves them alone when no process
/// there has a socket.
pub(super) fn fill<'a>(namespace: &OpenNamespace, links: impl Iterator<Item = &'a mut Link>) {
    let Some(socket) = socket_in(namespace) else {
        return;
    };
    for link in links {
        let driver = system_calls::driver_of(socket.as_fd(), &link.name).ok();
        let bounded = |text: &str| printable_up_to(text.trim(), LONGEST_TEXT);
        link.firmware = driver
            .as_ref()
            .map(|driver| bounded(&driver.firmware))
            .filter(|firmware| !firmware.is_empty() && firmware != NO_FIRMWARE);
        link.driver = driver.map(|driver| bounded(&driver.name));
        if link.tx_checksum_offload.is_none() {
            link.tx_checksum_offload =
                system_calls::transmit_checksum(socket.as_fd(), &link.name).ok();
        }
        if link.receive_offload.is_none() {
            link.receive_offload = system_calls::receive_offload(socket.as_fd(), &link.name).ok();
        }
    }
}

fn socket_in(namespace: &OpenNamespace) -> Option<OwnedFd> {
    if namespace.is_node {
        // Any kind of socket will do; this one takes no port.
        return UnixDatagram::unbound().ok().map(OwnedFd::from);
    }
    namespace
        .pids
        .iter()
        .find_map(|pid| descriptors::borrow_socket(*pid, namespace.id).ok()?)
}
