//! Evidence that leaves the node as it is: counts, times, indexes, settings and the kernel's own names.
//!
//! Each pattern names every field, for the same reason as those of [`Anonymiser`](super::Anonymiser).

use crate::evidence::{
    BondSlave, BridgePort, BridgeSettings, CpuBacklog, GroCount, Ipv4Settings, Ipv6Settings,
    LinkStats, Lost, Membership, NeighbourTable, NeighbourTables, Peer, Softnet, SoftnetCounters,
    VlanSettings,
};

const _: fn(Lost) = |Lost {
                         counts: _,
                         samples: _,
                     }| {};
const _: fn(NeighbourTables) = |NeighbourTables {
                                    ipv4: _,
                                    ipv6: _,
                                    limits_in: _,
                                }| {};
const _: fn(NeighbourTable) = |NeighbourTable {
                                   entries: _,
                                   gc_thresh3: _,
                                   table_fulls: _,
                               }| {};
const _: fn(Peer) = |Peer {
                         ifindex: _,
                         netns: _,
                     }| {};
const _: fn(LinkStats) = |LinkStats {
                              rx_packets: _,
                              tx_packets: _,
                              rx_bytes: _,
                              tx_bytes: _,
                              rx_errors: _,
                              tx_errors: _,
                              rx_dropped: _,
                              tx_dropped: _,
                              rx_nohandler: _,
                              multicast: _,
                              rx_missed_errors: _,
                              rx_fifo_errors: _,
                              rx_over_errors: _,
                              rx_crc_errors: _,
                          }| {};
const _: fn(BridgeSettings) = |BridgeSettings {
                                   vlan_filtering: _,
                                   stp: _,
                                   group_forward_mask: _,
                                   forward_delay_cs: _,
                               }| {};
const _: fn(Ipv4Settings) = |Ipv4Settings {
                                 forwarding: _,
                                 forwarding_before: _,
                                 rp_filter: _,
                             }| {};
const _: fn(Ipv6Settings) = |Ipv6Settings {
                                 forwarding: _,
                                 accept_ra: _,
                             }| {};
const _: fn(BridgePort) = |BridgePort {
                               learning: _,
                               unicast_flood: _,
                               state: _,
                               state_before: _,
                               hairpin: _,
                               isolated: _,
                               locked: _,
                           }| {};
const _: fn(BondSlave) = |BondSlave {
                              active: _,
                              mii_up: _,
                          }| {};
const _: fn(VlanSettings) = |VlanSettings { id: _ }| {};
const _: fn(Membership) = |Membership {
                               ifindex: _,
                               kind: _,
                               count: _,
                           }| {};
const _: fn(Softnet) = |Softnet {
                            max_backlog: _,
                            cpus: _,
                        }| {};
const _: fn(CpuBacklog) = |CpuBacklog {
                               cpu: _,
                               before: _,
                               after: _,
                           }| {};
const _: fn(SoftnetCounters) = |SoftnetCounters {
                                    processed: _,
                                    dropped: _,
                                    time_squeeze: _,
                                }| {};
const _: fn(GroCount) = |GroCount {
                             netns: _,
                             ifindex: _,
                             kind: _,
                             offered: _,
                             merged: _,
                             held: _,
                         }| {};
