//! The scenarios on stock kernels, in guests that `cargo xtask test-vm` boots. The agent has the capabilities of the
//! chart and no more, and on kernels that account locked memory 8 MiB of it.

mod counted;
mod privileges;
mod recorded;
mod watched;

use crate::scenarios::{Harness, Scenario, for_each_scenario};

pub use counted::Leftover;
pub use watched::{conclude, watch};

/// Plays a scenario as far as this machine can.
#[track_caller]
fn play(name: &str) {
    let scenario = Scenario::named(name);
    if let Some(need) = scenario.unmet() {
        println!("SKIP {name}: needs {need:?}");
        return;
    }
    if scenario.twin {
        // For the score of a run in guests.
        println!("TWIN");
    }
    (scenario.play)(&Harness::Guest(scenario)).unwrap();
}

/// A test for each scenario that needs no cluster, in a module of its group.
macro_rules! tests {
    ($($module:ident { $($name:ident: $check:ident, $needs:tt $(, $twin:ident)?;)+ })+) => {
        $(mod $module {
            $(tests!(@test $needs $module $name);)+
        })+
    };
    (@test [Cluster] $module:ident $name:ident) => {};
    (@test $needs:tt $module:ident $name:ident) => {
        #[test]
        #[ignore = "needs a guest"]
        fn $name() {
            super::play(concat!(stringify!($module), "::", stringify!($name)));
        }
    };
}
for_each_scenario!(tests);
