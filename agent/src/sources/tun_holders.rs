//! Processes that hold a TUN, TAP, macvtap or ipvtap device: `iff:` in /proc/<pid>/fdinfo, or /dev/tapN behind
//! /proc/<pid>/fd.

use std::{fs, io, os::unix::fs::FileTypeExt, path::Path};

use netdiag_diagnosis::{
    evidence::{Link, LinkKind, Missing, NetnsId, Observed, TunHolder},
    text::printable_up_to,
};

use crate::{bounded::Overflows, privileges::Restrictions};

use super::{
    descriptors,
    pods::Pods,
    processes::{self, Ticks},
};

/// The number of descriptors of all processes that are looked at; each costs three system calls.
const MOST_DESCRIPTORS: usize = 262_144;
const MOST_HOLDERS: usize = 1_024;
/// IFNAMSIZ without its zero.
const LONGEST_DEVICE: usize = 15;

/// Reads the descriptors of every process in one of the namespaces. `links` tell which /dev/tapN is which device.
pub(super) fn read(
    pods: &Pods,
    links: &[Link],
    is_ours: impl Fn(NetnsId) -> bool,
) -> Observed<Vec<TunHolder>> {
    let taps: Vec<&Link> = links.iter().filter(|link| is_macvtap(link)).collect();
    let pids = match processes::all() {
        Ok(pids) => pids,
        Err(error) => {
            let text = format!("/proc could not be listed: {error}");
            return Observed::unavailable(Missing::failed(text));
        }
    };
    let mut overflows = Overflows::default();
    let pids = pids.noted(&mut overflows);
    let mut missing: Vec<Missing> = overflows.missing().collect();
    let mut looked_at = 0;
    let mut is_refused = false;
    let mut holders = Vec::new();
    for pid in pids {
        let netns = match processes::network_namespace(pid) {
            Ok(netns) if is_ours(netns) => netns,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                is_refused = true;
                continue;
            }
            _ => continue,
        };
        if looked_at >= MOST_DESCRIPTORS || holders.len() >= MOST_HOLDERS {
            missing.push(Missing::failed(format!("processes from number {pid} on")));
            break;
        }
        let seen = Ticks::now();
        for descriptor in descriptors::of(pid) {
            looked_at += 1;
            let device =
                device_of(pid, descriptor).or_else(|| macvtap_of(pid, descriptor, netns, &taps));
            if let Some(device) = device {
                holders.push(TunHolder {
                    device,
                    netns,
                    owner: pods.owner(pid, seen),
                });
            }
        }
    }
    if is_refused {
        missing.push(processes::closed(&Restrictions::read()));
    }
    holders.dedup(); // a device with several queues has a descriptor for each
    Observed::without(holders, missing)
}

fn device_of(pid: u32, descriptor: i32) -> Option<String> {
    parse(&descriptors::fdinfo(pid, descriptor)?)
}

/// `tun_chr_show_fdinfo` (drivers/net/tun.c) writes the device's name after `iff:\t`, empty before TUNSETIFF.
pub(super) fn parse(fdinfo: &str) -> Option<String> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("iff:"))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| printable_up_to(name, LONGEST_DEVICE))
}

/// A device that is read through a file of its own, /dev/tapN with its index (drivers/net/macvtap.c, ipvtap.c).
fn is_macvtap(link: &Link) -> bool {
    matches!(link.kind, Some(LinkKind::MacVtap | LinkKind::IpVtap))
}

/// The device behind a descriptor of /dev/tapN. That file says nothing in fdinfo, and /proc/<pid>/fd of another user's
/// process is closed to an agent without DAC_READ_SEARCH: such a holder stays unknown.
fn macvtap_of(pid: u32, descriptor: i32, netns: NetnsId, taps: &[&Link]) -> Option<String> {
    if taps.is_empty() {
        return None;
    }
    let file = processes::path(pid, &format!("fd/{descriptor}"));
    let ifindex = index_of_tap(&fs::read_link(&file).ok()?)?;
    let link = taps
        .iter()
        .find(|link| link.netns == netns && link.ifindex == ifindex)?;
    let is_device = fs::metadata(&file).is_ok_and(|found| found.file_type().is_char_device());
    is_device.then(|| printable_up_to(&link.name, LONGEST_DEVICE))
}

/// N of tapN.
fn index_of_tap(path: &Path) -> Option<u32> {
    path.file_name()?
        .to_str()?
        .strip_prefix("tap")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_of_a_tun_descriptor_is_read() {
        let fdinfo = "pos:\t0\nflags:\t0100002\nmnt_id:\t22\nino:\t125\niff:\ttap0\n";
        assert_eq!(parse(fdinfo).as_deref(), Some("tap0"));
    }

    #[test]
    fn other_descriptors_have_none() {
        assert_eq!(parse("pos:\t0\n"), None);
        assert_eq!(parse("iff:\t\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_file_of_a_macvtap_is_known_by_its_index() {
        let index = |path: &str| index_of_tap(Path::new(path));
        assert_eq!(index("/dev/tap17"), Some(17));
        for other in [
            "/dev/tap",
            "/dev/net/tun",
            "/",
            "socket:[17]",
            "/tmp/tap99999999999",
        ] {
            assert_eq!(index(other), None, "{other}");
        }
    }
}
