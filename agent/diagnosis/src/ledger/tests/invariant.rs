//! Whatever the evidence says, every entry adds up.

use super::{
    NODE, balance,
    bonds::{bond0, slave},
    claim, drops, link, window, with_counter,
};
use crate::{
    evidence::{DropCount, EvidenceWindow, Link, LinkKind, LinkStats, Peer},
    finding::Claim,
};

/// A small xorshift generator: the same windows in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        let at = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices[at]
    }

    fn stats(&mut self) -> LinkStats {
        LinkStats {
            rx_dropped: self.below(40),
            tx_dropped: self.below(40),
            rx_nohandler: self.below(40),
            ..LinkStats::default()
        }
    }

    fn window(&mut self) -> EvidenceWindow {
        const LOCATIONS: [&str; 8] = [
            "__netif_receive_skb_core",
            "__dev_forward_skb2",
            "enqueue_to_backlog",
            "tcp_v4_rcv",
            "udpv6_recvmsg",
            "tun_net_xmit",
            "ip_rcv_core",
            "",
        ];
        const REASONS: [&str; 5] = [
            "UNHANDLED_PROTO",
            "NOT_SPECIFIED",
            "TCP_CSUM",
            "UDP_CSUM",
            "",
        ];
        let mut links = vec![bond0(self.stats())];
        for ifindex in 2..7 {
            let stats = self.stats();
            links.push(match self.below(3) {
                0 => slave(ifindex, "slave", self.below(2) == 0, stats),
                1 => Link {
                    kind: Some(LinkKind::Veth),
                    peer: Some(Peer {
                        ifindex: ifindex ^ 1,
                        netns: Some(NODE),
                    }),
                    ..link(NODE, ifindex, "veth", stats)
                },
                _ => link(NODE, ifindex, "eth", stats),
            });
        }
        let counts = (0..self.below(12))
            .map(|_| {
                let ifindex = u32::try_from(self.below(12)).unwrap_or(0);
                let ethertype = if self.below(2) == 0 { 0x88cc } else { 0x0800 };
                let (reason, location) = (self.pick(&REASONS), self.pick(&LOCATIONS));
                let count = self.below(60);
                DropCount {
                    at_least: count.saturating_sub(self.below(10)),
                    ..drops(NODE, ifindex, ethertype, reason, location, count)
                }
            })
            .collect();
        let mut window = window(links, counts);
        for name in ["Tcp.InCsumErrors", "Udp6.InCsumErrors"] {
            window = with_counter(window, name, self.below(50));
        }
        window
    }
}

#[test]
fn every_increase_is_the_sum_of_its_parts() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut booked = 0;
    for round in 0..3000 {
        let window = noise.window();
        let claims: Vec<Claim> = (0..12)
            .filter(|_| noise.below(2) == 0)
            .map(|drop| claim(drop, "LLDP"))
            .collect();
        for entry in balance(&window, &claims) {
            let explained: u64 = entry.explained.iter().map(|part| part.count).sum();
            assert_eq!(
                entry.increase,
                explained + entry.unexplained,
                "round {round}: {entry:?}"
            );
            assert!(entry.increase > 0, "round {round}: {entry:?}");
            assert!(entry.explained.iter().all(|part| part.count > 0));
            booked += explained;
        }
    }
    assert!(booked > 10_000, "the windows hardly booked anything");
}
