//! The kernel's own count of dropped packets, to hold a probe's against: what tracefs can count without any program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cleanup::{self, Undo};

const INSTANCES: &str = "/sys/kernel/tracing/instances";
const EVENT: &str = "events/skb/kfree_skb";
const HISTOGRAM: &str = "hist:keys=reason,location.sym,protocol";
/// Enough for some 60,000 events, on kernels that can only list them.
const BUFFER_KIB: &str = "4096";

/// Packets that went their way and are no drops, though `kfree_skb` freed them.
const NOT_DROPPED: [&str; 2] = ["CONSUMED", "NOT_DROPPED_YET"];

/// Counts every call of the tracepoint `skb:kfree_skb` of this kernel from its making on.
pub struct DropTrigger {
    instance: PathBuf,
    /// Names of the drop reasons. `None` where the kernel has no histograms: there events are listed.
    reasons: Option<BTreeMap<u64, String>>,
    _undo: Undo,
}

/// The fields that tell drops apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DropSite {
    /// The kernel's reason without its prefix; empty where only events can be listed.
    pub reason: String,
    /// The function, without compiler suffixes; empty where only events can be listed, which hide addresses.
    pub location: String,
    /// `skb->protocol`.
    pub protocol: u16,
}

impl DropTrigger {
    /// Begins to count.
    pub fn start() -> Result<Self> {
        let instance = Path::new(INSTANCES).join(cleanup::unique_name("drops"));
        fs::create_dir(&instance)
            .with_context(|| format!("failed to create {}", instance.display()))?;
        let doomed = instance.clone();
        let undo = Undo::register(move || remove(&doomed));
        let event = instance.join(EVENT);
        let reasons = match fs::read_to_string(event.join("hist")) {
            Ok(_) => {
                write(&event.join("trigger"), HISTOGRAM)?;
                Some(reasons(&read(&event.join("format"))?))
            }
            Err(_) => {
                write(&instance.join("buffer_size_kb"), BUFFER_KIB)?;
                write(&event.join("enable"), "1")?;
                None
            }
        };
        Ok(Self {
            instance,
            reasons,
            _undo: undo,
        })
    }

    /// True if reason and function are known, and not only the protocol.
    pub fn has_sites(&self) -> bool {
        self.reasons.is_some()
    }

    /// The counts of this moment.
    ///
    /// # Errors
    /// When the kernel has lost counts.
    pub fn counts(&self) -> Result<BTreeMap<DropSite, u64>> {
        match &self.reasons {
            Some(reasons) => histogram(&read(&self.instance.join(EVENT).join("hist"))?, reasons),
            None => listed(&read(&self.instance.join("trace"))?),
        }
    }
}

/// Reads `{ reason: 2, location: [ffffffffb2d3c1a4] ip6_mc_input , protocol: 34525 } hitcount: 1`.
fn histogram(text: &str, reasons: &BTreeMap<u64, String>) -> Result<BTreeMap<DropSite, u64>> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        if let Some(dropped) = line.trim().strip_prefix("Dropped:") {
            ensure!(dropped.trim() == "0", "the histogram was full");
        }
        let Some(line) = line.strip_prefix("{ reason:") else {
            continue;
        };
        let site = || {
            let (reason, rest) = line.split_once(", location: [")?;
            let (_, rest) = rest.split_once("] ")?;
            let (location, rest) = rest.split_once(", protocol:")?;
            let (protocol, hits) = rest.split_once("} hitcount:")?;
            // A module's function is followed by ` [module]`.
            let location = location.split_whitespace().next()?.split('.').next()?;
            let reason: u64 = reason.trim().parse().ok()?;
            let site = DropSite {
                reason: reasons.get(&reason)?.clone(),
                location: location.to_owned(),
                protocol: protocol.trim().parse().ok()?,
            };
            Some((site, hits.trim().parse::<u64>().ok()?))
        };
        let (site, hits) = site().with_context(|| format!("failed to read {line:?}"))?;
        if !NOT_DROPPED.contains(&site.reason.as_str()) {
            *counts.entry(site).or_default() += hits;
        }
    }
    Ok(counts)
}

