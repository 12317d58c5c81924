//! The words about sockets that had no room, and what to do.

use super::judge::{Fault, FullPacketSocket, Kind};
use crate::{
    Window,
    detectors::kit::{proof, say, sockets},
    evidence::InetSocket,
    finding::{Acts, Assessment, Harm, Proof, Remedy, Subject, Text},
    kernel::NamespaceCounter::{Udp6RcvbufErrors, UdpRcvbufErrors},
};

const RMEM_DEFAULT: &str = "net.core.rmem_default";
const RMEM_MAX: &str = "net.core.rmem_max";
/// Sockets that are shown one by one.
const SHOWN: usize = 4;
const ITERATOR: &str = "BPF iterator";

/// Writes about one fault.
pub(super) struct Words<'a> {
    pub(super) window: &'a Window<'a>,
    pub(super) fault: &'a Fault<'a>,
}

impl Words<'_> {
    pub(super) fn text(&self) -> Text {
        Text {
            headline: self.headline(),
            what: self.what(),
            hurts: self.hurts(),
        }
    }

    fn packets(&self) -> String {
        let noun = match self.fault.kind {
            Kind::ReceiveBufferFull => "datagram",
            Kind::SocketBacklogFull => "packet",
        };
        say::count(self.fault.tally.count, noun)
    }

    fn headline(&self) -> String {
        let place = say::place(&Subject::of_namespace(self.fault.namespace));
        let packets = self.packets();
        let socket = sockets::first_and_others(&self.fault.sockets, "socket");
        let socket = socket.unwrap_or_else(|| "a socket".to_owned());
        match self.fault.kind {
            Kind::ReceiveBufferFull => {
                format!("The receive buffer of {socket} was full and dropped {packets} {place}")
            }
            Kind::SocketBacklogFull => {
                format!("The backlog of {socket} was full and dropped {packets} {place}")
            }
        }
    }

    fn what(&self) -> String {
        match self.fault.kind {
            Kind::ReceiveBufferFull => {
                let still = match self.fault.sockets.first() {
                    Some(socket) if is_full(socket) => {
                        " It was still full at the end of the window."
                    }
                    Some(_) => " At the end of the window it had room again.",
                    None => "",
                };
                format!("Its program reads slower than datagrams arrive.{still}")
            }
            Kind::SocketBacklogFull => {
                "Packets wait in the socket's backlog while its program works on the socket, and the backlog was full."
                    .to_owned()
            }
        }
    }

    fn hurts(&self) -> String {
        let assessment = &self.fault.assessment;
        let within = say::within(self.window);
        let seen = say::seen(assessment);
        let noun = match self.fault.kind {
            Kind::ReceiveBufferFull => "datagram",
            Kind::SocketBacklogFull => "packet",
        };
        match assessment.harm {
            Harm::Outage => format!(
                "Nothing gets through any more: {} lost{within}.{seen}",
                self.packets()
            ),
            _ => format!(
                "{} of this namespace were lost{within}.{seen}",
                say::part(assessment, noun)
            ),
        }
    }

    /// A line for each of the sockets.
    pub(super) fn sockets(&self) -> Vec<(&'static str, String)> {
        let shown = self.fault.sockets.iter().take(SHOWN);
        let line = |socket: &&InetSocket| {
            let text = format!(
                "{} of {}; its buffer takes {} bytes, {} dropped",
                sockets::end(socket),
                say::process_of_pod(&socket.owner),
                socket.receive_buffer,
                socket.dropped()
            );
            ("Socket", text)
        };
        shown.map(line).collect()
    }

    pub(super) fn proofs(&self) -> Vec<Proof> {
        let namespace = self.fault.namespace;
        let mut proofs = Vec::new();
        if self.fault.kind == Kind::ReceiveBufferFull {
            for counter in [UdpRcvbufErrors, Udp6RcvbufErrors] {
                let has_risen = namespace
                    .increase(counter.name())
                    .is_some_and(|rose| rose > 0);
                let rose = proof::counter_rose(namespace, counter.name(), "packets");
                proofs.extend(rose.filter(|_| has_risen));
            }
        }
        for socket in self.fault.sockets.iter().take(SHOWN) {
            let end = sockets::end(socket);
            proofs.push(Proof::new(
                format!("drops of the socket {end} (sk_drops)"),
                format!("+{}", socket.dropped()),
                "packets",
                ITERATOR,
            ));
            proofs.push(Proof::new(
                format!("received bytes that wait at {end} at the end, and its buffer"),
                format!("{} of {}", socket.after.memory, socket.receive_buffer),
                "bytes",
                ITERATOR,
            ));
        }
        proofs
    }

    pub(super) fn remedies(&self) -> Vec<Remedy> {
        let look = Remedy::command_in(
            self.fault.namespace,
            "See the sockets: rb of skmem is the buffer, d its drops.",
            &["ss", "-A", "inet", "-anmp"],
            &[],
        );
        let buffer = match (self.fault.kind, self.fault.sockets.first()) {
            (Kind::ReceiveBufferFull, Some(socket)) => Some(self.larger_buffer(socket)),
            (Kind::ReceiveBufferFull, None) => Some(Remedy::advice(
                "Let the program read faster, or ask for a larger SO_RCVBUF; net.core.rmem_max bounds it.",
            )),
            (Kind::SocketBacklogFull, _) => Some(Remedy::advice(
                "See why the program holds its socket so long; the backlog grows with net.ipv4.tcp_rmem.",
            )),
        };
        buffer.into_iter().chain([look]).collect()
    }

    /// A change that makes the buffer larger: it hangs on what bounds the buffer now. A socket that asked for nothing has rmem_default, one that
    /// asked for more than rmem_max has twice that (`sock_setsockopt`).
    fn larger_buffer(&self, socket: &InetSocket) -> Remedy {
        let process = say::process(&socket.owner);
        if is_full(socket) {
            return Remedy::advice(format!(
                "See why {process} does not read: its buffer was still full at the end. A larger one would only fill later."
            ));
        }
        let settings = &self.window.settings;
        let set = u64::from(socket.receive_buffer);
        match (settings.rmem_default, settings.rmem_max) {
            (Some(default), _) if set == default => raise(
                RMEM_DEFAULT,
                default,
                &format!(
                    "Give sockets that ask for no buffer twice as much, on the node, and restart {process}: it has {set} \
                     bytes, the default."
                ),
            ),
            (_, Some(max)) if set == max.saturating_mul(2) => raise(
                RMEM_MAX,
                max,
                &format!(
                    "Let programs ask for twice as much, on the node, and restart {process}: it has {set} bytes, twice \
                     {RMEM_MAX} ({max}), and asked for {max} or more. If for no more, let it ask for {}.",
                    max.saturating_mul(2)
                ),
            ),
            (_, max) => {
                let bound =
                    max.map_or_else(String::new, |max| format!(" {RMEM_MAX} ({max}) bounds it."));
                Remedy::advice(format!(
                    "Let {process} read faster, or ask for a SO_RCVBUF of {set} bytes, twice what it has asked for: the \
                     kernel doubles it.{bound}"
                ))
            }
        }
    }
}

