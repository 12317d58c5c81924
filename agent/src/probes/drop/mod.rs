//! The drop probe: counts and samples packets that the kernel frees as dropped (`kfree_skb`).
//!
//! Use: [`DropProbe::attach`] before the window, [`DropProbe::read`] at its edges and about once a second within it
//! (that empties the ring of samples and tells when a count moved), [`DropProbe::finish`] after it.

mod activity;
mod fold;
mod layout;
#[cfg(test)]
pub(crate) mod live_tests;
mod maps;
mod numbers;
mod places;
mod samples;
mod support;

use std::collections::HashMap;

use netdiag_abi::drop::{DropKey, DropLayout};
use netdiag_diagnosis::evidence::{Drops, Link, Lost, Missing, Namespace, Observed};

pub(super) use layout::resolve;
pub(super) use places::DropPlaces;

use self::{
    activity::Activity, fold::Fold, maps::Maps, numbers::Numbers, samples::Samples,
    support::supported,
};
use super::{
    description::{Backend, Description, Hook, any_layout},
    error::Error,
    facts::{KernelFacts, Support},
    kallsyms,
    kernel::Kernel,
    probe::Registration,
    standing,
    tracepoint::{self, Loaded},
};

/// Its line in the registry.
pub(super) const PROBE: Registration = Registration {
    description: &DESCRIPTION,
    standing: Some(|window| {
        let backend = window.drops.value().map(|drops| drops.backend.as_str());
        standing::in_every_window(DESCRIPTION.name, backend, &window.drops)
    }),
    counts: |window| {
        let drops = window.drops.value().into_iter();
        let keys = drops.flat_map(|drops| &drops.counts);
        keys.flat_map(|key| [key.count, key.at_least])
            .chain([window.lost.counts, window.lost.samples])
            .collect()
    },
    watch: None,
};

/// The programs and maps of this probe in the object.
pub(super) static DESCRIPTION: Description = Description {
    name: "drop",
    maps: "DROP_",
    large_maps: &[
        "DROP_KEYS",
        "DROP_FREE",
        "DROP_SHARES",
        "DROP_COUNTS",
        "DROP_SAMPLED",
        "DROP_CACHE",
        "DROP_SAMPLES",
    ],
    layout: "DROP_LAYOUT",
    hooks: &[Hook {
        tracepoint: "kfree_skb",
        direct: "drop_direct",
        probed: "drop_probed",
        raw: "drop_raw",
    }],
    supported,
    resolve: |types, facts| any_layout(resolve(types, facts)),
};

/// Counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DropSnapshot {
    /// The time of the reading, nanoseconds of CLOCK_MONOTONIC.
    pub taken_ns: u64,
    /// Drops by key since the probe was attached.
    pub(in crate::probes) counts: HashMap<DropKey, u64>,
    /// Drops that no key had room for, and those that came while the probe was busy on the same CPU.
    pub(in crate::probes) lost_counts: u64,
    /// Tries to store a sample that found the ring full.
    pub(in crate::probes) lost_samples: u64,
}

/// The four reads that bracket the two reads of the kernel's counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edges {
    /// Before the counters at the start; times of the evidence count from here.
    pub m0: DropSnapshot,
    /// After them.
    pub m0_after: DropSnapshot,
    /// Before the counters at the end.
    pub m1: DropSnapshot,
    /// After them.
    pub m1_after: DropSnapshot,
}

/// The attached probe, with maps of its own. Dropping it detaches it and frees them.
pub(crate) struct DropProbe {
    facts: KernelFacts,
    backend: Backend,
    refused: Option<String>,
    node_inum: u32,
    has_begun: bool,
    maps: Maps,
    numbers: Numbers,
    samples: Samples,
    activity: Activity,
}

impl DropProbe {
    /// Loads the program with empty maps and attaches it.
    ///
    /// # Errors
    /// The agent was built without eBPF, this process may not load it, or this kernel takes no variant of it.
    pub(crate) fn attach(kernel: &Kernel) -> Result<Self, Error> {
        Self::attach_first_of(kernel, &Backend::ALL)
    }

    /// As [`DropProbe::attach`], with the first of these variants that the kernel takes: to compare them.
    ///
    /// # Errors
    /// As [`DropProbe::attach`].
    pub(crate) fn attach_first_of(kernel: &Kernel, backends: &[Backend]) -> Result<Self, Error> {
        let mut loaded = load(kernel, backends)?;
        Ok(Self {
            facts: kernel.facts.clone(),
            backend: loaded.backend,
            refused: loaded.refused.take(),
            node_inum: kernel
                .layout::<DropLayout>(&DESCRIPTION)
                .map_or(0, |layout| layout.node_inum),
            has_begun: false,
            maps: Maps::attach(loaded)?,
            numbers: Numbers::default(),
            samples: Samples::default(),
            activity: Activity::default(),
        })
    }

    /// Loads the program and lets it go again, without attaching it.
    ///
    /// # Errors
    /// As [`DropProbe::attach`].
    pub(crate) fn try_load(kernel: &Kernel) -> Result<(), Error> {
        load(kernel, &Backend::ALL).map(|_| ())
    }

