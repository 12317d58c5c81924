use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use netdiag_diagnosis::evidence::{Namespace, Observed, Pod};

use super::{TestNamespace, run, wait_for};
use crate::{
    bounded::Overflows,
    probes::Kernel,
    sources::{HostRoot, KernelLog, NamespaceScope, Reading, Sources, reading},
};

const UID: &str = "0f3c2d1e-aaaa-bbbb-cccc-123456789abc";
const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn read(sources: &Sources) -> Reading {
    let discovery = sources.discover().unwrap();
    let mut reading = sources.read(&discovery);
    sources.describe(&discovery, &mut reading);
    reading
}

fn host_sources() -> Sources {
    Sources::new(HostRoot::new("/"), NamespaceScope::All, &Kernel::load()).unwrap()
}

fn find<'a>(namespaces: &'a [Namespace], wanted: &TestNamespace) -> &'a Namespace {
    let namespace = namespaces.iter().find(|one| one.id == wanted.id());
    namespace.unwrap()
}

#[test]
#[ignore = "needs root and namespaces"]
fn counters_receivers_and_addresses_of_another_namespace_are_read() {
    let a = TestNamespace::new();
    a.ip("link set lo up");
    a.ip("address add 192.0.2.1/24 dev lo");
    let sources = host_sources();
    let before = read(&sources);
    // A datagram to a closed port: one Udp.NoPorts there, and none here.
    run(
        "ip",
        &[
            "netns",
            "exec",
            &a.name,
            "bash",
            "-c",
            "echo x >/dev/udp/192.0.2.1/9",
        ],
    );
    let namespaces = reading::merge(before, Vec::new(), read(&sources)).namespaces;

    let namespace = find(&namespaces, &a);
    assert_eq!(namespace.increase("Udp.NoPorts"), Some(1));
    assert!(namespace.counters.contains_key("Udp6.InErrors"));
    assert!(namespace.counters.contains_key("TcpExt.TCPTimeouts"));
    assert!(namespace.cookie.is_some() || namespace.pid == Some(a.pid()));
    assert_eq!(namespace.name.as_deref(), Some(a.name.as_str()));
    let has_address = |address: &str, prefix| {
        namespace.addresses.iter().any(|one| {
            one.address.to_string() == address && one.prefix == prefix && one.ifindex == 1
        })
    };
    assert!(has_address("192.0.2.1", 24) && has_address("::1", 128));
    let handlers = namespace.protocol_handlers.as_ref().unwrap();
    assert!(
        handlers
            .iter()
            .any(|one| one.ethertype == Some(0x0800) && one.function == "ip_rcv")
    );

    assert!(namespaces[0].is_node && !namespace.is_node);
    assert!(
        !namespaces[0]
            .addresses
            .iter()
            .any(|one| one.address.to_string() == "192.0.2.1")
    );
}

#[test]
#[ignore = "needs root and namespaces"]
fn a_namespace_without_processes_has_links_and_no_counters() {
    let mut a = TestNamespace::new();
    a.process.kill().unwrap();
    a.process.wait().unwrap();
    let reading = read(&host_sources());
    let namespace = find(&reading.namespaces, &a);
    assert!(namespace.counters.is_empty());
    assert_eq!(namespace.protocol_handlers, None);
    assert_eq!(namespace.pid, None);
    let links = reading.links.value().unwrap();
    assert!(
        links
            .iter()
            .any(|link| link.netns == a.id() && link.name == "lo")
    );
}

#[test]
#[ignore = "needs root and namespaces"]
fn with_the_scope_of_the_node_other_namespaces_are_only_named() {
    let a = TestNamespace::new();
    let sources = Sources::new(HostRoot::new("/"), NamespaceScope::Node, &Kernel::load()).unwrap();
    let reading = read(&sources);
    let namespace = find(&reading.namespaces, &a);
    assert!(namespace.counters.is_empty() && namespace.addresses.is_empty());
    let own = reading.namespaces[0].id;
    let links = reading.links.value().unwrap();
    assert!(links.iter().all(|link| link.netns == own) && !links.is_empty());
}

/// A folder that is removed with this, children first.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A control group that is removed with this; its processes must have ended.
struct ControlGroups(Vec<PathBuf>);

impl Drop for ControlGroups {
    fn drop(&mut self) {
        for group in self.0.iter().rev() {
            wait_for(|| fs::remove_dir(group).is_ok() || !group.exists());
        }
    }
}

fn control_group(segments: &[&str]) -> ControlGroups {
    let mut path = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(Path::new)
        .into_iter()
        .find(|root| root.join("cgroup.procs").exists())
        .expect("a cgroup v2 hierarchy")
        .to_owned();
    let mut groups = Vec::new();
    for segment in segments {
        path = path.join(segment);
        fs::create_dir(&path).unwrap();
        groups.push(path.clone());
    }
    ControlGroups(groups)
}