/// Waiting packets fill more than half of the buffer: the program had not read what had come.
fn is_full(socket: &InetSocket) -> bool {
    socket.after.memory > socket.receive_buffer / 2
}

fn raise(name: &str, set: u64, text: &str) -> Remedy {
    let double = set.saturating_mul(2);
    let write =
        |value: u64| Remedy::command(text, &["sysctl", "-w", &format!("{name}={value}")], &[]);
    write(double)
        .undone_by(write(set))
        .acting(Acts::NextSocket)
        .with_effect(format!(
            "each socket that is opened from then on, of every program, may take {set} bytes more"
        ))
        .lasting(format!("{name} = {double} in a file of /etc/sysctl.d"))
}

/// The words about a packet socket.
pub(super) fn packet_socket(
    window: &Window<'_>,
    full: &FullPacketSocket<'_>,
    assessment: &Assessment,
) -> Text {
    let process = say::process_of_pod(&full.socket.owner);
    let packets = say::count(u64::from(full.socket.dropped), "packet");
    let place = match full.link {
        Some(link) => say::place(&Subject::of_link(link, Some(full.namespace))),
        None => say::place(&Subject::of_namespace(full.namespace)),
    };
    let within = say::within(window);
    Text {
        headline: format!("The packet socket of {process} was full and missed {packets} {place}"),
        what: match full.socket.has_ring {
            true => "It reads slower than packets arrive, and its ring had no room.",
            false => "It reads slower than packets arrive, and its receive buffer had no room.",
        }
        .to_owned(),
        hurts: match assessment.harm {
            Harm::Loss => format!(
                "{} were lost{within}: the kernel has no address on this device, so nobody but {process} takes what arrives.",
                say::part(assessment, "packet")
            ),
            Harm::Unknown => format!(
                "The kernel has no address on this device, and another packet socket took packets as well: which of both \
                 is the receiver is not known. {packets}{within}."
            ),
            _ => {
                "Nobody but the capture: a packet socket gets copies, the packets themselves go on."
                    .to_owned()
            }
        },
    }
}

/// The number of packets that it missed.
pub(super) fn packet_socket_proof(full: &FullPacketSocket<'_>) -> Proof {
    let name = match full.socket.has_ring {
        true => "drops of the packet socket's ring (tp_drops)",
        false => "drops of the packet socket (sk_drops)",
    };
    Proof::new(
        name,
        format!("+{}", full.socket.dropped),
        "packets",
        ITERATOR,
    )
}

/// A way to miss fewer packets.
pub(super) fn packet_socket_remedy(full: &FullPacketSocket<'_>) -> Remedy {
    let process = say::process(&full.socket.owner);
    Remedy::advice(match full.socket.has_ring {
        true => format!("Let {process} read faster, or give it a larger ring."),
        false => format!(
            "Let {process} read faster, or ask for a larger buffer than {} bytes (tcpdump -B).",
            full.socket.receive_buffer
        ),
    })
}
