//! The words about connections that connection tracking does not let through, and what to do.

use super::{
    books::Entries,
    fault::Crowd,
    fault::{Fault, Kind},
};
use crate::{
    Window,
    detectors::kit::{proof, say},
    finding::{Harm, Proof, Remedy, Subject, Text},
    kernel::NamespaceCounter::{
        self, ConntrackChainTooLong, ConntrackDrop, ConntrackEarlyDrop, ConntrackInsertFailed,
        ConntrackInvalid,
    },
    packets::ip_protocols,
};

/// Bytes of kernel memory that an entry takes (`struct nf_conn` with its extensions).
const ENTRY_BYTES: u64 = 320;
const MAX: &str = "net.netfilter.nf_conntrack_max";
const BUCKETS: &str = "net.netfilter.nf_conntrack_buckets";
const BE_LIBERAL: &str = "net.netfilter.nf_conntrack_tcp_be_liberal";
const SETTING: &str = "/proc/sys/net/netfilter";

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
        say::count(self.fault.tally.count, "packet")
    }

    fn place(&self) -> String {
        say::place(&Subject::of_namespace(self.fault.namespace))
    }

    fn headline(&self) -> String {
        let (packets, place) = (self.packets(), self.place());
        match &self.fault.kind {
            Kind::TableFull(_) if self.fault.books.without_entry == 0 => {
                let evicted = say::count(self.fault.books.evicted, "connection");
                format!("Connection tracking {place} removed {evicted} to make room for others")
            }
            Kind::TableFull(_) => format!(
                "The connection tracking table {place} was full and refused {packets} of new connections"
            ),
            Kind::HashChainFull => format!(
                "Connection tracking {place} refused {packets}, because chains of its table were too long"
            ),
            Kind::SourcePortsExhausted(crowd) => format!(
                "No source port was left for connections from {} to {} {place}: {packets} refused",
                crowd.source,
                crowd.end(),
            ),
            Kind::InsertRace => {
                format!("{packets} {place} collided with others that opened the same connection")
            }
            Kind::InvalidDropped => {
                format!("A rule {place} dropped {packets} that connection tracking calls invalid")
            }
        }
    }

    fn what(&self) -> String {
        match &self.fault.kind {
            Kind::TableFull(entries) => {
                let numbers = entries.map_or_else(String::new, |entries| entries.sentence());
                format!(
                    "Each connection takes an entry. Without one the kernel drops the first packet of a new \
                     connection; established connections go on.{numbers} The limit is one for the whole kernel, \
                     the count is each namespace's own."
                )
            }
            Kind::HashChainFull => {
                let buckets = self.window.settings.conntrack_buckets;
                let buckets = buckets.map_or_else(String::new, |buckets| {
                    format!(" It has {}.", say::count(buckets, "chain"))
                });
                format!(
                    "The entries of connection tracking hang in the chains of a hash table, and the kernel adds none to \
                     a chain that is too long.{buckets} Too few chains for so many connections, or addresses that \
                     were chosen so, make them long."
                )
            }
            Kind::SourcePortsExhausted(crowd) => format!(
                "These connections leave from {}, to which their source is translated (masquerade, SNAT). Two \
                 connections to {} need two source ports, and no free one was found, so that the new entry \
                 collided and its packet was dropped.",
                crowd.source,
                crowd.end(),
            ),
            Kind::InsertRace => "Two packets of one socket came at the same instant, before the connection had an \
                                 entry. Each made one, the second collided and its packet was dropped. Resolvers do \
                                 so when they ask for A and AAAA at once."
                .to_owned(),
            Kind::InvalidDropped => {
                "These TCP segments fit to no connection that is tracked here: the node sees only one direction of it, \
                 its entry is gone, or they are outside of its window. Connection tracking lets them pass; a rule \
                 (`ct state invalid drop`, --ctstate INVALID) drops them."
                    .to_owned()
            }
        }
    }

    fn hurts(&self) -> String {
        let assessment = &self.fault.assessment;
        let (packets, seen) = (self.packets(), say::seen(assessment));
        let within = say::within(self.window);
        match (&self.fault.kind, assessment.harm) {
            (Kind::TableFull(_), _) if self.fault.books.without_entry == 0 => format!(
                "{} that had no answer yet ended{within}: a packet that comes for one of them finds no entry.",
                say::count(self.fault.books.evicted, "connection"),
            ),
            (Kind::TableFull(_), Harm::Outage) => {
                format!(
                    "New connections fail: {packets} refused{within}.{seen} Established ones go on."
                )
            }
            (Kind::TableFull(_), _) => format!(
                "{packets} of new connections were lost{within}; clients try again.{seen} Established ones go on."
            ),
            (Kind::HashChainFull, _) => {
                format!("These connections do not come about: {packets} refused{within}.{seen}")
            }
            (Kind::SourcePortsExhausted(crowd), _) => format!(
                "New connections to {} fail: {packets} refused{within}.{seen} Those to other addresses and ports pass.",
                crowd.end(),
            ),
            (Kind::InsertRace, _) => format!(
                "{packets} were lost{within}.{seen} A resolver asks again after its time limit, 5 s unless changed."
            ),
            (Kind::InvalidDropped, Harm::Outage) => {
                format!("These connections stall: {packets} of them died{within}.{seen}")
            }
            (Kind::InvalidDropped, _) => format!(
                "Late segments of closed connections hurt nobody, those of a connection that goes on do, and nothing \
                 tells which these were: {packets}.{seen}"
            ),
        }
    }

    pub(super) fn proofs(&self) -> Vec<Proof> {
        let counters: &[NamespaceCounter] = match &self.fault.kind {
            Kind::TableFull(_) => &[ConntrackDrop, ConntrackInsertFailed, ConntrackEarlyDrop],
            Kind::HashChainFull => &[ConntrackChainTooLong, ConntrackInsertFailed, ConntrackDrop],
            Kind::SourcePortsExhausted(_) | Kind::InsertRace => {
                &[ConntrackInsertFailed, ConntrackDrop]
            }
            Kind::InvalidDropped => &[ConntrackInvalid],
        };
        let namespace = self.fault.namespace;
        let risen = counters
            .iter()
            .filter(|counter| namespace.increase(counter.name()).is_some());
        let risen = risen
            .filter_map(|counter| proof::counter_rose(namespace, counter.name(), counter.unit()));
        let mut proofs: Vec<Proof> = match &self.fault.kind {
            Kind::TableFull(Some(entries)) => vec![entries.proof(&say::namespace(namespace))],
            Kind::HashChainFull => self.setting("nf_conntrack_buckets", |settings| {
                settings.conntrack_buckets
            }),
            _ => Vec::new(),
        };
        proofs.extend(risen);
        proofs
    }

    fn setting(
        &self,
        name: &str,
        value: impl Fn(&crate::evidence::KernelSettings) -> Option<u64>,
    ) -> Vec<Proof> {
        let value = value(&self.window.settings);
        value
            .map(|value| Proof::new(name, value, "", SETTING))
            .into_iter()
            .collect()
    }

    pub(super) fn remedies(&self) -> Vec<Remedy> {
        let settings = &self.window.settings;
        match &self.fault.kind {
            Kind::TableFull(_) => {
                let raise = settings.conntrack_max.map(raise_max);
                let look = Remedy::command_in(
                    self.fault.namespace,
                    "See who opens so many connections: the sources with the most entries (conntrack-tools).",
                    &[
                        "sh",
                        "-c",
                        "conntrack -L 2>/dev/null | grep -o 'src=[^ ]*' | sort | uniq -c | sort -rn | head",
                    ],
                    &[],
                );
                raise.into_iter().chain([look]).collect()
            }
            Kind::HashChainFull => {
                let raise = settings
                    .conntrack_buckets
                    .map(|buckets| raise_buckets(buckets, settings.conntrack_max));
                raise.into_iter().collect()
            }
            Kind::SourcePortsExhausted(crowd) => vec![
                Remedy::advice(format!(
                    "Open fewer connections to {}: keep them open and use them again.",
                    crowd.end()
                )),
                Remedy::advice(
                    "Or give the translation more ports or addresses: a wider range, `fully-random`, a second \
                     source address.",
                ),
                Remedy::command_in(
                    self.fault.namespace,
                    "See the rules that translate sources.",
                    &["nft", "list", "ruleset"],
                    &[],
                ),
            ],
            Kind::InsertRace => vec![Remedy::advice(
                "If these are DNS queries (port 53), let the resolver ask for A and AAAA one after the other \
                 (`options single-request` in resolv.conf), or run a cache on the node (NodeLocal DNSCache). Other \
                 programs: wait for the first answer.",
            )],
            Kind::InvalidDropped => self.against_invalid(),
        }
    }

    /// The window check is only one of the reasons, so that the command comes with the look at the path.
    fn against_invalid(&self) -> Vec<Remedy> {
        let namespace = self.fault.namespace;
        let path = Remedy::advice(
            "Let both directions of these connections pass this node, or none: see by which way the answers come \
             (ip route get, on both hosts).",
        );
        let rule = Remedy::command_in(
            namespace,
            "Find the rule; its counter rises with them.",
            &["nft", "list", "ruleset"],
            &[],
        );
        let is_strict = namespace.settings.conntrack_tcp_be_liberal == Some(false);
        let liberal = is_strict.then(|| {
            let set = |value: &str| {
                let text = "If both directions pass here, let segments outside of the window pass as well.";
                Remedy::command(text, &["sysctl", "-w", &format!("{BE_LIBERAL}={value}")], &[])
            };
            set("1")
                .undone_by(set("0"))
                .with_effect("connection tracking checks no TCP windows any more; RST segments excepted")
                .lasting(format!("{BE_LIBERAL} = 1 in a file of /etc/sysctl.d"))
        });
        [path, rule].into_iter().chain(liberal).collect()
    }
}

