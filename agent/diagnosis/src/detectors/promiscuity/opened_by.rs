//! The findings that explain why a device takes frames that it would filter out.

use std::collections::{BTreeSet, HashMap};

use crate::{
    Window,
    causes::{BRIDGE_PORT, OPEN_VSWITCH_PORT, PROMISCUITY},
    evidence::{Link, NetnsId},
    finding::{Finding, FindingId, Outcome},
};

/// The findings of this check by the devices that they are about.
pub(crate) struct Openers<'a> {
    window: &'a Window<'a>,
    /// By the namespace, which is absent for the node's own, and the index.
    about: HashMap<(Option<NetnsId>, u32), Vec<&'a Finding>>,
}

impl<'a> Openers<'a> {
    pub(crate) fn of(window: &'a Window<'a>, so_far: &'a Outcome) -> Self {
        let mut about: HashMap<_, Vec<&Finding>> = HashMap::new();
        let findings = so_far.findings.iter();
        for finding in findings.filter(|finding| *finding.check() == PROMISCUITY) {
            if let Some(ifindex) = finding.subject.ifindex {
                let of_device = about.entry((finding.subject.netns, ifindex)).or_default();
                of_device.push(finding);
            }
        }
        Self { window, about }
    }

    /// The findings by which those of these devices that filter addresses let in frames that they would filter out,
    /// where their filter is open: those of the devices whose receive filter they follow.
    pub(crate) fn of_devices(
        &self,
        devices: impl IntoIterator<Item = &'a Link>,
        is_open: impl Fn(&Link) -> bool,
    ) -> Vec<FindingId> {
        let open = devices
            .into_iter()
            .filter(|device| device.filters_addresses() && is_open(device));
        let ids: BTreeSet<&FindingId> = open
            .flat_map(|device| self.window.topology.stack_above(device))
            .flat_map(|device| self.about(device))
            .map(|finding| &finding.id)
            .collect();
        ids.into_iter().cloned().collect()
    }

    /// The findings about a device; those about all ports of its switch only where the device has none of its own as a
    /// port.
    fn about(&self, link: &Link) -> Vec<&'a Finding> {
        let mut found = self.all_about(link).to_vec();
        if !found.iter().any(|finding| is_port_cause(finding))
            && let Some(switch) = self.window.topology.master(link)
        {
            let of_switch = self.all_about(switch).iter().copied();
            found.extend(of_switch.filter(|finding| is_port_cause(finding)));
        }
        found
    }

    fn all_about(&self, link: &Link) -> &[&'a Finding] {
        let namespace = self.window.namespace(link.netns);
        let elsewhere = namespace.filter(|namespace| !namespace.is_node);
        let key = (elsewhere.map(|namespace| namespace.id), link.ifindex);
        self.about.get(&key).map_or(&[], Vec::as_slice)
    }
}

fn is_port_cause(finding: &Finding) -> bool {
    finding.cause.is(&BRIDGE_PORT) || finding.cause.is(&OPEN_VSWITCH_PORT)
}
