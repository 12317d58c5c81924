//! Names pods and containers from the kubelet's log folders; asks neither the API server nor the runtime.

use std::{collections::HashMap, fs, path::Path};

use netdiag_diagnosis::evidence::{Owner, Pod};

use crate::bounded::{Bounded, Overflows, at_most};

use super::{
    HostRoot, cgroups,
    namespaces::OpenNamespace,
    processes::{self, Ticks},
};

/// Pods and containers of a node, left-over folders included; the kubelet's limit is 110 pods by default.
const MOST_ENTRIES: usize = 8_192;
const LONGEST_DNS_LABEL: usize = 63;
const LONGEST_DNS_SUBDOMAIN: usize = 253;

/// The pods and containers that have logs, as of the moment that they were listed.
#[derive(Debug, Default)]
pub(super) struct Pods {
    by_uid: HashMap<String, Pod>,
    /// Container id to (pod's name, pod's namespace, container's name).
    containers: HashMap<String, (String, String, String)>,
}

impl Pods {
    /// Lists the log folders under the host's root. A host without a kubelet has none.
    pub(super) fn list(host: &HostRoot, overflows: &mut Overflows) -> Self {
        let pods = names_in(&host.path("/var/log/pods"), "log folders of pods");
        let containers = names_in(&host.path("/var/log/containers"), "logs of containers");
        let (pods, containers) = (pods.noted(overflows), containers.noted(overflows));
        Self {
            by_uid: pods
                .iter()
                .filter_map(|name| parse_pod_folder(name))
                .map(|pod| (pod.uid.clone(), pod))
                .collect(),
            containers: containers
                .iter()
                .filter_map(|name| parse_container_log(name))
                .collect(),
        }
    }

    /// The pod of a namespace, by the first of its processes that runs in one. The node's own is never a pod's: pods
    /// with hostNetwork share it.
    pub(super) fn of_namespace(&self, namespace: &OpenNamespace) -> Option<Pod> {
        if namespace.is_node {
            return None;
        }
        namespace
            .pids
            .iter()
            .filter_map(|pid| {
                // The process and its namespace, or another that has the pid now.
                let read = || {
                    let is_there = processes::network_namespace(*pid).ok() == Some(namespace.id);
                    is_there.then(|| self.of_process(*pid).0)
                };
                processes::of_one(*pid, read)
            })
            .find_map(Option::flatten)
    }

    /// Who a process is, as far as can be told. One that has started after `seen` only has the pid of the one that was
    /// seen then, of which nothing is known any more.
    pub(super) fn owner(&self, pid: u32, seen: Ticks) -> Owner {
        let read = || {
            let started = processes::started(pid).filter(|started| *started <= seen)?;
            Some((Some(started.0), processes::comm(pid), self.of_process(pid)))
        };
        let read = processes::of_one(pid, read).flatten();
        let (started, comm, (pod, container)) = read.unwrap_or_default();
        Owner {
            pid,
            started,
            comm,
            pod,
            container,
        }
    }

    fn of_process(&self, pid: u32) -> (Option<Pod>, Option<String>) {
        let Some(cgroup) = cgroups::of_process(pid) else {
            return (None, None);
        };
        let pod = self.by_uid.get(&cgroup.pod_uid).cloned();
        let container = cgroup.container_id.and_then(|id| {
            let (pod_name, pod_namespace, container) = self.containers.get(&id)?;
            let pod = pod.as_ref()?;
            (pod.name == *pod_name && pod.namespace == *pod_namespace).then(|| container.clone())
        });
        (pod, container)
    }
}

fn names_in(folder: &Path, what: &'static str) -> Bounded<Vec<String>> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    at_most(names, MOST_ENTRIES, what)
}

/// `<namespace>_<name>_<uid>` (`BuildPodLogsDirectory`, pkg/kubelet/kuberuntime/helpers.go). None of the three may
/// hold an underscore.
pub(super) fn parse_pod_folder(folder: &str) -> Option<Pod> {
    let mut parts = folder.split('_');
    let pod = Pod {
        namespace: parts.next()?.to_owned(),
        name: parts.next()?.to_owned(),
        uid: parts.next()?.to_owned(),
    };
    let is_uid = !pod.uid.is_empty()
        && pod.uid.len() <= LONGEST_DNS_LABEL
        && pod
            .uid
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let is_pod = parts.next().is_none()
        && is_uid
        && is_dns_label(&pod.namespace)
        && is_dns_subdomain(&pod.name);
    is_pod.then_some(pod)
}

/// `<pod>_<namespace>_<container>-<id>.log` (`LogSymlink`, pkg/kubelet/kuberuntime/legacy.go).
pub(super) fn parse_container_log(file: &str) -> Option<(String, (String, String, String))> {
    let mut parts = file.strip_suffix(".log")?.split('_');
    let (pod, namespace, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (container, id) = rest.rsplit_once('-')?;
    let is_container = parts.next().is_none()
        && is_dns_subdomain(pod)
        && is_dns_label(namespace)
        && is_dns_label(container)
        && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_container.then(|| {
        (
            id.to_owned(),
            (pod.to_owned(), namespace.to_owned(), container.to_owned()),
        )
    })
}

/// RFC 1123: lower-case letters, digits and inner hyphens.
fn is_dns_label(text: &str) -> bool {
    let allowed = |byte: u8| byte == b'-' || byte.is_ascii_digit() || byte.is_ascii_lowercase();
    !text.is_empty()
        && text.len() <= LONGEST_DNS_LABEL
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= LONGEST_DNS_SUBDOMAIN && text.split('.').all(is_dns_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0f3c2d1e-aaaa-bbbb-cccc-123456789abc";
    const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_log_folder_names_its_pod() {
        assert_eq!(
            parse_pod_folder(&format!("shop_cart-7d9f.v2_{UID}")),
            Some(Pod {
                namespace: "shop".to_owned(),
                name: "cart-7d9f.v2".to_owned(),
                uid: UID.to_owned(),
            })
        );
    }

    #[test]
    fn a_log_file_names_its_container() {
        let (id, names) = parse_container_log(&format!("cart-0_shop_side-car-{ID}.log")).unwrap();
        assert_eq!(id, ID);
        assert_eq!(
            names,
            (
                "cart-0".to_owned(),
                "shop".to_owned(),
                "side-car".to_owned()
            )
        );
    }

    #[test]
    fn hostile_folder_names_are_passed_over() {
        for name in [
            "",
            "_",
            "__",
            "a_b",
            "a_b_",
            &format!("a_b_{UID}_c"),
            &format!("Shop_cart_{UID}"),
            &format!("shop_-cart_{UID}"),
            &format!("shop_ca;rm -rf_{UID}"),
            &format!("shop_\u{1b}[31m_{UID}"),
            &format!("shop_{}_{UID}", "x".repeat(300)),
            "shop_cart_$(reboot)",
        ] {
            assert_eq!(parse_pod_folder(name), None, "{name:?}");
        }
        for name in ["x.log", "a_b_c.log", "a_b_c-zz.log", "a_b_-12.log", ".log"] {
            assert_eq!(parse_container_log(name), None, "{name:?}");
        }
    }
}
