//! Recordings as an enemy would write them: real ones with a few values changed. None may end the agent.

use std::path::Path;

use fastrand::Rng;
use netdiag_diagnosis::{Settings, diagnose};
use serde_json::{Value, json};

use super::{Recording, read::parse, testdata};
use crate::{
    diagnose::report,
    render::{self, Style},
};

/// Of each recording. More of them were tried once; these keep the test at seconds.
const ROUNDS: usize = 12;
/// Recordings to begin with, spread over all that there are.
const ORIGINALS: usize = 16;

/// Does with it what `diagnose --replay` and `--anonymise` do; false when it is refused.
fn replay(bytes: &[u8]) -> bool {
    let Ok(recording) = parse(bytes, Path::new("r.json")) else {
        return false;
    };
    show(&recording);
    show(&recording.anonymised(42));
    true
}

fn show(recording: &Recording) {
    let window = &recording.evidence;
    let diagnosis = diagnose(window, &Settings::default());
    let report = report(window, &diagnosis);
    let text = render::render(&report, Style::new(Some(100), false, true));
    let hidden = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(hidden, None, "{text:?}");
    serde_json::to_string(&report).unwrap();
}

/// Changes one value somewhere in the tree.
fn mutate(value: &mut Value, random: &mut Rng) {
    let inner = match value {
        Value::Array(list) => random.choice(list.iter_mut()),
        Value::Object(map) => random.choice(map.values_mut()),
        _ => None,
    };
    match inner {
        // Mostly deeper, because leaves are what detectors read.
        Some(inner) if random.u8(..) < 240 => mutate(inner, random),
        _ => *value = changed(value, random),
    }
}

fn changed(value: &Value, random: &mut Rng) -> Value {
    match value {
        Value::Number(_) => match random.u8(..8) {
            0 => json!(0),
            1 => json!(u64::MAX),
            2 => json!(i64::MIN),
            3 => json!(u32::MAX),
            4 => json!(-1),
            5 => json!(1_u64 << 47),
            6 => json!(random.u64(..)),
            _ => json!(random.u8(..)),
        },
        Value::String(text) => {
            let texts = [
                String::new(),
                "\u{1b}[2J\u{202e}$(reboot)\n'\"`".to_owned(),
                "é".repeat(4000),
                "ff".repeat(random.usize(..300)),
                text.chars().rev().collect(),
                text.chars().take(random.usize(..20)).collect(),
                "SKB_DROP_REASON".to_owned(),
            ];
            random.choice(texts).map_or(Value::Null, Value::String)
        }
        Value::Bool(flag) => json!(!flag),
        Value::Array(list) => match random.u8(..3) {
            0 => json!([]),
            1 => list.iter().chain(list).cloned().collect(),
            _ => list.iter().rev().cloned().collect(),
        },
        Value::Object(map) => {
            let kept = map.iter().filter(|_| random.u8(..4) > 0);
            Value::Object(
                kept.map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        }
        Value::Null => random
            .choice([json!(1), json!("x"), json!({}), json!([])])
            .unwrap_or_default(),
    }
}

#[test]
fn no_change_of_a_recording_ends_the_agent() {
    let mut random = Rng::with_seed(7);
    let all: Vec<_> = testdata::recordings().collect();
    assert!(!all.is_empty());
    let (mut read, mut refused) = (0, 0);
    for (_, original) in all.iter().step_by(all.len().div_ceil(ORIGINALS)) {
        let evidence = serde_json::to_value(&original.evidence).unwrap();
        for _ in 0..ROUNDS {
            let mut evidence = evidence.clone();
            for _ in 0..random.usize(1..12) {
                mutate(&mut evidence, &mut random);
            }
            let text = json!({
                "format": super::FORMAT,
                "version": super::VERSION,
                "header": original.header,
                "evidence": evidence,
            })
            .to_string();
            match replay(text.as_bytes()) {
                true => read += 1,
                false => refused += 1,
            }
        }
    }
    // Both happen, or the changes are none that matter.
    assert!(
        read > refused / 20 && refused > 0,
        "{read} read, {refused} refused"
    );
}

#[test]
fn no_damage_to_a_recording_ends_the_agent() {
    let mut random = Rng::with_seed(7);
    let (_, original) = testdata::recordings().next().unwrap();
    let layout = json!({
        "format": super::FORMAT,
        "version": super::VERSION,
        "header": original.header,
        "evidence": original.evidence,
    });
    let whole = layout.to_string().into_bytes();
    for _ in 0..ROUNDS * 4 {
        let mut damaged = whole.clone();
        damaged.truncate(random.usize(..whole.len()));
        assert!(!replay(&damaged), "half a recording is none");
        let mut damaged = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..whole.len());
            damaged[at] = random.u8(..);
        }
        replay(&damaged);
    }
}
