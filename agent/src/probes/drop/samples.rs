//! Packet samples from the ring, bounded in number.

use std::collections::{HashMap, VecDeque};

use netdiag_abi::drop::{
    ABSENT, DeviceName, DropKey, FIRST_SAMPLES, FLOW_SLOTS, LONG_SAMPLE_BYTES, SampleHeader,
    sample_flags,
};
use netdiag_diagnosis::{evidence::Route, text::printable_up_to};

/// Samples of one key that are kept whatever comes: its first ones, and two of each flow slot.
const FIRST_KEPT: usize = (FIRST_SAMPLES + 2 * FLOW_SLOTS) as usize;

/// Samples kept of one key: those and the latest of those that follow. A detector wants some, not all.
const KEPT_PER_KEY: usize = FIRST_KEPT + 28;

/// Samples kept in all, so that a flood of varied packets stays within some megabytes.
const KEPT: usize = 8192;

/// One sampled packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sampled {
    pub header: SampleHeader,
    /// Name of the device at the time of the drop, where it could be read.
    pub device: Option<String>,
    pub bytes: Vec<u8>,
}

/// The samples of a window by key.
#[derive(Default)]
pub(super) struct Samples {
    by_key: HashMap<DropKey, VecDeque<Sampled>>,
    total: usize,
    /// Taken out of the ring; the key of their number is not known yet.
    waiting: Vec<Sampled>,
    /// Samples that were left out because a window keeps only so many.
    pub(super) left_out: u64,
}

impl Samples {
    /// Takes one record of the ring. A malformed one is passed over.
    pub(super) fn take(&mut self, record: &[u8]) {
        self.waiting.extend(parse(record));
    }

    /// Files what was taken under the keys that have these numbers now.
    pub(super) fn file(&mut self, keys: &HashMap<u32, DropKey>) {
        for sample in std::mem::take(&mut self.waiting) {
            if let Some(key) = keys.get(&sample.header.index) {
                self.keep(*key, sample);
            }
        }
    }

    fn keep(&mut self, key: DropKey, sample: Sampled) {
        let kept = self.by_key.get(&key).map_or(0, VecDeque::len);
        if kept >= KEPT_PER_KEY {
            // Later samples replace each other; the first ones stay.
            if let Some(samples) = self.by_key.get_mut(&key) {
                samples.remove(FIRST_KEPT);
                samples.push_back(sample);
            }
            return;
        }
        if self.total >= KEPT {
            self.left_out += 1;
            // A key with few samples takes the place of one with many.
            let Some(richest) = self.by_key.values_mut().max_by_key(|samples| samples.len()) else {
                return;
            };
            if richest.len() <= kept + 1 {
                return;
            }
            richest.pop_back();
            self.total -= 1;
        }
        self.total += 1;
        self.by_key.entry(key).or_default().push_back(sample);
    }

    /// The samples by key.
    pub(super) fn by_key(self) -> HashMap<DropKey, VecDeque<Sampled>> {
        self.by_key
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

    /// The packet's route.
    pub(super) fn route(&self) -> Option<Route> {
        let header = self.header;
        (header.route_ifindex != 0).then(|| Route {
            ifindex: header.route_ifindex,
            mtu: header.route_mtu,
            is_mtu_locked: self.has(sample_flags::ROUTE_MTU_LOCKED),
        })
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
        route_ifindex: u32::from_ne_bytes(next(&mut rest)?),
        route_mtu: u32::from_ne_bytes(next(&mut rest)?),
        copied: u16::from_ne_bytes(next(&mut rest)?),
        network_offset: u16::from_ne_bytes(next(&mut rest)?),
        transport_offset: u16::from_ne_bytes(next(&mut rest)?),
        vlan_tci: u16::from_ne_bytes(next(&mut rest)?),
        packet_type: u8::from_ne_bytes(next(&mut rest)?),
        ip_summed: u8::from_ne_bytes(next(&mut rest)?),
        flags: u16::from_ne_bytes(next(&mut rest)?),
    };
    let device = device_name(&next(&mut rest)?);
    let copied = usize::from(header.copied).min(LONG_SAMPLE_BYTES);
    let bytes = rest.get(..copied)?.to_vec();
    Some(Sampled {
        header,
        device,
        bytes,
    })
}

fn device_name(bytes: &[u8; size_of::<DeviceName>()]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let name = String::from_utf8_lossy(bytes.get(..end)?);
    (!name.is_empty()).then(|| printable_up_to(&name, bytes.len()))
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
        for value in [7u32, 8, 1400] {
            record.extend(value.to_ne_bytes());
        }
        for value in [packet.len() as u16, 14, ABSENT, 100] {
            record.extend(value.to_ne_bytes());
        }
        record.extend([2, 3]);
        record.extend((sample_flags::LINK_HEADER | sample_flags::VLAN).to_ne_bytes());
        record.extend(b"eth0\0\0\0\0\0\0\0\0\0\0\0\0");
        record.extend(packet);
        record
    }

