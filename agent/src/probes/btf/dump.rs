//! Types of a kernel that does not run, for the files of recorded kernels.

use btf_rs::{Btf, BtfType, Type};

use super::{KernelTypes, MAX_DEPTH};

impl KernelTypes {
    /// Types as an image holds them; all are unpacked, because every one is looked at.
    pub(in crate::probes) fn of_image(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            btf: Btf::from_bytes(bytes).ok()?,
            structures: Default::default(),
        })
    }

    /// Types of a module of this kernel.
    pub(in crate::probes) fn of_module(&self, bytes: &[u8]) -> Option<Self> {
        Some(Self {
            btf: Btf::from_split_bytes(bytes, &self.btf).ok()?,
            structures: Default::default(),
        })
    }

    /// The types of a tracepoint's arguments in C.
    pub(in crate::probes) fn tracepoint_text(&self, name: &str) -> Option<String> {
        let prototype = self.tracepoint(name)?;
        let arguments = prototype.parameters.iter().skip(1);
        let arguments: Vec<_> = arguments
            .map(|argument| self.text_of(argument, 0))
            .collect();
        Some(arguments.join(", "))
    }

    /// The names of all enums that end so; of a module, its own.
    pub(in crate::probes) fn enums_that_end_in(&self, end: &str) -> Vec<String> {
        let (first, last) = self.btf.split().unwrap_or(self.btf.base()).type_id_range();
        let named = |id| match self.btf.resolve_type_by_id(id) {
            Ok(Type::Enum(one)) => self.btf.resolve_name(&one).ok(),
            _ => None,
        };
        let names = (first..=last).filter_map(named);
        names.filter(|name| name.ends_with(end)).collect()
    }

    /// The type that this one refers to.
    fn text_of(&self, outer: &dyn BtfType, depth: usize) -> String {
        let Ok(inner) = self.btf.resolve_chained_type(outer) else {
            return "void".to_owned();
        };
        let name = |kind: &dyn BtfType| self.btf.resolve_name(kind).unwrap_or_default();
        match &inner {
            _ if depth > MAX_DEPTH => "..".to_owned(),
            Type::Struct(one) => format!("struct {}", name(one)),
            Type::Union(one) => format!("union {}", name(one)),
            Type::Enum(one) => format!("enum {}", name(one)),
            Type::Fwd(one) => format!("struct {}", name(one)),
            Type::Int(one) => name(one),
            Type::Typedef(one) => name(one),
            Type::Ptr(one) => format!("{} *", self.text_of(one, depth + 1)),
            // What a const pointer may do with its packet is of no meaning to a probe.
            other => match other.as_btf_type() {
                Some(other) => self.text_of(other, depth + 1),
                None => "void".to_owned(),
            },
        }
    }
}
