//! The sources with exactly the capabilities that the agent is given: this test binary runs itself under `setpriv`.

use std::{env, process::Command};

use netdiag_diagnosis::evidence::{MembershipKind, NetnsId, Observed, PacketSocketReader};

use super::{TestNamespace, packet_sockets::Capture};
use crate::{
    probes::Kernel,
    sources::{HostRoot, KernelLog, NamespaceScope, Sources},
};

const CAPABILITIES: &str = "-all,+bpf,+perfmon,+net_admin,+sys_ptrace,+syslog";
/// Number of the namespace that the restricted run looks into, and the process that holds the socket there.
const NAMESPACE: &str = "NETDIAG_TEST_NAMESPACE";
const HOLDER: &str = "NETDIAG_TEST_HOLDER";

#[test]
#[ignore = "needs root, namespaces, BPF and setpriv"]
fn five_capabilities_suffice() {
    let a = TestNamespace::new();
    a.ip("link add p0 type veth peer name p1");
    // The sources must not depend on the target running as the same user.
    let capture = Capture::start_as(&a, "65534");
    let output = Command::new("setpriv")
        .args(["--bounding-set", CAPABILITIES, "--inh-caps", "-all", "--"])
        .arg(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("sources::live_tests::capabilities::run_with_five_capabilities")
        .env(NAMESPACE, a.id().0.to_string())
        .env(HOLDER, capture.pid().to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("everything was read"), "{text}");
}

/// The restricted half of `five_capabilities_suffice`; by itself it has nothing to look into.
#[test]
#[ignore = "is run by five_capabilities_suffice"]
fn run_with_five_capabilities() {
    let number = |name: &str| env::var(name).ok()?.parse::<u32>().ok();
    let (Some(namespace), Some(holder)) = (number(NAMESPACE), number(HOLDER)) else {
        return;
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.contains("CapEff:\t000000c400081000"), "{status}");

    let id = NetnsId(namespace);
    let sources = Sources::new(HostRoot::new("/"), NamespaceScope::All, &Kernel::load()).unwrap();
    let discovery = sources.discover().unwrap();
    let mut reading = sources.read(&discovery);
    sources.describe(&discovery, &mut reading);

    let found = reading.namespaces.iter().find(|one| one.id == id).unwrap();
    assert!(found.cookie.is_some());
    assert!(found.counters.contains_key("Tcp.InCsumErrors"));
    assert!(found.protocol_handlers.is_some());
    assert_eq!(reading.links.missing(), None);
    let links = reading.links.value().unwrap();
    let p0 = links
        .iter()
        .find(|one| one.netns == id && one.name == "p0")
        .unwrap();
    assert!(p0.effective_flags.is_some());
    assert_eq!(p0.driver.as_deref(), Some("veth"));

    let (sockets, reader, _) = sources.packet_sockets(&discovery, None);
    assert_eq!(reader, PacketSocketReader::Iterator);
    assert_eq!(sockets.missing(), None);
    let socket = sockets
        .value()
        .unwrap()
        .iter()
        .find(|one| one.owner.pid == holder)
        .unwrap();
    let asks = |kind| socket.memberships.iter().any(|one| one.kind == kind);
    assert!(asks(MembershipKind::Promiscuous));

    assert!(!matches!(
        KernelLog::from_now().read(),
        Observed::Unavailable { .. }
    ));
    assert!(sources.tun_holders(&discovery, &[]).value().is_some());
    println!("everything was read");
}
