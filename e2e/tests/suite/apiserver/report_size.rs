//! A node's object stays small, as the API server counts it.

use netdiag_agent::report::{self, OBJECT_BYTES, Run};
use netdiag_crds::{
    NodeNetReportStatus,
    report::{AgentInfo, RunResult},
};
use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::PEER_MTU_SMALLER,
    evidence::NetnsId,
    finding::{Assessment, Culprit, Finding, Harm, Proof, Remedy, Subject, Text, Verdict},
    ledger::{Booking, LedgerEntry},
};
use serde_json::{Value, json};

use super::report_status::apply_status;
use crate::CONTROL_PLANE;

/// Faults on one node.
const FAULTS: usize = 200;

#[test]
#[ignore = "needs a control plane"]
fn two_hundred_faults_on_one_node_stay_under_16_kib_with_managed_fields() {
    two_hundred_faults("one-diagnosis", 1);
}

#[test]
#[ignore = "needs a control plane"]
fn so_they_do_when_eight_diagnoses_find_them_all() {
    two_hundred_faults("eight-diagnoses", 8);
}

fn two_hundred_faults(node: &str, diagnoses: usize) {
    let kubectl = CONTROL_PLANE.kubectl();
    let names: Vec<String> = (0..diagnoses)
        .map(|number| format!("nightly-{number}"))
        .collect();
    let object = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetReport",
        "metadata": { "name": node },
        "spec": { "assignments": names.iter().map(|name| assignment(name)).collect::<Vec<_>>() },
    });
    let manager = format!(
        "--field-manager={}",
        netdiag_crds::managers::CONTROLLER_REPORT
    );
    let arguments = ["apply", "--server-side", &manager, "-f", "-"];
    kubectl
        .run_with_input(&arguments, &object.to_string())
        .unwrap();
    let stored = kubectl.get(&["nnr", node]).unwrap();
    let rest = stored["metadata"].to_string().len() + stored["spec"].to_string().len();

    let status = fitted(&names, rest);
    apply_status(&kubectl, node, &serde_json::to_value(&status).unwrap()).unwrap();
    let stored = kubectl
        .get(&["nnr", node, "--show-managed-fields"])
        .unwrap();
    let size = stored.to_string().len();
    println!("{diagnoses} diagnoses with {FAULTS} faults each: {size} bytes");
    assert!(size < OBJECT_BYTES, "{size} bytes");
    assert!(size > OBJECT_BYTES / 2, "{size} bytes: room is left unused");

    for result in &status.results {
        let omitted = usize::try_from(result.omitted.unwrap().findings).unwrap();
        assert_eq!(result.findings.len() + omitted, FAULTS);
        let folded = result.findings.last().unwrap();
        assert_eq!(
            (folded.check.as_str(), folded.cause.as_str()),
            ("LinkMtu", "PeerMtuSmaller")
        );
        assert!(
            folded.summary.contains("alike, such as veth"),
            "{}",
            folded.summary
        );
        let increase: i64 = result.ledger.iter().map(|entry| entry.increase).sum();
        assert_eq!(increase, i64::try_from(5 * FAULTS).unwrap());
    }
}

fn assignment(name: &str) -> Value {
    json!({
        "name": name,
        "uid": "0f4c9a5e-6c1b-4d27-8a51-5f0f6a3b2c1d",
        "runGeneration": 1,
        "assignedTime": "2026-01-01T00:00:00Z",
        "interfaces": { "include": ["eth*", "bond?"] },
        "pods": true,
        "mode": "Once",
        "windowSeconds": 35,
    })
}

/// The status of an agent whose diagnoses all found the same.
fn fitted(names: &[String], rest: usize) -> NodeNetReportStatus {
    let found = Diagnosis {
        findings: (0..FAULTS).map(fault).collect(),
        ledger: (0..FAULTS).map(row).collect(),
        ..Diagnosis::default()
    };
    let window = EvidenceWindow {
        start_unix_ms: 1_772_420_650_400,
        duration_ms: 35_000,
        ..EvidenceWindow::default()
    };
    let result = |name: &String| -> RunResult {
        let run = Run {
            diagnosis: name,
            uid: Some("0f4c9a5e-6c1b-4d27-8a51-5f0f6a3b2c1d"),
            generation: 1,
            attempts: 1,
        };
        report::run_result(&found, &window, &run)
    };
    let mut status = NodeNetReportStatus {
        observed_generation: Some(1),
        agent: Some(AgentInfo {
            version: "0.1.0".to_owned(),
            kernel: "6.1.0-56-cloud-amd64".to_owned(),
            btf: true,
            host: None,
        }),
        results: names.iter().map(result).collect(),
        ..NodeNetReportStatus::default()
    };
    report::bound(&mut status);
    status.summary = Some(report::summary(&status));
    report::fit(&mut status, rest);
    status.summary = Some(report::summary(&status));
    status
}

fn fault(number: usize) -> Finding {
    let interface = format!("veth{number:08x}");
    let subject = Subject {
        interface: Some(interface.clone()),
        ..Subject::default()
    };
    let text = Text {
        headline: format!(
            "{interface} takes frames of 1500 bytes at most, its peer sends up to 9000"
        ),
        what: "The sender lets larger frames out than the receiver lets in. ".repeat(4),
        hurts: String::new(),
    };
    let mut finding = Finding::new(
        &PEER_MTU_SMALLER,
        Assessment::of(Harm::Outage).by(Culprit::Here),
        subject,
        text,
    );
    finding.evidence = (0..5)
        .map(|size| {
            Proof::new(
                format!("frames of {size} KiB lost"),
                1,
                "frames",
                "kfree_skb",
            )
        })
        .collect();
    finding.remedies = vec![Remedy::command(
        "Give both ends one MTU.",
        &["ip", "link", "set", &interface, "mtu", "9000"],
        &[&interface],
    )];
    finding.count = 5;
    finding
}

fn row(number: usize) -> LedgerEntry {
    LedgerEntry {
        interface: Some(format!("veth{number:08x}")),
        ifindex: u32::try_from(number).ok(),
        netns: NetnsId(4_026_531_840),
        place: None,
        counter: "rx_dropped",
        increase: 5,
        explained: vec![Booking {
            reason: "PKT_TOO_BIG".to_owned(),
            protocol: None,
            count: 5,
            verdict: Verdict::Harmful,
            finding: None,
        }],
        unexplained: 0,
        uncertainty: 0,
    }
}