    #[test]
    fn a_record_has_the_size_that_the_program_writes() {
        let length = size_of::<SampleHeader>() + size_of::<DeviceName>();
        assert_eq!(record(1, 0, &[]).len(), length);
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
        assert_eq!(sample.device.as_deref(), Some("eth0"));
        assert_eq!((sample.header.packet_type, sample.header.ip_summed), (2, 3));
        assert_eq!(sample.header.skb_iif, 7);
        let route = Route {
            ifindex: 8,
            mtu: 1400,
            is_mtu_locked: false,
        };
        assert_eq!(sample.route(), Some(route));
    }

    #[test]
    fn a_short_record_is_passed_over() {
        let whole = record(1, 0, &[0; 20]);
        for length in [0, 5, size_of::<SampleHeader>(), whole.len() - 1] {
            assert_eq!(parse(&whole[..length]), None, "{length}");
        }
    }

    fn key(index: u32) -> DropKey {
        DropKey {
            location: u64::from(index),
            ..DropKey::default()
        }
    }

    fn taken(records: impl Iterator<Item = (u32, u64)>) -> Samples {
        let mut samples = Samples::default();
        for (index, at_ns) in records {
            samples.take(&record(index, at_ns, &[]));
            samples.file(&HashMap::from([(index, key(index))]));
        }
        samples
    }

    #[test]
    fn keeps_the_first_and_the_latest_of_a_key() {
        let samples = taken((0..1000).map(|at_ns| (1, at_ns)));
        let times: Vec<u64> = samples.by_key[&key(1)]
            .iter()
            .map(|sample| sample.header.at_ns)
            .collect();
        assert_eq!(times.len(), KEPT_PER_KEY);
        let first: Vec<u64> = (0..FIRST_KEPT as u64).collect();
        assert_eq!(times[..FIRST_KEPT], first);
        assert_eq!(times[FIRST_KEPT..], (972..1000).collect::<Vec<u64>>());
        assert_eq!(samples.left_out, 0);
    }

    #[test]
    fn a_flood_of_varied_packets_is_bounded_and_told() {
        let samples = taken((0..20_000).map(|index| (index, 0)));
        assert_eq!(samples.total, KEPT);
        assert_eq!(samples.left_out, 20_000 - KEPT as u64);
    }

    #[test]
    fn loud_keys_take_no_room_from_a_quiet_one() {
        let loud = (0..100 * KEPT as u32).map(|number| (number % 60, 0));
        let samples = taken(loud.chain([(77, 1), (77, 2)]));
        assert_eq!(samples.by_key[&key(77)].len(), 2);
        assert_eq!(samples.total, KEPT);
        assert!(samples.left_out > 0);
    }

    #[test]
    fn a_sample_belongs_to_the_key_that_has_its_number_then() {
        let mut samples = Samples::default();
        for (name, at_ns) in [(5, 1), (6, 2)] {
            samples.take(&record(9, at_ns, &[]));
            samples.file(&HashMap::from([(9, key(name))]));
        }
        assert_eq!(samples.by_key[&key(5)][0].header.at_ns, 1);
        assert_eq!(samples.by_key[&key(6)][0].header.at_ns, 2);
    }
}
