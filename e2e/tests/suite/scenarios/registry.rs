//! The list of all scenarios, from which both harnesses make their tests.

use super::{Need::*, Scenario};

/// Hands the list to a macro. A row is `name: check, [needs], twin`, where the last word marks a healthy look-alike.
///
/// A scenario without needs runs in both harnesses, one that needs a cluster in `live` only, any other in `kernels`
/// only.
macro_rules! for_each_scenario {
    ($use:path) => {
        $use! {
            bonds {
                cdp_on_a_bond_alone_beside_lldp_with_a_listener: unhandled_protocol, [Segment, Module("bonding")];
                control_frames_on_an_802_3ad_bond_under_a_bridge: unhandled_protocol, [Segment, Module("bonding")];
                control_frames_on_an_active_backup_bond_under_a_bridge: unhandled_protocol, [Segment, Module("bonding")];
                lldp_on_a_bond_under_a_vlan_filtering_bridge: unhandled_protocol, [Segment, Module("bonding")];
                lldp_on_a_team_under_a_bridge: unhandled_protocol, [Segment, Module("team")];
                tagged_lldp_on_a_bond_with_a_vlan_under_a_bridge: unhandled_protocol, [Segment, Module("bonding")];
            }
            bridges {
                healthy_ports: bridge, [], twin;
                isolated_ports: bridge, [], twin;
                locked_port: bridge, [Kernel(5, 18)], twin;
                port_that_does_not_forward: bridge, [];
                port_with_a_smaller_mtu: link_mtu, [];
                port_without_hairpin: bridge, [];
            }
            checksums {
                lost_before_a_filter_and_a_service: checksum_drop, [];
                lost_before_addresses_are_translated: checksum_drop, [];
                lost_by_a_program_with_packet_sockets: checksum_drop, [];
                lost_by_a_program_with_tun_devices: checksum_drop, [];
                lost_of_super_frames_by_a_program_with_packet_sockets: checksum_drop, [];
                lost_of_super_frames_by_a_program_with_tap_devices: checksum_drop, [];
                nic_that_flips_bits: checksum_drop, [Module("sch_netem")];
                program_that_breaks_bytes: checksum_drop, [];
                program_that_passes_the_note_on: checksum_drop, [], twin;
            }
            driver_messages {
                complaints_and_look_alikes: driver_checksum, [Cluster];
                every_drivers_complaint: driver_checksum, [Segment];
                forged_complaints: driver_checksum, [Setting], twin;
            }
            drops {
                full_backlog_of_a_cpu: receive_overrun, [Setting];
                loss_in_a_queueing_discipline: other_drop, [Module("sch_netem")];
                packets_that_their_sender_still_holds: other_drop, [Module("pktgen")];
                program_that_neither_reads_nor_accepts: other_drop, [];
                refusals_for_several_reasons: other_drop, [];
            }
            faults {
                fault_beside_a_flood_of_keys: link_mtu, [Cluster];
                lldp_on_macvlan_nics_under_a_bridge: unhandled_protocol, [];
                veth_with_a_smaller_end: link_mtu, [];
            }
            filters {
                rules_of_legacy_tables_beside_nftables: packet_filter, [Module("iptable_filter")], twin;
                rules_that_refuse_programs_own_packets: packet_filter, [], twin;
                service_with_an_endpoint_beside_a_rule: packet_filter, [], twin;
                service_without_endpoints_in_iptables_mode: packet_filter, [];
                service_without_endpoints_in_nftables_mode: packet_filter, [];
            }
            fragments {
                copies_looked_for_where_a_group_is_received: fragment_reassembly, [Cluster];
                fragments_lost_on_a_cable: fragment_reassembly, [];
                fragments_of_a_group_that_was_joined_on_both_nics: fragment_reassembly, [];
                fragments_of_ipv6_on_two_nics: fragment_reassembly, [];
                fragments_on_two_nics_of_a_segment_that_filter: fragment_reassembly, [Segment], twin;
                fragments_on_two_nics_of_a_segment_with_connection_tracking: fragment_reassembly, [Segment];
                fragments_on_two_nics_without_connection_tracking: fragment_reassembly, [];
                fragments_repeated_on_a_cable: fragment_reassembly, [], twin;
                fragments_that_come_first_where_nobody_joined: fragment_reassembly, [];
                fragments_that_come_first_where_the_group_was_joined: fragment_reassembly, [];
                fragments_while_one_of_two_nics_is_down: fragment_reassembly, [], twin;
            }
            look_alikes {
                burst_of_three_drops_in_a_hundred_thousand: other_drop, [], twin;
                capture_that_nobody_reads: promiscuity, [], twin;
                flows_refused_by_rules: other_drop, [], twin;
                noise_of_every_day: other_drop, [], twin;
                one_lost_packet_on_each_idle_device: other_drop, [], twin;
                pods_deleted_while_their_peers_send: other_drop, [], twin;
                programs_that_poll_addresses_that_are_gone: other_drop, [], twin;
                scans_of_closed_ports: other_drop, [], twin;
                traceroute_through_the_node_and_a_pod: other_drop, [], twin;
            }
            neighbours {
                full_tables: neighbour, [Setting];
                gateway_that_does_not_answer: neighbour, [];
                macvlan_pod_of_the_node: neighbour, [Module("macvlan")], twin;
                tables_with_room: neighbour, [Setting], twin;
            }
            nics {
                control_frames_that_the_nic_filters_are_not_seen: unhandled_protocol, [Segment], twin;
                lldp_on_a_bridge_that_forwards_it: unhandled_protocol, [Segment];
                lldp_on_the_only_port_of_a_vlan_filtering_bridge: unhandled_protocol, [Segment];
            }
            path_mtu {
                black_hole_behind_a_pod: path_mtu, [];
                black_hole_behind_the_node: path_mtu, [];
                black_hole_of_datagrams: path_mtu, [];
                path_mtu_discovery: path_mtu, [], twin;
            }
            promiscuity {
                control_frames_of_many_protocols_and_a_listener: unhandled_protocol, [Cluster];
                devices_promiscuous_for_common_reasons: promiscuity, [Cluster];
                devices_promiscuous_for_every_reason: promiscuity, [Module("openvswitch"), Module("bonding")];
                promiscuity_that_nothing_accounts_for: promiscuity, [];
            }
            queues {
                guest_whose_tap_is_down: queueing, [];
                packets_before_a_device_is_active: queueing, [], twin;
                pod_whose_device_is_down: queueing, [];
                queue_that_is_full: queueing, [Module("sch_fq")];
                queue_that_tells_senders_to_slow_down: queueing, [Module("sch_fq_codel")];
                taps_that_nobody_has_open: queueing, [];
            }
            routes {
                copies_for_a_group_on_two_nics: routing, [], twin;
                filter_in_loose_mode: routing, [];
                filter_of_all_devices: routing, [];
                filter_that_accepts_another_way_back: routing, [], twin;
                node_that_forwards_nothing: routing, [];
                node_whose_routes_are_deleted: routing, [];
                node_whose_routes_refuse: routing, [];
                plain_hosts_that_forward_nothing: routing, [], twin;
                pod_that_forwards_nothing: routing, [];
                pollers_of_addresses_that_are_gone: routing, [], twin;
                routes_in_a_circle: routing, [];
                strict_filter_of_a_pods_device: routing, [];
            }
            segment_routing {
                encapsulated_segments_on_a_veth: segment_offload, [Cluster], twin;
                encapsulated_segments_that_are_joined: segment_offload, [Segment], twin;
                encapsulated_super_frames_on_their_way_out: segment_offload, [], twin;
                inline_segments_that_a_veth_does_not_join: segment_offload, [];
                inline_segments_that_are_not_joined: segment_offload, [Segment];
                inline_segments_where_receive_offload_is_off: segment_offload, [Segment], twin;
                inline_super_frames_on_a_veth: segment_offload, [Cluster];
                inline_super_frames_on_their_way_out: segment_offload, [Segment];
                segments_without_a_routing_header: segment_offload, [Segment], twin;
            }
            sockets {
                connections_that_wait_for_a_paused_program: listen_queue, [];
                handshakes_that_cookies_answer: listen_queue, [], twin;
                handshakes_that_nobody_completes_in_a_pod: listen_queue, [];
                handshakes_that_nobody_completes_on_the_node: listen_queue, [];
                program_on_another_address: listen_queue, [], twin;
                sandbox_that_does_not_read: socket_buffer, [];
                sandbox_that_reads: socket_buffer, [], twin;
                sockets_that_are_held: socket_buffer, [Kernel(5, 17)];
                sockets_that_are_held_for_a_few_segments: socket_buffer, [], twin;
            }
            stacked {
                fragments_in_a_vlan_on_a_bond_and_on_a_nic: fragment_reassembly, [Module("bonding")];
                fragments_on_every_port_of_a_bond_and_of_a_team: fragment_reassembly, [Module("bonding"), Module("team")], twin;
            }
            tap {
                bridged_tap_queue_overflow_over_ipv6: tap_queue_drop, [];
                guest_that_reads_nothing: tap_queue_drop, [];
                macvtap_queue_overflow: tap_queue_drop, [];
                macvtap_stalls_that_its_queue_holds: tap_queue_drop, [], twin;
                macvtap_without_a_reader: queueing, [];
                tap_beside_a_lossy_wire: tap_queue_drop, [Module("sch_netem")];
                tap_beside_a_short_queueing_discipline: tap_queue_drop, [];
            }
            tracking {
                full_table_of_connections: connection_tracking, [Setting];
                late_segments_that_a_rule_drops: connection_tracking, [], twin;
                more_connections_than_source_ports: connection_tracking, [];
                node_that_sees_one_direction: connection_tracking, [];
            }
            twins {
                busy_node_whose_pods_come_and_go: other_drop, [], twin;
                capture_beside_healthy_pods: promiscuity, [], twin;
                healthy_pods_with_offload: checksum_drop, [], twin;
                idle_node: other_drop, [], twin;
            }
        }
    };
}
pub(crate) use for_each_scenario;

macro_rules! list {
    ($($module:ident { $($name:ident: $check:ident, $needs:tt $(, $twin:ident)?;)+ })+) => {
        /// Every scenario.
        pub static ALL: &[Scenario] = &[$($(
            Scenario {
                name: concat!(stringify!($module), "::", stringify!($name)),
                check: stringify!($check),
                twin: list!(@is_twin $($twin)?),
                needs: &$needs,
                play: super::$module::$name,
            },
        )+)+];
    };
    (@is_twin twin) => { true };
    (@is_twin) => { false };
}
for_each_scenario!(list);
