//! The diagnosis reconciler's pass over a generated cluster, and the properties of each status that it writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisStatus,
    conditions::{self, reasons},
    report::state,
};

use super::cluster::{Cluster, version};
use crate::{
    coverage::Coverage,
    diagnosis::{
        World,
        decide::{self, Action},
    },
    run::selection::Selected,
    stored_report,
};

impl Cluster {
    /// The diagnosis reconciler's pass, and all that must hold of what it writes.
    pub(super) fn pass(&mut self) {
        let known = self.known();
        let world = World::new(
            known.nodes.values().cloned(),
            known.reports.values().cloned(),
            HashMap::new(),
        );
        let moment = self.moment(&self.diagnosis);
        let plan = decide::decide(&self.diagnosis, &world, &moment);
        self.moments
            .unassigned(&self.diagnosis, &moment, plan.unassigned);
        self.counted.late_passes += u32::from(self.late.is_some());
        if !self.are_as_seen(plan.blamed) {
            self.counted.saved += 1;
            return;
        }
        let status = match plan.action {
            Action::Nothing => return,
            Action::Delete => panic!("nobody asked for it"),
            Action::WriteStatus(status) | Action::WriteNumbers(status) => *status,
        };
        if status.start_time.is_some() && self.first.is_none() {
            let known = self.known().nodes.clone();
            let names = selection(&self.diagnosis, &known);
            let gone = |name: &&String| !self.there.nodes.contains_key(*name);
            self.deleted = names.iter().filter(gone).cloned().collect();
            self.first = Some(names);
        }
        self.check(&status);
        self.check_words(&status);
        self.diagnosis.status = Some(status);
        let again = decide::decide(&self.diagnosis, &world, &moment);
        assert_eq!(again.action, Action::Nothing, "it does not stand still");
    }

    /// The reconciler's look at the reports of nodes that it is about to blame.
    fn are_as_seen(&mut self, blamed: Vec<(String, Option<String>)>) -> bool {
        let mut all = true;
        for (node, seen) in self.moments.not_looked_at(&self.diagnosis, blamed) {
            let is_as_seen = version(self.there.reports.get(&node)) == seen;
            if is_as_seen {
                self.counted.blamed += 1;
                self.moments.looked_at(&self.diagnosis, node, seen);
            }
            all &= is_as_seen;
        }
        all
    }

    fn check(&self, status: &NodeNetDiagnosisStatus) {
        let Some(first) = &self.first else { return };
        let counts = status.nodes.clone().expect("always there");
        let lasting = first.difference(&self.deleted);
        let size = |count: usize| i32::try_from(count).expect("small");
        assert!(
            counts.selected >= size(lasting.clone().count()),
            "{counts:?}"
        );
        assert!(counts.selected <= size(first.len()), "{counts:?}");

        let is_complete = conditions::is_true(&status.conditions, conditions::COMPLETE);
        let was_complete =
            self.diagnosis.status.as_ref().is_some_and(|before| {
                conditions::is_true(&before.conditions, conditions::COMPLETE)
            });
        assert!(is_complete || !was_complete, "what was complete is so");
        let settled = counts.reported + counts.unreachable + counts.refused + counts.not_assigned;
        if is_complete {
            assert_eq!(
                settled, counts.selected,
                "somebody is waited for: {counts:?}"
            );
        }
        let reason = |type_, reason| conditions::has_reason(&status.conditions, type_, reason);
        if reason(conditions::COMPLETE, reasons::NO_NODES_SELECTED) {
            assert!(first.is_empty());
        }
        let run = self.run();
        let reports = &self.known().reports;
        let result = |name: &String| stored_report::result(reports.get(name)?, &run);
        if reason(conditions::DEGRADED, reasons::ALL_CHECKED) {
            for name in lasting {
                let state = result(name).map(|result| result.state.as_str());
                assert_eq!(state, Some(state::FINISHED), "{name} was not checked");
            }
        }
        self.check_blame(counts.unreachable);
        if !was_complete {
            let unassigned = self.diagnosis.status.is_none();
            assert!(
                !unassigned || counts.not_assigned == 0,
                "it was never tried"
            );
        }
    }

    /// Only nodes that were late are blamed, and none for the time in which it could not be seen.
    fn check_blame(&self, unreachable: i32) {
        let late = i32::try_from(self.overdue.len()).expect("small");
        assert!(
            unreachable <= late,
            "{unreachable} blamed, and {late} were late"
        );
        let before = self.diagnosis.status.as_ref();
        let before = before.and_then(|status| status.nodes.as_ref());
        let before = before.map_or(0, |counts| counts.unreachable);
        assert!(
            self.seconds >= self.calm_until || unreachable <= before,
            "{unreachable} blamed at {} s, before anybody could write",
            self.seconds
        );
    }
}

fn selection(diagnosis: &NodeNetDiagnosis, nodes: &BTreeMap<String, Node>) -> BTreeSet<String> {
    let coverage = Coverage::default();
    let selected = Selected::of(&diagnosis.spec.nodes, &coverage);
    let chosen = nodes.values().filter(|node| selected.contains(node, None));
    chosen.map(ResourceExt::name_any).collect()
}
