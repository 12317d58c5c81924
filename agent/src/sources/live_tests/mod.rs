//! The sources against the running kernel, in namespaces that the tests make and remove.
//!
//! The tests need root for that, as the agent does not. They are ignored by default.

mod capabilities;
mod churn;
mod inet_sockets;
mod links;
mod namespaces;
mod packet_sockets;

use std::{
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A named namespace with a process in it; both go with this.
struct TestNamespace {
    name: String,
    process: Child,
}

impl TestNamespace {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nde-{}-{number}", std::process::id());
        run("ip", &["netns", "add", &name]);
        let process = Command::new("ip")
            .args(["netns", "exec", &name, "sleep", "300"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let namespace = Self { name, process };
        wait_for(|| namespace.number() == namespace.number_of_process());
        namespace
    }

    /// Runs `ip` in it.
    fn ip(&self, arguments: &str) {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments.split(' '));
        run("ip", &all);
    }

    fn id(&self) -> netdiag_diagnosis::evidence::NetnsId {
        netdiag_diagnosis::evidence::NetnsId(self.number().unwrap() as u32)
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    fn number(&self) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;
        let path = format!("/run/netns/{}", self.name);
        Some(std::fs::metadata(path).ok()?.ino())
    }

    fn number_of_process(&self) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;
        let path = format!("/proc/{}/ns/net", self.process.id());
        Some(std::fs::metadata(path).ok()?.ino())
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

fn wait_for(condition: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < end, "the wait was too long");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
