//! The faults, and their healthy twins: how each is made, and what the kernel counts while it lasts.
//!
//! A scenario sets its topology up when it is made, and makes its traffic when it is told to, so that a diagnosis can
//! begin in between. What it returns was read from the kernel: a test holds netdiag's words against it.

mod bad_cable;
mod bridge_ports;
mod bridged_nics;
mod busy_node;
mod closed_ports;
mod control_frames;
mod deleted_pod;
pub mod driver_messages;
mod everyday_noise;
mod filter_rules;
mod full_backlog;
mod full_tables;
mod gone_address;
mod healthy_pods;
mod hop_limits;
mod hung_program;
mod lost_checksum;
mod promiscuous_devices;
mod rare_drops;
mod reassembly;
mod refusals;
mod refused_flows;
mod router;
mod segment_routing;
mod shared_domain;
mod shared_packets;
mod single_losses;
mod stacked_nics;
mod tap_queue;
mod tracked_connections;
mod unequal_mtu;

pub use bad_cable::{BadCable, Trouble};
pub use bridge_ports::BridgePorts;
pub use bridged_nics::{Announcements, BridgedNics};
pub use busy_node::{BusyNode, Work};
pub use closed_ports::{ClosedPorts, Scanned};
pub use control_frames::{Burst, ControlFrames, Increase};
pub use deleted_pod::{DeletedPod, Survived};
pub use everyday_noise::{EverydayNoise, Noise};
pub use filter_rules::{Counted, FilterRules};
pub use full_backlog::{FullBacklog, Overrun};
pub use full_tables::{FullConnections, FullNeighbours};
pub use gone_address::{GoneAddress, Polled};
pub use healthy_pods::{HealthyPods, Unread};
pub use hop_limits::{HopLimits, Traced};
pub use hung_program::{HungProgram, Overflowed};
pub use lost_checksum::{Fault, LostChecksum, WrongChecksums};
pub use promiscuous_devices::{HiddenListener, PromiscuousDevices, promiscuity};
pub use rare_drops::{RareDrops, RareLoss};
pub use reassembly::{Family, Received};
pub use refusals::{Refusals, Refused};
pub use refused_flows::{RefusedFlow, RefusedFlows};
pub use segment_routing::{Header, Nic, SegmentRouting, Transfer};
pub use shared_domain::SharedDomain;
pub use shared_packets::SharedPackets;
pub use single_losses::{Lost, SingleLosses};
pub use stacked_nics::StackedNics;
pub use tap_queue::{Pace, Plug, Requests, TapQueue};
pub use tracked_connections::{TrackedConnections, Untracked};
pub use unequal_mtu::UnequalMtu;
