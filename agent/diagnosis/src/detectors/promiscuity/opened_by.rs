//! The findings that explain why a device takes frames that it would filter out.

use std::collections::BTreeSet;

use crate::{
    Window,
    causes::{BRIDGE_PORT, OPEN_VSWITCH_PORT, PROMISCUITY},
    evidence::Link,
    finding::{Finding, FindingId, Outcome},
};

/// The findings by which those of these devices that filter addresses let in frames that they would filter out, where
/// their filter is open.
pub(crate) fn opened_by<'a>(
    window: &'a Window<'_>,
    so_far: &'a Outcome,
    devices: impl IntoIterator<Item = &'a Link>,
    is_open: impl Fn(&Link) -> bool,
) -> Vec<FindingId> {
    let open = devices
        .into_iter()
        .filter(|device| device.filters_addresses() && is_open(device));
    let ids: BTreeSet<FindingId> = open
        .flat_map(|device| findings_that_open(window, so_far, device))
        .map(|finding| finding.id.clone())
        .collect();
    ids.into_iter().collect()
}

/// The findings by which `link`, a device that filters addresses, lets in frames that it would filter out: those of
/// the devices whose receive filter it follows.
fn findings_that_open<'a>(
    window: &'a Window<'_>,
    so_far: &'a Outcome,
    link: &'a Link,
) -> impl Iterator<Item = &'a Finding> {
    window
        .topology
        .stack_above(link)
        .into_iter()
        .flat_map(|device| findings_about(window, so_far, device))
}

/// The findings about a device; those about all ports of its switch only where the device has none of its own as a
/// port.
fn findings_about<'a>(window: &Window<'_>, so_far: &'a Outcome, link: &Link) -> Vec<&'a Finding> {
    let all_about = |link: &Link| -> Vec<&'a Finding> {
        let findings = so_far.findings.iter();
        findings
            .filter(|finding| *finding.check() == PROMISCUITY && is_about(window, finding, link))
            .collect()
    };
    let mut found = all_about(link);
    if !found.iter().any(|finding| is_port_cause(finding))
        && let Some(switch) = window.topology.master(link)
    {
        found.extend(
            all_about(switch)
                .into_iter()
                .filter(|finding| is_port_cause(finding)),
        );
    }
    found
}

fn is_about(window: &Window<'_>, finding: &Finding, link: &Link) -> bool {
    let netns = window
        .namespace(link.netns)
        .filter(|namespace| !namespace.is_node)
        .map(|namespace| namespace.id);
    finding.subject.netns == netns && finding.subject.ifindex == Some(link.ifindex)
}

fn is_port_cause(finding: &Finding) -> bool {
    finding.cause.is(&BRIDGE_PORT) || finding.cause.is(&OPEN_VSWITCH_PORT)
}
