//! The memory of a window's maps, against the memory limit that the chart gives the agent's container: the kernel
//! charges maps to it (5.11 and later), and some grow with the number of processors.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use netdiag_crds::limits::ASSIGNMENTS;

use super::{PROBES, map_bytes::bytes_of, tests::parsed_object};
use crate::{
    collect::{Request, Stop, collect},
    memory::{Budget, LOAD_BYTES, MEBIBYTE, WINDOW_BYTES},
    probes::{Kernel, share_one_heap},
};

/// As many processors as the limit is made for.
const PROCESSORS: u64 = 128;

/// The beginnings of the names of the maps of each loaded object.
fn kept() -> impl Iterator<Item = &'static str> {
    PROBES.iter().map(|probe| probe.description.maps)
}

/// agent.resources.limits.memory of the chart.
fn limit_of_the_chart() -> u64 {
    let values = include_str!("../../../../charts/netdiag/values.yaml");
    let values: serde_json::Value = serde_yaml::from_str(values).unwrap();
    let limit = values["agent"]["resources"]["limits"]["memory"].as_str();
    let mebibytes = limit.and_then(|limit| limit.strip_suffix("Mi")).unwrap();
    mebibytes.parse::<u64>().unwrap() * MEBIBYTE
}

#[test]
fn the_chart_s_limit_holds_all_windows_of_a_node_with_many_processors() {
    let Some(object) = parsed_object() else {
        return;
    };
    for processors in [2, PROCESSORS] {
        for prefix in kept() {
            let kibibytes = bytes_of(&object, prefix, processors) / 1024;
            println!("{processors} processors: {prefix}* {kibibytes} KiB");
        }
    }
    let maps: u64 = kept()
        .map(|prefix| bytes_of(&object, prefix, PROCESSORS))
        .sum();
    let windows = u64::try_from(ASSIGNMENTS).unwrap();
    let most = LOAD_BYTES + windows * (maps + WINDOW_BYTES);
    println!(
        "a window's maps {} MiB, the most {} MiB",
        maps / MEBIBYTE,
        most / MEBIBYTE
    );
    let limit = limit_of_the_chart();
    // A tenth is left for what the kernel charges besides: sockets, page tables, files.
    assert!(most + most / 10 <= limit, "{most} of {limit}");
}

/// The estimate by which a window is admitted is made of the same sizes.
#[test]
fn on_512_processors_some_windows_fit_the_chart_s_limit_and_the_others_are_refused() {
    let Some(object) = parsed_object() else {
        return;
    };
    let maps: u64 = kept().map(|prefix| bytes_of(&object, prefix, 512)).sum();
    let budget = Budget::within(Some(limit_of_the_chart()));
    let admitted: Vec<_> = (0..ASSIGNMENTS)
        .map_while(|_| budget.admit(maps).ok())
        .collect();
    println!(
        "{} windows with maps of {} MiB",
        admitted.len(),
        maps / MEBIBYTE
    );
    assert!(
        (1..ASSIGNMENTS).contains(&admitted.len()),
        "{}",
        admitted.len()
    );
    let refused = budget.admit(maps).err().unwrap().to_string();
    assert!(
        refused.contains("agent.resources.limits.memory"),
        "{refused}"
    );
}

/// As many windows as a node may have, on the running kernel: what they keep in user space, and that the kernel takes
/// for their maps what the sum above says.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn as_many_windows_as_a_node_may_have_keep_what_the_limit_counts() {
    share_one_heap();
    let Some(object) = parsed_object() else {
        return;
    };
    let request = Request {
        node: "n".to_owned(),
        host_root: PathBuf::from("/"),
        duration: Duration::from_secs(120),
        pods: true,
    };
    let kernel = Kernel::load();
    let stop = Stop::default();
    let began = AtomicUsize::new(0);
    let before = anonymous_bytes();
    let (kept, maps) = thread::scope(|scope| {
        for _ in 0..ASSIGNMENTS {
            scope.spawn(|| {
                let mut is_new = true;
                collect(&request, &kernel, &stop, &mut |_| true, &mut |_| {
                    began.fetch_add(usize::from(is_new), Ordering::Relaxed);
                    is_new = false;
                });
            });
        }
        let started = Instant::now();
        while began.load(Ordering::Relaxed) < ASSIGNMENTS {
            assert!(
                started.elapsed() < request.duration,
                "not all windows began"
            );
            thread::sleep(Duration::from_millis(100));
        }
        let measured = (
            anonymous_bytes().saturating_sub(before),
            bytes_of_open_maps(),
        );
        stop.set();
        measured
    });
    let windows = u64::try_from(ASSIGNMENTS).unwrap();
    let processors = u64::try_from(aya::util::nr_cpus().unwrap()).unwrap();
    let expected = windows * bytes_of(&object, PROBES[0].description.maps, processors);
    println!(
        "{windows} windows: {} KiB in user space, {} KiB of maps, {} KiB expected",
        kept / 1024,
        maps / 1024,
        expected / 1024
    );
    assert!(kept <= windows * WINDOW_BYTES, "{kept}");
    assert!(
        maps.abs_diff(expected) * 10 <= expected,
        "{maps}, not {expected}"
    );
}

/// Memory of this process that is no file's.
fn anonymous_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    1024 * field(&status, "RssAnon:").unwrap()
}

/// The memory of the maps that this process holds, as the kernel reports it (`bpf_map_show_fdinfo`; exact from 6.4 on).
fn bytes_of_open_maps() -> u64 {
    let files = fs::read_dir("/proc/self/fdinfo").unwrap();
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let of_maps = texts.filter(|text| text.contains("map_type:"));
    of_maps.filter_map(|text| field(&text, "memlock:")).sum()
}

fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}
