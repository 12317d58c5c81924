//! The traces that an agent may leave behind in the kernel.

use std::collections::BTreeSet;
use std::fs;

use aya::maps::loaded_maps;
use aya::programs::loaded_programs;

/// eBPF programs and maps in the kernel, and what is pinned where agents could have pinned it.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
    pins: BTreeSet<String>,
}

impl Traces {
    /// As of now.
    pub fn of_this_machine() -> Self {
        let pins = fs::read_dir("/sys/fs/bpf").into_iter().flatten().flatten();
        Self {
            programs: loaded_programs()
                .map(|program| program.unwrap().id())
                .collect(),
            maps: loaded_maps().map(|map| map.unwrap().id()).collect(),
            pins: pins.map(|pin| pin.path().display().to_string()).collect(),
        }
    }

    /// Fails with what is there now and was not then.
    #[track_caller]
    pub fn assert_nothing_new(&self) {
        let now = Self::of_this_machine();
        let programs: Vec<_> = now.programs.difference(&self.programs).collect();
        let maps: Vec<_> = now.maps.difference(&self.maps).collect();
        let pins: Vec<_> = now.pins.difference(&self.pins).collect();
        assert!(
            programs.is_empty() && maps.is_empty() && pins.is_empty(),
            "left behind: programs {programs:?}, maps {maps:?}, pins {pins:?}"
        );
    }
}
