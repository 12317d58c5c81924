//! The cost of a fleet: `cargo xtask bench fleet`.
//!
//! The controller is the real program. The agents are real as well, from their watch to their writer, except that their
//! windows see a recording. The API server is the tests' own, in memory: its time is nobody's, so requests, passes and
//! bytes are what to compare; seconds of the processor depend on the machine.

mod cluster;
mod measured;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use cluster::Cluster;
use measured::Measured;

#[derive(Parser)]
struct Args {
    /// Sizes of the fleet
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 5000])]
    nodes: Vec<usize>,
    /// Diagnoses that are applied together
    #[arg(long, default_value_t = 1)]
    diagnoses: usize,
    /// Seconds of a window
    #[arg(long, default_value_t = 10)]
    window: i32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    println!("{}", Measured::HEADER);
    for nodes in &args.nodes {
        let mut cluster = Cluster::start(*nodes)?;
        let ready = cluster.measure("reports made", Cluster::wait_for_agents)?;
        println!("{ready}");
        let run = cluster.measure(&format!("{} run", args.diagnoses), |cluster| {
            cluster.diagnose(args.diagnoses, args.window)
        })?;
        println!("{run}");
        let idle = cluster.measure("60 s of heartbeats", |cluster| {
            cluster.beat(Duration::from_secs(60))
        })?;
        println!("{idle}");
    }
    Ok(())
}
