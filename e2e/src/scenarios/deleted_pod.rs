//! Two pods are deleted, one on a bridge and one on a wire with a route of its own; their peers send for two seconds
//! more.

use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::router::{Router, v4, v6};
use crate::lab::{Node, Pod};
use crate::netns::Namespace;

/// Rounds in which each peer sends once: a few before the deletion, and for two seconds after it.
const ROUNDS_BEFORE: u64 = 20;
const ROUNDS_AFTER: u64 = 200;
const GAP: Duration = Duration::from_millis(10);
/// Long enough for three attempts: at once, after 1 s and, on older kernels, after 3 s.
const RECONNECT: Duration = Duration::from_millis(3_200);
/// Networks of the pods on the bridge, and of the one on a wire.
const BRIDGED: u8 = 0;
const ROUTED: u8 = 1;
/// Host numbers on the bridge.
const CLIENT: u8 = 1;
const DOOMED: u8 = 2;
const BYSTANDER: u8 = 3;

/// Pods `client`, `doomed` and `bystander` on `cni0`, and pod `routed` on a wire.
pub struct DeletedPod<'a> {
    node: &'a Node,
    client: Pod,
    _bystander: Pod,
}

/// The pods that are to be deleted, with a program in each.
pub struct Doomed {
    pods: [Pod; 2],
    sockets: Vec<UdpSocket>,
    listeners: Vec<TcpListener>,
}

/// The peers' traffic, before and after the deletion.
#[derive(Debug)]
pub struct Survived {
    /// Datagrams that each pod had received before its end.
    pub received: Vec<u64>,
    /// Rounds in which the peers sent after it.
    pub rounds: u64,
    /// Packets that the client's device sent after it.
    pub sent_by_client: u64,
}

/// Programs that send to the pods.
struct Peers {
    datagrams: Vec<UdpSocket>,
    streams: Vec<TcpStream>,
}

impl<'a> DeletedPod<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<(Self, Doomed)> {
        let router = Router::new(node)?;
        let inside = node.namespace();
        inside.add_bridge("cni0", "", &[])?;
        router.assign("cni0", BRIDGED)?;
        let on_bridge = |name: &str, number: u8| -> Result<Pod> {
            let wire = format!("veth-{name}");
            let pod = router.plug(name, &wire, BRIDGED, number)?;
            inside.ip(&format!("link set {wire} master cni0"))?;
            Ok(pod)
        };
        let client = on_bridge("client", CLIENT)?;
        let bystander = on_bridge("bystander", BYSTANDER)?;
        let doomed = Doomed::new([on_bridge("doomed", DOOMED)?, router.pod("routed", ROUTED)?])?;
        let this = Self {
            node,
            client,
            _bystander: bystander,
        };
        Ok((this, doomed))
    }

    /// Peers send, the pods are deleted, the peers go on.
    pub fn delete(&self, doomed: Doomed) -> Result<Survived> {
        let client = Peers::new(self.client.namespace())?;
        let node = Peers::new(self.node.namespace())?;
        let send = |rounds: u64| {
            for _ in 0..rounds {
                client.send();
                node.send();
                thread::sleep(GAP);
            }
        };
        send(ROUNDS_BEFORE);
        let received = doomed.end()?;
        let sent = || self.client.namespace().counter("eth0", "tx_packets");
        let before = sent()?;
        thread::scope(|scope| {
            for address in [BRIDGED, ROUTED].into_iter().flat_map(addresses) {
                for namespace in [self.client.namespace(), self.node.namespace()] {
                    let address = address.clone();
                    scope.spawn(move || namespace.enter(|| connect(&address)));
                }
            }
            send(ROUNDS_AFTER);
        });
        Ok(Survived {
            received,
            rounds: ROUNDS_AFTER,
            sent_by_client: sent()? - before,
        })
    }
}

impl Doomed {
    fn new(pods: [Pod; 2]) -> Result<Self> {
        let (mut sockets, mut listeners) = (Vec::new(), Vec::new());
        for (pod, network) in pods.iter().zip([BRIDGED, ROUTED]) {
            for address in addresses(network) {
                let opened = pod.namespace().enter(|| -> std::io::Result<_> {
                    let socket = UdpSocket::bind((&*address, 5000))?;
                    socket.set_nonblocking(true)?;
                    Ok((socket, TcpListener::bind((&*address, 5001))?))
                })?;
                let (socket, listener) = opened.context("failed to open a pod's sockets")?;
                sockets.push(socket);
                listeners.push(listener);
            }
        }
        Ok(Self {
            pods,
            sockets,
            listeners,
        })
    }

    /// Ends the programs, which closes what they had open, and deletes the pods; how much each socket had received.
    fn end(self) -> Result<Vec<u64>> {
        let count = |socket: &UdpSocket| {
            let received = std::iter::from_fn(|| socket.recv(&mut [0; 64]).ok());
            u64::try_from(received.count())
        };
        let received: Result<Vec<u64>, _> = self.sockets.iter().map(count).collect();
        drop(self.sockets);
        drop(self.listeners);
        drop(self.pods);
        Ok(received?)
    }
}

impl Peers {
    fn new(namespace: &Namespace) -> Result<Self> {
        let opened = namespace.enter(|| -> std::io::Result<Self> {
            let (mut datagrams, mut streams) = (Vec::new(), Vec::new());
            for network in [BRIDGED, ROUTED] {
                for address in addresses(network) {
                    let any = if address.contains(':') {
                        "::"
                    } else {
                        "0.0.0.0"
                    };
                    let socket = UdpSocket::bind((any, 0))?;
                    socket.connect((&*address, 5000))?;
                    datagrams.push(socket);
                    let stream = TcpStream::connect((&*address, 5001))?;
                    stream.set_nonblocking(true)?;
                    streams.push(stream);
                }
            }
            Ok(Self { datagrams, streams })
        })?;
        opened.context("failed to open the peers' sockets")
    }

    /// Sends once on each socket. What fails is what a program sees whose peer is gone.
    fn send(&self) {
        for socket in &self.datagrams {
            let _ = socket.send(b"still there?");
        }
        for mut stream in &self.streams {
            let _ = stream.write(b"still there?");
        }
    }
}

/// Tries to connect, as a program does that has lost its connection.
fn connect(address: &str) {
    if let Ok(address) = address.parse::<IpAddr>() {
        // It fails: nobody has the address.
        let _ = TcpStream::connect_timeout(&(address, 5001).into(), RECONNECT);
    }
}

/// The addresses of the pod of this network that is to be deleted.
fn addresses(network: u8) -> [String; 2] {
    let host = if network == BRIDGED { DOOMED } else { 1 };
    [v4(network, host), v6(network, host)]
}
