//! Subjects of commits, by area.

use std::collections::BTreeMap;

/// Areas with what changed in each, in the order of the commits.
pub fn by_area(subjects: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut areas: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for subject in subjects.lines() {
        let (area, what) = subject.split_once(": ").unwrap_or(("other", subject));
        areas.entry(area).or_default().push(what);
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_stands_below_its_area() {
        let areas = by_area("chart: add x\nagent: find y\nno area\nchart: fix z");
        assert_eq!(areas["chart"], ["add x", "fix z"]);
        assert_eq!(areas["other"], ["no area"]);
        assert_eq!(areas.keys().next(), Some(&"agent"));
    }
}
