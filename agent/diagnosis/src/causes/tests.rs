//! Every check has its detector, its folder and its page.

use std::{collections::BTreeSet, fs, path::Path};

use super::CHECKS;
use crate::{detectors, finding::Harm};

/// `TapQueueDrop` as `tap_queue_drop`.
fn folder_of(check: &str) -> String {
    let mut folder = String::new();
    for character in check.chars() {
        if character.is_ascii_uppercase() && !folder.is_empty() {
            folder.push('_');
        }
        folder.push(character.to_ascii_lowercase());
    }
    folder
}

#[test]
fn every_check_has_one_detector_in_a_folder_of_its_name() {
    let listed: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(listed.len(), CHECKS.len());
    let mut made: Vec<&str> = detectors::ALL
        .iter()
        .map(|detector| detector.check().name)
        .collect();
    made.sort_unstable();
    assert_eq!(made, listed.iter().copied().collect::<Vec<_>>());
    let detectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/detectors");
    for check in CHECKS {
        let folder = detectors.join(folder_of(check.name));
        assert!(folder.is_dir(), "{}", folder.display());
    }
}

#[test]
fn every_cause_stands_on_the_page_of_its_check() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for check in CHECKS {
        let page = fs::read_to_string(docs.join(check.page())).expect(check.name);
        assert!(check.docs().ends_with(&check.page()));
        for cause in check.causes {
            assert_eq!(cause.check, *check);
            assert!(page.contains(&format!("`{}`", cause.name)), "{cause:?}");
        }
    }
}

#[test]
fn only_words_for_loss_say_that_packets_are_lost() {
    let claims = |words: &str| {
        let claims = [
            "lost",
            "loss",
            "fail",
            "get through",
            "gets through",
            "{outage}",
            "no large datagram",
        ];
        claims.iter().any(|claim| words.contains(claim))
    };
    for cause in CHECKS.iter().flat_map(|check| check.causes) {
        assert!(!claims(cause.headline), "{cause:?}");
        let mut harms = BTreeSet::new();
        for (harm, words) in cause.by_harm {
            assert!(
                harms.insert(*harm),
                "{cause:?} has words for {harm:?} twice"
            );
            assert_ne!(*words, cause.headline, "{cause:?}");
            assert!(*harm >= Harm::Loss || !claims(words), "{cause:?}: {words}");
            assert!(*harm != Harm::Outage || claims(words), "{cause:?}: {words}");
        }
    }
}
