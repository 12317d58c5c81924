//! The scenarios that CI boots, each on the kernels where its evidence differs most.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::{Kernel, Plan};
use crate::workspace::Workspace;

/// Lines of a scenario's name and its kernels, and of causes that no guest shows. A test of the end-to-end suite holds it
/// complete.
const FILE: &str = "e2e/kernels-in-ci.txt";

/// The plan that the file gives; `scenarios` are all that there are.
pub fn read(workspace: &Workspace, scenarios: &[String]) -> Result<Plan> {
    let text = text(workspace)?;
    plan(&text, scenarios).with_context(|| format!("failed to understand {FILE}"))
}

/// The lines of causes that no guest shows, with the reasons, as lists of Markdown have them.
pub fn shown_by_no_guest(workspace: &Workspace) -> Result<Vec<String>> {
    let text = text(workspace)?;
    let lines = text.lines().filter(|line| line.starts_with("- "));
    Ok(lines.map(str::to_owned).collect())
}

fn text(workspace: &Workspace) -> Result<String> {
    let text = fs::read_to_string(workspace.root.join(FILE));
    text.with_context(|| format!("failed to read {FILE}"))
}

fn plan(text: &str, scenarios: &[String]) -> Result<Plan> {
    let mut plan = Kernel::CI.map(|kernel| (kernel, Vec::new()));
    let mut left: Vec<_> = scenarios.iter().collect();
    for line in text.lines().filter(|line| !line.starts_with(['#', '-'])) {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else {
            continue;
        };
        let place = left.iter().position(|scenario| *scenario == name);
        left.remove(place.with_context(|| format!("{name} is no scenario, or stands twice"))?);
        let kernels: Vec<_> = words.collect();
        ensure!(!kernels.is_empty(), "{name} has no kernel");
        for word in kernels {
            let kernel = word.parse().ok();
            let planned = plan.iter_mut().find(|(one, _)| Some(*one) == kernel);
            let (_, planned) = planned.with_context(|| format!("{word} is no kernel"))?;
            planned.push(name.to_owned());
        }
    }
    ensure!(left.is_empty(), "these scenarios are missing: {left:?}");
    Ok(plan
        .into_iter()
        .filter(|(_, planned)| !planned.is_empty())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_stands_once_with_known_kernels() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let scenarios = names(&["a::x", "b::y"]);
        let text = "# Why.\n\na::x  6.1\nb::y  5.10 6.1\n- A/B: no guest has it\n";
        let wanted = [
            (Kernel::V5_10, names(&["b::y"])),
            (Kernel::V6_1, names(&["a::x", "b::y"])),
        ];
        assert_eq!(plan(text, &scenarios).unwrap(), wanted);
        for wrong in [
            "a::x 6.1",
            "a::x\nb::y 6.1",
            "a::x 6.2\nb::y 6.1",
            "a::x 6.1\na::x 6.1\nb::y 6.1",
            "a::x 6.1\nb::y 6.1\nc::z 6.1",
        ] {
            assert!(plan(wrong, &scenarios).is_err(), "{wrong}");
        }
    }
}
