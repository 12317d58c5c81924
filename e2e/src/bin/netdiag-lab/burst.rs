//! Connections by hand: a host behind a TUN device connects, and sends a burst of small segments when it is told to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result};

use crate::flood::Args;
use crate::segments::{ACK, ECE, Received, SYN, Segment, host_of};
use crate::tun::Tun;

const PORT: u16 = 30_000;
const FIRST: u32 = 1_000;
const PAYLOAD: &[u8] = b"segment.";

/// The first datagram that is routed to the device makes it connect from the network that the datagram was sent to, over
/// that IP version; each later one makes it send a burst.
pub(crate) fn run(args: &Args) -> Result<()> {
    // By IP version: the segment that comes next.
    let mut connections: BTreeMap<bool, Segment<'static>> = BTreeMap::new();
    args.answer(|tun, received| match received {
        Received::Datagram(network) => {
            let is_v4 = network.is_ipv4();
            if let Some(next) = connections.get_mut(&is_v4) {
                return send_burst(tun, next, args.count);
            }
            let server = args.servers.iter().find(|one| one.is_ipv4() == is_v4);
            let server = server.context("no server of that IP version")?;
            let mut next = first(host_of(network), *server, args.port);
            send(tun, &next)?;
            next.sequence += 1;
            connections.insert(is_v4, next);
            Ok(())
        }
        Received::SynAck { from, sequence } => {
            let Some(next) = connections.get_mut(&from.is_ipv4()) else {
                return Ok(());
            };
            // A repeated one is not answered again.
            if next.flags == SYN {
                next.flags = ACK;
                next.acknowledgement = sequence.wrapping_add(1);
                send(tun, next)?;
                send_burst(tun, next, 1)?;
            }
            Ok(())
        }
    })
}

fn first(from: IpAddr, to: IpAddr, port: u16) -> Segment<'static> {
    Segment {
        from,
        to,
        ports: [PORT, port],
        sequence: FIRST,
        acknowledgement: 0,
        flags: SYN,
        payload: b"",
    }
}

/// The flags differ from one to the next: the kernel joins in a backlog only segments that are alike (`tcp_add_backlog`).
fn send_burst(tun: &Tun, next: &mut Segment<'static>, count: u16) -> Result<()> {
    for number in 0..count {
        let flags = if number % 2 == 0 { ACK } else { ACK | ECE };
        let segment = Segment {
            flags,
            payload: PAYLOAD,
            ..*next
        };
        send(tun, &segment)?;
        next.sequence = next.sequence.wrapping_add(PAYLOAD.len() as u32);
    }
    Ok(())
}

fn send(tun: &Tun, segment: &Segment<'_>) -> Result<()> {
    tun.send(&segment.packet()?)
        .context("failed to send a segment")
}
