//! Layout of the running kernel's structures, from the type information (BTF) that it carries.
//!
//! aya cannot relocate field accesses of programs written in Rust, so the agent looks every offset up here and hands
//! it to the programs as a constant. A look-up walks the whole table, so look all offsets up once and keep those.

pub(crate) mod error;

use std::{cell::RefCell, collections::HashMap, fs, io, os::fd::AsRawFd as _, path::Path};

use btf_rs::{Backend, Btf, BtfType, FuncProto, Type};

pub(crate) use self::error::Error;
use super::{
    system,
    types::{Member, Types},
};

/// The file in which the kernel shows its own type information.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The greatest depth to which structures are searched and types followed; real ones stay far below.
const MAX_DEPTH: usize = 16;

/// Type information of the running kernel.
pub(crate) struct KernelTypes {
    btf: Btf,
    /// Structures found so far, because each look-up by name walks the whole table.
    structures: RefCell<HashMap<String, Option<Type>>>,
}

/// A member, and the type that it has.
struct Found {
    member: Member,
    type_id: u32,
}

impl KernelTypes {
    /// Reads the running kernel's type information.
    ///
    /// # Errors
    /// There is none, or it is malformed.
    pub(crate) fn read() -> Result<Self, Error> {
        Self::read_from(Path::new(VMLINUX))
    }

    fn read_from(path: &Path) -> Result<Self, Error> {
        let read_error = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = fs::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing {
                path: path.to_owned(),
            },
            _ => read_error(source),
        })?;
        // Parsed into objects the table takes 40 MB, mapped it takes its own 5. The kernel lets its file be mapped
        // only from 6.16 on, so it is copied.
        let copy = system::memory_file(&bytes).map_err(read_error)?;
        let btf = Btf::from_file_with_backend(
            format!("/proc/self/fd/{}", copy.as_raw_fd()),
            Backend::Mmap,
        )
        .map_err(|source| Error::Parse {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            btf,
            structures: RefCell::default(),
        })
    }

    /// The prototype of a tracepoint's probes; `None` where this kernel has no such tracepoint.
    fn tracepoint(&self, name: &str) -> Option<FuncProto> {
        // `typedef void (*btf_trace_<name>)(void *, <TP_PROTO>)`, made by __DEFINE_EVENT in include/trace/bpf_probe.h.
        let typedef = self.find(&format!("btf_trace_{name}"), |kind| {
            matches!(kind, Type::Typedef(_))
        })?;
        let Type::Ptr(pointer) = self.btf.resolve_chained_type(typedef.as_btf_type()?).ok()? else {
            return None;
        };
        match self.btf.resolve_chained_type(&pointer).ok()? {
            Type::FuncProto(prototype) => Some(prototype),
            _ => None,
        }
    }

    /// The structure or union of this name; a forward declaration does not count.
    fn structure(&self, name: &str) -> Option<Type> {
        let mut structures = self.structures.borrow_mut();
        if let Some(known) = structures.get(name) {
            return known.clone();
        }
        let found = self.find(name, |kind| {
            matches!(kind, Type::Struct(_) | Type::Union(_))
        });
        structures.insert(name.to_owned(), found.clone());
        found
    }

    fn find(&self, name: &str, wanted: impl Fn(&Type) -> bool) -> Option<Type> {
        self.btf
            .resolve_types_by_name(name)
            .ok()?
            .into_iter()
            .find(wanted)
    }

    fn follow(&self, outer: Type, path: &str) -> Option<Member> {
        let mut current = outer;
        let mut base = 0u32;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let found = self.search(&current, name, 0)?;
            let bit_offset = base.checked_add(found.member.bit_offset)?;
            if names.peek().is_none() {
                return Some(Member {
                    bit_offset,
                    ..found.member
                });
            }
            base = bit_offset;
            current = self.bare_type(found.type_id)?;
        }
        None
    }

    /// A member by name, looking into anonymous structures and unions.
    fn search(&self, structure: &Type, name: &str, depth: usize) -> Option<Found> {
        let (Type::Struct(body) | Type::Union(body)) = structure else {
            return None;
        };
        if depth > MAX_DEPTH {
            return None;
        }
        for member in &body.members {
            let type_id = member.get_type_id()?;
            let member_name = self.btf.resolve_name(member).unwrap_or_default();
            if member_name == name {
                let resolved = self.bare_type(type_id)?;
                let member = Member {
                    bit_offset: member.bit_offset(),
                    bit_width: member.bitfield_size().filter(|width| *width > 0),
                    is_scalar: matches!(
                        resolved,
                        Type::Int(_) | Type::Ptr(_) | Type::Enum(_) | Type::Enum64(_)
                    ),
                };
                return Some(Found { member, type_id });
            }
            if member_name.is_empty()
                && let Some(inner) = self.bare_type(type_id)
                && let Some(found) = self.search(&inner, name, depth + 1)
            {
                let bit_offset = member.bit_offset().checked_add(found.member.bit_offset)?;
                let member = Member {
                    bit_offset,
                    ..found.member
                };
                return Some(Found { member, ..found });
            }
        }
        None
    }

    /// A type without its typedefs and qualifiers.
    fn bare_type(&self, type_id: u32) -> Option<Type> {
        let mut current = self.btf.resolve_type_by_id(type_id).ok()?;
        for _ in 0..MAX_DEPTH {
            match &current {
                Type::Typedef(_)
                | Type::Const(_)
                | Type::Volatile(_)
                | Type::Restrict(_)
                | Type::TypeTag(_) => {
                    current = self.btf.resolve_chained_type(current.as_btf_type()?).ok()?;
                }
                _ => return Some(current),
            }
        }
        None
    }
}

