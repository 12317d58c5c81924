//! Netlink attributes: walking them, reading their values, writing requests.
//!
//! Own code, for two reasons: of a link's sixty attributes few are needed here, and an attribute that a future kernel
//! lays out differently must cost that attribute and not the link.

/// Flags in the upper bits of `nla_type` (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
const TYPE_MASK: u16 = 0x3fff;
/// `struct nlattr`: length and type.
const HEADER: usize = 4;

/// An attribute: its type without flags, and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    /// `nla_type`.
    pub kind: u16,
    /// The payload.
    pub value: &'a [u8],
}

/// The attributes in `bytes`. Ends at the first one that does not fit.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(array(rest, 0)?));
        let kind = u16::from_ne_bytes(array(rest, 2)?) & TYPE_MASK;
        let value = rest.get(HEADER..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(Attribute { kind, value })
    })
}

/// Appends an attribute, padded to four bytes.
pub(super) fn push(request: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
    request.extend_from_slice(&length.to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(value);
    request.resize(aligned(request.len()), 0);
}

impl<'a> Attribute<'a> {
    /// An 8-bit number.
    pub(super) fn u8(&self) -> Option<u8> {
        self.value.first().copied()
    }

    /// A 16-bit number in host order.
    pub(super) fn u16(&self) -> Option<u16> {
        array(self.value, 0).map(u16::from_ne_bytes)
    }

    /// A 32-bit number in host order.
    pub(super) fn u32(&self) -> Option<u32> {
        array(self.value, 0).map(u32::from_ne_bytes)
    }

    /// A signed 32-bit number in host order.
    pub(super) fn i32(&self) -> Option<i32> {
        array(self.value, 0).map(i32::from_ne_bytes)
    }

    /// A string up to its terminating zero.
    pub(super) fn text(&self) -> String {
        let end = self.value.iter().position(|byte| *byte == 0);
        let bytes = self.value.get(..end.unwrap_or(self.value.len()));
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    }

    /// The attributes within this one.
    pub(super) fn nested(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        attributes(self.value)
    }
}

/// `N` bytes at `at`, if there are as many.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Rounded up to the four bytes that netlink aligns to.
pub(super) fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_found() {
        let mut bytes = Vec::new();
        push(&mut bytes, 3, b"eth0\0");
        push(&mut bytes, 4 | 0x8000, &1500_u32.to_ne_bytes());
        assert_eq!(bytes.len() % 4, 0);
        let found: Vec<_> = attributes(&bytes).collect();
        assert_eq!(found[0].text(), "eth0");
        assert_eq!((found[1].kind, found[1].u32()), (4, Some(1500)));
    }

    #[test]
    fn broken_lengths_end_the_walk() {
        for bytes in [
            &[][..],
            &[4][..],
            &[0, 0, 1, 0, 1, 2, 3, 4][..],
            &[3, 0, 1, 0][..],
            &[200, 0, 1, 0, 1][..],
            &[255, 255, 255, 255][..],
        ] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
    }

    #[test]
    fn a_short_number_is_none() {
        let attribute = Attribute {
            kind: 1,
            value: &[1, 2],
        };
        assert_eq!(attribute.u32(), None);
        assert_eq!(attribute.u8(), Some(1));
    }
}
