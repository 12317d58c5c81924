//! The elements of a map of nftables that gives verdicts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netdiag_diagnosis::evidence::{FilterVerdict, RefusedPort};

use super::{
    expressions::{Verdict, terminated, user_comment, verdict},
    socket::{Failure, FilterSocket},
};
use crate::sources::attributes::{Attribute, array, attributes, push};

const NFT_MSG_GETSETELEM: u8 = 13;
/// The maps in which kube-proxy holds what it refuses, and whether their keys begin with an address
/// (pkg/proxy/nftables/proxier.go of Kubernetes).
const KUBE_PROXY: [(&str, bool); 2] = [
    ("no-endpoint-services", true),
    ("no-endpoint-nodeports", false),
];

/// The verdicts of a map.
#[derive(Default)]
pub(super) struct Map {
    /// Each verdict once.
    pub(super) verdicts: Vec<Verdict>,
    /// The ports of kube-proxy's maps.
    pub(super) ports: Vec<RefusedPort>,
}

/// Reads a map of this family, table and name.
///
/// # Errors
/// See [`Failure`].
pub(super) fn read(
    socket: &FilterSocket,
    (family, table, name): &(u8, String, String),
) -> Result<Map, Failure> {
    const NFTA_SET_ELEM_LIST_TABLE: u16 = 1;
    const NFTA_SET_ELEM_LIST_SET: u16 = 2;
    const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;

    let mut request = Vec::new();
    push(&mut request, NFTA_SET_ELEM_LIST_TABLE, &terminated(table));
    push(&mut request, NFTA_SET_ELEM_LIST_SET, &terminated(name));
    let kube_proxy = KUBE_PROXY.iter().find(|(known, _)| known == name);
    let mut map = Map::default();
    socket.list(NFT_MSG_GETSETELEM, *family, &request, |_, message| {
        let lists = attributes(message).filter(|one| one.kind == NFTA_SET_ELEM_LIST_ELEMENTS);
        for element in lists.flat_map(|list| list.nested()) {
            map.add(element, kube_proxy.map(|(_, has_address)| *has_address));
        }
    })?;
    Ok(map)
}

impl Map {
    /// `has_address`: of a map of kube-proxy, whether its keys begin with an address.
    fn add(&mut self, element: Attribute<'_>, has_address: Option<bool>) {
        const NFTA_SET_ELEM_KEY: u16 = 1;
        const NFTA_SET_ELEM_DATA: u16 = 2;
        const NFTA_SET_ELEM_USERDATA: u16 = 6;
        const NFTA_DATA_VALUE: u16 = 1;

        let part = |kind| element.nested().find(|one| one.kind == kind);
        let Some(verdict) = part(NFTA_SET_ELEM_DATA).and_then(verdict) else {
            return;
        };
        let key = part(NFTA_SET_ELEM_KEY);
        let key = key.and_then(|key| key.nested().find(|one| one.kind == NFTA_DATA_VALUE));
        if let (Some(key), Some(has_address)) = (key, has_address) {
            let comment = part(NFTA_SET_ELEM_USERDATA).and_then(|data| user_comment(data.value));
            let port = port(key.value, has_address).map(|port| RefusedPort {
                // Those without any endpoint lead to a chain that rejects.
                verdict: match &verdict {
                    Verdict::Refuse(verdict) => *verdict,
                    Verdict::Enter(_) => FilterVerdict::Reject,
                },
                comment,
                ..port
            });
            self.ports.extend(port);
        }
        if !self.verdicts.contains(&verdict) {
            self.verdicts.push(verdict);
        }
    }
}

/// A key of kube-proxy's maps: address, protocol and port, each padded to four bytes.
fn port(key: &[u8], has_address: bool) -> Option<RefusedPort> {
    const PROTOCOL_AND_PORT: usize = 8;
    let at = key.len().checked_sub(PROTOCOL_AND_PORT)?;
    let address = match (has_address, at) {
        (false, 0) => None,
        (true, 4) => Some(IpAddr::from(Ipv4Addr::from(array::<4>(key, 0)?))),
        (true, 16) => Some(IpAddr::from(Ipv6Addr::from(array::<16>(key, 0)?))),
        _ => return None,
    };
    Some(RefusedPort {
        address,
        protocol: *key.get(at)?,
        port: u16::from_be_bytes(array(key, at + 4)?),
        verdict: FilterVerdict::default(),
        comment: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_maps_are_read_and_others_passed_over() {
        let tcp_80 = [6, 0, 0, 0, 0, 80, 0, 0];
        let service = [&[10, 96, 0, 5][..], &tcp_80].concat();
        let found = port(&service, true).map(|port| (port.address, port.protocol, port.port));
        assert_eq!(found, Some((Some([10, 96, 0, 5].into()), 6, 80)));
        let found = port(&tcp_80, false).map(|port| (port.address, port.port));
        assert_eq!(found, Some((None, 80)));
        assert!(port(&tcp_80, true).is_none());
        assert!(port(&service, false).is_none());
        assert!(port(&[1, 2, 3], false).is_none());
    }
}
