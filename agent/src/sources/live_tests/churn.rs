//! Namespaces that come and go while they are read.

use std::{
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::TestNamespace;
use crate::{
    probes::Kernel,
    sources::{HostRoot, NamespaceScope, Sources, reading},
};

/// The tests of this file take numbers from each other.
static ALONE: Mutex<()> = Mutex::new(());

fn sources() -> Sources {
    Sources::new(HostRoot::new("/"), NamespaceScope::All, &Kernel::load()).unwrap()
}

#[test]
#[ignore = "needs root and namespaces"]
fn namespaces_that_vanish_while_they_are_read_do_no_harm() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let stays = TestNamespace::new();
    stays.ip("link add p0 type veth peer name p1");
    let sources = sources();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // With a process in it, a named one, and links between the two.
                let (one, other) = (TestNamespace::new(), TestNamespace::new());
                one.ip(&format!(
                    "link add x type veth peer name y netns {}",
                    other.name
                ));
            }
        });
        for _ in 0..20 {
            let before = {
                let discovery = sources.discover().unwrap();
                let mut reading = sources.read(&discovery);
                sources.describe(&discovery, &mut reading);
                sources.packet_sockets(&discovery, None);
                reading
            };
            let after = sources.read(&sources.discover().unwrap());
            let merged = reading::merge(before, Vec::new(), after);
            let (namespaces, links) = (merged.namespaces, merged.links);
            let staying = namespaces.iter().find(|one| one.id == stays.id()).unwrap();
            assert!(staying.increase("Udp.InDatagrams").is_some());
            let p0 = links.value().unwrap().iter();
            let mut p0 = p0.filter(|one| one.netns == stays.id() && one.name == "p0");
            assert!(p0.next().unwrap().stats_before.is_some());
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// A namespace with one datagram to a closed port behind it.
fn used_namespace() -> TestNamespace {
    let namespace = TestNamespace::new();
    namespace.ip("link set lo up");
    let sent = Command::new("ip")
        .args(["netns", "exec", &namespace.name])
        .args(["bash", "-c", "echo x >/dev/udp/127.0.0.1/9"])
        .status()
        .unwrap();
    assert!(sent.success());
    namespace
}

#[test]
#[ignore = "needs root, namespaces and BPF"]
fn a_namespace_that_got_the_number_of_another_counts_from_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sources = sources();
    // A number is free again when the kernel has cleaned up behind its namespace, and other tests may snatch it.
    for _ in 0..20 {
        let first = used_namespace();
        let number = first.id();
        let before = sources.read(&sources.discover().unwrap());
        drop(first);
        thread::sleep(Duration::from_millis(300));
        let second = used_namespace();
        if second.id() != number {
            continue;
        }
        let after = sources.read(&sources.discover().unwrap());
        let merged = reading::merge(before, Vec::new(), after);
        let (namespaces, links) = (merged.namespaces, merged.links);
        let namespace = namespaces.iter().find(|one| one.id == number).unwrap();
        assert_eq!(namespace.increase("Udp.NoPorts"), Some(1));
        let mut lo = links
            .value()
            .unwrap()
            .iter()
            .filter(|one| one.netns == number);
        assert_eq!(lo.next().unwrap().stats_before, None);
        return;
    }
    println!("skipped: the kernel reused no number while other tests made namespaces");
}
