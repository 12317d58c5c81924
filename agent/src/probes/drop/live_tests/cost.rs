//! The cost of the program for each drop, as a ratio to a program that does nothing (`cargo xtask bench drop`).
//!
//! The kernel measures both (`BPF_ENABLE_STATS`), in turn, under storms that the test makes itself. The least of several
//! rounds counts: what else runs on the machine only adds.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Btf, Ebpf,
    programs::BtfTracePoint,
    sys::{Stats, enable_stats},
};

use super::*;
use crate::probes::object::loader;

const ROUNDS: usize = 7;
const FRAMES: usize = 100_000;
/// Pairs of namespaces, and EtherTypes on each: no device has more unknown ones to itself.
const LABS: usize = 8;
const TYPES: usize = 8;

/// A program that does nothing, attached.
struct Nothing(Ebpf);

impl Nothing {
    fn attach(kernel: &Kernel) -> Self {
        let (mut loader, object) = loader(kernel, &[]).unwrap();
        let mut ebpf = loader.load(object).unwrap();
        let program = ebpf.program_mut("drop_nothing").unwrap();
        let program: &mut BtfTracePoint = program.try_into().unwrap();
        program
            .load("kfree_skb", &Btf::from_sys_fs().unwrap())
            .unwrap();
        program.attach().unwrap();
        Self(ebpf)
    }

    fn run_time(&self) -> (u64, u64) {
        let program = self.0.program("drop_nothing").unwrap();
        let program: &BtfTracePoint = program.try_into().unwrap();
        let number = program.fd().unwrap().as_fd().as_raw_fd();
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
        let of = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap().trim().parse().unwrap()
        };
        (of("run_time_ns:"), of("run_cnt:"))
    }
}

fn per_run((nanoseconds, runs): (u64, u64)) -> f64 {
    assert!(runs > FRAMES as u64 / 2, "{runs} runs");
    nanoseconds as f64 / runs as f64
}

fn least(rounds: &[f64]) -> f64 {
    rounds.iter().copied().fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "measures, and judges nothing: cargo xtask bench drop"]
fn cost_of_a_watched_drop() {
    let _measured = enable_stats(Stats::RunTime).unwrap();
    let kernel = Kernel::load();
    let labs: Vec<Lab> = (0..LABS).map(|_| Lab::new()).collect();
    let senders = labs.iter().map(|lab| lab.sender.packet_sender(c"near"));
    let senders: Vec<_> = senders.collect();
    let lldp = lab::lldp_frame();
    let types: Vec<_> = (0..TYPES)
        .map(|n| lab::frame_of(0x9000 + n as u16))
        .collect();
    let one_key = || (0..FRAMES).for_each(|_| senders[0].send(&lldp));
    let many_keys = || {
        for number in 0..FRAMES {
            senders[number % LABS].send(&types[number / LABS % TYPES]);
        }
    };
    let storms: [(&str, &dyn Fn()); 2] = [("1 key", &one_key), ("64 keys", &many_keys)];
    println!("keys      nothing      watched    ratio");
    for (name, storm) in storms {
        let (mut nothing, mut watched) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let program = Nothing::attach(&kernel);
            storm();
            nothing.push(per_run(program.run_time()));
            drop(program);
            let mut probe = DropProbe::attach(&kernel).unwrap();
            probe.read().unwrap();
            let before = probe.maps.run_time();
            storm();
            let after = probe.maps.run_time();
            watched.push(per_run((after.0 - before.0, after.1 - before.1)));
        }
        let (nothing, watched) = (least(&nothing), least(&watched));
        let ratio = watched / nothing;
        println!("{name:8} {nothing:6.1} ns   {watched:7.1} ns   {ratio:5.2}");
    }
}
