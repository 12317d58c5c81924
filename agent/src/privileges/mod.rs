//! The privileges of this process, the settings that take the others away, and the loss to a diagnosis without them.

mod access;
mod capability;
mod confinement;
mod restrictions;

pub(crate) use access::Access;
#[cfg(test)]
use access::lost_without;
pub(crate) use capability::Capability;
#[cfg(test)]
use capability::purpose;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use confinement::Confinement;
pub(crate) use restrictions::Restrictions;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_chart_say_what_each_capability_is_for() {
        let document = include_str!("../../../docs/security.md");
        let chart = include_str!("../../../charts/netdiag/values.yaml");
        for capability in Capability::ALL {
            let name = capability.name().trim_start_matches("CAP_");
            let purpose = purpose(capability);
            let row = format!("| {name} | {purpose} | {} |", lost_without(capability));
            assert!(document.lines().any(|line| line == row), "{row}");
            let is_it = |line: &str| {
                let words = line.trim().strip_prefix(&format!("- {name} "));
                words.and_then(|rest| rest.trim().strip_prefix("# ")) == Some(purpose)
            };
            assert!(chart.lines().any(is_it), "- {name} # {purpose}");
        }
    }
}
