//! Probes on every recorded kernel, and on kernels that lack a part of what these have.

use std::collections::BTreeSet;

use netdiag_diagnosis::kernel::{Function, Reason, Site};

use super::{PROBES, RecordedKernel, all, hooks};
use crate::probes::{
    facts::{KernelFacts, Support},
    kallsyms,
};

/// Members that probes do without: fields that later kernels have renamed, or that only some kernels have.
const OPTIONAL: [&str; 11] = [
    "dst_entry.dev",
    "dst_entry.dev_rcu",
    "net.net_cookie",
    "sk_buff.vlan_present",
    "sk_buff.vlan_proto",
    "numa_drop_counters.drops0",
    "numa_drop_counters.drops1",
    "sock.__sk_common.skc_v6_rcv_saddr",
    "sock.sk_drop_counters",
    "sock_common.skc_v6_daddr",
    "sock_common.skc_v6_rcv_saddr",
];

/// Names of the probes that do not work on this kernel, with the reason.
fn dead(kernel: &RecordedKernel, facts: &KernelFacts) -> BTreeSet<&'static str> {
    let is_dead = |probe: &&'static _| {
        let probe: &crate::probes::description::Description = probe;
        let unsupported = matches!(probe.support(facts), Support::No(_));
        unsupported || (probe.resolve)(kernel, facts).is_err()
    };
    let probes = PROBES.iter().map(|probe| probe.description);
    probes.filter(is_dead).map(|probe| probe.name).collect()
}

#[test]
fn kernels_of_every_kind_are_recorded() {
    let releases: Vec<_> = all().into_iter().map(|kernel| kernel.release).collect();
    for kind in [
        "5.10.",
        "6.1.",
        "6.12.",
        "6.18.",
        "7.3.",
        "-cloud-amd64",
        "-rt-amd64",
        "-cloud-arm64",
    ] {
        assert!(
            releases.iter().any(|release| release.contains(kind)),
            "{kind}: {releases:?}"
        );
    }
}

#[test]
fn each_probe_works_on_each_kernel() {
    for kernel in all() {
        let facts = kernel.facts();
        assert_eq!(dead(&kernel, &facts), BTreeSet::new(), "{}", kernel.release);
        let lesser = PROBES
            .iter()
            .filter(|probe| probe.description.support(&facts) != Support::Full)
            .map(|probe| probe.description.name);
        let mut expected = Vec::new();
        if facts.drop_reasons.is_empty() {
            expected.push("drop");
        }
        if kernel.architecture != "x86_64" {
            expected.push("gro");
        }
        assert_eq!(lesser.collect::<Vec<_>>(), expected, "{}", kernel.release);
    }
}

#[test]
fn a_missing_tracepoint_ends_the_probes_that_hook_it_and_no_other() {
    for kernel in all() {
        for hook in hooks() {
            let mut lesser = kernel.clone();
            lesser.tracepoints.insert(hook.to_owned(), None);
            let hooking = PROBES.iter().map(|probe| probe.description);
            let hooking =
                hooking.filter(|probe| probe.hooks.iter().any(|one| one.tracepoint == hook));
            let expected: BTreeSet<_> = hooking.map(|probe| probe.name).collect();
            let dead = dead(&lesser, &lesser.facts());
            assert_eq!(dead, expected, "{} without {hook}", kernel.release);
        }
    }
}

#[test]
fn a_missing_member_ends_the_probes_that_read_it_and_is_named() {
    for kernel in all() {
        for (name, place) in &kernel.members {
            let mut lesser = kernel.clone();
            lesser.members.insert(name.clone(), None);
            // Asked for where another member is missing.
            for other in OPTIONAL {
                lesser.members.entry(other.to_owned()).or_default();
            }
            let facts = lesser.facts();
            let probes = PROBES.iter().map(|probe| probe.description);
            let errors: Vec<_> = probes
                .filter_map(|probe| (probe.resolve)(&lesser, &facts).err())
                .map(|error| error.to_string())
                .collect();
            if place.is_some() && !OPTIONAL.contains(&name.as_str()) {
                assert!(
                    !errors.is_empty(),
                    "{} works without {name}",
                    kernel.release
                );
                assert!(
                    errors.iter().all(|error| error.contains(name)),
                    "{errors:?}"
                );
            }
        }
    }
}

