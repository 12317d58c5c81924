//! A namespace that makes as many keys as it can, beside a fault elsewhere.

use netdiag_abi::drop::{FURTHER_TYPES, UNKNOWN_TYPES_PER_DEVICE};

use super::*;

/// As many EtherTypes as there are numbers for keys.
const KINDS: u16 = 4095;

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_flood_of_unknown_ethertypes_hides_no_fault_elsewhere() {
    let (noisy, lab) = (Lab::new(), Lab::new());
    let fault = lab::tcp_frame_with_bad_checksum();
    let flood = || noisy.send_all((0x9000..0x9000 + KINDS).map(lab::frame_of));
    let places = [&lab, &noisy];
    let (drops, lost) = watch_places(&Kernel::load(), &places, &Backend::ALL, || {
        flood();
        lab.send(&fault, 40);
        flood();
    });
    assert_eq!(lost.counts, 0);

    let found = on_receiver(&drops, &noisy);
    let counted: u64 = found.iter().map(|(_, drop)| drop.count).sum();
    assert_eq!(counted, 2 * u64::from(KINDS));
    assert_eq!(
        found.len(),
        UNKNOWN_TYPES_PER_DEVICE as usize + 1,
        "{found:?}"
    );
    let further = found
        .iter()
        .find(|(_, drop)| drop.ethertype == FURTHER_TYPES);
    let (further, drop) = further.unwrap();
    assert_eq!(
        drop.count,
        counted - 2 * u64::from(UNKNOWN_TYPES_PER_DEVICE)
    );
    let mut samples = drops.samples.iter().filter(|sample| sample.key == *further);
    assert!(
        samples.any(|sample| sample.bytes[12] >= 0x90),
        "the real EtherType"
    );

    let found = on_receiver(&drops, &lab);
    assert_eq!(found.len(), 1, "{found:?}");
    let (key, drop) = found[0];
    assert_eq!(
        (drop.count, drop.location.clone()),
        (40, "tcp_v4_rcv".into())
    );
    let samples = drops.samples.iter().filter(|sample| sample.key == key);
    let samples: Vec<_> = samples.collect();
    assert!(samples.len() >= 4, "{}", samples.len());
    assert!(samples.iter().all(|sample| sample.bytes == fault));
}

/// Of one key in its first second the ring could not hold each 1,024th beside all else.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_flood_of_one_key_takes_no_other_key_s_samples() {
    let (noisy, lab) = (Lab::new(), Lab::new());
    let (loud, fault) = (lab::lldp_frame(), lab::tcp_frame_with_bad_checksum());
    let places = [&lab, &noisy];
    let (drops, lost) = watch_places(&Kernel::load(), &places, &Backend::ALL, || {
        noisy.send(&loud, 1_000_000);
        lab.send(&fault, 6);
    });
    let found = on_receiver(&drops, &noisy);
    assert_eq!(
        found.iter().map(|(_, drop)| drop.count).sum::<u64>(),
        1_000_000
    );
    let (key, _) = on_receiver(&drops, &lab)[0];
    let samples = drops.samples.iter().filter(|sample| sample.key == key);
    assert!(samples.count() >= 4);
    // Each 1,024th of the flood was more than its share of the ring, and that is told.
    assert!(lost.samples > 0);
}
