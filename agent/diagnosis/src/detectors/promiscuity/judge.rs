//! The causes of promiscuity that lie at a device itself, apart from the switch that it is a port of.

use super::users::Users;
use crate::{
    Window,
    causes::{self, MACVLAN_PASSTHRU, PACKET_SOCKET, UNEXPLAINED, UNICAST_FILTER, USER_REQUEST},
    evidence::{Link, Owner, PacketSocket},
    finding::Confidence,
};

/// A promiscuous device, and a cause that lies at it.
pub(super) struct Promiscuous<'a> {
    pub(super) link: &'a Link,
    pub(super) users: &'a Users<'a>,
    pub(super) cause: Cause<'a>,
}

/// A cause at the device itself.
pub(super) enum Cause<'a> {
    /// Passthru devices lie on it, this one first.
    Passthru(&'a Link),
    /// These processes capture on it, each once.
    PacketSockets(Vec<&'a Owner>),
    /// A person or program set IFF_PROMISC.
    UserRequest,
    /// It cannot filter the addresses of these devices on it.
    UnicastFilter(Vec<&'a Link>),
    /// Nobody is known who asked for it.
    Unexplained,
}

/// Every cause that lies at this device.
pub(super) fn causes<'a>(
    window: &'a Window<'_>,
    link: &'a Link,
    users: &'a Users<'a>,
) -> impl Iterator<Item = Promiscuous<'a>> {
    let owners = owners(&users.sockets);
    let causes = [
        users.passthru.first().copied().map(Cause::Passthru),
        (!owners.is_empty()).then_some(Cause::PacketSockets(owners)),
        users.requested.then_some(Cause::UserRequest),
        users
            .unicast_filter
            .then(|| Cause::UnicastFilter(uppers(window, link))),
        (users.unexplained > 0).then_some(Cause::Unexplained),
    ];
    causes
        .into_iter()
        .flatten()
        .map(move |cause| Promiscuous { link, users, cause })
}

/// Owners, each once.
fn owners<'a>(sockets: &[&'a PacketSocket]) -> Vec<&'a Owner> {
    let mut owners: Vec<&Owner> = Vec::new();
    for socket in sockets {
        if !owners.iter().any(|owner| owner.pid == socket.owner.pid) {
            owners.push(&socket.owner);
        }
    }
    owners
}

/// The devices that lie on this one.
fn uppers<'a>(window: &'a Window<'_>, link: &Link) -> Vec<&'a Link> {
    let on_top = window.topology.on_top(link);
    on_top.filter(|upper| upper.passes_below()).collect()
}

impl Promiscuous<'_> {
    pub(super) fn cause(&self) -> &'static causes::Cause {
        match self.cause {
            Cause::Passthru(_) => &MACVLAN_PASSTHRU,
            Cause::PacketSockets(_) => &PACKET_SOCKET,
            Cause::UserRequest => &USER_REQUEST,
            Cause::UnicastFilter(_) => &UNICAST_FILTER,
            Cause::Unexplained => &UNEXPLAINED,
        }
    }

    /// Nothing may explain a device that has users left over without a doubt.
    fn is_sure(&self) -> bool {
        self.users.doubts.is_empty()
    }

    pub(super) fn confidence(&self) -> Confidence {
        match self.cause {
            Cause::UnicastFilter(_) if self.link.unicast_promiscuous != Some(true) => {
                Confidence::Likely
            }
            Cause::Unexplained if self.is_sure() => Confidence::Likely,
            Cause::Unexplained => Confidence::Possible,
            _ => Confidence::Certain,
        }
    }

    /// The only process that captures on the device.
    pub(super) fn only_process(&self) -> Option<&Owner> {
        match &self.cause {
            Cause::PacketSockets(owners) if owners.len() == 1 => owners.first().copied(),
            _ => None,
        }
    }
}
