//! Traffic for the fault scenarios: senders, receivers, and the programs that stand between them.
//!
//! Each command ends by itself after its count or its seconds, whatever happens to its parent, and says on stdout what
//! it did in `name=number` words that a scenario can check.

mod burst;
mod capture;
mod flood;
mod forward;
mod frames;
mod guest;
mod hang;
mod hold;
mod listen;
mod multicast;
mod packet_socket;
mod poll;
mod raw_socket;
mod requests;
mod scan;
mod segments;
mod tcp;
mod tcp_requests;
mod trace;
mod tun;
mod udp;

use clap::{Parser, Subcommand};

use listen::ListenArgs;

/// Makes traffic for the fault scenarios.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send link layer frames of one kind.
    Frames(frames::Args),
    /// Pass frames on between two devices.
    Forward(forward::Args),
    /// Pass frames on between a device of the node and one of a guest, as a virtual machine does.
    Guest(guest::Args),
    /// Listen promiscuously, as a capture does.
    Capture(capture::Args),
    /// Accept connections and read them to their end.
    TcpServe(ListenArgs),
    /// Connect, again and again, and send as much as goes through.
    TcpLoad(tcp::LoadArgs),
    /// Answer short requests over connections that stay open.
    TcpAnswer(ListenArgs),
    /// Send short requests over connections that stay open.
    TcpAsk(tcp_requests::AskArgs),
    /// Send datagrams.
    UdpSend(udp::SendArgs),
    /// Receive datagrams.
    UdpReceive(udp::ReceiveArgs),
    /// Receive datagrams of a group.
    MulticastReceive(multicast::ReceiveArgs),
    /// Answer small requests, as a resolver does.
    Answer(ListenArgs),
    /// Send small requests, each from a port of its own.
    Ask(requests::AskArgs),
    /// Open sockets and never read from them nor accept a connection.
    Hang(ListenArgs),
    /// Open connections side by side and keep them.
    TcpConnect(hang::ConnectArgs),
    /// Ask for connections and never answer.
    Flood(flood::Args),
    /// Connect by hand and send bursts of small segments.
    Burst(flood::Args),
    /// Accept a connection and hold its socket in a read.
    Hold(ListenArgs),
    /// Try each of many ports once.
    Scan(scan::Args),
    /// Poll an address, whether anybody has it or not.
    Poll(poll::Args),
    /// Send datagrams with hop limits in turn, as traceroute does.
    Trace(trace::Args),
    /// Ping.
    Ping(raw_socket::PingArgs),
    /// Send datagrams with wrong checksums.
    WrongSums(raw_socket::WrongSumArgs),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Frames(args) => frames::run(&args),
        Command::Forward(args) => forward::run(&args),
        Command::Guest(args) => guest::run(&args),
        Command::Capture(args) => capture::run(&args),
        Command::TcpServe(args) => tcp::serve(&args),
        Command::TcpLoad(args) => tcp::load(&args),
        Command::TcpAnswer(args) => tcp_requests::answer(&args),
        Command::TcpAsk(args) => tcp_requests::ask(&args),
        Command::UdpSend(args) => udp::send(&args),
        Command::UdpReceive(args) => udp::receive(&args),
        Command::MulticastReceive(args) => multicast::receive(&args),
        Command::Answer(args) => requests::answer(&args),
        Command::Ask(args) => requests::ask(&args),
        Command::Hang(args) => hang::hang(&args),
        Command::TcpConnect(args) => hang::connect(&args),
        Command::Flood(args) => flood::run(&args),
        Command::Burst(args) => burst::run(&args),
        Command::Hold(args) => hold::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Poll(args) => poll::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Ping(args) => raw_socket::ping(&args),
        Command::WrongSums(args) => raw_socket::send_wrong_sums(&args),
    }
}
