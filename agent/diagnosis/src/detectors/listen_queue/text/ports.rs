//! The words about packets that no socket took, and what to look at.

use crate::{
    Window,
    detectors::{
        kit::{say, sockets},
        listen_queue::ports::{End, Kind, Refused},
    },
    finding::{Proof, Remedy, Subject, Text},
    packets::ip_protocols,
};

const ITERATOR: &str = "BPF iterator";
/// Sockets and ports that are shown one by one.
const SHOWN: usize = 4;

/// Writes about packets of one namespace.
pub(in crate::detectors::listen_queue) struct PortWords<'a> {
    pub(in crate::detectors::listen_queue) window: &'a Window<'a>,
    pub(in crate::detectors::listen_queue) refused: &'a Refused<'a>,
}

impl PortWords<'_> {
    pub(in crate::detectors::listen_queue) fn text(&self) -> Text {
        let refused = self.refused;
        let packets = say::count(refused.tally.count, "packet");
        let place = say::place(&Subject::of_namespace(refused.namespace));
        let (within, seen) = (say::within(self.window), say::seen(&refused.assessment));
        match refused.kind {
            Kind::PortClosed => Text {
                headline: format!("Nobody listens on {}: {packets} refused {place}", self.ports()),
                what: "No program there has a socket with that port, on any address. The kernel answers TCP with RST and \
                       UDP with an ICMP error."
                    .to_owned(),
                hurts: format!(
                    "Only who expects a program there; a scan does not: {packets} refused{within}.{seen}"
                ),
            },
            Kind::LoopbackOnly => Text {
                headline: format!(
                    "{} only: {packets} for {} refused {place}",
                    self.listens(),
                    self.ends()
                ),
                what: "The program chose the address or the device when it bound its socket. The kernel gives the socket \
                       nothing that is for another one, and refuses it as for a closed port."
                    .to_owned(),
                hurts: format!(
                    "Every client that comes by another address, if the service is meant for it: {packets} \
                     refused{within}.{seen} A scan meets such a port as well."
                ),
            },
        }
    }

    /// `nginx (pid 7) listens on 127.0.0.1:80`.
    fn listens(&self) -> String {
        let sockets = &self.refused.sockets;
        let Some(first) = sockets.first() else {
            return "A program listens on another address".to_owned();
        };
        let same: Vec<String> = sockets
            .iter()
            .filter(|socket| socket.owner.pid == first.owner.pid)
            .map(|socket| self.bound(socket))
            .collect();
        let same: Vec<&str> = same.iter().map(String::as_str).collect();
        let process = say::process(&first.owner);
        let (others, verb) = match sockets.len() - same.len() {
            0 => (process, "listens"),
            others => (say::and_others(&process, others, "socket"), "listen"),
        };
        format!("{others} {verb} on {}", say::list(&same))
    }

    /// `127.0.0.1:80`, `0.0.0.0:80`, `port 80 of device 7`.
    fn bound(&self, socket: &crate::evidence::InetSocket) -> String {
        let end = match (socket.address.is_unspecified(), socket.address) {
            (true, std::net::IpAddr::V6(any)) => format!("[{any}]:{}", socket.port),
            (true, any) => format!("{any}:{}", socket.port),
            (false, _) => sockets::end(socket),
        };
        let link = self.window.topology.link(socket.netns, socket.ifindex);
        match link {
            Some(link) => format!("{end} of {}", link.name),
            None => end,
        }
    }

    fn ends(&self) -> String {
        let ends: Vec<String> = self.refused.ends.iter().map(name).collect();
        let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
        say::list(&ends)
    }

    /// `TCP port 80`, `TCP port 80 and UDP port 53`.
    fn ports(&self) -> String {
        let mut ports: Vec<String> = Vec::new();
        for end in &self.refused.ends {
            let port = format!("{} port {}", ip_protocols::name(end.protocol), end.port);
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
        say::list(&ports)
    }

    pub(in crate::detectors::listen_queue) fn proofs(&self) -> Vec<Proof> {
        match self.refused.kind {
            Kind::PortClosed => vec![Proof::new(
                format!("sockets with {}", self.ports()),
                "none",
                "",
                ITERATOR,
            )],
            Kind::LoopbackOnly => {
                let sockets = self.refused.sockets.iter().take(SHOWN);
                sockets
                    .map(|socket| {
                        let protocol = ip_protocols::name(socket.protocol);
                        let value = format!(
                            "{} of {}",
                            self.bound(socket),
                            say::process_of_pod(&socket.owner)
                        );
                        let name = format!("socket with {protocol} port {}", socket.port);
                        Proof::new(name, value, "", ITERATOR)
                    })
                    .collect()
            }
        }
    }

    pub(in crate::detectors::listen_queue) fn remedies(&self) -> Vec<Remedy> {
        let look = Remedy::command_in(
            self.refused.namespace,
            "See the addresses and ports on which programs listen.",
            &["ss", "-lntup"],
            &[],
        );
        let Some(first) = self.refused.sockets.first() else {
            return vec![look];
        };
        let process = say::process(&first.owner);
        vec![
            Remedy::advice(format!(
                "If others are meant to reach it, let {process} listen on the address that they use, or on every address \
                 (0.0.0.0 and ::). What listens on loopback on purpose needs no change."
            )),
            look,
        ]
    }
}

/// `10.0.0.9:80 TCP`.
fn name(end: &End) -> String {
    let address = match end.address {
        std::net::IpAddr::V6(address) => format!("[{address}]"),
        address => address.to_string(),
    };
    format!(
        "{address}:{} {}",
        end.port,
        ip_protocols::name(end.protocol)
    )
}