/// Counts lines such as `kfree_skb: skbaddr=00000000ab protocol=2048 location=00000000cd`.
fn listed(text: &str) -> Result<BTreeMap<DropSite, u64>> {
    let kept = text
        .lines()
        .find_map(|line| line.strip_prefix("# entries-in-buffer/entries-written: "))
        .and_then(|counts| counts.split_whitespace().next()?.split_once('/'));
    ensure!(
        kept.is_none_or(|(kept, written)| kept == written),
        "the buffer was full: {kept:?}"
    );
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let protocol = line
            .split_once("kfree_skb: ")
            .and_then(|(_, fields)| fields.split_once("protocol="))
            .and_then(|(_, rest)| rest.split_whitespace().next());
        let Some(protocol) = protocol else {
            continue;
        };
        let site = DropSite {
            reason: String::new(),
            location: String::new(),
            protocol: protocol
                .parse()
                .with_context(|| format!("failed to read {line:?}"))?,
        };
        *counts.entry(site).or_default() += 1;
    }
    Ok(counts)
}

/// Reads the event's `__print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 3, "NO_SOCKET" }, ..)`.
fn reasons(format: &str) -> BTreeMap<u64, String> {
    let pairs = format.split('{').filter_map(|part| {
        let (number, name) = part.split_once(", \"")?;
        let (name, _) = name.split_once('"')?;
        Some((number.trim().parse().ok()?, name.to_owned()))
    });
    pairs.collect()
}

fn remove(instance: &Path) {
    // A folder with a trigger in it is busy.
    let _ = fs::write(
        instance.join(EVENT).join("trigger"),
        format!("!{HISTOGRAM}"),
    );
    if let Err(error) = fs::remove_dir(instance) {
        eprintln!("failed to remove {}: {error}", instance.display());
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = "print fmt: \"protocol=%u location=%pS reason: %s\", REC->protocol, REC->location, \
        __print_symbolic(REC->reason, { 1, \"CONSUMED\" }, { 2, \"NOT_SPECIFIED\" }, { 80, \"FULL_RING\" })";

    fn site(reason: &str, location: &str, protocol: u16) -> DropSite {
        DropSite {
            reason: reason.to_owned(),
            location: location.to_owned(),
            protocol,
        }
    }

    #[test]
    fn a_histogram_tells_reason_function_and_protocol() {
        let text = "# event histogram\n\
            { reason:          2, location: [ffffffffb2d3c1a4] ip_rcv_finish_core.isra.0                    , protocol:       2048 } hitcount:          7\n\
            { reason:          1, location: [ffffffffb2d3c1ff] ip_rcv                                       , protocol:       2048 } hitcount:          9\n\
            { reason:         80, location: [ffffffffc0d3c1a4] tun_net_xmit [tun]                           , protocol:      34525 } hitcount:        204\n\
            Totals:\n    Hits: 220\n    Entries: 3\n    Dropped: 0\n";
        let counts = histogram(text, &reasons(FORMAT)).unwrap();
        let expected = [
            (site("FULL_RING", "tun_net_xmit", 0x86dd), 204),
            (site("NOT_SPECIFIED", "ip_rcv_finish_core", 0x0800), 7),
        ];
        assert_eq!(counts, expected.into());
        let full = text.replace("Dropped: 0", "Dropped: 3");
        assert!(histogram(&full, &reasons(FORMAT)).is_err());
    }

    #[test]
    fn listed_events_are_counted_by_protocol_while_none_is_lost() {
        let text = "# entries-in-buffer/entries-written: 3/3   #P:1\n\
            lab-7 [000] ..s. 5.0: kfree_skb: skbaddr=0000000012 protocol=35020 location=00000000aa\n\
            lab-7 [000] ..s. 5.1: kfree_skb: skbaddr=0000000012 protocol=35020 location=00000000aa\n\
            lab-7 [000] ..s. 5.2: kfree_skb: skbaddr=0000000013 protocol=2048 location=00000000bb\n";
        let expected = [(site("", "", 2048), 1), (site("", "", 35020), 2)];
        assert_eq!(listed(text).unwrap(), expected.into());
        assert!(listed(&text.replace("3/3", "3/9")).is_err());
    }
}
