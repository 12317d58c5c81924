//! Listeners and sockets of UDP of another namespace, with their queues.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use netdiag_diagnosis::evidence::InetSocket;

use super::TestNamespace;
use crate::{
    probes::Kernel,
    sources::{HostRoot, NamespaceScope, Sources},
};

/// Opens a listener with room for three and a socket of UDP, and fills both from then on, each time that it is asked.
const PROGRAM: &str = r"
import socket, sys
listener = socket.socket(); listener.bind(('127.0.0.1', 5000)); listener.listen(2)
reader = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); reader.bind(('::1', 5001))
clients = []
print('ready', flush=True)
for line in sys.stdin:
    for _ in range(5):
        client = socket.socket(); client.setblocking(False); clients.append(client)
        try: client.connect(('127.0.0.1', 5000))
        except BlockingIOError: pass
    sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for _ in range(500): sender.sendto(bytes(1000), ('::1', 5001))
    print('done', flush=True)
";

struct Program(Child, BufReader<std::process::ChildStdout>);

impl Program {
    fn start(namespace: &TestNamespace) -> Self {
        namespace.ip("link set lo up");
        let mut command = Command::new("nsenter");
        let target = format!("--net=/proc/{}/ns/net", namespace.pid());
        command.args([&target, "python3", "-c", PROGRAM]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self(child, output);
        program.expect("ready");
        program
    }

    fn fill(&mut self) {
        use std::io::Write as _;
        writeln!(self.0.stdin.as_mut().unwrap(), "go").unwrap();
        self.expect("done");
    }

    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs root, namespaces and BPF"]
fn queues_and_drops_of_another_namespace_are_read() {
    let a = TestNamespace::new();
    let mut program = Program::start(&a);
    let host = HostRoot::new("/");
    let sources = Sources::new(host, NamespaceScope::All, &Kernel::load()).unwrap();
    program.fill();
    let discovery = sources.discover().unwrap();
    let before = sources.inet_sockets(&discovery);
    program.fill();
    let after = sources.inet_sockets(&discovery);
    let sockets = sources.inet_sockets_since(&before, &after);
    assert_eq!(sockets.missing(), None);
    let find = |port: u16| -> &InetSocket {
        let mut sockets = sockets.value().unwrap().iter();
        let found = sockets.find(|socket| socket.netns == a.id() && socket.port == port);
        found.unwrap_or_else(|| panic!("port {port} is not in {sockets:?}"))
    };
    let listener = find(5000);
    assert!(listener.is_listening);
    assert_eq!(listener.address.to_string(), "127.0.0.1");
    assert_eq!((listener.accept_limit, listener.after.accept), (2, 3));
    assert_eq!(listener.owner.pid, program.0.id());
    let was = listener.before.unwrap();
    assert!(was.oldest != 0 && was.oldest == listener.after.oldest);
    assert!(listener.dropped() >= 5, "{listener:?}");
    let reader = find(5001);
    assert!(reader.is_udp() && !reader.is_listening);
    assert_eq!(reader.dropped(), 500, "{reader:?}");
    assert!(reader.after.memory > 0 && reader.receive_buffer > 0);
    assert_eq!(after.settings()[&a.id()].tcp_syncookies, Some(1));
}