#[test]
#[ignore = "needs root, namespaces and a writable cgroup hierarchy"]
fn a_pod_is_named_by_its_control_group_and_log_folders() {
    let root = Folder(std::env::temp_dir().join(format!("nde-host-{}", std::process::id())));
    for folder in ["run/netns", "var/log/containers"] {
        fs::create_dir_all(root.0.join(folder)).unwrap();
    }
    fs::create_dir_all(root.0.join(format!("var/log/pods/shop_cart-0_{UID}"))).unwrap();
    fs::create_dir_all(root.0.join("var/log/pods/shop_\u{1b}[2J_x")).unwrap();
    let log = root
        .0
        .join(format!("var/log/containers/cart-0_shop_web-{ID}.log"));
    fs::write(log, "").unwrap();

    let groups = control_group(&[
        &format!("nde-{}-kubepods.slice", std::process::id()),
        &format!("nde-kubepods-pod{}.slice", UID.replace('-', "_")),
        &format!("cri-containerd-{ID}.scope"),
    ]);
    let a = TestNamespace::new();
    let innermost = groups.0.last().unwrap();
    fs::write(innermost.join("cgroup.procs"), a.pid().to_string()).unwrap();
    // A process of the same pod in the node's namespace, as hostNetwork has it.
    let mut host_network = Command::new("sleep").arg("300").spawn().unwrap();
    fs::write(
        innermost.join("cgroup.procs"),
        host_network.id().to_string(),
    )
    .unwrap();

    let sources =
        Sources::new(HostRoot::new(&root.0), NamespaceScope::All, &Kernel::load()).unwrap();
    let reading = read(&sources);
    let owner =
        crate::sources::pods::Pods::list(&HostRoot::new(&root.0), &mut Overflows::default())
            .owner(host_network.id(), crate::sources::processes::Ticks::now());
    host_network.kill().unwrap();
    host_network.wait().unwrap();

    let pod = Pod {
        namespace: "shop".to_owned(),
        name: "cart-0".to_owned(),
        uid: UID.to_owned(),
    };
    assert_eq!(find(&reading.namespaces, &a).pod.as_ref(), Some(&pod));
    assert_eq!(reading.namespaces[0].pod, None);
    assert_eq!(owner.pod, Some(pod));
    assert_eq!(owner.container.as_deref(), Some("web"));
    assert_eq!(owner.comm, "sleep");
    drop(a); // before its control group
}

#[test]
#[ignore = "needs root"]
fn only_lines_of_the_window_are_read_from_the_kernels_log() {
    let a = TestNamespace::new();
    a.ip("link add br0 type bridge");
    a.ip("link add p0 type veth peer name p1");
    let mut log = KernelLog::from_now();
    a.ip("link set p0 promisc on");
    let lines = match log.read() {
        Observed::Complete { value } | Observed::Partial { value, .. } => value,
        Observed::Unavailable { reason, .. } => panic!("{reason}"),
    };
    let entered = lines
        .iter()
        .find(|line| line.text.contains("p0: entered promiscuous mode"));
    let entered = entered.unwrap_or_else(|| panic!("{lines:?}"));
    assert!(entered.at_ms < 5_000 && entered.level == 6, "{entered:?}");
    assert!(!lines.iter().any(|line| line.text.contains("Linux version")));
}

#[test]
#[ignore = "needs root, namespaces and /dev/net/tun"]
fn the_holder_of_a_tap_device_is_named() {
    const HOLD: &str = "\
import fcntl, struct, sys, time
device = open('/dev/net/tun', 'r+b', buffering=0)
fcntl.ioctl(device, 0x400454ca, struct.pack('16sH22x', b'ndetap', 0x1002))
print('up', flush=True)
time.sleep(300)";
    let a = TestNamespace::new();
    let mut holder = Command::new("ip")
        .args(["netns", "exec", &a.name, "python3", "-c", HOLD])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut up).unwrap();
    let sources = host_sources();
    let holders = sources.tun_holders(&sources.discover().unwrap(), &[]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let found = holders
        .value()
        .unwrap()
        .iter()
        .find(|one| one.device == "ndetap")
        .unwrap();
    assert_eq!(found.netns, a.id());
    assert!(found.owner.comm.starts_with("python"));
}

#[test]
#[ignore = "needs root, namespaces and macvtap"]
fn the_holder_of_a_macvtap_device_is_named() {
    // Where /dev is not the kernel's own (containers), the device has no file before somebody makes one.
    const HOLD: &str = "\
import os, sys, time
device = '/sys/class/net/ndemt'
index = open(f'{device}/ifindex').read().strip()
numbers = [f'{device}/tap{index}/dev', f'{device}/macvtap/tap{index}/dev']
number = open(next(filter(os.path.exists, numbers))).read().split(':')
node = f'{sys.argv[1]}/tap{index}'
os.mknod(node, 0o20600, os.makedev(*map(int, number)))
held = open(node, 'r+b', buffering=0)
print('up', flush=True)
time.sleep(300)";
    let a = TestNamespace::new();
    a.ip("link add ndelow type veth peer name ndepeer");
    a.ip("link add link ndelow name ndemt type macvtap mode bridge");
    let folder = std::env::temp_dir().join(&a.name);
    fs::create_dir_all(&folder).unwrap();
    let mut holder = Command::new("ip")
        .args(["netns", "exec", &a.name, "python3", "-c", HOLD])
        .arg(&folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    let is_up = std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut up);
    let sources = host_sources();
    let discovery = sources.discover().unwrap();
    let reading = sources.read(&discovery);
    let holders = sources.tun_holders(&discovery, reading.links.value().unwrap());
    holder.kill().unwrap();
    holder.wait().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    is_up.unwrap();
    let found = holders
        .value()
        .unwrap()
        .iter()
        .find(|one| one.device == "ndemt")
        .unwrap();
    assert_eq!(found.netns, a.id());
    assert!(found.owner.comm.starts_with("python"));
}
