//! Two namespaces joined by a veth pair, and frames to send from one to the other.
#![expect(
    unsafe_code,
    reason = "enters namespaces and opens packet sockets, which std has no word for"
)]

use std::{
    ffi::CStr,
    fs::File,
    net::UdpSocket,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use netdiag_diagnosis::evidence::{Link, NetnsId};

pub(crate) const UDP_PORT: u16 = 5353;

const SENDER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const RECEIVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SENDER_ADDRESS: [u8; 4] = [10, 99, 0, 1];
const RECEIVER_ADDRESS: [u8; 4] = [10, 99, 0, 2];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A named namespace, removed with this value.
pub(crate) struct TestNamespace {
    name: String,
}

/// A sender and a receiver.
pub(crate) struct Lab {
    pub sender: TestNamespace,
    pub receiver: TestNamespace,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self {
            sender: TestNamespace::new(),
            receiver: TestNamespace::new(),
        };
        for namespace in [&lab.sender, &lab.receiver] {
            // Else its own router solicitations would be dropped and counted.
            namespace.within(|| {
                for scope in ["all", "default"] {
                    let path = format!("/proc/sys/net/ipv6/conf/{scope}");
                    let _ = std::fs::write(format!("{path}/disable_ipv6"), "1");
                }
            });
        }
        let (sender, receiver) = (&lab.sender, &lab.receiver);
        // Not the first index of the receiver, so that no other namespace's device passes for it.
        receiver.ip("link add spare type veth peer name spare2");
        sender.ip(&format!(
            "link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02 netns {}",
            receiver.name
        ));
        sender.ip("address add 10.99.0.1/24 dev near");
        receiver.ip("address add 10.99.0.2/24 dev far");
        sender.ip("link set near up");
        receiver.ip("link set far up");
        thread::sleep(Duration::from_millis(100));
        lab
    }

    /// The same with a third pair of devices between the receiver and the test's own namespace.
    pub(crate) fn joined_to_the_node() -> Self {
        let lab = Self::new();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let ours = format!("nd{}{number}", std::process::id() % 10_000);
        run(&[
            "link",
            "add",
            &ours,
            "type",
            "veth",
            "peer",
            "name",
            "up",
            "netns",
            &lab.receiver.name,
        ]);
        lab
    }

    /// The device that frames arrive on.
    pub(crate) fn receiving_link(&self) -> Link {
        self.receiver.link(c"far")
    }

    /// The device that frames are sent on.
    pub(crate) fn sending_link(&self) -> Link {
        self.sender.link(c"near")
    }

    /// Sends a whole frame so many times.
    pub(crate) fn send(&self, frame: &[u8], times: u32) {
        self.send_all((0..times).map(|_| frame.to_vec()));
    }

    /// Sends whole frames.
    pub(crate) fn send_all(&self, frames: impl Iterator<Item = Vec<u8>> + Send) {
        self.sender.send_all(c"near", frames);
    }
}

impl TestNamespace {
    /// A namespace with nothing in it.
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ndd-{}-{number}", std::process::id());
        run(&["netns", "add", &name]);
        Self { name }
    }

    /// Its name under /run/netns.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The index of one of its devices.
    pub(crate) fn index_of(&self, device: &CStr) -> u32 {
        self.within(|| index_of(device))
    }

    /// Sends whole frames out of one of its devices.
    pub(crate) fn send_all(&self, device: &CStr, frames: impl Iterator<Item = Vec<u8>> + Send) {
        self.within(|| {
            // SAFETY: plain system calls; the address outlives its use.
            unsafe {
                let number = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
                assert!(number >= 0, "{}", std::io::Error::last_os_error());
                let socket = OwnedFd::from_raw_fd(number);
                let mut address: libc::sockaddr_ll = std::mem::zeroed();
                address.sll_family = libc::AF_PACKET as u16;
                address.sll_ifindex = index_of(device) as i32;
                for frame in frames {
                    let sent = libc::sendto(
                        socket.as_raw_fd(),
                        frame.as_ptr().cast(),
                        frame.len(),
                        0,
                        (&raw const address).cast(),
                        size_of_val(&address) as u32,
                    );
                    assert_eq!(sent, frame.len() as isize);
                }
            }
        });
    }

    /// A socket that sends whole frames out of one of its devices.
    pub(crate) fn packet_sender(&self, device: &CStr) -> PacketSender {
        // SAFETY: plain system calls; all zero bits are an address.
        self.within(|| unsafe {
            let number = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            assert!(number >= 0, "{}", std::io::Error::last_os_error());
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = index_of(device) as i32;
            PacketSender {
                socket: OwnedFd::from_raw_fd(number),
                address,
            }
        })
    }

    /// Its number, as evidence has it.
    pub(crate) fn number(&self) -> u32 {
        std::fs::metadata(self.path()).unwrap().ino() as u32
    }

    /// A UDP socket in it that does not wait.
    pub(crate) fn udp_socket(&self, port: u16) -> UdpSocket {
        let socket = self.within(|| UdpSocket::bind(("10.99.0.2", port)).unwrap());
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, arguments: &str) {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments.split(' '));
        run(&all);
    }

    fn link(&self, name: &CStr) -> Link {
        Link {
            netns: NetnsId(self.number()),
            ifindex: self.within(|| index_of(name)),
            name: name.to_string_lossy().into_owned(),
            ..Link::default()
        }
    }

    /// Sets a queueing discipline of a device.
    pub(crate) fn discipline(&self, device: &str, discipline: &str) {
        let mut tc = Command::new("tc");
        tc.args(["-n", &self.name, "qdisc", "add", "dev", device, "root"]);
        tc.args(discipline.split(' '));
        assert!(tc.status().unwrap().success(), "{discipline}");
    }

    /// Adds a rule that translates addresses of what the namespace sends.
    pub(crate) fn translate(&self, rule: &str) {
        let chain = "add table ip n; add chain ip n o { type nat hook output priority -100; }";
        self.nft(&format!("{chain}; add rule ip n o {rule}"));
    }

    /// Adds a rule of nftables to what the namespace receives.
    pub(crate) fn filter(&self, rule: &str) {
        let chain = "add table inet t; add chain inet t i { type filter hook input priority 0; }";
        self.nft(&format!("{chain}; add rule inet t i {rule}"));
    }

    /// Adds a rule of nftables to what the namespace sends.
    pub(crate) fn refuse_output(&self, rule: &str) {
        let chain = "add table inet t; add chain inet t o { type filter hook output priority 0; }";
        self.nft(&format!("{chain}; add rule inet t o {rule}"));
    }

    fn nft(&self, script: &str) {
        let mut nft = Command::new("ip");
        nft.args(["netns", "exec", &self.name, "nft", script]);
        assert!(nft.status().unwrap().success(), "{script}");
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    /// Runs something in the namespace, on a thread of its own.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(self.path()).unwrap();
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    // SAFETY: the call moves only this thread, which ends here.
                    let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
                    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
                    work()
                })
                .join()
                .unwrap()
        })
    }
}

