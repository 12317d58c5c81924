//! The same of pseudo-random diagnoses.

use netdiag_diagnosis::{
    Diagnosis,
    causes::{
        BRIDGE_PORT, CORRUPTION, Mechanism, NO_RECEIVER, OTHER_DROP, PARTIAL_CHECKSUM_LOST,
        PEER_MTU_SMALLER, UNEXPLAINED,
    },
    finding::{self, Severity, Unchecked, Unmade, Verdict},
    ledger,
};

use super::*;

/// Numbers that look random and are the same in every run (the generator of POSIX' drand48).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & 0xFFFF_FFFF_FFFF;
        (self.0 >> 17) % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(u64::try_from(end).unwrap())).unwrap()
    }

    fn text(&mut self, longest: usize) -> String {
        const PIECES: [&str; 6] = ["a", "loss ", "\"", "\u{1b}[2J", "ß", "網"];
        (0..self.index(longest))
            .map(|_| PIECES[self.index(PIECES.len())])
            .collect()
    }

    fn finding(&mut self, number: usize) -> finding::Finding {
        let causes: [Mechanism; 7] = [
            (&BRIDGE_PORT).into(),
            (&UNEXPLAINED).into(),
            (&NO_RECEIVER).into(),
            (&PARTIAL_CHECKSUM_LOST).into(),
            (&CORRUPTION).into(),
            (&PEER_MTU_SMALLER).into(),
            Mechanism::Kernel("NETFILTER_DROP".to_owned()),
        ];
        const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];
        let cause = causes[self.index(causes.len())].clone();
        let mut subject = veth(number);
        if self.below(4) == 0 {
            subject.process = Some(self.text(40));
        }
        let mut finding = fault(cause, SEVERITIES[self.index(3)], subject);
        finding.text.headline = self.text(400);
        finding.text.what = self.text(300);
        finding.evidence.truncate(self.index(7));
        finding.details = vec![("Sender", self.text(100))];
        finding
    }

    fn row(&mut self, number: usize) -> ledger::LedgerEntry {
        const COUNTERS: [&str; 3] = ["rx_dropped", "tx_dropped", "rx_nohandler"];
        const VERDICTS: [Verdict; 3] = [Verdict::Benign, Verdict::Harmful, Verdict::Unknown];
        const REASONS: [&str; 3] = ["UNHANDLED_PROTO", "OTHERHOST", "NOT_SPECIFIED"];
        let explained: Vec<_> = (0..self.index(4))
            .map(|_| {
                (
                    REASONS[self.index(3)],
                    VERDICTS[self.index(3)],
                    self.below(1000),
                )
            })
            .collect();
        row(
            &format!("eth{number}"),
            COUNTERS[self.index(3)],
            &explained,
            self.below(9),
        )
    }

    fn diagnosis(&mut self) -> Diagnosis {
        let findings = self.index(200);
        let rows = self.index(200);
        let mut diagnosis = diagnosis(
            (0..findings).map(|number| self.finding(number)).collect(),
            (0..rows).map(|number| self.row(number)).collect(),
        );
        diagnosis
            .findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
        diagnosis.unchecked = (0..self.index(6))
            .map(|_| Unchecked {
                check: &OTHER_DROP,
                unmade: Unmade::Part,
                reason: self.text(900),
            })
            .collect();
        diagnosis
    }
}

#[test]
fn whatever_is_found_the_object_is_small_and_complete() {
    for seed in 0..12 {
        let mut numbers = Numbers(seed);
        let results = (0..=numbers.index(4))
            .map(|number| result_of(&format!("diagnosis-{number}"), &numbers.diagnosis()))
            .collect();
        let whole = status_of(results);
        let status = fitted(&whole);
        assert!(
            REST + bytes(&status) < OBJECT_BYTES,
            "seed {seed}: {}",
            bytes(&status)
        );
        for (small, large) in status.results.iter().zip(&whole.results) {
            let counted: i64 = faults(&small.findings).values().sum();
            assert_eq!(
                counted,
                faults(&large.findings).values().sum::<i64>(),
                "seed {seed}"
            );
            small.ledger.iter().for_each(assert_balanced);
            assert_eq!(totals(&small.ledger), totals(&large.ledger), "seed {seed}");
            let omitted = small.omitted.unwrap_or_default();
            let shown = small.findings.len() + usize::try_from(omitted.findings).unwrap();
            assert_eq!(shown, large.findings.len(), "seed {seed}");
        }
    }
}
