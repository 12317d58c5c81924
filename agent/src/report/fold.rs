//! Findings made smaller: in short, without their facts, or many alike as one.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use netdiag_crds::{
    harm::{Culprit, Harm},
    limits,
    report::{Finding, Remedy, Subject},
    severity::Severity,
};

use super::text::cut;

/// The check or cause of a finding that stands for several.
const SEVERAL: &str = "Several";
/// Examples that a folded finding names.
const EXAMPLES: usize = 5;
/// Length of each; long enough for an interface, and for most pods.
const EXAMPLE_LENGTH: usize = 48;
/// Length of a remedy's text in short: its command says the rest.
const REMEDY_LENGTH: usize = 160;

/// The fields that findings share which are folded into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindingLikeness {
    /// Check, cause and severity.
    Cause,
    /// Check and severity: for a node with very many kinds of faults.
    Check,
    /// Only the severity: for an object that is shared by many results.
    Severity,
}

impl FindingLikeness {
    /// From the finest to the coarsest.
    pub(super) const ALL: [Self; 3] = [Self::Cause, Self::Check, Self::Severity];

    fn key(self, finding: &Finding) -> (&str, &str, &str) {
        let Finding {
            check,
            cause,
            severity,
            ..
        } = finding;
        match self {
            Self::Cause => (severity, check, cause),
            Self::Check => (severity, check, SEVERAL),
            Self::Severity => (severity, SEVERAL, SEVERAL),
        }
    }
}

/// A finding in short: what, where, how bad and the first command.
pub(super) fn shortened(finding: &Finding) -> Finding {
    let mut short = without_evidence(finding);
    short.explanation = None;
    short.impact = None;
    short.consequence = None;
    short.carried = None;
    short.last_seen = None;
    short.docs = None;
    short.flows.clear();
    short.remedies.truncate(1);
    for remedy in &mut short.remedies {
        cut(&mut remedy.text, REMEDY_LENGTH);
        remedy.effect = None;
        remedy.lasting = None;
    }
    short
}

/// A finding without its facts.
pub(super) fn without_evidence(finding: &Finding) -> Finding {
    let mut small = finding.clone();
    small.evidence.clear();
    small.neighbours.clear();
    small
}

/// Folds alike findings into one each; one that is like no other stays. Says into which each was folded, by id.
pub(super) fn fold(
    findings: &[Finding],
    alike: FindingLikeness,
) -> (Vec<Finding>, HashMap<String, String>) {
    let mut groups: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        groups.entry(alike.key(finding)).or_default().push(finding);
    }
    let mut renamed = HashMap::new();
    let mut folded: Vec<Finding> = groups
        .into_iter()
        .map(|((severity, ..), group)| match group.as_slice() {
            [only] => (*only).clone(),
            several => {
                let one = fold_group(severity, alike, several);
                renamed.extend(several.iter().map(|old| (old.id.clone(), one.id.clone())));
                one
            }
        })
        .collect();
    folded.sort_by_key(|finding| std::cmp::Reverse(Severity::from_status(&finding.severity)));
    (folded, renamed)
}

fn fold_group(severity: &str, alike: FindingLikeness, group: &[&Finding]) -> Finding {
    let check = common(group, |finding| &finding.check);
    let cause = common(group, |finding| &finding.cause);
    let counts = group.iter().map(|finding| stands_for(finding));
    let total = counts.fold(0, i64::saturating_add);
    let mut finding = Finding {
        id: format!("{check}/{cause}/{severity} (folded)"),
        check: check.to_owned(),
        cause: cause.to_owned(),
        harm: worst_harm(group).map(|harm| harm.as_str().to_owned()),
        decision: group.iter().all(|finding| finding.decision),
        towards_nobody: group.iter().all(|finding| finding.towards_nobody),
        culprit: common_culprit(group).map(|culprit| culprit.as_str().to_owned()),
        packets: group
            .iter()
            .map(|finding| finding.packets)
            .try_fold(0, |sum: i64, packets| Some(sum.saturating_add(packets?))),
        severity: severity.to_owned(),
        confidence: least_confidence(group).to_owned(),
        subject: Subject::default(),
        summary: summary(total, check, group),
        symptom: common_symptom(group),
        folded: Some(total),
        count: group
            .iter()
            .fold(0, |sum, finding| sum.saturating_add(finding.count)),
        first_seen: times(group, |finding| finding.first_seen.as_ref()).min(),
        last_seen: times(group, |finding| finding.last_seen.as_ref()).max(),
        ..Finding::default()
    };
    // The command names one subject of many, so only the advice is for all.
    let advice = group.iter().find_map(|finding| finding.remedies.first());
    if let Some(remedy) = advice.filter(|_| alike == FindingLikeness::Cause) {
        finding.remedies.push(Remedy {
            text: remedy.text.clone(),
            ..Remedy::default()
        });
    }
    finding
}

