//! Processes that hold a TUN or TAP device: `iff:` in /proc/<pid>/fdinfo.

use std::{fs::File, io, io::Read};

use netdiag_diagnosis::evidence::{NetnsId, Observed, TunHolder};

use super::{
    observed,
    pods::Pods,
    processes::{self, MOST_PROCESSES},
    text::printable,
};

/// How many descriptors of all processes are looked at; each costs three system calls.
const MOST_DESCRIPTORS: usize = 262_144;
const MOST_HOLDERS: usize = 1_024;
/// IFNAMSIZ without its zero.
const LONGEST_DEVICE: usize = 15;
/// fdinfo of a TUN device is some hundred bytes; that of an epoll descriptor may be long.
const LONGEST_FDINFO: u64 = 4_096;

/// Reads the descriptors of every process in one of the namespaces.
pub fn read(pods: &Pods, is_ours: impl Fn(NetnsId) -> bool) -> Observed<Vec<TunHolder>> {
    let pids = match processes::all() {
        Ok(pids) => pids,
        Err(error) => {
            return Observed::Unavailable {
                reason: format!("/proc could not be listed: {error}"),
            };
        }
    };
    let mut missing = Vec::new();
    if pids.len() >= MOST_PROCESSES {
        missing.push(format!("processes beyond the first {MOST_PROCESSES}"));
    }
    let mut looked_at = 0;
    let mut refused = 0;
    let mut holders = Vec::new();
    for pid in pids {
        let netns = match processes::network_namespace(pid) {
            Ok(netns) if is_ours(netns) => netns,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused += 1;
                continue;
            }
            _ => continue,
        };
        if looked_at >= MOST_DESCRIPTORS || holders.len() >= MOST_HOLDERS {
            missing.push(format!("processes from number {pid} on"));
            break;
        }
        for descriptor in processes::descriptors(pid) {
            looked_at += 1;
            if let Some(device) = device_of(pid, descriptor) {
                holders.push(TunHolder {
                    device,
                    netns,
                    owner: pods.owner(pid),
                });
            }
        }
    }
    if refused > 0 {
        missing.push(format!("{refused} processes are closed to the agent"));
    }
    holders.dedup(); // a device with several queues has a descriptor for each
    observed(holders, &missing)
}

fn device_of(pid: u32, descriptor: i32) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(processes::path(pid, &format!("fdinfo/{descriptor}")))
        .and_then(|file| file.take(LONGEST_FDINFO).read_to_end(&mut bytes))
        .ok()?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// `tun_chr_show_fdinfo` (drivers/net/tun.c) writes the device's name after `iff:\t`, empty before TUNSETIFF.
fn parse(fdinfo: &str) -> Option<String> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("iff:"))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| printable(name, LONGEST_DEVICE))
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
}
