//! The words about a device whose promiscuity nobody is known to have asked for.

use super::with_chain;
use crate::{
    Window,
    detectors::promiscuity::{doubts::Doubt, judge::Promiscuous},
    evidence::{Link, LinkKind},
};

/// Headline, mechanism and harm.
pub(super) fn text(window: &Window<'_>, found: &Promiscuous<'_>) -> (String, String, &'static str) {
    let Promiscuous { link, users, .. } = found;
    let (verb, rest) = if users.doubts.is_empty() {
        (
            "nothing on this node accounts for it",
            "What is left is a kernel module, or a packet socket that no process holds open (on its way from one to \
             another)."
                .to_owned(),
        )
    } else {
        let doubts: Vec<String> = users
            .doubts
            .iter()
            .map(|doubt| doubt_of(link, *doubt))
            .collect();
        (
            "who asked for it is not known",
            format!("A user may be hidden: {}.", doubts.join("; ")),
        )
    };
    let headline = format!("{} is promiscuous and {verb}", link.name);
    (
        with_chain(headline, window, link),
        format!(
            "Users of its promiscuity by the kernel's count: {}; no bridge, socket, passthru device, user's request or \
             full filter was found for {}. {rest}",
            link.promiscuity, users.unexplained
        ),
        "No packet is dropped by it. A program may be reading traffic that is not for this node.",
    )
}

fn doubt_of(link: &Link, doubt: Doubt<'_>) -> String {
    let kind = |link: &Link| {
        link.kind
            .as_ref()
            .map(LinkKind::to_string)
            .unwrap_or_default()
    };
    match doubt {
        Doubt::SocketsUnread => "owners of packet sockets were not all read".to_owned(),
        Doubt::LinksUnread => "devices of some namespaces were not read".to_owned(),
        Doubt::FilterUnread => "whether its unicast filter is full was not read".to_owned(),
        Doubt::ChangeLogged => "its promiscuity changed within the window".to_owned(),
        Doubt::ChangedFrom(before) => format!(
            "its promiscuity changed within the window, from {before} to {}",
            link.promiscuity
        ),
        Doubt::Appeared => "it appeared within the window".to_owned(),
        Doubt::UnknownUpper(upper) => {
            format!("{} of kind {} lies on it", upper.name, kind(upper))
        }
        Doubt::DistantUpper(upper) => format!(
            "{} of kind {} in another namespace may lie on it",
            upper.name,
            kind(upper)
        ),
        Doubt::Master(master) => format!("its master {} may want it promiscuous", master.name),
        Doubt::MasterUnseen => "its master was not seen".to_owned(),
        Doubt::Failover(bond) => {
            format!("{} (balance-alb) may want it after a failover", bond.name)
        }
    }
}
