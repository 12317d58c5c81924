//! Packet samples from the ring, bounded in number.

use std::collections::{HashMap, VecDeque};

use netdiag_abi::drop::{
    ABSENT, DropKey, FIRST_SAMPLES, LONG_SAMPLE_BYTES, SampleHeader, sample_flags,
};

/// Samples kept of one key: the first few, and the latest of those that follow. A detector wants some, not all.
const KEPT_PER_KEY: usize = 32;

/// Samples kept in all, so that a flood of varied packets stays within some megabytes.
const KEPT: usize = 8192;

/// One sampled packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sampled {
    pub header: SampleHeader,
    pub bytes: Vec<u8>,
}

/// The samples of a window, by their key's number.
#[derive(Default)]
pub(super) struct Samples {
    by_number: HashMap<u32, VecDeque<Sampled>>,
    total: usize,
}

impl Samples {
    /// Takes one record of the ring. A malformed one is passed over.
    pub(super) fn take(&mut self, record: &[u8]) {
        let Some(sample) = parse(record) else {
            return;
        };
        let kept = self.by_number.entry(sample.header.index).or_default();
        if kept.len() >= KEPT_PER_KEY {
            kept.remove(FIRST_SAMPLES as usize);
        } else if self.total >= KEPT {
            return;
        } else {
            self.total += 1;
        }
        kept.push_back(sample);
    }

    /// The samples by key.
    pub(super) fn by_key(
        self,
        keys: &HashMap<u32, DropKey>,
    ) -> HashMap<DropKey, VecDeque<Sampled>> {
        self.by_number
            .into_iter()
            .filter_map(|(number, samples)| Some((*keys.get(&number)?, samples)))
            .collect()
    }
}

impl Sampled {
    /// Offset of a header in the bytes, if the kernel had set it.
    pub(super) fn offset(value: u16) -> Option<u16> {
        (value != ABSENT).then_some(value)
    }

    /// True if a flag of [`sample_flags`] is set.
    pub(super) fn has(&self, flag: u16) -> bool {
        self.header.flags & flag != 0
    }

    /// The VLAN tag that the device had taken out.
    pub(super) fn vlan_tci(&self) -> Option<u16> {
        self.has(sample_flags::VLAN).then_some(self.header.vlan_tci)
    }
}

/// Reads a record field by field, in the order and width of `SampleHeader`.
fn parse(record: &[u8]) -> Option<Sampled> {
    let mut rest = record;
    let header = SampleHeader {
        at_ns: u64::from_ne_bytes(next(&mut rest)?),
        index: u32::from_ne_bytes(next(&mut rest)?),
        length: u32::from_ne_bytes(next(&mut rest)?),
        skb_iif: u32::from_ne_bytes(next(&mut rest)?),
        copied: u16::from_ne_bytes(next(&mut rest)?),
        network_offset: u16::from_ne_bytes(next(&mut rest)?),
        transport_offset: u16::from_ne_bytes(next(&mut rest)?),
        vlan_tci: u16::from_ne_bytes(next(&mut rest)?),
        packet_type: u8::from_ne_bytes(next(&mut rest)?),
        ip_summed: u8::from_ne_bytes(next(&mut rest)?),
        flags: u16::from_ne_bytes(next(&mut rest)?),
    };
    let copied = usize::from(header.copied).min(LONG_SAMPLE_BYTES);
    let bytes = rest.get(..copied)?.to_vec();
    Some(Sampled { header, bytes })
}

fn next<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as the program writes it.
    fn record(index: u32, at_ns: u64, packet: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend(at_ns.to_ne_bytes());
        record.extend(index.to_ne_bytes());
        record.extend(60u32.to_ne_bytes());
        record.extend(7u32.to_ne_bytes());
        for value in [packet.len() as u16, 14, ABSENT, 100] {
            record.extend(value.to_ne_bytes());
        }
        record.extend([2, 3]);
        record.extend((sample_flags::LINK_HEADER | sample_flags::VLAN).to_ne_bytes());
        record.extend(packet);
        record
    }

    #[test]
    fn a_record_has_the_size_that_the_program_writes() {
        assert_eq!(record(1, 0, &[]).len(), size_of::<SampleHeader>());
    }

    #[test]
    fn reads_every_field_of_a_record() {
        let sample = parse(&record(9, 123, &[1, 2, 3])).unwrap();
        assert_eq!(sample.bytes, [1, 2, 3]);
        assert_eq!((sample.header.index, sample.header.at_ns), (9, 123));
        assert_eq!((sample.header.length, sample.header.skb_iif), (60, 7));
        assert_eq!(Sampled::offset(sample.header.network_offset), Some(14));
        assert_eq!(Sampled::offset(sample.header.transport_offset), None);
        assert_eq!(sample.vlan_tci(), Some(100));
        assert_eq!((sample.header.packet_type, sample.header.ip_summed), (2, 3));
    }

    #[test]
    fn a_short_record_is_passed_over() {
        let whole = record(1, 0, &[0; 20]);
        for length in [0, 5, size_of::<SampleHeader>(), whole.len() - 1] {
            assert_eq!(parse(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn keeps_the_first_and_the_latest_of_a_key() {
        let mut samples = Samples::default();
        for at_ns in 0..100 {
            samples.take(&record(1, at_ns, &[]));
        }
        let times: Vec<u64> = samples.by_number[&1]
            .iter()
            .map(|sample| sample.header.at_ns)
            .collect();
        assert_eq!(times.len(), KEPT_PER_KEY);
        assert_eq!(times[..4], [0, 1, 2, 3]);
        assert_eq!(times[4..], (72..100).collect::<Vec<u64>>());
    }

    #[test]
    fn a_flood_of_varied_packets_is_bounded() {
        let mut samples = Samples::default();
        for index in 0..20_000 {
            samples.take(&record(index, 0, &[]));
        }
        assert_eq!(samples.total, KEPT);
    }
}