    /// The disadvantage on this kernel, if any: a slower variant, or no reasons.
    pub(crate) fn degraded(&self) -> Option<String> {
        let slower = self
            .refused
            .as_ref()
            .map(|refused| format!("counts by {}, because {refused}", self.backend.name()));
        let lesser = lesser(&self.facts);
        match (slower, lesser) {
            (Some(slower), Some(lesser)) => Some(format!("{slower}; {lesser}")),
            (slower, lesser) => slower.or(lesser),
        }
    }

    /// Reads all counts and empties the ring of samples. A few system calls a key.
    ///
    /// # Errors
    /// A map could not be read.
    pub(crate) fn read(&mut self) -> Result<DropSnapshot, Error> {
        let samples = &mut self.samples;
        self.maps.drain_samples(|record| samples.take(record));
        let (snapshot, keys) = self.numbers.read(&self.maps)?;
        self.samples.file(&keys);
        if !self.has_begun {
            // The first samples are to be of the window, and it begins now.
            self.maps.sample_anew(keys.keys().copied())?;
            self.has_begun = true;
        }
        self.activity.note(&snapshot);
        let (activity, node_inum) = (&self.activity, self.node_inum);
        self.numbers.give_back(
            &mut self.maps,
            &keys,
            activity,
            node_inum,
            snapshot.taken_ns,
        )?;
        Ok(snapshot)
    }

    /// Detaches the probe and turns what it saw into evidence.
    ///
    /// `namespaces` and `links` are those of the node at the start or the end of the window: a drop is told to be on a
    /// device only if it is one of these, of those that `ended` meanwhile, or of one that a sample names in one of these
    /// namespaces. Those that only a sample names are added to `ended`. First and last times are those of samples, or,
    /// between samples, of the reads that saw a count move: as exact as the reads are frequent.
    pub(crate) fn finish(
        self,
        edges: &Edges,
        namespaces: &[Namespace],
        links: &[Link],
        ended: &mut Vec<Link>,
    ) -> (Observed<Drops>, Lost) {
        let Self {
            facts,
            backend,
            maps,
            samples,
            activity,
            ..
        } = self;
        drop(maps);
        let left_out = samples.left_out;
        let counted = fold::within_window(edges, &activity);
        let addresses: Vec<u64> = counted.iter().map(|drop| drop.key.location).collect();
        let (locations, hidden) = match kallsyms::resolve(&addresses) {
            Ok(locations) => (locations, None),
            Err(error) => (HashMap::new(), Some(error)),
        };
        let samples = samples.by_key();
        let places = DropPlaces::new(
            namespaces,
            links.iter().chain(&*ended),
            counted.iter().map(|drop| &drop.key),
            facts.namespaces_have_cookies,
        );
        let named = counted.iter().filter_map(|drop| {
            let mut names = samples.get(&drop.key)?.iter();
            let name = names.find_map(|sample| sample.device.as_deref())?;
            places.gone(&drop.key, name)
        });
        let mut named: Vec<Link> = named.collect();
        named.sort_by_key(Link::id);
        named.dedup_by_key(|link| link.id());
        let places = places.with(&named);
        ended.extend(named);
        let fold = Fold {
            places: &places,
            locations: &locations,
            facts: &facts,
            start_ns: edges.m0.taken_ns,
            end_ns: edges.m1_after.taken_ns,
        };
        let (counts, samples) = fold.fold(&counted, samples);
        let drops = Drops {
            backend: backend.name().to_owned(),
            has_reasons: !facts.drop_reasons.is_empty(),
            has_locations: hidden.is_none(),
            counts,
            samples,
        };
        let lost = Lost {
            counts: (edges.m1_after.lost_counts).saturating_sub(edges.m0.lost_counts),
            samples: (edges.m1_after.lost_samples)
                .saturating_sub(edges.m0.lost_samples)
                .saturating_add(left_out),
        };
        (observed(drops, lesser(&facts), hidden.as_ref(), lost), lost)
    }
}

/// Loads the best of these variants that the kernel takes.
fn load(kernel: &Kernel, backends: &[Backend]) -> Result<Loaded, Error> {
    let layout: DropLayout = kernel.layout(&DESCRIPTION)?;
    tracepoint::load(kernel, &DESCRIPTION, layout, backends)
}

/// The information that this kernel lacks and others give.
fn lesser(facts: &KernelFacts) -> Option<String> {
    match supported(facts) {
        Support::Degraded(reason) => Some(reason),
        Support::Full | Support::No(_) => None,
    }
}

fn observed(
    drops: Drops,
    lesser: Option<String>,
    hidden: Option<&kallsyms::Error>,
    lost: Lost,
) -> Observed<Drops> {
    let lesser = lesser.map(Missing::unsupported);
    let hidden = hidden.map(|error| Missing {
        text: format!("where in the kernel packets were dropped: {error}"),
        why: error.why(),
    });
    let lost = (lost.counts > 0).then(|| {
        Missing::failed(format!(
            "{} drops that were too varied or too nested to be counted apart",
            lost.counts
        ))
    });
    Observed::without(drops, [lesser, hidden, lost].into_iter().flatten())
}
