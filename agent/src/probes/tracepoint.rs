//! Loads programs on tracepoints: the fastest of their variants that this kernel takes.

#[cfg(test)]
mod tests;

use std::{
    error, fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Btf, Ebpf, EbpfLoader, Pod,
    maps::{Map, MapError},
    programs::{
        BtfTracePoint, Program, ProgramError, RawTracePoint, raw_trace_point::RawTracePointLink,
        tp_btf::BtfTracePointLink,
    },
};

use super::{
    object,
    refusal::{Refusal, refusal},
    system,
};

/// A variant of a program, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Typed tracepoint, plain loads: some ten nanoseconds a packet.
    TypedDirect,
    /// Typed tracepoint, reads by helper: some hundred nanoseconds a packet.
    TypedProbed,
    /// Raw tracepoint, reads by helper.
    Raw,
}

impl Backend {
    /// All variants, the best first.
    pub const ALL: [Self; 3] = [Self::TypedDirect, Self::TypedProbed, Self::Raw];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::TypedDirect => "tp_btf",
            Self::TypedProbed => "tp_btf+probe_read",
            Self::Raw => "raw_tracepoint",
        }
    }
}

/// What a probe does at one tracepoint: the names of the tracepoint and of a program for each variant.
pub struct Hook {
    /// The tracepoint.
    pub tracepoint: &'static str,
    /// For [`Backend::TypedDirect`].
    pub direct: &'static str,
    /// For [`Backend::TypedProbed`].
    pub probed: &'static str,
    /// For [`Backend::Raw`].
    pub raw: &'static str,
}

impl Hook {
    fn program(&self, backend: Backend) -> &'static str {
        match backend {
            Backend::TypedDirect => self.direct,
            Backend::TypedProbed => self.probed,
            Backend::Raw => self.raw,
        }
    }
}

/// A probe as the object holds it.
pub struct Description {
    /// What the names of its maps begin with.
    pub maps: &'static str,
    /// The global that holds the offsets of the fields that it reads.
    pub layout: &'static str,
    /// Where it is attached.
    pub hooks: &'static [Hook],
}

/// Why a probe cannot be loaded or attached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this agent was built without its eBPF object")]
    NotBuilt,
    #[error("failed to load eBPF: {why}")]
    NotPermitted { why: String },
    #[error("failed to load the probe: {reason}")]
    Refused { reason: String },
    #[error("failed to find the program or map {name} in the eBPF object")]
    Inconsistent { name: &'static str },
    #[error("failed to access a map of the probe")]
    Map { source: MapError },
}

impl Error {
    fn refused(source: &(dyn error::Error + 'static)) -> Self {
        match refusal(source) {
            Refusal::NotPermitted { why } => Self::NotPermitted { why },
            Refusal::Refused { reason } => Self::Refused { reason },
        }
    }
}

/// A probe in the kernel. Dropping it detaches it.
pub struct Loaded {
    ebpf: Ebpf,
    probe: &'static Description,
    links: Vec<Link>,
    /// The variant that the kernel took.
    pub backend: Backend,
    /// Why better variants were refused.
    pub refused: Option<String>,
}

/// A program at its tracepoint; dropping it detaches the program.
#[expect(dead_code, reason = "held for their effect")]
enum Link {
    Typed(BtfTracePointLink),
    Raw(RawTracePointLink),
}

/// Loads the first of `backends` that the kernel takes, not yet attached. Its maps are empty.
///
/// # Errors
/// The agent was built without eBPF, this process may not load it, or this kernel takes no variant of it.
pub fn load(
    probe: &'static Description,
    layout: &impl Pod,
    backends: &[Backend],
) -> Result<Loaded, Error> {
    let object = object().ok_or(Error::NotBuilt)?;
    system::raise_locked_memory_limit();

    let mut loader = EbpfLoader::new();
    // The loader has parsed the kernel's types, some 20 MB, for relocations that these programs do not have.
    loader.btf(None);
    loader.override_global(probe.layout, layout, true);
    shrink_maps(&mut loader, probe.maps);
    let mut ebpf = loader
        .load(object)
        .map_err(|source| Error::refused(&source))?;
    let chosen = load_first(&mut ebpf, probe, backends);
    system::give_back();
    let (backend, refused) = chosen?;
    drop_maps_of_others(&mut ebpf, probe.maps);
    Ok(Loaded {
        ebpf,
        probe,
        links: Vec::new(),
        backend,
        refused,
    })
}

/// Maps of the object that take more than some kilobytes. A load makes all of them, also those of other probes, and
/// kernels before 5.11 charge each to the limit on locked memory.
const LARGE_MAPS: [&str; 12] = [
    "DROP_KEYS",
    "DROP_FREE",
    "DROP_COUNTS",
    "DROP_SAMPLED",
    "DROP_CACHE",
    "DROP_SAMPLES",
    "FRAME_COPIES_FRAMES",
    "FRAME_COPIES_COUNTS",
    "GRO_COUNTS",
    "NET_DEVICES_WRITTEN",
    "RETRANSMISSION_DROPS",
    "RETRANSMISSION_PLACES",
];

/// Gives the large maps of other probes the least size.
pub fn shrink_maps(loader: &mut EbpfLoader<'_>, own: &str) {
    for name in LARGE_MAPS.iter().filter(|name| !name.starts_with(own)) {
        loader.map_max_entries(name, 1);
    }
}

/// What the programs use, the kernel keeps for them.
fn drop_maps_of_others(ebpf: &mut Ebpf, own: &str) {
    let of_others: Vec<_> = ebpf
        .maps()
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.starts_with(own))
        .collect();
    for name in of_others {
        drop(ebpf.take_map(&name));
    }
}

