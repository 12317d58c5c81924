//! Decoding of sampled packets.
//!
//! Everything here comes from the wire and ends where the sample does: each read is bounds-checked and gives `None`
//! beyond the end, loops are bounded, text is escaped. Parsers that want whole headers do not fit, because a sample may
//! end inside one and what comes before its end still counts.

pub(crate) mod bytes;
pub(crate) mod cdp;
pub(crate) mod flow;
pub(crate) mod frame;
pub(crate) mod ip;
pub(crate) mod ip_protocols;
pub(crate) mod lldp;
pub(crate) mod protocols;
mod text;
pub(crate) mod too_big;

#[cfg(test)]
mod tests {
    use super::{
        cdp::Cdp, frame::Frame, ip::IpPacket, lldp::Lldp, protocols::Protocol, too_big::TooBig,
    };

    /// A small xorshift generator: the same bytes in every run, so that a failure can be repeated.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
    }

    fn decode_everything(bytes: &[u8]) {
        if let Some(frame) = Frame::decode(bytes) {
            let protocol = Protocol::of(frame.carried, frame.payload);
            assert!(protocol.name.len() < 40);
        }
        if let Some(packet) = IpPacket::decode(bytes) {
            assert!(packet.transport_bytes.len() <= bytes.len());
            let _ = packet.transport();
            let _ = TooBig::of(&packet);
        }
        for text in [
            Lldp::decode(bytes).and_then(|found| found.system),
            Cdp::decode(bytes).and_then(|found| found.device),
        ]
        .into_iter()
        .flatten()
        {
            // 64 characters of at most 10 bytes (an escaped direction mark), and the ellipsis.
            assert!(text.len() <= 64 * 10 + 3);
            assert!(!text.chars().any(char::is_control));
        }
    }

    #[test]
    fn random_bytes_are_survived() {
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
        for _ in 0..20_000 {
            let length = usize::try_from(noise.next() % 160).expect("small");
            let mut bytes: Vec<u8> = (0..length).map(|_| noise.next().to_le_bytes()[0]).collect();
            // Half of them begin like something that is looked into.
            if let Some(first) = bytes.first_mut()
                && noise.next().is_multiple_of(2)
            {
                *first = [0x45, 0x60, 0x02, 0x4f][usize::from(*first) % 4];
            }
            decode_everything(&bytes);
        }
    }

    #[test]
    fn flipped_bytes_of_real_announcements_are_survived() {
        let mut noise = Noise(0x2545_f491_4f6c_dd1d);
        let real = [
            super::lldp::tests::announcement([2; 6], "Ethernet17", "leaf-3a"),
            super::cdp::tests::announcement("sw1.example", "Ethernet1/7"),
        ];
        for round in 0..20_000_usize {
            let mut bytes = real[round % real.len()].clone();
            for _ in 0..3 {
                let at = usize::try_from(noise.next()).unwrap_or(round) % bytes.len();
                bytes[at] = noise.next().to_le_bytes()[0];
            }
            decode_everything(&bytes);
        }
    }
}
