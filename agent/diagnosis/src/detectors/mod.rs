//! The registry of detectors, which have a folder each.
//!
//! The order of [`ALL`] is causal: a detector sees what those before it found, so that it can name a cause (`causedBy`)
//! and leave alone what is already explained.

mod bridge;
mod checksum_drop;
mod connection_tracking;
mod detector;
pub(crate) mod driver_checksum;
mod fragment_reassembly;
mod kit;
mod link_mtu;
mod listen_queue;
mod neighbour;
mod other_drop;
mod packet_filter;
mod path_mtu;
mod promiscuity;
mod queueing;
mod receive_overrun;
#[cfg(test)]
pub(crate) mod recorded;
mod routing;
mod segment_offload;
mod socket_buffer;
mod tap_queue_drop;
mod unhandled_protocol;

pub use detector::Detector;
pub use routing::{RouteQuestions, route_questions};

/// Every detector, causes before their effects; the one for what is left over comes last.
pub static ALL: &[&dyn Detector] = &[
    &promiscuity::Promiscuity,
    &checksum_drop::ChecksumDrop,
    &unhandled_protocol::UnhandledProtocol,
    &driver_checksum::DriverChecksum,
    &fragment_reassembly::FragmentReassembly,
    &tap_queue_drop::TapQueueDrop,
    &link_mtu::LinkMtu,
    &segment_offload::SegmentOffload,
    &receive_overrun::ReceiveOverrun,
    &queueing::Queueing,
    &bridge::Bridge,
    &connection_tracking::ConnectionTracking,
    &packet_filter::PacketFilter,
    &path_mtu::PathMtu,
    &listen_queue::ListenQueue,
    &socket_buffer::SocketBuffer,
    &routing::Routing,
    &neighbour::Neighbour,
    &other_drop::OtherDrop,
];
