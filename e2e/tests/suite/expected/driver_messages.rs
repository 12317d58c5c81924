//! What drivers print about checksums that they cannot finish.

use netdiag_e2e::scenarios::driver_messages::COMPLAINTS;
use serde_json::Value;

use crate::outcome::Outcome;

/// Each complaint is a finding with driver, protocol and number of lines. Its NIC is none of this node's, so it is
/// possible and no more; and nothing else is taken for one.
#[track_caller]
pub fn driver_complaints(times: u64, outcome: &Outcome) {
    for (line, protocol) in COMPLAINTS {
        let driver = line.split(' ').next().unwrap();
        let of_driver = |finding: &&Value| {
            let summary = finding["summary"].as_str().unwrap_or_default();
            finding["cause"] == "UnsupportedProtocol"
                && finding["subject"]["interface"].is_null()
                && summary.starts_with(&format!("driver {driver} "))
                && finding["subject"]["protocol"] == protocol
        };
        let found: Vec<_> = outcome.all().iter().filter(of_driver).collect();
        let [finding] = found[..] else {
            panic!("{} findings for {line}: {:#}", found.len(), outcome.result)
        };
        assert_eq!(finding["severity"], "Warning");
        assert_eq!(finding["confidence"], "Possible");
        assert_eq!(finding["count"], times, "{finding:#}");
        let device = line.rsplit_once(": partial").unwrap().0;
        assert!(finding.to_string().contains(device), "{finding:#}");
    }
    let of_check = |finding: &&Value| finding["check"] == "DriverChecksum";
    let without_nic = |finding: &&Value| finding["subject"]["interface"].is_null();
    let count = outcome
        .all()
        .iter()
        .filter(of_check)
        .filter(without_nic)
        .count();
    assert_eq!(count, COMPLAINTS.len(), "{:#}", outcome.result);
}

/// Nothing was taken for a driver's complaint, though the log was read.
#[track_caller]
pub fn no_driver_complaint(outcome: &Outcome) {
    let of_check = |entry: &&Value| entry["check"] == "DriverChecksum";
    assert_eq!(outcome.all().iter().find(of_check), None);
    let unchecked = outcome.result["unchecked"].as_array();
    let unchecked = unchecked.into_iter().flatten().find(of_check);
    assert_eq!(unchecked, None);
}
