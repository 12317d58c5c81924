//! The kernel's names stand in one place, and the document about the ledger knows those that raise a counter.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    Kind, NamespaceCounter, Reason, Site, hook, recorded,
    site::{Raises, Reasons},
};

/// Folders with code of the product, seen from this crate.
const CODE: [&str; 6] = [
    "src",
    "../src",
    "../../controller/src",
    "../../crds/src",
    "../../ebpf",
    "../../telemetry/src",
];

/// The place for the names of sites.
const SITES: &str = "src/kernel/site/";
/// The places for the names of hooks: their table, and the probes that attach to them.
const HOOKS: [&str; 3] = ["src/kernel/hook.rs", "../src/probes/", "ebpf/src/"];
/// The place for the names of reasons.
const REASONS: &str = "src/kernel/reason.rs";

/// Calls `visit` with path and code of each file of the product that is no test, without comments and inline tests.
fn for_each_file(visit: &mut dyn FnMut(&str, &str)) {
    fn walk(folder: &Path, visit: &mut dyn FnMut(&str, &str)) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() && !["tests", "live_tests", "target"].contains(&name) {
                walk(&path, visit);
            }
            let is_test =
                name.ends_with("tests") || ["testing", "fixtures", "testdata"].contains(&name);
            if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let text = fs::read_to_string(&path).unwrap();
                let (code, _) = text
                    .split_once("\n#[cfg(test)]\nmod tests {")
                    .unwrap_or((&text, ""));
                let code: Vec<&str> = code.lines().map(without_comment).collect();
                visit(path.to_str().unwrap(), &code.join("\n"));
            }
        }
    }
    for folder in CODE {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), visit);
    }
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.split_once(" // ").map_or(line, |(code, _)| code)
}

#[test]
fn a_function_is_of_one_site() {
    let mut seen = BTreeSet::new();
    for function in Site::all().flat_map(Site::functions) {
        assert!(seen.insert(function), "{function} is of two sites");
    }
}

/// Functions of sites of which some recorded kernel has none, and the function that has their code then: it must be of a
/// site itself. None where such a kernel does not do at all what the site is about.
const ELSEWHERE: [(&str, Option<&str>); 8] = [
    ("macvlan_broadcast_enqueue", Some("macvlan_handle_frame")),
    ("__udp_queue_rcv_skb", Some("udp_queue_rcv_one_skb")),
    ("__udpv6_queue_rcv_skb", Some("udpv6_queue_rcv_one_skb")),
    ("tcp_drop_reason", Some("tcp_rcv_established")),
    // Newer real-time kernels have no legacy tables.
    ("ipt_do_table", None),
    ("ip6t_do_table", None),
    ("napi_get_frags_check", None),
    ("udp_read_skb", None),
];

#[test]
fn each_site_is_on_each_recorded_kernel_or_it_is_known_where_its_packets_are() {
    let mut lost = Vec::new();
    let mut used = BTreeSet::new();
    for kernel in recorded::all() {
        let has = |function: &str| kernel.functions.contains(function);
        for site in Site::all() {
            if site.functions().iter().any(|function| has(function)) {
                continue;
            }
            let shown = site.to_string();
            match ELSEWHERE.iter().find(|(function, _)| *function == shown) {
                Some((function, outer)) if outer.is_none_or(has) => {
                    used.insert(*function);
                    assert!(
                        outer.is_none_or(|outer| Site::of(outer).is_some()),
                        "{site}"
                    );
                }
                _ => lost.push(format!("{site} on {}", kernel.release)),
            }
        }
    }
    assert_eq!(lost, [""; 0]);
    assert_eq!(used.len(), ELSEWHERE.len(), "only {used:?} are elsewhere");
}

#[test]
fn the_ledger_balances_counters_of_packets() {
    for counter in NamespaceCounter::BALANCED {
        assert_eq!(counter.kind(), Kind::Packets, "{}", counter.name());
    }
}

#[test]
fn names_of_functions_stand_in_the_table_of_sites_only() {
    let functions: BTreeSet<&str> = Site::all().flat_map(Site::functions).copied().collect();
    let (mut in_table, mut elsewhere) = (BTreeSet::new(), Vec::new());
    for_each_file(&mut |path, code| {
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for function in words.filter(|word| functions.contains(word)) {
            if path.contains(SITES) {
                in_table.insert(function.to_owned());
            } else {
                elsewhere.push(format!("{function} in {path}"));
            }
        }
    });
    assert_eq!(elsewhere, [""; 0]);
    assert_eq!(in_table.len(), functions.len(), "the table was not read");
}

#[test]
fn names_of_hooks_stand_where_probes_attach_only() {
    let mut elsewhere = Vec::new();
    for_each_file(&mut |path, code| {
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if !HOOKS.iter().any(|place| path.contains(place)) {
            let hooks = words.filter(|word| hook::ALL.contains(word));
            elsewhere.extend(hooks.map(|hook| format!("{hook} in {path}")));
        }
    });
    assert_eq!(elsewhere, [""; 0]);
}

#[test]
fn reasons_are_spelt_in_one_file_only() {
    let mut elsewhere = Vec::new();
    for_each_file(&mut |path, code| {
        // Short ones are words of other vocabularies as well, such as XDP.
        let reasons = Reason::ALL
            .iter()
            .filter(|reason| reason.as_str().contains('_'));
        for reason in reasons.filter(|reason| code.contains(&format!("\"{reason}\""))) {
            elsewhere.push(format!("{reason} in {path}"));
        }
        assert!(!path.ends_with(REASONS) || code.contains("NOT_SPECIFIED"));
    });
    assert_eq!(elsewhere, [""; 0]);
}

#[test]
fn the_document_about_the_ledger_has_what_raises_a_counter_that_it_balances() {
    let document = include_str!("../../../../docs/ledger.md");
    for site in Site::all() {
        let balanced = site.raises().iter().filter_map(|(reasons, raises)| {
            let counters = match raises {
                Raises::Receive => vec!["rx_dropped", "rx_nohandler"],
                Raises::Transmit => vec!["tx_dropped"],
                Raises::VethSender | Raises::Backlog => vec!["rx_dropped", "tx_dropped"],
                Raises::UdpByVersion => vec!["Udp.InCsumErrors", "Udp6.InCsumErrors"],
                Raises::Device(counter) => vec![counter.name()],
                Raises::Namespace(counter) => {
                    let is_balanced = NamespaceCounter::BALANCED.contains(counter);
                    vec![is_balanced.then(|| counter.name())?]
                }
            };
            Some((reasons, counters))
        });
        for (reasons, counters) in balanced {
            let reasons: Vec<&str> = match reasons {
                Reasons::Any => Vec::new(),
                Reasons::Only(reasons)
                | Reasons::OnlyOrUnnamed(reasons)
                | Reasons::OnlyOrFound(reasons) => reasons.iter().map(Reason::as_str).collect(),
            };
            for function in site.functions() {
                let row = document.lines().find(|line| {
                    line.starts_with("| `") && line.contains(&format!("`{function}`"))
                });
                let row = row.unwrap_or_else(|| panic!("docs/ledger.md has no row for {function}"));
                for name in counters.iter().chain(&reasons) {
                    assert!(
                        row.contains(&format!("`{name}`")),
                        "{function} lacks {name}: {row}"
                    );
                }
            }
        }
    }
}
