//! Which pod and container a cgroup path belongs to.

use std::fs;

use super::processes;

/// A pod's uid and a container's id, as a cgroup path spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodCgroup {
    /// The pod's uid as the API server writes it; of a static pod the hash of its manifest.
    pub pod_uid: String,
    /// The container's id, absent for a process in the pod's own group.
    pub container_id: Option<String>,
}

/// Uids have 36 characters, hashes of manifests 32.
const UID_LENGTHS: [usize; 2] = [36, 32];
/// Container ids of every runtime are a SHA-256.
const CONTAINER_ID_LENGTH: usize = 64;

/// The pod and container of a process, if it runs in one.
pub(super) fn of_process(pid: u32) -> Option<PodCgroup> {
    let text = fs::read(processes::path(pid, "cgroup")).unwrap_or_default();
    parse(&String::from_utf8_lossy(&text))
}

/// Finds the pod in the text of /proc/<pid>/cgroup: of all hierarchies (cgroup v1 has many), the first that has one.
///
/// The kubelet names groups in two ways (pkg/kubelet/cm/cgroup_manager_linux.go):
/// `/kubepods/burstable/pod<uid>/<id>`, and with systemd
/// `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid, '-' as '_'>.slice/cri-containerd-<id>.scope`.
pub(super) fn parse(text: &str) -> Option<PodCgroup> {
    text.lines().find_map(|line| {
        // hierarchy-ID:controller-list:path; the path itself may contain colons.
        let path = line.splitn(3, ':').nth(2)?;
        parse_path(path)
    })
}

fn parse_path(path: &str) -> Option<PodCgroup> {
    let mut segments = path.split('/');
    // The innermost pod: a pod may itself run a kubelet (kind), whose pods lie below it.
    let mut innermost = None;
    while let Some(segment) = segments.next() {
        if let Some(pod_uid) = pod_uid(segment) {
            innermost = Some(PodCgroup {
                pod_uid,
                container_id: segments.clone().next().and_then(container_id),
            });
        }
    }
    innermost
}

fn pod_uid(segment: &str) -> Option<String> {
    let uid = match segment.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1.replace('_', "-"),
        None => segment.strip_prefix("pod")?.to_owned(),
    };
    let is_uid = UID_LENGTHS.contains(&uid.len())
        && uid
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    is_uid.then_some(uid)
}

/// `<id>`, or `<runtime>-<id>.scope`.
fn container_id(segment: &str) -> Option<String> {
    let id = match segment.strip_suffix(".scope") {
        Some(scope) => scope.rsplit_once('-')?.1,
        None => segment,
    };
    let is_id = id.len() == CONTAINER_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0f3c2d1e-aaaa-bbbb-cccc-123456789abc";
    const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn check(text: &str, container: bool) {
        let expected = PodCgroup {
            pod_uid: UID.to_owned(),
            container_id: container.then(|| ID.to_owned()),
        };
        assert_eq!(parse(text), Some(expected), "{text}");
    }

    #[test]
    fn both_drivers_and_both_versions_are_understood() {
        let underscored = UID.replace('-', "_");
        check(&format!("0::/kubepods/besteffort/pod{UID}/{ID}"), true);
        check(&format!("0::/../../kubepods/pod{UID}"), false);
        check(
            &format!(
                "12:pids:/\n3:cpu,cpuacct:/kubepods/burstable/pod{UID}/{ID}\n1:name=systemd:/init"
            ),
            true,
        );
        let slice = format!("kubepods-burstable-pod{underscored}.slice");
        for runtime in ["cri-containerd", "crio", "docker"] {
            check(
                &format!(
                    "0::/kubepods.slice/kubepods-burstable.slice/{slice}/{runtime}-{ID}.scope"
                ),
                true,
            );
        }
        check(
            &format!(
                "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{underscored}.slice/cri-containerd-{ID}.scope/init.scope"
            ),
            true,
        );
    }

    #[test]
    fn a_static_pod_has_a_hash() {
        let hash = "0123456789abcdef0123456789abcdef";
        let found = parse(&format!("0::/kubepods/burstable/pod{hash}/{ID}"));
        assert_eq!(found.unwrap().pod_uid, hash);
    }

    #[test]
    fn the_innermost_pod_counts() {
        let outer = "ffffffff-ffff-ffff-ffff-ffffffffffff";
        check(
            &format!("0::/kubepods/pod{outer}/{ID}/kubelet/kubepods/besteffort/pod{UID}/{ID}"),
            true,
        );
    }

    #[test]
    fn other_groups_are_no_pods() {
        for path in [
            "",
            "0::/",
            "0::/system.slice/podman.service",
            "0::/machine.slice/libpod-0011.scope",
            "0::/kubepods/pod../../../etc",
            "0::/kubepods/podzzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz/x",
            "garbage",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_hostile_container_id_is_none() {
        let found = parse(&format!("0::/kubepods/pod{UID}/..")).unwrap();
        assert_eq!(found.container_id, None);
    }
}
