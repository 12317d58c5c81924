//! Loads the drop program: the fastest of its variants that this kernel takes.

use std::{error, io};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{MapData, Queue},
    programs::{BtfTracePoint, RawTracePoint},
};
use netdiag_abi::drop::{MAX_KEYS, OVERFLOW};

use super::Error;
use crate::probes::{self, Kernel, capabilities, system, wire::Wire};

/// A variant of the program, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Typed tracepoint, plain loads: some ten nanoseconds a drop.
    TypedDirect,
    /// Typed tracepoint, reads by helper: some hundred nanoseconds a drop.
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

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::TypedDirect => "drop_direct",
            Self::TypedProbed => "drop_probed",
            Self::Raw => "drop_raw",
        }
    }
}

/// The program in the kernel, with its maps, not yet attached.
pub(super) struct Loaded {
    pub ebpf: Ebpf,
    pub backend: Backend,
    /// Why better variants were refused.
    pub refused: Option<String>,
}

/// Loads the first of `backends` that the kernel takes.
///
/// # Errors
/// This kernel takes none, or this process may not load programs.
pub(super) fn load(kernel: &Kernel, backends: &[Backend]) -> Result<Loaded, Error> {
    let object = probes::object().ok_or(Error::NotBuilt)?;
    let layout = kernel
        .drop_layout
        .as_ref()
        .map_err(|reason| Error::Unsupported {
            reason: reason.clone(),
        })?;
    system::raise_locked_memory_limit();

    let layout = Wire(*layout);
    let mut loader = EbpfLoader::new();
    // The loader has parsed the kernel's types, some 20 MB, for relocations that these programs do not have.
    loader.btf(None);
    loader.override_global("DROP_LAYOUT", &layout, true);
    let mut ebpf = loader.load(object).map_err(|source| refusal(&source))?;
    let chosen = load_first(&mut ebpf, backends);
    system::give_back();
    let (backend, refused) = chosen?;

    fill_free_numbers(&mut ebpf)?;
    Ok(Loaded {
        ebpf,
        backend,
        refused,
    })
}

fn load_first(ebpf: &mut Ebpf, backends: &[Backend]) -> Result<(Backend, Option<String>), Error> {
    let types = Btf::from_sys_fs().map_err(|source| refusal(&source))?;
    let mut refused = Vec::new();
    for &backend in backends {
        match load_variant(ebpf, backend, &types) {
            Ok(()) => return Ok((backend, (!refused.is_empty()).then(|| refused.join("; ")))),
            Err(error @ Error::NotPermitted { .. }) => return Err(error),
            Err(error) => refused.push(format!("{}: {error}", backend.name())),
        }
    }
    Err(Error::Refused {
        reason: refused.join("; "),
    })
}

fn load_variant(ebpf: &mut Ebpf, backend: Backend, types: &Btf) -> Result<(), Error> {
    let program = ebpf
        .program_mut(backend.program())
        .ok_or(Error::Inconsistent)?;
    match backend {
        Backend::TypedDirect | Backend::TypedProbed => {
            let program: &mut BtfTracePoint =
                program.try_into().map_err(|_| Error::Inconsistent)?;
            program.load("kfree_skb", types)
        }
        Backend::Raw => {
            let program: &mut RawTracePoint =
                program.try_into().map_err(|_| Error::Inconsistent)?;
            program.load()
        }
    }
    .map_err(|source| refusal(&source))
}

/// Hands every number but the shared one to the program, which gives one to each new key.
fn fill_free_numbers(ebpf: &mut Ebpf) -> Result<(), Error> {
    let map = ebpf.map_mut("DROP_FREE").ok_or(Error::Inconsistent)?;
    let mut free: Queue<&mut MapData, u32> =
        Queue::try_from(map).map_err(|source| Error::Map { source })?;
    for number in (0..MAX_KEYS).filter(|number| *number != OVERFLOW) {
        free.push(number, 0)
            .map_err(|source| Error::Map { source })?;
    }
    Ok(())
}

/// Turns a refusal by the kernel into words: which capability is missing, or the last thing the verifier said.
pub(super) fn refusal(error: &(dyn error::Error + 'static)) -> Error {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.raw_os_error() == Some(libc::EPERM))
        {
            let missing = capabilities::missing_for_tracing();
            if !missing.is_empty() {
                return Error::NotPermitted { missing };
            }
        }
        causes.push(in_short(&cause.to_string()));
        next = cause.source();
    }
    causes.dedup();
    Error::Refused {
        reason: causes.join(": "),
    }
}

/// A verifier log ends with what it objected to and a line of statistics; the rest is of no use in a report.
fn in_short(message: &str) -> String {
    const LONGEST: usize = 300;
    let lines: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("processed "))
        .collect();
    let text = match lines.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, .., last] => format!("{first} .. {last}"),
    };
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel without commit 0108a4e9f358 ("bpf: ensure main program has an extable", 6.4) panics on a bad address
    /// that is read directly in a program with subprograms. Seen on 5.10: `skb->dev` of a datagram, which is no pointer.
    #[test]
    fn no_variant_calls_a_subprogram() {
        const CALL: u8 = 0x85;
        const TO_SUBPROGRAM: u8 = 1;
        let Some(object) = probes::object() else {
            println!("SKIP no_variant_calls_a_subprogram: built without eBPF");
            return;
        };
        let object = aya_obj::Object::parse(object).unwrap();
        for backend in Backend::ALL {
            let function = object.programs[backend.program()].function_key();
            let calls = object.functions[&function].instructions.iter();
            let calls = calls.filter(|it| it.code == CALL && it.src_reg() == TO_SUBPROGRAM);
            assert_eq!(calls.count(), 0, "{}", backend.program());
        }
    }

    #[test]
    fn a_verifier_log_is_cut_to_its_ends() {
        let log = "the BPF_PROG_LOAD syscall failed. Verifier output: 0: R1=ctx()\n1: (79) r1 = *(u64 *)(r1 +0)\n\
                   invalid access to memory, mem_size=4\nprocessed 40 insns (limit 1000000)\n";
        let short = in_short(log);
        assert!(short.ends_with(".. invalid access to memory, mem_size=4"));
        assert!(short.starts_with("the BPF_PROG_LOAD"));
        assert!(in_short(&"x".repeat(10_000)).len() <= 300);
    }

    #[test]
    fn an_error_other_than_permission_keeps_its_causes() {
        let error = io::Error::from_raw_os_error(libc::ENOSPC);
        let Error::Refused { reason } = refusal(&error) else {
            panic!("not a refusal");
        };
        assert!(reason.contains("No space"));
    }
}
