//! The time that a diagnosis takes, by the size of its window: `cargo xtask bench diagnose`.

mod large_window;

use std::time::{Duration, Instant};

use netdiag_diagnosis::{Settings, diagnose};

/// Links of the windows; a quarter as many drop keys. The last is the largest that a node is sized for.
const LINKS: [u32; 4] = [2_048, 4_096, 8_192, 16_384];
/// Repetitions, of which the fastest counts: the others were disturbed.
const RUNS: usize = 3;

fn main() {
    println!("  links   keys  findings  seconds  microseconds a link");
    for links in LINKS {
        let window = large_window::of(links);
        let keys = window.drops.value().map_or(0, |drops| drops.counts.len());
        let mut fastest = Duration::MAX;
        let mut findings = 0;
        for _ in 0..RUNS {
            let start = Instant::now();
            findings = diagnose(&window, &Settings::default()).findings.len();
            fastest = fastest.min(start.elapsed());
        }
        println!(
            "{links:>7} {keys:>6} {findings:>9} {:>8.3} {:>20.1}",
            fastest.as_secs_f64(),
            fastest.as_secs_f64() * 1e6 / f64::from(links)
        );
    }
}
