//! Link layer frames, as switches and hosts send them.

use std::{thread, time::Duration};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::packet_socket::PacketSocket;

/// Ethernet pads shorter frames to this length (without the checksum).
const SHORTEST_FRAME: usize = 60;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Device to send from.
    device: String,
    kind: Kind,
    /// The number of frames.
    count: u32,
    /// Milliseconds between two.
    #[arg(long, default_value_t = 5)]
    gap_ms: u64,
    /// Destination address instead of the protocol's own.
    #[arg(long)]
    destination: Option<String>,
    /// Name of the switch in LLDP frames.
    #[arg(long, default_value = "leaf-3a")]
    system: String,
    /// EtherType of `other` frames, hexadecimal.
    #[arg(long, default_value = "88b5", value_parser = hexadecimal)]
    ethertype: u16,
    /// Give each `other` frame the EtherType behind that of the last.
    #[arg(long)]
    next: bool,
    /// VLAN number of an 802.1Q tag; 0 has a priority and no VLAN.
    #[arg(long)]
    vlan: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Lldp,
    Cdp,
    Lacp,
    Oam,
    Eapol,
    Mpls,
    Ptp,
    /// An EtherType of your choice, to everybody.
    Other,
}

/// Sends the frames.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut ethertype = args.ethertype;
    let mut frame = frame(args, ethertype)?;
    let socket = PacketSocket::open(&args.device, 0)?;
    for _ in 0..args.count {
        socket.send(&frame).context("failed to send a frame")?;
        if args.gap_ms > 0 {
            thread::sleep(Duration::from_millis(args.gap_ms));
        }
        if args.next {
            ethertype = ethertype.wrapping_add(1);
            frame = self::frame(args, ethertype)?;
        }
    }
    println!("sent={}", args.count);
    Ok(())
}

/// Reads an EtherType: `88cc`.
pub(crate) fn hexadecimal(text: &str) -> Result<u16> {
    u16::from_str_radix(text, 16).with_context(|| format!("{text:?} is no EtherType"))
}

fn frame(args: &Args, ethertype: u16) -> Result<Vec<u8>> {
    let (destination, payload) = match args.kind {
        Kind::Lldp => (
            [0x01, 0x80, 0xc2, 0, 0, 0x0e],
            [&[0x88, 0xcc][..], &lldp(&args.system)].concat(),
        ),
        Kind::Cdp => ([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc], cdp()),
        Kind::Lacp => (
            [0x01, 0x80, 0xc2, 0, 0, 0x02],
            [&[0x88, 0x09, 1, 1][..], &[0; 108]].concat(),
        ),
        Kind::Oam => (
            [0x01, 0x80, 0xc2, 0, 0, 0x02],
            [&[0x88, 0x09, 3][..], &[0; 60]].concat(),
        ),
        Kind::Eapol => ([0x01, 0x80, 0xc2, 0, 0, 0x03], vec![0x88, 0x8e, 1, 1, 0, 0]),
        // A group of label-switched packets (RFC 5332), label 16 at the bottom of the stack.
        Kind::Mpls => (
            [0x01, 0x00, 0x5e, 0x80, 0, 0x01],
            vec![0x88, 0x47, 0, 1, 1, 64],
        ),
        // A Sync message of version 2 (IEEE 1588, annex F).
        Kind::Ptp => (
            [0x01, 0x1b, 0x19, 0, 0, 0],
            [&[0x88, 0xf7, 0, 2][..], &[0; 42]].concat(),
        ),
        Kind::Other => ([0xff; 6], ethertype.to_be_bytes().to_vec()),
    };
    let destination = match &args.destination {
        Some(address) => mac(address)?,
        None => destination,
    };
    // A locally administered address of our own: no real switch is imitated.
    let source = [0x02, 0x4e, 0x44, 0, 0, 0x01];
    let tag = args.vlan.map(tag).unwrap_or_default();
    let mut frame = [&destination[..], &source, &tag, &payload].concat();
    frame.resize(frame.len().max(SHORTEST_FRAME), 0);
    Ok(frame)
}

/// 802.1Q with the highest priority, as switches tag what controls the link.
fn tag(vlan: u16) -> Vec<u8> {
    [[0x81, 0x00], (0xe000 | vlan).to_be_bytes()].concat()
}

/// Chassis (a MAC address), port (an interface name), time to live, system name (IEEE 802.1AB, 8.5).
fn lldp(system: &str) -> Vec<u8> {
    let mut data = Vec::new();
    let mut add = |kind: u16, value: &[u8]| {
        let header = (kind << 9) | (value.len() as u16 & 0x1ff);
        data.extend(header.to_be_bytes());
        data.extend(value);
    };
    add(1, &[4, 0x2c, 0xdd, 0xe9, 0x01, 0x3a, 0x10]);
    add(2, b"\x05Ethernet17");
    add(3, &120_u16.to_be_bytes());
    add(5, system.as_bytes());
    add(0, &[]);
    data
}

/// 802.2 SNAP with Cisco's protocol number, then version, time to live, checksum and the device's name.
fn cdp() -> Vec<u8> {
    let name = b"catalyst-1";
    let mut body = vec![
        0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x20, 0x00, 2, 180, 0, 0, 0, 1,
    ];
    body.extend((4 + name.len() as u16).to_be_bytes());
    body.extend(name);
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

fn mac(text: &str) -> Result<[u8; 6]> {
    let bytes: Result<Vec<u8>, _> = text
        .split(':')
        .map(|part| u8::from_str_radix(part, 16))
        .collect();
    match bytes.ok().and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()) {
        Some(address) => Ok(address),
        None => bail!("{text:?} is no MAC address: six hexadecimal bytes with colons between"),
    }
}
