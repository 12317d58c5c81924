//! Properties of a run that hold whatever happens: both `decide` functions are applied to their own output, over
//! generated fleets, clocks, refused writes, deletions, restarts, an API server that is away, and a controller that is
//! behind with what its watches bring.

mod cluster;
mod pass;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::conditions::{self, reasons};

use cluster::{Cluster, Counted};

/// Fleets that are tried.
const SEEDS: u64 = 200;
/// Enough for ten minutes without assignment, three attempts of a window, and the grace after a restart and an outage.
const LONGEST_RUN: i64 = 1300;

/// Xorshift: the same fleets on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, names: &'a BTreeSet<String>) -> Option<&'a String> {
        let size = u64::try_from(names.len()).ok().filter(|size| *size > 0)?;
        names.iter().nth(usize::try_from(self.below(size)).ok()?)
    }
}

#[test]
fn no_run_claims_more_than_is_known_and_every_run_ends() {
    let mut ends = BTreeMap::<String, u32>::new();
    let mut counted = Counted::default();
    for seed in 1..=SEEDS {
        let mut cluster = Cluster::new(seed);
        for _ in 0..cluster.random.below(60) {
            cluster.event();
            if cluster.random.one_in(2) {
                cluster.assign();
            }
            cluster.work(4);
            if cluster.random.one_in(2) {
                cluster.pass();
            }
        }
        cluster.diagnosis.spec.suspend = false;
        cluster.late = None;
        for _ in 0..LONGEST_RUN / 10 {
            cluster.assign();
            cluster.pass();
            cluster.work(2);
            cluster.time_passes(10);
        }
        let status = cluster.diagnosis.status.as_ref().expect("written");
        let complete = conditions::is_true(&status.conditions, conditions::COMPLETE);
        assert!(complete, "seed {seed} is not complete: {:?}", status.nodes);
        counted.add(cluster.counted);
        for condition in &status.conditions {
            *ends.entry(condition.reason.clone()).or_default() += 1;
        }
    }
    // The fleets are such that every end occurs, or the assertions above have seen nothing.
    for reason in [
        reasons::ALL_REPORTED,
        reasons::ALL_CHECKED,
        reasons::GRACE_PERIOD_OVER,
        reasons::NO_NODES_SELECTED,
        reasons::NODES_DELETED,
        reasons::NODES_NOT_ASSIGNED,
        reasons::NODES_UNCHECKED,
        reasons::CRITICAL,
        reasons::NO_LOSS,
        reasons::NO_PROVEN_LOSS,
        reasons::NOTHING_TO_ACT_ON,
    ] {
        assert!(
            ends.contains_key(reason),
            "{reason} never occurred: {ends:?}"
        );
    }
    let Counted {
        outages,
        late_passes,
        saved,
        blamed,
    } = counted;
    for times in [outages, late_passes, saved, blamed] {
        assert!(times > 5, "{counted:?}");
    }
}
