//! Remedies for collisions of fragments, and for their loss.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    Window,
    detectors::fragment_reassembly::{
        domain::Ends,
        fragments::Version,
        incomplete::Incomplete,
        judge::{Shared, State},
    },
    evidence::Link,
    finding::Remedy,
};

/// As many groups as one command deals with.
const GROUPS_SHOWN: usize = 4;

/// Ordered, best first: what let the copies in, what keeps them out now, what keeps them apart for good.
pub(crate) fn of_domain(window: &Window<'_>, shared: &Shared<'_>) -> Vec<Remedy> {
    let domain = shared.domain;
    let mut remedies = Vec::new();
    if shared.state == State::Copied {
        remedies.push(Remedy::advice(
            "Nothing to fix while nothing collides. Two interfaces in one segment are seldom meant, though.",
        ));
    }
    remedies.extend(filters(window, shared));
    remedies.extend(keep_out(shared));
    remedies.push(Remedy::advice(
        "Separate the interfaces: give each a VLAN or switch of its own, or make them one (a bond) if they are meant \
         to be redundant.",
    ));
    remedies.push(Remedy::command_in(
        domain.namespace,
        "See which interface has joined which group. A program that has joined on both needs only one of them.",
        &["ip", "maddress", "show"],
        &[],
    ));
    remedies
}

/// Lets the interfaces filter again that a user has opened.
fn filters(window: &Window<'_>, shared: &Shared<'_>) -> Vec<Remedy> {
    if shared.caused_by.is_empty() {
        return Vec::new();
    }
    let opened = shared.opened_by_users(window);
    if opened.is_empty() {
        return vec![Remedy::advice(
            "End what makes the interfaces promiscuous, see its own finding: then they filter out groups that no \
             program there has joined.",
        )];
    }
    let close = |device: &&Link| {
        let name = device.name.as_str();
        let switched = |state: &str| {
            let words = ["ip", "link", "set", "dev", name, "promisc", state];
            let text = format!("Let {name} filter again, if nobody needs it promiscuous.");
            Remedy::command_in(shared.domain.namespace, text, &words, &[name])
        };
        switched("off")
            .with_effect("it takes its own frames, broadcasts and the groups that are joined on it")
            .undone_by(switched("on"))
    };
    opened.iter().map(close).collect()
}

/// Drops the copies before they are put together, where it is known that nobody wants them.
fn keep_out(shared: &Shared<'_>) -> Option<Remedy> {
    let domain = shared.domain;
    let link = shared.only_unjoined()?;
    let groups: BTreeSet<String> = domain
        .fragmented_flows()
        .iter()
        .filter_map(|(_, destination): &Ends| match destination {
            IpAddr::V4(group) if group.is_multicast() => Some(group.to_string()),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
        .take(GROUPS_SHOWN)
        .collect();
    if groups.is_empty() {
        return None;
    }
    let groups = groups.into_iter().collect::<Vec<_>>().join(", ");
    let rules = format!(
        "table netdev no_copies {{ chain in {{ type filter hook ingress device \"{}\" priority 0; ip daddr {{ {groups} \
         }} drop; }}; }}",
        link.name
    );
    let names = [link.name.as_str()];
    let text = format!(
        "Keep the group's frames out of {}, where no program has joined it:",
        link.name
    );
    let delete = ["nft", "delete", "table", "netdev", "no_copies"];
    Some(
        Remedy::command_in(domain.namespace, text, &["nft", &rules], &names)
            .with_effect("a program that joins the group on this interface later gets nothing")
            .undone_by(Remedy::command_in(domain.namespace, "", &delete, &names)),
    )
}

/// Ordered, best first.
pub(crate) fn of_loss(found: &Incomplete<'_>) -> Vec<Remedy> {
    let counters = match found.version {
        Version::V4 => ["IpReasmReqds", "IpReasmOKs", "IpReasmFails"],
        Version::V6 => ["Ip6ReasmReqds", "Ip6ReasmOKs", "Ip6ReasmFails"],
    };
    vec![
        Remedy::advice(
            "Look for the loss between the sender and this node: drops of the switch ports, a firewall that lets only \
             first fragments pass, unequal MTUs on the way.",
        ),
        Remedy::advice(
            "Send datagrams that fit the MTU of the way, or use TCP: then a lost packet costs no more than itself.",
        ),
        Remedy::command_in(
            found.namespace,
            "See whether it goes on.",
            &[&["nstat", "-azs"][..], &counters].concat(),
            &[],
        ),
    ]
}
