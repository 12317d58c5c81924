//! Both ends of a connection, read from its socket.

use netdiag_abi::retransmissions::Ends;

use super::layout;
use crate::read::Read;

const AF_INET6: u16 = 10;
/// The third word of an IPv4 address within IPv6, `::ffff:a.b.c.d`.
const MAPPED: u32 = 0xffff_u32.to_be();

/// An IPv4 address (network order) as [`Ends`] has it, which is also how an IPv6 socket holds it that talks IPv4.
#[inline(always)]
pub fn mapped(address: u32) -> [u32; 4] {
    [0, 0, MAPPED, address]
}

/// Addresses and ports of what this end sends.
///
/// # Safety
/// `common` must be a `sock` or a `request_sock` that the kernel handed to the program.
#[inline(always)]
pub unsafe fn ends_of<R: Read>(common: *const u8, family: u16) -> Ends {
    // SAFETY: the caller's promise; both structures begin with a `sock_common`.
    unsafe {
        let (source, destination) = if family == AF_INET6 {
            (
                address6::<R>(common, layout!(common_source6)),
                address6::<R>(common, layout!(common_destination6)),
            )
        } else {
            (
                mapped(R::field(common, layout!(common_source))),
                mapped(R::field(common, layout!(common_destination))),
            )
        };
        Ends {
            source,
            destination,
            source_port: R::field::<u16>(common, layout!(common_source_port)).to_be(),
            destination_port: R::field(common, layout!(common_destination_port)),
        }
    }
}

/// # Safety
/// As [`Read::field`].
#[inline(always)]
unsafe fn address6<R: Read>(common: *const u8, offset: u32) -> [u32; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            R::field(common, offset),
            R::field(common, offset + 4),
            R::field(common, offset + 8),
            R::field(common, offset + 12),
        ]
    }
}
