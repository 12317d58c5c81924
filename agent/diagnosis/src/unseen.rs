//! Findings about drops of which too few packets were seen.
//!
//! The probe samples the first packets of each drop key. Where it could not, detectors judge by what the site of the
//! drop proves; here each finding says so.

use std::collections::HashMap;

use crate::{
    Window,
    finding::{Confidence, FindingId, Outcome},
};

/// Lets each finding say how many of its drops were not looked at, and makes its cause no more than likely.
pub(crate) fn tell(window: &Window<'_>, outcome: &mut Outcome) {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let mut unseen: HashMap<&FindingId, (u64, usize)> = HashMap::new();
    for claim in outcome.claims.iter() {
        if let Some(key) = counts.get(claim.drop)
            && let Some(finding) = &claim.finding
            && window.lacks_samples(claim.drop)
        {
            let (drops, samples) = unseen.entry(finding).or_default();
            *drops = drops.saturating_add(key.count);
            *samples += window.samples_of(claim.drop).count();
        }
    }
    for finding in &mut outcome.findings {
        let Some((drops, samples)) = unseen.get(&finding.id) else {
            continue;
        };
        finding.confidence = finding.confidence.min(Confidence::Likely);
        let seen = match samples {
            0 => "no packet".to_owned(),
            1 => "only 1 packet".to_owned(),
            many => format!("only {many} packets"),
        };
        let text = format!(
            "{seen} of {drops} dropped {} could be looked at, so the severity is that of the worst that they may have been",
            if *drops == 1 { "one" } else { "ones" }
        );
        finding.details.push(("Not seen", text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        causes::CORRUPTION,
        evidence::PacketSample,
        finding::{Assessment, Finding, Subject},
        testing::{NODE, drops_of, ipv4_drops, text, window},
    };

    #[test]
    fn a_finding_says_that_no_packet_was_seen_and_is_less_sure() {
        let mut evidence = window(
            Vec::new(),
            vec![ipv4_drops(NODE, 2, "TCP_CSUM", "tcp_v4_rcv", 9)],
        );
        let told = |evidence: &crate::evidence::EvidenceWindow| {
            let assessment = Assessment::loss(9, None);
            let mut finding = Finding::new(&CORRUPTION, assessment, Subject::default(), text());
            finding.confidence = Confidence::Certain;
            let mut outcome = Outcome::of_loss(finding, &[0]);
            tell(&Window::of(evidence), &mut outcome);
            let finding = outcome.findings.remove(0);
            (finding.confidence, finding.details)
        };
        drops_of(&mut evidence).samples.clear();
        let (confidence, details) = told(&evidence);
        assert_eq!(confidence, Confidence::Likely);
        assert!(details[0].1.starts_with("no packet of 9 "), "{details:?}");
        drops_of(&mut evidence).samples = vec![PacketSample::default(); 4];
        assert_eq!(told(&evidence), (Confidence::Certain, Vec::new()));
    }
}
