//! Sums of 16-bit words in one's complement (RFC 1071).

/// Sum of the words in network order, an odd last byte padded with zero, carries folded in.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        u64::from(u16::from_be_bytes([high, low]))
    };
    fold(bytes.chunks(2).map(word).sum())
}

/// Folds the carries back in.
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The checksum of bytes whose sum has changed, as right or as wrong as it was (RFC 1624).
pub(super) fn adjust(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(u64::from(!checksum) + u64::from(!old) + u64::from(new))
}
