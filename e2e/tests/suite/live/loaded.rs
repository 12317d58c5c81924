//! A node with much on it: each count is exact or its loss is told, and a fault is found.

use std::fs;
use std::thread;
use std::time::Duration;

use netdiag_e2e::lab::{KernelLog, Node};
use netdiag_e2e::scenarios::{Crowd, FloodOfKeys, Flooded};

use crate::outcome::{Outcome, booked, rows};

/// The variable that asks for another number of namespaces.
const NAMESPACES: &str = "NETDIAG_LOADED_NAMESPACES";
/// Network namespaces, each with a process and a link. The agent looks at 1,024.
const USUAL_NAMESPACES: usize = 60;
/// One of so many comes and goes.
const STAYING: usize = 5;
/// Windows at the same time.
const WINDOWS: usize = 3;
/// Frames of one kind in each of two floods, as fast as they can be sent.
const LOUD: u64 = 50_000;
/// Lines of the kernel's log in the window: more than the agent keeps.
const LINES: usize = 1_500;

/// The memory and time that an agent took.
#[derive(Default)]
struct Cost {
    /// The most that was resident, KiB.
    peak_kib: u64,
    /// Time of processors, hundredths of a second.
    ticks: u64,
}

#[test]
#[ignore = "needs root and eBPF"]
fn each_count_is_exact_or_its_loss_told() {
    let asked = std::env::var(NAMESPACES).ok();
    let namespaces = asked.map_or(USUAL_NAMESPACES, |number| number.parse().unwrap());
    let node = Node::new("loaded").unwrap();
    let flood = FloodOfKeys::new(&node, LOUD).unwrap();
    let log = KernelLog::new(node.host()).unwrap();
    let places = namespaces / STAYING;
    let _crowd = Crowd::new(&node, namespaces - places, places).unwrap();

    let watches = (0..WINDOWS).map(|_| node.watch_log(&log, 1).unwrap());
    let watches: Vec<_> = watches.collect();
    for number in 0..LINES {
        log.print(0, 6, &format!("line {number} of a full log"))
            .unwrap();
    }
    let made = flood.attack().unwrap();
    assert_eq!(made.refused, (50, 50), "{made:?}");
    assert!(made.dropped >= made.sent, "{made:?}");
    for watch in watches {
        let cost = cost_of(watch.agent());
        let outcome = Outcome::of_watched(&watch.report().unwrap()).unwrap();
        let seen = outcome.evidence["namespaces"].as_array().unwrap().len();
        assert!(seen >= namespaces - places, "{seen} namespaces were seen");
        assert_true_of_the_flood(&outcome, &made);
        let finding = outcome.finding_in("jumbo", "LinkMtu", "PeerMtuSmaller", "eth0");
        assert_eq!(finding["count"], 50, "{finding:#}");
        assert_eq!(finding["severity"], "Critical", "{finding:#}");
        let unchecked = outcome.result["unchecked"].to_string();
        let is_told = unchecked.contains("lines of the kernel's log beyond the limit of 1000");
        assert!(is_told, "{:#}", outcome.result["unchecked"]);
        let Cost { peak_kib, ticks } = cost.join().unwrap();
        println!(
            "{namespaces} namespaces ({seen} seen), {WINDOWS} windows, {made:?}: at most {peak_kib} KiB, {} s of a processor",
            ticks as f64 / 100.0
        );
    }
}

/// Holds the ledger of the flooded device against the kernel's counter.
#[track_caller]
fn assert_true_of_the_flood(outcome: &Outcome, made: &Flooded) {
    outcome.assert_balanced();
    let entry = outcome.ledger("", "veth-noisy", "rx_dropped");
    let entry = entry.unwrap_or_else(|| panic!("{:#}", outcome.result["ledger"]));
    let increase = entry["increase"].as_u64().unwrap();
    assert!(increase >= made.dropped, "{made:?} {entry:#}");
    let counted: u64 = rows(entry).iter().map(booked).sum();
    let lost = outcome.result["lost"]["mapEntries"].as_u64().unwrap_or(0);
    assert!(counted + lost >= increase, "{lost} lost, {entry:#}");
}

/// Follows an agent to its end.
fn cost_of(pid: u32) -> thread::JoinHandle<Cost> {
    thread::spawn(move || {
        let mut cost = Cost::default();
        while let Some(now) = Cost::of(pid) {
            cost = now;
            thread::sleep(Duration::from_millis(50));
        }
        cost
    })
}

impl Cost {
    /// The cost so far; `None` when the process has ended.
    fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut times = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut next = || times.next()?.parse::<u64>().ok();
        Some(Self {
            peak_kib: peak.trim().trim_end_matches(" kB").parse().ok()?,
            ticks: next()? + next()?,
        })
    }
}
