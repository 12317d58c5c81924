//! The words about devices that take every multicast frame.

use super::{chain, on_device, vlan_filtering};
use crate::{
    Window,
    detectors::{
        kit::say,
        promiscuity::all_multicast::{AllMulticast, AskedBy},
    },
    evidence::Link,
    finding::{Proof, Remedy, Text},
};

pub(crate) fn text(window: &Window<'_>, found: &AllMulticast<'_>) -> Text {
    let who = match found.asked_by {
        AskedBy::Bridge(bridge) => format!("{} enslaved it", bridge.name),
        AskedBy::User => "someone set it so".to_owned(),
        AskedBy::Socket(owner) => format!("{} asked for it", say::process_of_pod(owner)),
    };
    let mut chain = chain(window, found.link, Link::is_all_multicast);
    let mut hurts = "Nobody. It costs CPU time for frames that no program here wants.".to_owned();
    if let AskedBy::Bridge(bridge) = found.asked_by {
        let name = &bridge.name;
        chain.push_str(&format!(" <- {name}"));
        hurts = format!("Nobody, by design: {name} must see multicast for hosts behind its ports.");
    }
    let name = &found.link.name;
    let headline = format!("{name} takes every multicast frame because {who}: {chain}");
    Text {
        what: format!(
            "{headline}. It is not promiscuous. The device takes every multicast frame, also of groups that nobody \
             here has joined, and still filters unicast."
        ),
        headline,
        hurts,
    }
}

pub(crate) fn consequence(found: &AllMulticast<'_>) -> String {
    let name = &found.link.name;
    format!("{name} takes every multicast frame, also those that it would filter out.")
}

pub(crate) fn proof(found: &AllMulticast<'_>) -> Proof {
    let link = found.link;
    let users = link.allmulti.map(|users| users.to_string());
    let mut value = format!(
        "promiscuity 0; allmulti {}",
        users.as_deref().unwrap_or("IFF_ALLMULTI set")
    );
    if let AskedBy::Bridge(bridge) = found.asked_by {
        value.push_str(&vlan_filtering(bridge));
    }
    Proof::new(&link.name, value, "", "netlink")
}

pub(crate) fn remedy(window: &Window<'_>, found: &AllMulticast<'_>) -> Option<Remedy> {
    let link = found.link;
    match found.asked_by {
        AskedBy::Bridge(_) => Some(Remedy::advice(
            "None needed: a bridge must see the groups behind its other ports.",
        )),
        AskedBy::User => {
            let text = "Clear the flag, if nobody needs it:";
            let switched = |state: &str| {
                let words = [
                    "ip",
                    "link",
                    "set",
                    "dev",
                    &link.name,
                    "allmulticast",
                    state,
                ];
                on_device(window, link, text, &words)
            };
            let off = switched("off").zip(switched("on"));
            off.map(|(off, on)| off.undone_by(on))
        }
        AskedBy::Socket(_) => Some(Remedy::advice("None needed. It ends with the socket.")),
    }
}