/// The word of all, where all have the same.
fn common<'a>(group: &[&'a Finding], word: impl Fn(&'a Finding) -> &'a str) -> &'a str {
    let mut words = group.iter().map(|finding| word(finding));
    let first = words.next().unwrap_or(SEVERAL);
    match words.all(|word| word == first) {
        true => first,
        false => SEVERAL,
    }
}

/// `200 alike on veth0, veth1, ..: <the first one's summary>`.
fn summary(total: i64, check: &str, group: &[&Finding]) -> String {
    let mut examples: Vec<String> = Vec::new();
    for finding in group {
        let example = example(finding, check);
        if examples.len() < EXAMPLES && !examples.contains(&example) {
            examples.push(example);
        }
    }
    let first = group.first().map_or("", |finding| finding.summary.as_str());
    let mut summary = format!("{total} alike, such as {}: {first}", examples.join(", "));
    cut(&mut summary, limits::LINE);
    summary
}

/// Whom a finding is about, and what it is where the folded ones differ in that.
fn example(finding: &Finding, check: &str) -> String {
    let subject = &finding.subject;
    let pod = subject
        .pod
        .as_ref()
        .map(|pod| format!("{}/{}", pod.namespace, pod.name));
    let parts = [
        (check == SEVERAL).then(|| finding.check.clone()),
        pod.or_else(|| subject.netns.clone()),
        subject
            .interface
            .clone()
            .or_else(|| subject.process.clone()),
    ];
    let mut example = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if example.is_empty() {
        example.clone_from(&finding.cause);
    }
    cut(&mut example, EXAMPLE_LENGTH);
    example
}

/// The number of findings that this one stands for.
pub(super) fn stands_for(finding: &Finding) -> i64 {
    finding.folded.unwrap_or(1)
}

/// The worst harm of all, where all say what they did.
fn worst_harm(group: &[&Finding]) -> Option<Harm> {
    let mut said = group.iter().map(|finding| finding.harm.as_ref());
    said.all(|harm| harm.is_some())
        .then(|| group.iter().map(|finding| finding.harm()).max())?
}

/// The symptom of all, where all have the same.
fn common_symptom(group: &[&Finding]) -> Option<String> {
    let (first, rest) = group.split_first()?;
    let is_common = rest.iter().all(|finding| finding.symptom == first.symptom);
    first.symptom.clone().filter(|_| is_common)
}

/// The culprit of all, where all have the same.
fn common_culprit(group: &[&Finding]) -> Option<Culprit> {
    let (first, rest) = group.split_first()?;
    first.culprit.as_ref()?;
    let same = rest
        .iter()
        .all(|finding| finding.culprit() == first.culprit());
    Some(if same {
        first.culprit()
    } else {
        Culprit::Unknown
    })
}

fn least_confidence<'a>(group: &[&'a Finding]) -> &'a str {
    let rank = |word: &str| match word {
        "Certain" => 2,
        "Likely" => 1,
        _ => 0,
    };
    group
        .iter()
        .map(|finding| finding.confidence.as_str())
        .min_by_key(|word| rank(word))
        .unwrap_or_default()
}

fn times<'a>(
    group: &'a [&Finding],
    time: impl Fn(&'a Finding) -> Option<&'a Time> + 'a,
) -> impl Iterator<Item = Time> + 'a {
    group
        .iter()
        .filter_map(move |finding| time(finding).cloned())
}
