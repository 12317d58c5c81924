//! Layout of a kernel's structures, as probes ask for it.

use super::btf::error::Error;

/// The place of a member in its structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Offset from the beginning of the structure, in bits.
    pub bit_offset: u32,
    /// Width in bits if it is a bit field.
    pub bit_width: Option<u32>,
    /// It is a plain integer, pointer or enum, not a structure such as `atomic64_t`.
    pub is_scalar: bool,
}

impl Member {
    /// Offset of the byte in which the member begins.
    pub(crate) fn byte_offset(&self) -> u32 {
        self.bit_offset / 8
    }

    /// Lowest bit of the member within that byte.
    pub(crate) fn bit_shift(&self) -> u32 {
        self.bit_offset % 8
    }
}

/// Type information of a kernel: of the running one ([`KernelTypes`](super::btf::KernelTypes)), or as recorded of
/// another one for tests.
pub(crate) trait Types {
    /// Finds the place of a member, for bit fields and to learn whether the member exists. Members of anonymous
    /// structures and unions are found under the outer structure, as in C.
    ///
    /// # Errors
    /// This kernel's structure has no such member.
    fn member(&self, structure: &str, path: &str) -> Result<Member, Error>;

    /// Size of a structure in bytes; `None` where this kernel has no such structure.
    fn size_of(&self, structure: &str) -> Option<usize>;

    /// Names and values of an enum, found by the enum's own name: several enums may share a prefix and their values
    /// (`SKB_DROP_REASON_` since 6.10). Empty where this kernel has no such enum.
    fn enumeration(&self, name: &str) -> Vec<(u32, String)>;

    /// Number of arguments that a tracepoint hands to its probes; `None` where this kernel has no such tracepoint.
    fn tracepoint_arguments(&self, name: &str) -> Option<usize>;

    /// The value of an enum's member; `None` where this kernel has no such member.
    fn enumerator(&self, enumeration: &str, name: &str) -> Option<u32> {
        let members = self.enumeration(enumeration);
        let found = members.into_iter().find(|(_, member)| member == name);
        found.map(|(value, _)| value)
    }

    /// Byte offset of a member, such as `offset_of("net_device", "nd_net.net")`.
    ///
    /// # Errors
    /// As [`Types::member`].
    fn offset_of(&self, structure: &str, path: &str) -> Result<u32, Error> {
        self.member(structure, path)
            .map(|member| member.byte_offset())
    }

    /// Finds the bits in which `struct sk_buff` says that the device took a VLAN tag out of the frame: a byte, and the
    /// bits of it that say so. It was a bit of its own until 6.1 (mask); in later kernels protocol and tag together are
    /// not 0 (no mask).
    ///
    /// # Errors
    /// This kernel's structure has neither.
    fn vlan_present(&self) -> Result<(u32, u32), Error> {
        match self.member("sk_buff", "vlan_present") {
            Ok(bit) => Ok((bit.byte_offset(), 1 << bit.bit_shift())),
            Err(_) => Ok((self.offset_of("sk_buff", "vlan_proto")?, 0)),
        }
    }
}
