//! Why a device is promiscuous, and whether it should be.
//!
//! Promiscuity is counted by the kernel and inherited by the devices below, so a cause is reported once, at the device
//! where it lies: the topmost of a chain `eth0, eth1 <- bond0 <- br0`.

mod all_multicast;
mod causes;
pub(super) mod chain;
mod doubts;
mod ports;
mod users;

use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::{EvidenceWindow, Link},
    finding::{Finding, Outcome, Unchecked},
};
use ports::Ports;
use users::Users;

/// The `Promiscuity` check.
pub(super) struct Promiscuity;

const CHECK: &str = "Promiscuity";

/// Causes, as findings have them.
mod cause {
    pub(super) const BRIDGE_PORT: &str = "BridgePort";
    pub(super) const OPEN_VSWITCH_PORT: &str = "OpenVSwitchPort";
    pub(super) const MACVLAN_PASSTHRU: &str = "MacvlanPassthru";
    pub(super) const PACKET_SOCKET: &str = "PacketSocket";
    pub(super) const USER_REQUEST: &str = "UserRequest";
    pub(super) const UNICAST_FILTER: &str = "UnicastFilter";
    pub(super) const ALL_MULTICAST: &str = "AllMulticast";
    pub(super) const UNEXPLAINED: &str = "Unexplained";
}

impl Detector for Promiscuity {
    fn meta(&self) -> Meta {
        Meta {
            name: CHECK,
            causes: &[
                cause::BRIDGE_PORT,
                cause::OPEN_VSWITCH_PORT,
                cause::MACVLAN_PASSTHRU,
                cause::PACKET_SOCKET,
                cause::USER_REQUEST,
                cause::UNICAST_FILTER,
                cause::ALL_MULTICAST,
                cause::UNEXPLAINED,
            ],
            needs: &[EvidenceKind::Links, EvidenceKind::PacketSockets],
            summary: "a device takes frames that are not for it",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, _so_far: &Outcome) -> Outcome {
        let mut ports = Ports::default();
        let mut findings = Vec::new();
        for link in window.links() {
            if link.promiscuity > 0 {
                let users = Users::of(window, link);
                ports.add(window, link, &users);
                findings.extend(causes::of_device(window, link, &users));
            } else if link.is_all_multicast() {
                findings.extend(all_multicast::of_device(window, link));
            }
        }
        findings.extend(ports.into_findings(window));
        for finding in &mut findings {
            // The headline has the chain; what happens is read without it.
            finding.text.what = format!("{}. {}", finding.text.headline, finding.text.what);
        }
        Outcome {
            findings,
            unchecked: unchecked(window),
            ..Outcome::default()
        }
    }
}

/// What could not be looked at.
fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let entry = |partly, reason| Unchecked {
        check: CHECK,
        partly,
        reason,
    };
    if window.links.value().is_none() {
        let why = window.links.missing().unwrap_or("not read");
        return vec![entry(false, format!("links were not read: {why}"))];
    }
    let mut entries = Vec::new();
    if let Some(missing) = window.links.missing() {
        entries.push(entry(true, format!("links were read in part: {missing}")));
    }
    if let Some(missing) = window.packet_sockets.missing() {
        let reason = format!("packet sockets were read in part: {missing}");
        entries.push(entry(true, reason));
    }
    let unknown_filter = |link: &&Link| link.promiscuity > 0 && link.unicast_promiscuous.is_none();
    if window.links().iter().any(|link| unknown_filter(&link)) {
        let reason = "unicast filters of some devices were not read: BPF reads those of namespaces with a process";
        entries.push(entry(true, reason.to_owned()));
    }
    entries
}

/// The findings by which `link`, a device that filters addresses, lets in frames that it would filter out: those of
/// the devices whose receive filter it follows.
pub(super) fn findings_that_open<'a>(
    window: &'a EvidenceWindow,
    so_far: &'a Outcome,
    link: &'a Link,
) -> Vec<&'a Finding> {
    chain::stack_above(window, link)
        .into_iter()
        .flat_map(|device| findings_about(window, so_far, device))
        .collect()
}

/// The findings about a device; those about all ports of its switch only where the device has none of its own as a
/// port.
fn findings_about<'a>(
    window: &EvidenceWindow,
    so_far: &'a Outcome,
    link: &Link,
) -> Vec<&'a Finding> {
    let all_about = |link: &Link| -> Vec<&'a Finding> {
        let findings = so_far.findings.iter();
        findings
            .filter(|finding| finding.check == CHECK && is_about(window, finding, link))
            .collect()
    };
    let mut found = all_about(link);
    if !found.iter().any(|finding| is_port_cause(finding))
        && let Some(switch) = window.master(link)
    {
        found.extend(
            all_about(switch)
                .into_iter()
                .filter(|finding| is_port_cause(finding)),
        );
    }
    found
}

fn is_about(window: &EvidenceWindow, finding: &Finding, link: &Link) -> bool {
    let netns = window
        .namespace(link.netns)
        .filter(|namespace| !namespace.is_node)
        .map(|namespace| namespace.id);
    finding.subject.netns == netns && finding.subject.ifindex == Some(link.ifindex)
}

fn is_port_cause(finding: &Finding) -> bool {
    matches!(
        finding.cause.as_ref(),
        cause::BRIDGE_PORT | cause::OPEN_VSWITCH_PORT
    )
}

#[cfg(test)]
mod tests;