#[test]
fn a_missing_reason_is_a_number_and_nothing_else_changes() {
    for kernel in all() {
        let facts = kernel.facts();
        for (value, name) in &facts.drop_reasons {
            let mut lesser = facts.clone();
            lesser.drop_reasons.retain(|(_, other)| other != name);
            let number = lesser.drop_reason_of(*value).to_string();
            assert!(
                number.contains(&(value & 0xffff).to_string()),
                "{name} is {number}"
            );
            assert_eq!(dead(&kernel, &lesser), BTreeSet::new(), "without {name}");
        }
    }
}

#[test]
fn each_reason_has_one_spelling_and_is_told_by_its_value() {
    for kernel in all() {
        let facts = kernel.facts();
        let mut values = BTreeSet::new();
        for (value, name) in &facts.drop_reasons {
            assert!(
                values.insert(value),
                "{}: {name} shares a value",
                kernel.release
            );
            let reason: Reason = name.as_str().into();
            assert_eq!(facts.drop_reason_of(*value), reason, "{}", kernel.release);
        }
        let of_module = kernel.enums.get("ovs_drop_reason").into_iter().flatten();
        for (value, name) in of_module.filter(|(_, name)| !name.starts_with("__")) {
            if !name.ends_with("_MAX") {
                let reason: Reason = name.as_str().into();
                assert_eq!(facts.drop_reason_of(*value), reason, "{}", kernel.release);
            }
        }
    }
}

/// A function's bytes in the tables below.
const LENGTH: usize = 0x1000;
const START: usize = 0xffff_ffff_8100_0000;

/// The symbols of a kernel's functions of the table, as /proc/kallsyms shows them, each behind a function of another
/// name. `without` was inlined into that one.
fn symbols(kernel: &RecordedKernel, without: &str) -> String {
    let functions = kernel.functions.iter().enumerate();
    let lines = functions.flat_map(|(number, (name, suffixes))| {
        let address = START + 2 * number * LENGTH;
        let suffix = suffixes.first().filter(|suffix| *suffix != "plain");
        let own = format!(
            "{:x} t {name}{}\n",
            address + LENGTH,
            suffix.map_or("", String::as_str)
        );
        let own = if name == without { String::new() } else { own };
        [format!("{address:x} t caller_of_{name}\n"), own]
    });
    lines.collect()
}

/// The function that the agent tells for packets that are freed in `function`'s code.
fn told(symbols: &str, kernel: &RecordedKernel, function: &str) -> Function {
    let number = kernel
        .functions
        .keys()
        .position(|name| name == function)
        .unwrap();
    let address = (START + (2 * number + 1) * LENGTH + 0x80) as u64;
    let mut names = kallsyms::resolve_in(symbols, &[address]);
    names.remove(&address).unwrap_or_default().into()
}

#[test]
fn a_suffixed_function_is_its_site_and_one_that_was_inlined_is_no_site() {
    for kernel in all() {
        let whole = symbols(&kernel, "");
        for function in kernel.functions.keys() {
            let site = told(&whole, &kernel, function).site();
            assert!(site.is_some_and(|site| site.functions().contains(&function.as_str())));
            let inlined = told(&symbols(&kernel, function), &kernel, function);
            assert_eq!(inlined.to_string(), format!("caller_of_{function}"));
            assert!(
                inlined.site().is_none(),
                "{function} is booked as {inlined}"
            );
        }
        assert_eq!(
            kernel.functions.len(),
            Site::all().flat_map(Site::functions).count()
        );
    }
}
