use super::Bridge;
use crate::{
    EvidenceWindow, Window,
    causes::{HAIRPIN_OFF, PORT_LOCKED, PORT_NOT_FORWARDING, PORTS_ISOLATED},
    detectors::Detector,
    evidence::{BridgePort, BridgeSettings, DropCount, Link, LinkKind, PacketSample},
    finding::{Confidence, Finding, Harm, Outcome, Severity},
    testing::{NODE, POD, drops_of, ipv4_drops, link, links_of, only, veth, window},
    uapi::flags::{IFF_LOWER_UP, IFF_UP},
};

const FORWARDING: u8 = 3;
const FINISH: &str = "br_handle_frame_finish";
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const GROUP: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

fn port(ifindex: u32, name: &str, settings: BridgePort) -> Link {
    Link {
        master: Some(9),
        slave_kind: Some(LinkKind::Bridge),
        bridge_port: Some(settings),
        requested_flags: IFF_UP | IFF_LOWER_UP,
        ..veth(link(NODE, ifindex, name), (POD, ifindex))
    }
}

fn end(ifindex: u32, address: [u8; 6]) -> Link {
    let address: Vec<String> = address.iter().map(|byte| format!("{byte:02x}")).collect();
    Link {
        address: Some(address.join(":")),
        ..veth(link(POD, ifindex, "eth0"), (NODE, ifindex))
    }
}

fn forwards() -> BridgePort {
    BridgePort {
        state: FORWARDING,
        state_before: Some(FORWARDING),
        hairpin: Some(false),
        isolated: Some(false),
        locked: Some(false),
        ..BridgePort::default()
    }
}

/// A bridge br0 with these two ports, the second of which leads to [`SERVER`], and drops of frames that came by the
/// first.
fn bridge(settings: [BridgePort; 2], stp: bool, key: DropCount) -> EvidenceWindow {
    let br0 = Link {
        kind: Some(LinkKind::Bridge),
        bridge: Some(BridgeSettings {
            stp,
            forward_delay_cs: Some(1_500),
            ..BridgeSettings::default()
        }),
        ..link(NODE, 9, "br0")
    };
    let [ingress, egress] = settings;
    let links = vec![
        br0,
        port(2, "vethA", ingress),
        port(3, "vethB", egress),
        end(2, CLIENT),
        end(3, SERVER),
    ];
    let mut window = window(links, vec![key]);
    drops_of(&mut window).samples = vec![frame(SERVER)];
    window
}

fn frame(destination: [u8; 6]) -> PacketSample {
    let mut bytes = destination.to_vec();
    bytes.extend(CLIENT);
    bytes.extend([8, 0, 0x45]);
    PacketSample {
        bytes,
        has_link_header: true,
        ..PacketSample::default()
    }
}

fn key(reason: &str, function: &str) -> DropCount {
    ipv4_drops(NODE, 2, reason, function, 30)
}

fn judge(window: &EvidenceWindow) -> Outcome {
    Bridge.judge(&Window::of(window), &Outcome::default())
}

fn command(finding: &Finding) -> (Option<&str>, Option<&str>) {
    let remedy = &finding.remedies[0];
    let undo = remedy.change.as_ref().and_then(|one| one.undo.as_deref());
    (remedy.command.as_deref(), undo)
}

#[test]
fn a_port_that_does_not_forward_lets_nothing_through() {
    for (reason, function) in [
        ("BRIDGE_INGRESS_STP_STATE", "br_handle_frame"),
        ("NOT_SPECIFIED", "br_handle_frame"),
        ("", "br_handle_frame"),
        ("NOT_SPECIFIED", FINISH),
    ] {
        let learning = BridgePort {
            state: 2,
            state_before: None,
            ..forwards()
        };
        let outcome = judge(&bridge([learning, forwards()], true, key(reason, function)));
        let finding = only(&outcome);
        assert!(finding.cause.is(&PORT_NOT_FORWARDING), "{function}");
        assert_eq!(finding.severity(), Severity::Critical);
        assert_eq!(finding.subject.interface.as_deref(), Some("vethA"));
        assert_eq!(
            command(finding),
            (
                Some("ip link set dev br0 type bridge stp_state 0"),
                Some("ip link set dev br0 type bridge stp_state 1")
            )
        );
        assert!(finding.text.what.contains("15 s"), "{}", finding.text.what);
    }
}

/// The commands that change something, where so many ports of the bridge lead on.
fn changes(uplinks: u32, stp: bool) -> Vec<String> {
    let listening = BridgePort {
        state: 1,
        state_before: None,
        ..forwards()
    };
    let drops = key("BRIDGE_INGRESS_STP_STATE", "br_handle_frame");
    let mut window = bridge([listening, forwards()], stp, drops);
    for uplink in 0..uplinks {
        let uplink = Link {
            kind: None,
            peer: None,
            ..port(20 + uplink, "eth", forwards())
        };
        links_of(&mut window).push(uplink);
    }
    let outcome = judge(&window);
    let remedies = only(&outcome).remedies.iter();
    let changes = remedies.filter(|remedy| remedy.change.is_some());
    changes.filter_map(|one| one.command.clone()).collect()
}

