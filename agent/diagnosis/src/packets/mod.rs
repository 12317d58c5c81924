//! Decoding of sampled packets.
//!
//! Everything here comes from the wire and ends where the sample does: each read is bounds-checked and gives `None`
//! beyond the end, loops are bounded, text is escaped. Parsers that want whole headers do not fit, since a sample may
//! end inside one and what comes before its end still counts.

mod bytes;
pub(crate) mod frame;
pub(crate) mod ip;
