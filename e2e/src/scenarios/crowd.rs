//! Many network namespaces, each with a process and a link, some of which come and go.

use std::process::Command;

use anyhow::Result;

use crate::lab::Node;
use crate::process::Process;
use crate::wait;

/// Starts `$1` namespaces that stay, each with a veth to the node's namespace `$0`, and `$2` places in which one comes
/// after the other.
const SCRIPT: &str = "
stays='ip link add eth0 type veth peer name crowd$1 netns $0 && exec sleep 3600'
goes='ip link add eth0 type veth peer name far && ip link set eth0 up; sleep 2'
number=0
while [ $number -lt $1 ]; do
    number=$((number + 1))
    unshare --net sh -c \"$stays\" $0 $number &
done
number=0
while [ $number -lt $2 ]; do
    number=$((number + 1))
    while :; do unshare --net sh -c \"$goes\"; done &
done
wait
";

/// The namespaces; they go with this value.
pub struct Crowd {
    _all: Process,
}

impl Crowd {
    /// Starts so many namespaces that stay, and keeps others coming and going in so many places.
    pub fn new(node: &Node, staying: usize, places: usize) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, node.namespace().name()]);
        shell.args([staying.to_string(), places.to_string()]);
        let log = node.host().path().join("crowd.log");
        let all = Process::start("crowd", shell, &log)?;
        wait::until("the crowd's links", wait::LIMIT, || {
            let links = node.namespace().ip("-brief link show type veth")?;
            let here = links.lines().filter(|line| line.starts_with("crowd"));
            Ok((here.count() == staying).then_some(()))
        })?;
        Ok(Self { _all: all })
    }
}