/// See [`TestNamespace::packet_sender`].
pub(crate) struct PacketSender {
    socket: OwnedFd,
    address: libc::sockaddr_ll,
}

impl PacketSender {
    /// Sends one frame.
    pub(crate) fn send(&self, frame: &[u8]) {
        // SAFETY: the frame and the address outlive the call.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const self.address).cast(),
                size_of_val(&self.address) as u32,
            )
        };
        assert_eq!(sent, frame.len() as isize);
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// Runs something with these capabilities and no others, on a thread of its own.
pub(crate) fn with_only<T: Send>(capabilities: &[u32], work: impl FnOnce() -> T + Send) -> T {
    const VERSION_3: u32 = 0x2008_0522; // _LINUX_CAPABILITY_VERSION_3: two words a set
    let set = capabilities
        .iter()
        .fold(0u64, |set, capability| set | 1 << capability);
    let (low, high) = (set as u32, (set >> 32) as u32);
    thread::scope(|scope| {
        scope
            .spawn(move || {
                let header = [VERSION_3, 0];
                let data = [low, low, 0, high, high, 0]; // effective, permitted, inheritable, twice
                // SAFETY: both arrays have the layout that the call reads; it concerns only this thread.
                let result =
                    unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
                assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
                work()
            })
            .join()
            .unwrap()
    })
}

fn run(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().unwrap();
    assert!(status.success(), "ip {arguments:?}");
}

fn index_of(name: &CStr) -> u32 {
    // SAFETY: the name is a C string.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Chassis id (MAC), port id (`Gi0/24`), TTL 120, system name `sw01`, end.
pub(crate) fn lldp_frame() -> Vec<u8> {
    let mut frame = vec![0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];
    frame.extend(SENDER_MAC);
    frame.extend([0x88, 0xcc]);
    frame.extend([0x02, 0x07, 0x04, 2, 0, 0, 0, 0, 1]);
    frame.extend([0x04, 0x07, 0x05]);
    frame.extend(b"Gi0/24");
    frame.extend([0x06, 0x02, 0x00, 0x78]);
    frame.extend([0x0a, 0x04]);
    frame.extend(b"sw01");
    frame.extend([0, 0]);
    frame.resize(300, 0); // longer than an ordinary sample
    frame
}

/// A frame of a protocol that nobody receives.
pub(crate) fn frame_of(ethertype: u16) -> Vec<u8> {
    let mut frame = RECEIVER_MAC.to_vec();
    frame.extend(SENDER_MAC);
    frame.extend(ethertype.to_be_bytes());
    frame.resize(60, 0);
    frame
}

/// A SYN whose checksum is wrong.
pub(crate) fn tcp_frame_with_bad_checksum() -> Vec<u8> {
    let mut tcp = vec![0x30, 0x39, 0x00, 0x50]; // ports 12345 and 80
    tcp.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff]);
    tcp.extend([0xde, 0xad, 0, 0]); // checksum, urgent pointer
    ipv4_frame(6, &tcp)
}

/// A datagram whose checksum is wrong. The kernel looks at it only when the socket is read, if it is longer than 76
/// bytes (`CHECKSUM_BREAK`).
pub(crate) fn udp_frame_with_bad_checksum(payload: u16) -> Vec<u8> {
    let mut udp = vec![0x30, 0x39];
    udp.extend(UDP_PORT.to_be_bytes());
    udp.extend((payload + 8).to_be_bytes());
    udp.extend([0xde, 0xad]);
    udp.resize(usize::from(payload) + 8, 0x55);
    ipv4_frame(17, &udp)
}

fn ipv4_frame(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((payload.len() as u16 + 20).to_be_bytes());
    header.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    header.extend(SENDER_ADDRESS);
    header.extend(RECEIVER_ADDRESS);
    let checksum = internet_checksum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = RECEIVER_MAC.to_vec();
    frame.extend(SENDER_MAC);
    frame.extend([0x08, 0x00]);
    frame.extend(header);
    frame.extend(payload);
    frame
}

/// The checksum of an IPv4 header whose own is 0.
pub(crate) fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
