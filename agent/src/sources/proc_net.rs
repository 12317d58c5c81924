//! Files below /proc/net, as a process of a namespace sees them.

use std::{
    fs::File,
    io::{self, Read},
};

use netdiag_diagnosis::evidence::NetnsId;

use super::processes;
use crate::bounded::Bounded;

/// The most bytes of one file. Statistics of connection tracking take 154 for each CPU, a receiver or a group about 70,
/// of which a pod may make as many as it likes.
const LONGEST_FILE: usize = 256 * 1024;

/// A file below /proc/net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcNet {
    Conntrack,
    Igmp,
    Igmp6,
    Netstat,
    Packet,
    Ptype,
    Snmp,
    Snmp6,
}

impl ProcNet {
    fn path(self) -> &'static str {
        match self {
            Self::Conntrack => "stat/nf_conntrack",
            Self::Igmp => "igmp",
            Self::Igmp6 => "igmp6",
            Self::Netstat => "netstat",
            Self::Packet => "packet",
            Self::Ptype => "ptype",
            Self::Snmp => "snmp",
            Self::Snmp6 => "snmp6",
        }
    }

    /// The name of the bytes that were left out.
    fn bytes(self) -> &'static str {
        match self {
            Self::Conntrack => "bytes of /proc/net/stat/nf_conntrack",
            Self::Igmp => "bytes of /proc/net/igmp",
            Self::Igmp6 => "bytes of /proc/net/igmp6",
            Self::Netstat => "bytes of /proc/net/netstat",
            Self::Packet => "bytes of /proc/net/packet",
            Self::Ptype => "bytes of /proc/net/ptype",
            Self::Snmp => "bytes of /proc/net/snmp",
            Self::Snmp6 => "bytes of /proc/net/snmp6",
        }
    }
}

/// The file as one of these processes sees it in this namespace. `None` when none of them is there any more: procfs shows
/// a namespace only through a process, and entering it takes SYS_ADMIN.
pub(super) fn read(pids: &[u32], namespace: NetnsId, file: ProcNet) -> Option<Bounded<String>> {
    pids.iter().copied().find_map(|pid| {
        let path = processes::path(pid, &format!("net/{}", file.path()));
        let text = bounded(File::open(path).ok()?, file, LONGEST_FILE).ok()?;
        // Asked afterwards: the process may have ended and its pid be another's, or it may have moved.
        let is_there = processes::network_namespace(pid).is_ok_and(|id| id == namespace);
        is_there.then_some(text)
    })
}

/// Whole lines within a limit: half a number would be another number.
fn bounded(opened: impl Read, file: ProcNet, limit: usize) -> io::Result<Bounded<String>> {
    let mut bytes = Vec::new();
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(more).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() <= limit;
    if !is_whole {
        bytes.truncate(limit);
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(end.map_or(0, |end| end + 1));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match is_whole {
        true => Bounded::whole(text),
        false => Bounded::ended(text, file.bytes(), limit),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded::Overflows;

    #[test]
    fn a_file_beyond_the_limit_ends_with_a_line_and_is_told() {
        let mut overflows = Overflows::default();
        let mut read = |text: &str, limit| {
            let read = bounded(text.as_bytes(), ProcNet::Igmp6, limit).unwrap();
            read.noted(&mut overflows)
        };
        assert_eq!(read("a 1\nb 23\n", 9), "a 1\nb 23\n");
        assert_eq!(read("a 1\nb 23\n", 8), "a 1\n");
        assert_eq!(read("123456", 3), "");
        let told: Vec<_> = overflows.missing().map(|missing| missing.text).collect();
        assert_eq!(
            told,
            ["bytes of /proc/net/igmp6 beyond the limit of 8 in 2 readings"]
        );
    }

    #[test]
    fn a_namespace_is_read_through_a_process_that_is_in_it() {
        let own = std::process::id();
        let here = processes::network_namespace(own).unwrap();
        let text = read(&[own], here, ProcNet::Snmp).unwrap().part();
        assert!(text.starts_with("Ip: "), "{text}");
        assert_eq!(read(&[own], NetnsId(here.0 + 1), ProcNet::Snmp), None);
        assert_eq!(read(&[], here, ProcNet::Snmp), None);
    }
}