fn load_first(
    ebpf: &mut Ebpf,
    probe: &Description,
    backends: &[Backend],
) -> Result<(Backend, Option<String>), Error> {
    let types = Btf::from_sys_fs().map_err(|source| Error::refused(&source))?;
    let mut refused = Vec::new();
    for &backend in backends {
        match load_variant(ebpf, probe, backend, &types) {
            Ok(()) => return Ok((backend, (!refused.is_empty()).then(|| refused.join("; ")))),
            Err(error @ Error::NotPermitted { .. }) => return Err(error),
            Err(error) => refused.push(format!("{}: {error}", backend.name())),
        }
    }
    Err(Error::Refused {
        reason: refused.join("; "),
    })
}

fn load_variant(
    ebpf: &mut Ebpf,
    probe: &Description,
    backend: Backend,
    types: &Btf,
) -> Result<(), Error> {
    for hook in probe.hooks {
        let name = hook.program(backend);
        match backend {
            Backend::TypedDirect | Backend::TypedProbed => {
                find::<BtfTracePoint>(ebpf, name)?.load(hook.tracepoint, types)
            }
            Backend::Raw => find::<RawTracePoint>(ebpf, name)?.load(),
        }
        .map_err(|source| Error::refused(&source))?;
    }
    Ok(())
}

fn find<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, Error>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(Error::Inconsistent { name })
}

impl Loaded {
    /// A map of the probe.
    ///
    /// # Errors
    /// The object has no map of this name, or it was taken.
    pub fn map_mut(&mut self, name: &'static str) -> Result<&mut Map, Error> {
        self.ebpf.map_mut(name).ok_or(Error::Inconsistent { name })
    }

    /// A map of the probe, to be kept.
    ///
    /// # Errors
    /// As [`Loaded::map_mut`].
    pub fn take_map(&mut self, name: &'static str) -> Result<Map, Error> {
        self.ebpf.take_map(name).ok_or(Error::Inconsistent { name })
    }

    /// Attaches every program. It may be detached and attached as often as one likes.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn attach(&mut self) -> Result<(), Error> {
        self.links.clear();
        for hook in self.probe.hooks {
            let link = attach(&mut self.ebpf, hook, self.backend)?;
            self.links.push(link);
        }
        Ok(())
    }

    /// Detaches every program. Its maps keep what they hold.
    pub fn detach(&mut self) {
        self.links.clear();
    }

    /// Runs that the kernel left out, because an interrupt hit the tracepoint while a program ran on that CPU. Kernels
    /// before 5.12 do not tell.
    pub fn recursion_misses(&self) -> u64 {
        let programs = self.probe.hooks.iter();
        let programs = programs.filter_map(|hook| self.ebpf.program(hook.program(self.backend)));
        programs
            .filter_map(program_number)
            .filter_map(|number| fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok())
            .filter_map(|text| field(&text, "recursion_misses:"))
            .sum()
    }
}

fn attach(ebpf: &mut Ebpf, hook: &Hook, backend: Backend) -> Result<Link, Error> {
    let name = hook.program(backend);
    match backend {
        Backend::TypedDirect | Backend::TypedProbed => {
            let program = find::<BtfTracePoint>(ebpf, name)?;
            let link = program.attach();
            link.and_then(|link| program.take_link(link))
                .map(Link::Typed)
        }
        Backend::Raw => {
            let program = find::<RawTracePoint>(ebpf, name)?;
            let link = program.attach(hook.tracepoint);
            link.and_then(|link| program.take_link(link)).map(Link::Raw)
        }
    }
    .map_err(|source| Error::refused(&source))
}

fn program_number(program: &Program) -> Option<i32> {
    let descriptor = match program {
        Program::BtfTracePoint(program) => program.fd(),
        Program::RawTracePoint(program) => program.fd(),
        _ => return None,
    };
    Some(descriptor.ok()?.as_fd().as_raw_fd())
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))?
        .trim()
        .parse()
        .ok()
}
