//! The kernel's own counts while the agent watched, against the agent's.
//!
//! The agent's window begins and ends at moments of its own. So the kernel is read four times: around the window, and
//! within it around the fault. What the agent says must lie between the inner and the outer difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use anyhow::Result;
use netdiag_e2e::lab::{DropCounter, DropSite, DropTrigger, Node};
use serde_json::Value;

use crate::outcome::{Outcome, booked, is_known, rows};

/// Share of a counter's increase that must be booked: 49 of 50.
const REMAINDER: u64 = 50;

/// The answer whether a scenario's ledger may leave something over.
#[derive(Clone, Copy)]
pub enum Leftover {
    /// Each counter that rose is booked to 98 % at least.
    None,
    /// Not so, and why.
    Because(&'static str),
}

/// One reading of the kernel.
pub struct Reading {
    drops: BTreeMap<DropSite, u64>,
    counters: BTreeMap<DropCounter, u64>,
}

/// The four readings.
pub struct Readings {
    pub before: Reading,
    pub begun: Reading,
    pub ended: Reading,
    pub after: Reading,
}

/// The limits between which a number must lie.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    at_least: u64,
    at_most: u64,
}

impl Reading {
    pub fn take(trigger: &DropTrigger) -> Result<Self> {
        Ok(Self {
            drops: trigger.counts()?,
            counters: DropCounter::read_all(),
        })
    }
}

impl Readings {
    /// Asserts that the agent has counted each drop that the kernel has, by reason, function and protocol where this
    /// kernel can tell them, and none beside.
    #[track_caller]
    pub fn assert_counts(&self, trigger: &DropTrigger, evidence: &Value) {
        let mut counted: BTreeMap<DropSite, u64> = BTreeMap::new();
        let keys = evidence["drops"]["value"]["counts"].as_array();
        for key in keys.unwrap_or_else(|| panic!("no drops in {:#}", evidence["drops"])) {
            let text = |field: &str| match trigger.has_sites() {
                true => key[field].as_str().unwrap_or_default().to_owned(),
                false => String::new(),
            };
            let site = DropSite {
                reason: text("reason"),
                location: text("location"),
                protocol: u16::try_from(key["ethertype"].as_u64().unwrap()).unwrap(),
            };
            *counted.entry(site).or_default() += key["count"].as_u64().unwrap();
        }
        assert_eq!(evidence["lost"]["counts"], 0, "the probe's map was full");
        let bounds = self.bounds(|reading| &reading.drops);
        let sites: BTreeSet<_> = bounds.keys().chain(counted.keys()).collect();
        let mut wrong = Vec::new();
        let (mut least, mut agent, mut most) = (0, 0, 0);
        for site in sites {
            let count = counted.get(site).copied().unwrap_or(0);
            let bounds = bounds.get(site).copied().unwrap_or(Bounds {
                at_least: 0,
                at_most: 0,
            });
            (least, agent, most) = (
                least + bounds.at_least,
                agent + count,
                most + bounds.at_most,
            );
            if !bounds.contain(count) {
                wrong.push(format!("{count} for {site:?}, the kernel {bounds:?}"));
            }
        }
        println!("COUNTED agent={agent} kernel={least}..{most}");
        assert!(wrong.is_empty(), "the agent counted {wrong:#?}");
    }

    /// Asserts that the ledger has each counter that rose, by as much as it rose, and has booked it.
    #[track_caller]
    pub fn assert_ledger(&self, node: &Node, outcome: &Outcome, leftover: Leftover) {
        let namespaces = outcome.evidence["namespaces"]
            .as_array()
            .into_iter()
            .flatten();
        let seen: BTreeSet<_> = namespaces.filter_map(|one| one["id"].as_u64()).collect();
        let own = node.namespace().inode().unwrap();
        assert!(seen.contains(&own), "the agent has not seen the node");
        let mut wrong = Vec::new();
        for (counter, bounds) in self.bounds(|reading| &reading.counters) {
            let name = format!("{} {}", counter.device, counter.counter);
            let name = name.trim_start();
            // A host beyond a wire has a namespace of its own, which is none of the node's.
            if !seen.contains(&counter.inode) {
                continue;
            }
            let Some(entry) = entry(node, outcome, &counter) else {
                if bounds.at_least > 0 {
                    wrong.push(format!(
                        "{name} of {} is missing, the kernel {bounds:?}",
                        counter.namespace
                    ));
                }
                continue;
            };
            let increase = entry["increase"].as_u64().unwrap();
            if !bounds.contain(increase) {
                wrong.push(format!(
                    "{name} +{increase}, the kernel {bounds:?}: {entry:#}"
                ));
            }
            let known: u64 = rows(entry)
                .iter()
                .filter(|row| is_known(row))
                .map(booked)
                .sum();
            let remainder = increase - known;
            match leftover {
                Leftover::None => {
                    println!("LEDGER {remainder}/{increase} {name}");
                    if remainder * REMAINDER > increase {
                        wrong.push(format!(
                            "{remainder} of {increase} are left over: {entry:#}"
                        ));
                    }
                }
                Leftover::Because(why) => {
                    println!("REMAINDER {remainder}/{increase} {name}: {why}");
                }
            }
        }
        assert!(wrong.is_empty(), "the ledger is wrong: {wrong:#?}");
    }

    /// The increase of each counter of the node from before the window until after it, and of each other counter that
    /// rose at all: `node bond0 rx_dropped`, `server Tcp.InCsumErrors`.
    pub fn increases(&self, node: &Node) -> BTreeMap<String, u64> {
        let mut increases = BTreeMap::new();
        for (counter, bounds) in self.bounds(|reading| &reading.counters) {
            let is_node = counter.namespace == node.namespace().name();
            if !is_node && bounds.at_most == 0 {
                continue;
            }
            let place = match is_node {
                true => "node",
                false => label(&counter.namespace),
            };
            let words = [place, &counter.device, counter.counter];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            *increases.entry(words.join(" ")).or_default() += bounds.at_most;
        }
        increases
    }

    fn bounds<K: Ord + Clone + Debug>(
        &self,
        values: fn(&Reading) -> &BTreeMap<K, u64>,
    ) -> BTreeMap<K, Bounds> {
        // What was not there counts from 0: devices and namespaces come while an agent watches.
        let at = |reading: &Reading, key: &K| values(reading).get(key).copied().unwrap_or(0);
        let rose =
            |from: &Reading, to: &Reading, key: &K| at(to, key).saturating_sub(at(from, key));
        let bounds_of = |key: &K| Bounds {
            at_least: rose(&self.begun, &self.ended, key),
            at_most: rose(&self.before, &self.after, key),
        };
        let keys = values(&self.after).keys();
        keys.map(|key| (key.clone(), bounds_of(key))).collect()
    }
}

impl Bounds {
    fn contain(self, value: u64) -> bool {
        (self.at_least..=self.at_most).contains(&value)
    }
}

/// The ledger's entry of this counter. A namespace is told by its pod, or by its name where it is none.
fn entry<'a>(node: &Node, outcome: &'a Outcome, counter: &DropCounter) -> Option<&'a Value> {
    let namespace = counter.namespace.as_str();
    let find = |netns: &str| outcome.ledger(netns, &counter.device, counter.counter);
    if namespace == node.namespace().name() {
        return find("");
    }
    // A pod's label is its name.
    find(&format!("shop/{}", label(namespace))).or_else(|| find(namespace))
}

/// LABEL of a namespace called netdiag-PID-NUMBER-LABEL.
fn label(namespace: &str) -> &str {
    namespace.splitn(4, '-').nth(3).unwrap_or(namespace)
}