impl NamespaceCounter {
    /// The things that it counts.
    fn unit(self) -> &'static str {
        match self {
            ConntrackEarlyDrop => "connections",
            _ => "packets",
        }
    }
}

impl Entries {
    fn sentence(&self) -> String {
        let entries = self.after.or(self.before).unwrap_or_default();
        let when = match self.after {
            Some(_) => "at the end",
            None => "at the start",
        };
        format!(" {entries} of {} entries were taken {when}.", self.limit)
    }

    fn proof(&self, place: &str) -> Proof {
        let number = |entries: Option<u64>| {
            entries.map_or_else(|| "?".to_owned(), |entries| entries.to_string())
        };
        Proof::new(
            format!("connections tracked in {place}, at the start and the end, and their limit"),
            format!(
                "{}, {} of {}",
                number(self.before),
                number(self.after),
                self.limit
            ),
            "",
            "/proc/net/stat/nf_conntrack",
        )
    }
}

impl Crowd {
    /// `10.0.0.1:443 TCP`.
    fn end(&self) -> String {
        let address = match self.destination {
            std::net::IpAddr::V4(address) => format!("{address}:{}", self.port),
            std::net::IpAddr::V6(address) => format!("[{address}]:{}", self.port),
        };
        format!("{address} {}", ip_protocols::name(self.protocol))
    }
}

