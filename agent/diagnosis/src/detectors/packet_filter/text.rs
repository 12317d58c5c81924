//! The words of the check.

use super::{
    judge::{Kind, Refusal},
    rules::{Suspects, Way},
    services::Services,
};
use crate::{
    Window,
    detectors::kit::say,
    evidence::{FilterBackend, FilterFamily, FilterRule, FilterVerdict, RefusedPort},
    finding::{Harm, Proof, Remedy, Subject, Text},
    packets::ip_protocols,
};

/// As many rules are shown by a command of their own.
const RULES_SHOWN: usize = 3;
/// As many senders are shown one by one.
const SENDERS_SHOWN: usize = 4;
/// The sources of what was read.
const NETLINK: &str = "nfnetlink";
const SOCKET_OPTION: &str = "getsockopt(IPT_SO_GET_ENTRIES)";

pub(super) struct Words<'a> {
    pub(super) window: &'a Window<'a>,
    pub(super) refusal: &'a Refusal<'a>,
}

impl Words<'_> {
    pub(super) fn text(&self) -> Text {
        match &self.refusal.kind {
            Kind::Rule(way, suspects) => self.of_rule(*way, suspects),
            Kind::Service(services) => self.of_service(services),
        }
    }

    fn packets(&self) -> String {
        say::count(self.refusal.tally.count, "packet")
    }

    fn place(&self) -> String {
        say::place(&Subject::of_namespace(self.refusal.namespace))
    }

    fn of_rule(&self, way: Way, suspects: &Suspects<'_>) -> Text {
        let (packets, place) = (self.packets(), self.place());
        let subject = match suspects.only() {
            Some(rule) => sentence(&name(rule)),
            None if suspects.have_counters => "Packet filter rules".to_owned(),
            None => "A packet filter rule".to_owned(),
        };
        let which = match way {
            Way::Out => format!("{packets} of {} {place}", self.programs()),
            Way::In => format!("{packets} {place}"),
        };
        let names: Vec<String> = suspects.rules.iter().map(|rule| name(rule)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let more = match suspects.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let listed = format!("{}{more}", names.join(", "));
        let what = if suspects.are_counted {
            format!("The counter rose by as many: {listed}.")
        } else if suspects.have_counters {
            format!("Counters rose, but by less than was refused. It was some of: {listed}.")
        } else if suspects.is_empty() && self.refusal.namespace.is_node {
            "The rules of the node could not be read.".to_owned()
        } else if suspects.is_empty() {
            format!("The rules {place} are not read; which of them it was is not known.")
        } else {
            format!("No counter tells which rule it was. It is one of: {listed}.")
        };
        let errors = match way {
            Way::Out => {
                " The programs that sent them get an error (EPERM), unless the rule rejects with an answer."
            }
            Way::In => "",
        };
        let (seen, within) = (
            say::seen(&self.refusal.assessment),
            say::within(self.window),
        );
        let hurts = match self.refusal.assessment.harm {
            Harm::Outage => format!(
                "These connections do not come about, as the rule means it: {packets} refused{within}.{seen}"
            ),
            _ => format!(
                "Their senders, if the rule does not mean them: {packets} refused{within}.{seen}"
            ),
        };
        Text {
            headline: format!("{subject} refused {which}"),
            what: format!("{what}{errors}"),
            hurts,
        }
    }

    /// `curl (pid 7) and 1 more program`, `programs, among them curl (pid 7),` where others may have sent some, `programs`
    /// where none is known.
    fn programs(&self) -> String {
        let mut processes: Vec<String> = Vec::new();
        for socket in &self.refusal.senders.sockets {
            let process = say::process(&socket.owner);
            if !processes.contains(&process) {
                processes.push(process);
            }
        }
        match processes.split_first() {
            Some((first, others)) => {
                let known = say::and_others(first, others.len(), "program");
                match self.refusal.senders.are_all {
                    true => known,
                    false => format!("programs, among them {known},"),
                }
            }
            None => "programs".to_owned(),
        }
    }

    /// A line for each socket from which refused packets came.
    pub(super) fn senders(&self) -> Vec<(&'static str, String)> {
        let shown = self.refusal.senders.sockets.iter().take(SENDERS_SHOWN);
        shown
            .map(|socket| {
                let protocol = ip_protocols::name(socket.protocol);
                let process = say::process_of_pod(&socket.owner);
                (
                    "Sender",
                    format!("{process}, {protocol} port {}", socket.port),
                )
            })
            .collect()
    }

    fn of_service(&self, found: &Services<'_>) -> Text {
        let names: Vec<&str> = found.services.iter().map(|one| one.name).collect();
        let are_local = found.services.iter().all(|one| one.is_local);
        let (noun, has) = match names.len() {
            1 => ("Service", "has"),
            _ => ("Services", "have"),
        };
        let names = say::list(&names);
        let (packets, within) = (self.packets(), say::within(self.window));
        let (lack, why) = match are_local {
            true => (
                "no endpoint on this node",
                "The traffic policy of the service is Local, and none of its pods that are ready runs here. kube-proxy \
                 drops what comes for it from outside.",
            ),
            false => (
                "no endpoints",
                "No pod behind the service is ready, or none matches its selector. kube-proxy refuses what comes for the \
                 service.",
            ),
        };
        let seen = say::seen(&self.refusal.assessment);
        Text {
            headline: format!("{noun} {names} {has} {lack}: kube-proxy refused {packets}"),
            what: why.to_owned(),
            hurts: format!(
                "Every client that reaches the service through this node: {packets} refused{within}.{seen}"
            ),
        }
    }

    pub(super) fn proofs(&self) -> Vec<Proof> {
        match &self.refusal.kind {
            Kind::Rule(_, suspects) => suspects.rules.iter().map(|rule| counter(rule)).collect(),
            Kind::Service(found) => {
                let rules = found.rules.iter().map(|rule| counter(rule));
                let ports = found.ports.iter().map(|port| of_port(port));
                rules.chain(ports).collect()
            }
        }
    }

    pub(super) fn remedies(&self) -> Vec<Remedy> {
        match &self.refusal.kind {
            Kind::Rule(_, suspects) if suspects.is_empty() => self.look_at_all(),
            Kind::Rule(_, suspects) => {
                let mut looks: Vec<Remedy> = Vec::new();
                for rule in &suspects.rules {
                    let look = look(rule);
                    if !looks.contains(&look) && looks.len() < RULES_SHOWN {
                        looks.push(look);
                    }
                }
                looks
            }
            Kind::Service(found) => {
                let shown = found.services.iter().take(RULES_SHOWN);
                let looks = shown.filter_map(|service| {
                    let (namespace, name) = service.parts()?;
                    let label = format!("kubernetes.io/service-name={name}");
                    Some(Remedy::kubectl(
                        format!(
                            "See which endpoints {} has, and which of them are ready.",
                            service.name
                        ),
                        &["-n", namespace, "get", "endpointslices", "-l", &label],
                        &[namespace, name],
                    ))
                });
                let ready = Remedy::advice(
                    "Let pods that match the service's selector become ready; with the traffic policy Local, on this \
                     node.",
                );
                looks.chain([ready]).collect()
            }
        }
    }

    fn look_at_all(&self) -> Vec<Remedy> {
        let namespace = self.refusal.namespace;
        let nft = Remedy::command_in(
            namespace,
            "If they should pass, find the rule: its counter rises, where it has one.",
            &["nft", "-a", "list", "ruleset"],
            &[],
        );
        let legacy = ["iptables-legacy-save", "ip6tables-legacy-save"].map(|save| {
            Remedy::command_in(
                namespace,
                "The same for rules of iptables-legacy, which nft does not show.",
                &[save, "-c"],
                &[],
            )
        });
        [nft].into_iter().chain(legacy).collect()
    }
}

