//! Clients that send their requests slowly, in great number, against a server in a process of its own.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::routing::get;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::*;

/// Tells the test below that it is the server of another one.
const IS_SERVER: &str = "NETDIAG_TEST_SERVES";
const SLOW_CLIENTS: usize = 4_000;
const MEBIBYTE: u64 = 1024 * 1024;
const MOST_MEMORY: u64 = 20 * MEBIBYTE;
/// The kubelet waits this long for an answer, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(1);
/// On a busy machine an answer may be late for other reasons than the slow clients.
const ATTEMPTS: usize = 20;

#[test]
#[ignore = "the server that another test starts"]
fn a_server_for_another_test() {
    if env::var_os(IS_SERVER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("\nlistens on {}", listener.local_addr().unwrap());
        serve(listener, router()).await;
    });
}

fn router() -> Router {
    Router::new().route("/readyz", get(async || "ok\n"))
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let name = "connections::tests::a_server_for_another_test";
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env(IS_SERVER, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listens on ")?.parse().ok());
        Self {
            child,
            address: address.unwrap(),
        }
    }

    /// Bytes of the server's memory that are no file's.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kibibytes = line.unwrap().split_whitespace().next().unwrap();
        kibibytes.parse::<u64>().unwrap() * 1024
    }

    fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// The answer to a request, or why there is none in time.
    fn ask(&self) -> Result<String, std::io::Error> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A request that never ends.
    fn send_slowly(&self) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&self.address, 10 * PATIENCE)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nX: ")?;
        Ok(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many descriptors may be open at a time.
fn may_open(number: usize) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let number = u64::try_from(number).unwrap();
    getrlimit(Resource::Nofile)
        .current
        .is_none_or(|limit| limit >= number)
}

#[test]
fn thousands_of_slow_clients_cost_little_and_others_are_answered() {
    if !may_open(SLOW_CLIENTS + 100) {
        println!("SKIP thousands_of_slow_clients: the limit of open files is too low");
        return;
    }
    let server = Server::start();
    assert!(server.ask().unwrap().starts_with("HTTP/1.1 200"));
    let before = server.memory();
    let mut most = 0;
    let mut slow = Vec::with_capacity(SLOW_CLIENTS);
    let mut answered = 0;
    let mut slowest = Duration::ZERO;
    for number in 1..=SLOW_CLIENTS {
        slow.push(server.send_slowly().unwrap());
        if number % (SLOW_CLIENTS / ATTEMPTS) == 0 {
            most = most.max(server.memory());
            let asked = Instant::now();
            let answer = server.ask();
            slowest = slowest.max(asked.elapsed());
            answered += usize::from(answer.is_ok_and(|it| it.starts_with("HTTP/1.1 200")));
        }
    }
    let descriptors = server.descriptors();
    let cost = most.saturating_sub(before);
    println!(
        "{} slow clients: {} KiB more, {descriptors} descriptors, {answered} of {ATTEMPTS} answered, {slowest:?} the slowest",
        slow.len(),
        cost / 1024
    );
    assert!(cost <= MOST_MEMORY, "{cost} bytes");
    assert!(answered > 0, "nobody was answered within {PATIENCE:?}");
    assert!(descriptors < 2 * MOST_CONNECTIONS, "{descriptors}");
}

#[test]
fn a_request_that_never_ends_is_given_up() {
    let server = Server::start();
    let mut stream = server.send_slowly().unwrap();
    let mut answer = Vec::new();
    // Longer than the server waits, by far.
    stream.set_read_timeout(Some(30 * LONGEST_HEADER)).unwrap();
    let ended = stream.read_to_end(&mut answer);
    assert!(
        ended.is_ok()
            || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
    assert_eq!(
        String::from_utf8_lossy(&answer).matches("200 OK").count(),
        0
    );
}

#[test]
fn a_large_header_is_refused() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.address).unwrap();
    let large = format!(
        "GET /readyz HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(2 * LARGEST_HEADER)
    );
    // It may be refused before it is sent whole.
    let _ = stream.write_all(large.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(server.ask().unwrap().contains("200 OK"));
}
