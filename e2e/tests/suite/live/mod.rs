//! The scenarios on the running kernel, diagnosed through the real API server; and agent and controller at their work.

mod capabilities;
mod continuous;
mod diagnosed;
mod harness;
mod loaded;
mod protocol;

use crate::scenarios::{Harness, Outlived, Scenario, for_each_scenario};

pub use diagnosed::Diagnosed;

/// The factors by which the windows of one try after the other are longer than usual.
const LONGER: [u64; 3] = [1, 4, 12];

/// Plays a scenario until its windows are long enough for this machine.
#[track_caller]
fn play(name: &str) {
    let scenario = Scenario::named(name);
    for longer in LONGER {
        match (scenario.play)(&Harness::Live { longer }) {
            Err(error) if error.is::<Outlived>() => println!("{error}: once more"),
            played => return played.unwrap(),
        }
    }
    panic!("{Outlived} of {} times the usual length", LONGER[2]);
}

/// A test for each scenario that needs nothing or a cluster, in a module of its group.
macro_rules! tests {
    ($($module:ident { $($name:ident: $check:ident, $needs:tt $(, $twin:ident)?;)+ })+) => {
        $(mod $module {
            $(tests!(@test $needs $module $name);)+
        })+
    };
    (@test [] $module:ident $name:ident) => {
        tests!(@test [Cluster] $module $name);
    };
    (@test [Cluster] $module:ident $name:ident) => {
        #[test]
        #[ignore = "needs root, eBPF and a control plane"]
        fn $name() {
            super::play(concat!(stringify!($module), "::", stringify!($name)));
        }
    };
    (@test $needs:tt $module:ident $name:ident) => {};
}
for_each_scenario!(tests);