#[test]
fn no_command_lets_frames_circle() {
    let ended = ["ip link set dev br0 type bridge stp_state 0"];
    assert_eq!(changes(0, true), ended);
    assert_eq!(changes(1, true), ended);
    assert_eq!(changes(2, true), [] as [&str; 0]);
    assert_eq!(changes(1, false), ["bridge link set dev vethA state 3"]);
    assert_eq!(changes(2, false), [] as [&str; 0]);
}

#[test]
fn a_port_that_forwards_by_the_end_lost_packets() {
    let young = BridgePort {
        state_before: None,
        ..forwards()
    };
    let drops = key("BRIDGE_INGRESS_STP_STATE", "br_handle_frame");
    let outcome = judge(&bridge([young, forwards()], true, drops));
    assert_eq!(only(&outcome).assessment.harm, Harm::Loss);
    // It learned: only the spanning tree speaks for it.
    let outcome = judge(&bridge(
        [young, forwards()],
        true,
        key("NOT_SPECIFIED", FINISH),
    ));
    assert_eq!(only(&outcome).confidence, Confidence::Likely);
    let outcome = judge(&bridge(
        [young, forwards()],
        false,
        key("NOT_SPECIFIED", FINISH),
    ));
    assert!(outcome.findings.is_empty());
}

#[test]
fn a_redundant_way_blocks_for_good() {
    let blocking = BridgePort {
        state: 4,
        state_before: Some(4),
        ..forwards()
    };
    let drops = key("BRIDGE_INGRESS_STP_STATE", "br_handle_frame");
    let outcome = judge(&bridge([blocking, forwards()], true, drops));
    assert!(outcome.findings.is_empty());
}

#[test]
fn a_way_out_that_does_not_forward_is_the_one_to_blame() {
    let disabled = BridgePort {
        state: 0,
        ..forwards()
    };
    let window = bridge([forwards(), disabled], false, key("NOT_SPECIFIED", FINISH));
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert_eq!(finding.subject.interface.as_deref(), Some("vethB"));
    assert_eq!(
        command(finding),
        (
            Some("bridge link set dev vethB state 3"),
            Some("bridge link set dev vethB state 0")
        )
    );
}

#[test]
fn a_port_that_is_down_is_given_no_state_that_the_kernel_refuses() {
    let disabled = BridgePort {
        state: 0,
        ..forwards()
    };
    let on = (
        Some("ip link set dev vethB up"),
        Some("ip link set dev vethB down"),
    );
    let look = (Some("ip -details link show dev vethB"), None);
    for (flags, expected) in [(0, on), (IFF_UP, look)] {
        let mut window = bridge([forwards(), disabled], false, key("NOT_SPECIFIED", FINISH));
        links_of(&mut window)[2].requested_flags = flags;
        let outcome = judge(&window);
        let finding = only(&outcome);
        assert_eq!(command(finding), expected);
        assert!(finding.text.what.contains("disables a port that is down"));
    }
}

#[test]
fn a_pod_behind_a_port_without_hairpin_does_not_reach_itself() {
    let mut window = bridge([forwards(), forwards()], false, key("", FINISH));
    drops_of(&mut window).samples = vec![frame(CLIENT)];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&HAIRPIN_OFF));
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(
        command(finding),
        (
            Some("bridge link set dev vethA hairpin on"),
            Some("bridge link set dev vethA hairpin off")
        )
    );
    // Where it is on, something else ended them.
    let port = &mut links_of(&mut window)[1].bridge_port;
    port.as_mut().expect("a port").hairpin = Some(true);
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn isolated_and_locked_ports_refuse_as_they_are_meant_to() {
    let isolated = BridgePort {
        isolated: Some(true),
        ..forwards()
    };
    let drops = key("NOT_SPECIFIED", FINISH);
    let outcome = judge(&bridge([isolated, isolated], false, drops.clone()));
    let finding = only(&outcome);
    assert!(finding.cause.is(&PORTS_ISOLATED));
    assert_eq!(finding.severity(), Severity::Info);
    assert!(finding.assessment.is_decision());
    let locked = BridgePort {
        locked: Some(true),
        ..forwards()
    };
    let outcome = judge(&bridge([locked, forwards()], false, drops.clone()));
    assert!(only(&outcome).cause.is(&PORT_LOCKED));
    // One isolated port talks to others.
    assert!(
        judge(&bridge([isolated, forwards()], false, drops))
            .findings
            .is_empty()
    );
}

#[test]
fn frames_of_groups_and_ports_of_old_recordings_are_left_alone() {
    let isolated = BridgePort {
        isolated: Some(true),
        ..forwards()
    };
    let mut window = bridge([isolated, isolated], false, key("NOT_SPECIFIED", FINISH));
    drops_of(&mut window).samples = vec![frame(GROUP)];
    assert!(judge(&window).findings.is_empty());
    drops_of(&mut window).samples = vec![frame(GROUP), frame(SERVER)];
    assert_eq!(only(&judge(&window)).count, 29);
    let old = BridgePort {
        state: FORWARDING,
        ..BridgePort::default()
    };
    let window = bridge([old, old], true, key("NOT_SPECIFIED", FINISH));
    assert!(judge(&window).findings.is_empty());
}
