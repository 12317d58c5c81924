//! The kernel's tables of neighbours, by RTM_GETNEIGHTBL. Every namespace sees the same ones.

use std::{fs, io, path::Path};

use netdiag_diagnosis::evidence::{LimitsIn, Missing, NeighbourTable, NeighbourTables, Observed};

use super::{
    attributes::{Attribute, array, attributes},
    route_netlink::RouteSocket,
};
use crate::causes::causes;

/// `struct ndtmsg`.
const NDTMSG: usize = 4;
/// One for each family that has neighbours. The messages about the parameters of devices are not kept.
const MOST_TABLES: usize = 8;
const OWN_LIMIT: &str = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";

/// The tables as of one moment, with the sum of `table_fulls` since the node started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tables {
    ipv4: Option<NeighbourTable>,
    ipv6: Option<NeighbourTable>,
}

/// Why they are unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read the kernel's tables of neighbours")]
    Read { source: io::Error },
}

/// Reads both tables.
///
/// # Errors
/// The kernel's answer.
pub(super) fn read(route: &RouteSocket) -> Result<Tables, Error> {
    let few = (MOST_TABLES, "tables of neighbours");
    let dumped = route.dump(
        libc::RTM_GETNEIGHTBL,
        &[0; NDTMSG],
        few,
        |(kind, message)| {
            (kind == libc::RTM_NEWNEIGHTBL)
                .then(|| parse(message))
                .flatten()
        },
    );
    let (tables, _) = dumped.map_err(|source| Error::Read { source })?;
    let tables = tables.part();
    let of = |family: libc::c_int| {
        let mut tables = tables.iter();
        let table = tables.find(|(one, _)| libc::c_int::from(*one) == family);
        table.map(|(_, table)| *table)
    };
    Ok(Tables {
        ipv4: of(libc::AF_INET),
        ipv6: of(libc::AF_INET6),
    })
}

/// Both ends of a window together.
pub(crate) fn between(
    before: Result<Tables, Error>,
    after: Result<Tables, Error>,
) -> Observed<NeighbourTables> {
    let (before, after) = match (before, after) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(error), _) | (_, Err(error)) => {
            return Observed::unavailable(Missing::failed(causes(&error)));
        }
    };
    let within = |before: Option<NeighbourTable>, after: Option<NeighbourTable>| {
        let (before, after) = before.zip(after)?;
        Some(NeighbourTable {
            table_fulls: after.table_fulls.saturating_sub(before.table_fulls),
            ..after
        })
    };
    Observed::Complete {
        value: NeighbourTables {
            ipv4: within(before.ipv4, after.ipv4),
            ipv6: within(before.ipv6, after.ipv6),
            limits_in: limits_in(),
        },
    }
}

fn limits_in() -> LimitsIn {
    if Path::new(OWN_LIMIT).exists() {
        return LimitsIn::Node;
    }
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    match (namespace("1"), namespace("self")) {
        (Some(first), Some(own)) if first != own => LimitsIn::FirstProcess,
        _ => LimitsIn::Elsewhere,
    }
}

/// A table with its family. The parameters of a device have no limits (`neightbl_fill_param_info`) and give nothing.
pub(super) fn parse(message: &[u8]) -> Option<(u8, NeighbourTable)> {
    const NDTA_THRESH3: u16 = 4;
    const NDTA_CONFIG: u16 = 5;
    const NDTA_STATS: u16 = 7;
    /// Places in `struct ndt_config` and `struct ndt_stats`.
    const ENTRIES: usize = 4;
    const TABLE_FULLS: usize = 10 * 8;

    let family = *message.first()?;
    let find = |kind: u16| -> Option<Attribute<'_>> {
        attributes(message.get(NDTMSG..)?).find(|one| one.kind == kind)
    };
    let table = NeighbourTable {
        gc_thresh3: find(NDTA_THRESH3)?.u32()?,
        entries: u32::from_ne_bytes(array(find(NDTA_CONFIG)?.value, ENTRIES)?),
        table_fulls: u64::from_ne_bytes(array(find(NDTA_STATS)?.value, TABLE_FULLS)?),
    };
    Some((family, table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::attributes::push;

    fn message(table_fulls: u64) -> Vec<u8> {
        let mut bytes = vec![libc::AF_INET as u8, 0, 0, 0];
        push(&mut bytes, 1, b"arp_cache\0");
        push(&mut bytes, 4, &1024_u32.to_ne_bytes());
        let mut config = vec![0; 32];
        config[4..8].copy_from_slice(&1030_u32.to_ne_bytes());
        push(&mut bytes, 5, &config);
        let mut stats = vec![0; 88];
        stats[80..].copy_from_slice(&table_fulls.to_ne_bytes());
        push(&mut bytes, 7, &stats);
        bytes
    }

    fn tables(table_fulls: u64) -> Result<Tables, Error> {
        let (_, table) = parse(&message(table_fulls)).expect("a table");
        Ok(Tables {
            ipv4: Some(table),
            ipv6: None,
        })
    }

    #[test]
    fn a_table_has_its_limit_its_entries_and_what_it_refused_meanwhile() {
        let observed = between(tables(7), tables(19));
        let found = observed.value().expect("tables");
        let table = found.ipv4.expect("of IPv4");
        assert_eq!((table.gc_thresh3, table.entries), (1024, 1030));
        assert_eq!(table.table_fulls, 12);
        assert_eq!(found.ipv6, None);
    }

    #[test]
    fn parameters_of_devices_and_cut_messages_give_nothing() {
        let mut bytes = vec![libc::AF_INET as u8, 0, 0, 0];
        push(&mut bytes, 1, b"arp_cache\0");
        push(&mut bytes, 6, &[0; 8]);
        assert_eq!(parse(&bytes), None);
        let whole = message(1);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn the_running_kernel_has_a_table_of_ipv4() {
        let route = RouteSocket::open().expect("netlink");
        let read = read(&route).expect("tables");
        assert!(read.ipv4.is_some_and(|table| table.gc_thresh3 > 0));
    }
}
