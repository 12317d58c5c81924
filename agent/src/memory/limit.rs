//! The memory limit of this process' control group.

use std::{fs, path::Path};

/// A bound just below the number by which version 1 says that there is no limit (PAGE_COUNTER_MAX, in bytes).
const NO_LIMIT: u64 = 1 << 62;
const ROOT: &str = "/sys/fs/cgroup";

/// The least limit of the control group and those above it, in bytes, as far as they are visible here. `None`: there is
/// none.
pub(super) fn of_this_process() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    least(&groups, |file| {
        fs::read_to_string(Path::new(ROOT).join(file)).ok()
    })
}

/// `hierarchy:controllers:path` (cgroups(7)); `read` reads a file below the mount point.
fn least(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next(), fields.next());
        let (folder, file) = match controllers {
            Some("") => ("", "memory.max"),
            Some(names) if names.split(',').any(|name| name == "memory") => {
                ("memory/", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        // In a container the path may be the host's, and the group is found at the root.
        let path = path.unwrap_or_default().trim_matches('/');
        let above = path.match_indices('/').map(|(at, _)| path.get(..at));
        let groups = above.flatten().chain(["", path]);
        let files = groups.map(|group| format!("{folder}{group}/{file}"));
        files.filter_map(|file| parse(&read(&file)?)).collect()
    });
    limits.min()
}

/// `max` is no number.
fn parse(text: &str) -> Option<u64> {
    let limit = text.trim().parse().ok()?;
    (limit < NO_LIMIT).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        least(groups, |wanted| {
            let found = files.iter().find(|(file, _)| *file == wanted);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn both_versions_are_understood() {
        assert_eq!(
            limit("0::/\n", &[("/memory.max", "268435456\n")]),
            Some(268_435_456)
        );
        assert_eq!(limit("0::/\n", &[("/memory.max", "max\n")]), None);
        let one = "12:pids:/a\n9:memory:/kubepods/x\n0::/a\n";
        let file = "memory/kubepods/x/memory.limit_in_bytes";
        assert_eq!(limit(one, &[(file, "1000")]), Some(1_000));
        assert_eq!(limit(one, &[(file, "9223372036854771712")]), None);
        assert_eq!(
            limit(one, &[("memory//memory.limit_in_bytes", "7")]),
            Some(7)
        );
        assert_eq!(limit("nonsense", &[]), None);
    }

    #[test]
    fn the_least_limit_of_those_above_counts() {
        let files = [
            ("kubepods/memory.max", "500"),
            ("kubepods/pod/memory.max", "max"),
            ("kubepods/pod/x/memory.max", "900"),
        ];
        assert_eq!(limit("0::/kubepods/pod/x", &files), Some(500));
    }
}