fn raise_max(set: u64) -> Remedy {
    let double = set.saturating_mul(2);
    let megabytes = (double - set)
        .saturating_mul(ENTRY_BYTES)
        .div_ceil(1_000_000);
    let write = |value: u64| {
        let text =
            "Double the limit on tracked connections, on the node: it is one for all namespaces.";
        Remedy::command(text, &["sysctl", "-w", &format!("{MAX}={value}")], &[])
    };
    write(double)
        .undone_by(write(set))
        .with_effect(format!("up to {megabytes} MB more kernel memory when it is full"))
        .lasting(format!(
            "{MAX} = {double} in a file of /etc/sysctl.d; kube-proxy sets its own value: conntrack.maxPerCore and \
             conntrack.min in its configuration"
        ))
}

/// A table made by default has as many chains as entries (nf_conntrack_init_start).
fn raise_buckets(set: u64, max: Option<u64>) -> Remedy {
    let more = max.unwrap_or_default().max(set.saturating_mul(2));
    let kilobytes = (more - set).saturating_mul(8).div_ceil(1_000);
    let write = |value: u64| {
        let text = "Give the table more chains, on the node: it is one for all namespaces.";
        Remedy::command(text, &["sysctl", "-w", &format!("{BUCKETS}={value}")], &[])
    };
    write(more)
        .undone_by(write(set))
        .with_effect(format!(
            "{kilobytes} kB more kernel memory; the table is built anew at once"
        ))
        .lasting(format!("{BUCKETS} = {more} in a file of /etc/sysctl.d"))
}
