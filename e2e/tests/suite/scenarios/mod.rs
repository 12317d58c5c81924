//! Every scenario once: the fault or its healthy look-alike, and what a person must read of it on any kernel.
//!
//! Two harnesses play them: `live` on the running kernel through a control plane, `kernels` in guests without a
//! cluster. [`registry`] lists the scenarios, and each module holds the plays and the expectations of its group.

mod agent;
mod bonds;
mod bridges;
mod checksums;
mod control_frames;
mod driver_messages;
mod drops;
mod faults;
mod filters;
mod fragments;
mod look_alikes;
mod neighbours;
mod nics;
mod path_mtu;
mod promiscuity;
mod queues;
mod registry;
mod routes;
mod segment_routing;
mod sockets;
mod stacked;
mod stage;
mod tap;
mod tracking;
mod twins;

use std::env;
use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::outcome::{Outcome, claims_loss};

pub use agent::{Agent, Outlived};
pub use registry::ALL;
pub(crate) use registry::for_each_scenario;
pub use stage::Harness;

/// A fault or a healthy look-alike, with what is expected of a diagnosis.
pub struct Scenario {
    /// Module and name: `tap::macvtap_queue_overflow`.
    pub name: &'static str,
    /// The folder of the check that its recordings belong to.
    pub check: &'static str,
    /// It is a healthy look-alike, so that there is no fault to find.
    pub twin: bool,
    /// The needs that not every kernel and machine meets.
    pub needs: &'static [Need],
    /// Sets it up, makes its traffic while a diagnosis runs, and asserts what the diagnosis says.
    pub play: fn(&Harness) -> Result<()>,
}

/// The need of a scenario beyond namespaces, bridges, veths, macvlans and TAP devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The virtual NICs of a guest on one segment.
    Segment,
    /// A setting that the whole machine shares.
    Setting,
    /// A module of the kernel.
    Module(&'static str),
    /// An agent that takes its orders from a cluster.
    Cluster,
    /// A kernel of this version or a later one.
    Kernel(u32, u32),
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> &'static Self {
        let mut all = ALL.iter();
        let found = all.find(|scenario| scenario.name == name);
        found.unwrap_or_else(|| panic!("{name} is not in the registry"))
    }

    /// The first need that this machine does not meet. A guest of `cargo xtask test-vm` meets each but that of a later
    /// kernel.
    pub fn unmet(&self) -> Option<Need> {
        let is_guest = env::var_os("NETDIAG_GUEST").is_some();
        let is_met = |need: &Need| match need {
            Need::Segment | Need::Setting => is_guest,
            Need::Module(name) => is_guest || has_module(name),
            Need::Cluster => true,
            Need::Kernel(major, minor) => kernel_is_since(*major, *minor),
        };
        self.needs.iter().copied().find(|need| !is_met(need))
    }
}

fn has_module(name: &str) -> bool {
    let dry = ["--dry-run", "--quiet", name];
    let status = Command::new("modprobe").args(dry).status();
    status.is_ok_and(|status| status.success())
}

/// The running kernel has this version or a later one.
fn kernel_is_since(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>());
    let mut next = || numbers.next().unwrap().unwrap();
    (next(), next()) >= (major, minor)
}

/// Asserts that nothing is of Warning or worse, and that the ledger balances.
#[track_caller]
fn assert_harmless(outcome: &Outcome) {
    let alarming = outcome.alarming();
    // For the score of a run in guests.
    println!("HARMLESS {}", alarming.len());
    assert!(alarming.is_empty(), "{alarming:#?}");
    outcome.assert_balanced();
}

/// Asserts that nobody who reads the diagnosis is alarmed: neither by a finding nor by the first sentence.
#[track_caller]
fn assert_quiet(outcome: &Outcome) {
    let sentence = outcome.first_sentence().unwrap();
    println!("FIRST {sentence}");
    // A run that could not look alarms nobody either, and proves nothing.
    assert!(!sentence.contains("no verdict"), "{sentence}");
    assert_harmless(outcome);
    // The first sentence is about all that the agent sees on a machine, other tests included.
    assert!(
        outcome.is_disturbed() || !claims_loss(&sentence),
        "{sentence}"
    );
}