/// `rule 5 of chain ip filter forward`, `the policy of chain INPUT of legacy table filter (IPv4)`.
fn name(rule: &FilterRule) -> String {
    let what = match rule.number {
        Some(number) => format!("rule {number}"),
        None => "the policy".to_owned(),
    };
    let chain = match rule.backend {
        FilterBackend::Nftables => {
            format!("{} {} {}", rule.family.as_str(), rule.table, rule.chain)
        }
        FilterBackend::Legacy => {
            let version = match rule.family {
                FilterFamily::Ip6 => "IPv6",
                _ => "IPv4",
            };
            format!("{} of legacy table {} ({version})", rule.chain, rule.table)
        }
    };
    format!("{what} of chain {chain}")
}

/// The same with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

fn counter(rule: &FilterRule) -> Proof {
    let verdict = match rule.verdict {
        FilterVerdict::Drop => "drop",
        FilterVerdict::Reject => "reject",
    };
    let comment = match &rule.comment {
        Some(comment) => format!(", \"{comment}\""),
        None => String::new(),
    };
    let name = format!("{} ({verdict}{comment})", name(rule));
    let source = match rule.backend {
        FilterBackend::Nftables => NETLINK,
        FilterBackend::Legacy => SOCKET_OPTION,
    };
    match rule.increase() {
        Some(increase) => Proof::new(name, format!("+{increase}"), "packets", source),
        None => Proof::new(name, "no counter", "", source),
    }
}

fn of_port(port: &RefusedPort) -> Proof {
    let (map, to) = match port.address {
        Some(std::net::IpAddr::V6(address)) => ("no-endpoint-services", format!("[{address}]")),
        Some(address) => ("no-endpoint-services", address.to_string()),
        None => ("no-endpoint-nodeports", "this node".to_owned()),
    };
    let protocol = ip_protocols::name(port.protocol);
    let name = format!("{to}:{} {protocol} in kube-proxy's map {map}", port.port);
    Proof::new(
        name,
        port.comment.as_deref().unwrap_or("no comment"),
        "",
        NETLINK,
    )
}

/// The command that shows this rule.
fn look(rule: &FilterRule) -> Remedy {
    let (table, chain) = (rule.table.as_str(), rule.chain.as_str());
    // kube-proxy's chains have slashes in their names, which mean nothing to a shell.
    let plain = chain.replace('/', "_");
    let names = [table, plain.as_str()];
    match rule.backend {
        FilterBackend::Nftables => Remedy::command(
            match rule.number {
                Some(number) => format!("If they should pass, see the rule: `handle {number}`."),
                None => "If they should pass, see the chain's policy.".to_owned(),
            },
            &[
                "nft",
                "-a",
                "list",
                "chain",
                rule.family.as_str(),
                table,
                chain,
            ],
            &names,
        ),
        FilterBackend::Legacy => {
            let program = match rule.family {
                FilterFamily::Ip6 => "ip6tables-legacy",
                _ => "iptables-legacy",
            };
            let number = rule.number.map(|number| number.to_string());
            let words = [program, "-t", table, "-v", "-S", chain];
            let words: Vec<&str> = words.into_iter().chain(number.as_deref()).collect();
            Remedy::command(
                "If they should pass, see the rule; nft does not show it.",
                &words,
                &names,
            )
        }
    }
}
