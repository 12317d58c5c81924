//! Loads programs on tracepoints: the fastest of their variants that this kernel takes.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Btf, Ebpf,
    maps::Map,
    programs::{
        BtfTracePoint, Program, ProgramError, RawTracePoint, raw_trace_point::RawTracePointLink,
        tp_btf::BtfTracePointLink,
    },
};

use netdiag_abi::Plain;

use super::{
    description::{Backend, Description, Hook},
    error::Error,
    kernel::Kernel,
    object::loader,
    system,
    wire::Wire,
};

/// A probe in the kernel. Dropping it detaches it.
pub(super) struct Loaded {
    ebpf: Ebpf,
    probe: &'static Description,
    links: Vec<AttachedProgram>,
    /// The variant that the kernel took.
    pub backend: Backend,
    /// Why better variants were refused.
    pub refused: Option<String>,
}

/// A program at its tracepoint; dropping it detaches the program.
#[expect(dead_code, reason = "held for their effect")]
enum AttachedProgram {
    Typed(BtfTracePointLink),
    Raw(RawTracePointLink),
}

/// Loads the first of `backends` that the kernel takes, not yet attached. Its maps are empty.
///
/// # Errors
/// The agent was built without eBPF, this process may not load it, or this kernel takes no variant of it.
pub(super) fn load(
    kernel: &Kernel,
    probe: &'static Description,
    layout: impl Plain,
    backends: &[Backend],
) -> Result<Loaded, Error> {
    let layout = Wire(layout);
    let (mut loader, object) = loader(kernel, &[probe])?;
    loader.override_global(probe.layout, &layout, true);
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

/// Closes the maps of other probes; the kernel keeps those that the programs use.
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
    let mut lacking = Vec::new();
    for &backend in backends {
        match load_variant(ebpf, probe, backend, &types) {
            Ok(()) => return Ok((backend, (!refused.is_empty()).then(|| refused.join("; ")))),
            Err(error @ Error::NotPermitted { .. }) => return Err(error),
            Err(error) => {
                refused.push(format!("{}: {error}", backend.name()));
                if let Error::Refused { lacking: some, .. } = error {
                    lacking = some;
                }
            }
        }
    }
    Err(Error::Refused {
        reason: refused.join("; "),
        lacking,
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
    /// A map of the probe, to be kept.
    ///
    /// # Errors
    /// The object has no map of this name, or it was taken.
    pub(super) fn take_map(&mut self, name: &'static str) -> Result<Map, Error> {
        self.ebpf.take_map(name).ok_or(Error::Inconsistent { name })
    }

    /// Attaches every program. It may be detached and attached as often as one likes.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn attach(&mut self) -> Result<(), Error> {
        self.links.clear();
        for hook in self.probe.hooks {
            let link = attach(&mut self.ebpf, hook, self.backend)?;
            self.links.push(link);
        }
        Ok(())
    }

    /// Detaches every program. Its maps keep what they hold.
    pub(super) fn detach(&mut self) {
        self.links.clear();
    }

    /// Runs that the kernel left out, because an interrupt hit the tracepoint while a program ran on that CPU. Kernels
    /// before 5.12 do not tell.
    pub(super) fn recursion_misses(&self) -> u64 {
        self.sum_of("recursion_misses:")
    }

    /// A number that the kernel shows of a program, summed over all of them.
    pub(super) fn sum_of(&self, name: &str) -> u64 {
        let programs = self.probe.hooks.iter();
        let programs = programs.filter_map(|hook| self.ebpf.program(hook.program(self.backend)));
        programs
            .filter_map(program_number)
            .filter_map(|number| fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok())
            .filter_map(|text| field(&text, name))
            .sum()
    }
}

fn attach(ebpf: &mut Ebpf, hook: &Hook, backend: Backend) -> Result<AttachedProgram, Error> {
    let name = hook.program(backend);
    match backend {
        Backend::TypedDirect | Backend::TypedProbed => {
            let program = find::<BtfTracePoint>(ebpf, name)?;
            let link = program.attach();
            link.and_then(|link| program.take_link(link))
                .map(AttachedProgram::Typed)
        }
        Backend::Raw => {
            let program = find::<RawTracePoint>(ebpf, name)?;
            let link = program.attach(hook.tracepoint);
            link.and_then(|link| program.take_link(link))
                .map(AttachedProgram::Raw)
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