impl Types for KernelTypes {
    fn member(&self, structure: &str, path: &str) -> Result<Member, Error> {
        self.structure(structure)
            .and_then(|outer| self.follow(outer, path))
            .ok_or_else(|| Error::no_member(structure, path))
    }

    fn size_of(&self, structure: &str) -> Option<usize> {
        match self.structure(structure)? {
            Type::Struct(body) | Type::Union(body) => Some(body.size()),
            _ => None,
        }
    }

    fn enumeration(&self, name: &str) -> Vec<(u32, String)> {
        let Some(Type::Enum(found)) = self.find(name, |kind| matches!(kind, Type::Enum(_))) else {
            return Vec::new();
        };
        found
            .members
            .iter()
            .filter_map(|member| Some((member.val(), self.btf.resolve_name(member).ok()?)))
            .collect()
    }

    fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        self.tracepoint(name)?.parameters.len().checked_sub(1)
    }
}

#[cfg(test)]
pub(super) mod dump;

#[cfg(test)]
mod tests {
    use super::*;

    /// The running kernel's types, or nothing with the reason printed: not every kernel carries them.
    fn running_kernel() -> Option<KernelTypes> {
        KernelTypes::read()
            .inspect_err(|error| println!("skipped: {error}"))
            .ok()
    }

    #[test]
    fn members_are_found_through_typedefs_and_anonymous_structures() {
        let Some(types) = running_kernel() else {
            return;
        };
        assert_eq!(types.size_of("list_head"), Some(2 * size_of::<usize>()));
        // First in its structure since struct list_head was introduced.
        assert_eq!(types.offset_of("list_head", "next").unwrap(), 0);
        assert_eq!(
            types.offset_of("list_head", "prev").unwrap(),
            size_of::<usize>() as u32
        );
        // possible_net_t is a typedef of an anonymous structure.
        assert_eq!(
            types.offset_of("net_device", "nd_net.net").unwrap(),
            types.offset_of("net_device", "nd_net").unwrap()
        );
        // dev lies in a structure in a union, all without names.
        assert!(types.offset_of("sk_buff", "dev").unwrap() > 0);
    }

    #[test]
    fn bit_fields_have_a_width_and_other_members_none() {
        let Some(types) = running_kernel() else {
            return;
        };
        let packet_type = types.member("sk_buff", "pkt_type").unwrap();
        assert_eq!(packet_type.bit_width, Some(3));
        assert_eq!(
            types.member("sk_buff", "ip_summed").unwrap().bit_width,
            Some(2)
        );
        assert_eq!(types.member("sk_buff", "len").unwrap().bit_width, None);
    }

    #[test]
    fn a_missing_member_is_an_error_that_names_it() {
        let Some(types) = running_kernel() else {
            return;
        };
        let error = types.offset_of("sk_buff", "no_such_member").unwrap_err();
        assert!(error.to_string().contains("sk_buff.no_such_member"));
        assert!(types.offset_of("no_such_structure", "x").is_err());
    }

    #[test]
    fn drop_reasons_come_from_the_enum_of_that_name_alone() {
        let Some(types) = running_kernel() else {
            return;
        };
        let reasons = types.enumeration("skb_drop_reason");
        if reasons.is_empty() {
            println!("skipped: this kernel gives no drop reasons");
            return;
        }
        let (not_specified, _) = reasons
            .iter()
            .find(|(_, name)| name == "SKB_DROP_REASON_NOT_SPECIFIED")
            .unwrap();
        // enum skb_drop_reason_subsys has members of the same prefix and the same small values.
        let same_value = reasons.iter().filter(|(value, _)| value == not_specified);
        assert_eq!(same_value.count(), 1);
    }

    #[test]
    fn the_tracepoint_has_two_to_four_arguments() {
        let Some(types) = running_kernel() else {
            return;
        };
        let arguments = types.tracepoint_arguments("kfree_skb").unwrap();
        assert!((2..=4).contains(&arguments), "{arguments}");
        assert_eq!(types.tracepoint_arguments("no_such_tracepoint"), None);
    }

    #[test]
    fn a_kernel_without_type_information_is_told_apart_from_a_broken_one() {
        let missing = KernelTypes::read_from(Path::new("/nonexistent/vmlinux"));
        assert!(matches!(missing, Err(Error::Missing { .. })));
        let broken = KernelTypes::read_from(Path::new("/proc/self/status"));
        assert!(matches!(broken, Err(Error::Parse { .. })));
    }
}
