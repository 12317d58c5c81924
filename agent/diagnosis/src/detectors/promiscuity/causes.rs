//! Findings about one device: who asked, what it lets in, how to end it.

use super::{
    CHECK, cause,
    chain::{self, listed},
    users::Users,
};
use crate::{
    evidence::{EvidenceWindow, Link, LinkKind, Owner, PacketSocket},
    finding::{Confidence, Finding, Proof, Remedy, Severity, Subject, Text},
};

/// Processes named in one finding.
const MOST_PROCESSES: usize = 8;

const LETS_IN_ALL: &str =
    "A promiscuous device takes every frame on its wire, also those for other MAC addresses.";

/// A finding about a device in its namespace.
pub(super) fn about(
    window: &EvidenceWindow,
    link: &Link,
    cause: &'static str,
    severity: Severity,
    text: Text,
) -> Finding {
    let subject = Subject::of_link(link, window.namespace(link.netns));
    about_subject(window, subject, cause, severity, text)
}

fn about_subject(
    window: &EvidenceWindow,
    subject: Subject,
    cause: &'static str,
    severity: Severity,
    text: Text,
) -> Finding {
    let mut finding = Finding::new(CHECK, cause, severity, subject, text);
    finding.last_ms = window.duration_ms;
    finding
}

/// The count of users as proof.
pub(super) fn sum_proof(link: &Link, users: &Users<'_>) -> Proof {
    let mut facts = vec![users.sum(link)];
    if let Some(allmulti) = link.allmulti {
        facts.push(format!("allmulti {allmulti}"));
    }
    Proof::new(
        format!("{} promiscuity", link.name),
        facts.join("; "),
        "",
        "netlink",
    )
}

/// Every cause that lies at this device itself, but for the switch that it is a port of.
pub(super) fn of_device(window: &EvidenceWindow, link: &Link, users: &Users<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        passthru(window, link, users),
        sockets(window, link, users),
        user_request(window, link, users),
        unicast_filter(window, link, users),
        unexplained(window, link, users),
    ]
    .into_iter()
    .flatten()
    .collect();
    for finding in &mut findings {
        finding.evidence.push(sum_proof(link, users));
        finding.consequence = format!(
            "{} is promiscuous and takes frames that it would filter out.",
            link.name
        );
    }
    findings
}

fn chain_of(window: &EvidenceWindow, link: &Link) -> String {
    chain::chain(window, link, Link::is_promiscuous)
}

/// The sentence, and the chain of devices where there is more than one.
fn with_chain(sentence: String, window: &EvidenceWindow, link: &Link) -> String {
    let chain = chain_of(window, link);
    if chain == link.name {
        sentence
    } else {
        format!("{sentence}: {chain}")
    }
}

fn passthru(window: &EvidenceWindow, link: &Link, users: &Users<'_>) -> Option<Finding> {
    let first = users.passthru.first()?;
    let names: Vec<&str> = users
        .passthru
        .iter()
        .map(|link| link.name.as_str())
        .collect();
    let on_top = listed(&names, " and ");
    let text = Text {
        headline: format!(
            "{} is promiscuous for the passthru device on it: {} <- {on_top}",
            link.name,
            chain_of(window, link)
        ),
        what: format!(
            "A macvlan or macvtap device in passthru mode hands the whole device to its owner, a virtual machine as a \
             rule, and raises promiscuity while it is up. {LETS_IN_ALL}"
        ),
        hurts: "By design: the owner of the passthru device decides which addresses it uses."
            .to_owned(),
    };
    let mut finding = about(window, link, cause::MACVLAN_PASSTHRU, Severity::Info, text);
    let kind = first
        .kind
        .as_ref()
        .unwrap_or(&LinkKind::MacVlan)
        .to_string();
    let words = [
        "ip",
        "link",
        "set",
        "dev",
        &first.name,
        "type",
        &kind,
        "mode",
        "passthru",
        "nopromisc",
    ];
    let text = "None needed. When its owner uses the device's own address alone:";
    finding.remedies.push(match window.namespace(first.netns) {
        Some(namespace) => Remedy::command_in(namespace, text, &words, &[&first.name, &kind])
            .with_effect("the device filters by its own address again"),
        None => Remedy::advice("None needed."),
    });
    Some(finding)
}

/// A process in a few words, with its pod.
pub(super) fn process(owner: &Owner) -> String {
    let comm = if owner.comm.is_empty() {
        "a process"
    } else {
        &owner.comm
    };
    match (&owner.pod, &owner.container) {
        (Some(pod), Some(container)) => format!(
            "{comm} (pid {}) in container {container} of pod {}/{}",
            owner.pid, pod.namespace, pod.name
        ),
        (Some(pod), None) => {
            format!(
                "{comm} (pid {}) of pod {}/{}",
                owner.pid, pod.namespace, pod.name
            )
        }
        (None, _) => format!("{comm} (pid {})", owner.pid),
    }
}

/// Owners, each once.
fn owners<'a>(sockets: &[&'a PacketSocket]) -> Vec<&'a Owner> {
    let mut owners: Vec<&Owner> = Vec::new();
    for socket in sockets {
        if !owners.iter().any(|owner| owner.pid == socket.owner.pid) {
            owners.push(&socket.owner);
        }
    }
    owners
}

fn sockets(window: &EvidenceWindow, link: &Link, users: &Users<'_>) -> Option<Finding> {
    let owners = owners(&users.sockets);
    let first = *owners.first()?;
    let mut subject = Subject::of_link(link, window.namespace(link.netns));
    if owners.len() == 1 {
        subject.container = first.container.clone();
        subject.process = Some(format!("{} (pid {})", first.comm, first.pid));
    }
    let who = match owners.len() {
        1 => format!("{} captures", process(first)),
        2 => format!("{} and 1 more process capture", process(first)),
        count => format!(
            "{} and {} more processes capture",
            process(first),
            count - 1
        ),
    };
    let text = Text {
        headline: format!("{} is promiscuous because {who} on it", link.name),
        what: format!(
            "A packet socket asked for it (PACKET_ADD_MEMBERSHIP, as tcpdump does unless told not to). It ends with \
             the socket. {LETS_IN_ALL}"
        ),
        hurts: "None: a capture takes copies. It costs CPU while it runs.".to_owned(),
    };
    let mut finding = about_subject(window, subject, cause::PACKET_SOCKET, Severity::Info, text);
    finding.details = owners
        .iter()
        .take(MOST_PROCESSES)
        .map(|owner| ("Process", process(owner)))
        .collect();
    let chain = chain_of(window, link);
    if chain != link.name {
        finding.details.push(("Chain", chain));
    }
    finding.evidence.push(Proof::new(
        format!(
            "packet sockets with a promiscuous membership on {}",
            link.name
        ),
        users.memberships(link),
        "memberships",
        "BPF iterator",
    ));
    finding.remedies.push(Remedy::command(
        "None needed. See what it is; stop it, or let it capture without promiscuous mode (tcpdump -p):",
        &["ps", "-f", "-p", &first.pid.to_string()],
        &[],
    ));
    Some(finding)
}

fn user_request(window: &EvidenceWindow, link: &Link, users: &Users<'_>) -> Option<Finding> {
    users.requested.then(|| {
        let text = Text {
            headline: with_chain(
                format!("{} is promiscuous because someone set it so", link.name),
                window,
                link,
            ),
            what: format!(
                "A person or program set IFF_PROMISC (ip link set promisc on, or SIOCSIFFLAGS). It stays until it is \
                 taken back; the kernel does not keep who asked. {LETS_IN_ALL}"
            ),
            hurts: "None by itself. It costs CPU for frames that nobody here wants.".to_owned(),
        };
        let mut finding = about(window, link, cause::USER_REQUEST, Severity::Info, text);
        finding.evidence.push(Proof::new(
            format!("{} ifi_flags has IFF_PROMISC", link.name),
            format!("{:#x}", link.requested_flags),
            "",
            "netlink",
        ));
        finding.remedies.extend(undo(
            window,
            link,
            "Take it back, if nobody needs it:",
            &["ip", "link", "set", "dev", &link.name, "promisc", "off"],
        ));
        finding
    })
}

/// A command on the device itself.
pub(super) fn undo(
    window: &EvidenceWindow,
    link: &Link,
    text: &str,
    words: &[&str],
) -> Option<Remedy> {
    let namespace = window.namespace(link.netns)?;
    Some(Remedy::command_in(namespace, text, words, &[&link.name]))
}

fn unicast_filter(window: &EvidenceWindow, link: &Link, users: &Users<'_>) -> Option<Finding> {
    users.unicast_filter.then(|| {
        let above: Vec<&str> = window
            .links()
            .iter()
            .filter(|upper| chain::below(window, upper).is_some_and(|below| std::ptr::eq(below, link)))
            .map(|upper| upper.name.as_str())
            .collect();
        let whom = if above.is_empty() {
            String::new()
        } else {
            format!(" of {}", listed(&above, " and "))
        };
        let text = Text {
            headline: format!(
                "{} is promiscuous because it cannot filter one more unicast address",
                link.name
            ),
            what: format!(
                "More unicast addresses{whom} were added to it than its filter holds, or it has no such filter, as \
                 veth and dummy devices. The kernel then turns promiscuity on by itself. {LETS_IN_ALL}"
            ),
            hurts: "None: this is how the kernel serves several addresses on such a device."
                .to_owned(),
        };
        let mut finding = about(window, link, cause::UNICAST_FILTER, Severity::Info, text);
        if link.unicast_promiscuous == Some(true) {
            finding.evidence.push(Proof::new(
                format!("{} uc_promisc", link.name),
                "true",
                "",
                "BPF iterator",
            ));
        } else {
            finding.confidence = Confidence::Likely;
        }
        finding.remedies.push(Remedy::advice("None needed."));
        finding
    })
}

fn unexplained(window: &EvidenceWindow, link: &Link, users: &Users<'_>) -> Option<Finding> {
    (users.unexplained > 0).then(|| {
        let is_sure = users.doubts.is_empty();
        let severity = if is_sure { Severity::Warning } else { Severity::Info };
        let (verb, rest) = if is_sure {
            (
                "nothing on this node accounts for it",
                "What is left is a kernel module, or a packet socket that no process holds open (on its way from one to \
                 another).".to_owned(),
            )
        } else {
            (
                "who asked for it is not known",
                format!("One may be hidden: {}.", users.doubts.join("; ")),
            )
        };
        let text = Text {
            headline: with_chain(
                format!("{} is promiscuous and {verb}", link.name),
                window,
                link,
            ),
            what: format!(
                "Users of its promiscuity by the kernel's count: {}; no bridge, socket, passthru device, user's \
                 request or full filter was found for {}. {rest} {LETS_IN_ALL}",
                link.promiscuity, users.unexplained
            ),
            hurts: "No packet is lost by it. Somebody may be listening to traffic that is not for this node."
                .to_owned(),
        };
        let mut finding = about(window, link, cause::UNEXPLAINED, severity, text);
        finding.confidence = if is_sure { Confidence::Likely } else { Confidence::Possible };
        finding.remedies.extend(undo(
            window,
            link,
            "Look at the device and what is stacked on it; the kernel log says when it became promiscuous:",
            &["ip", "-details", "link", "show", "dev", &link.name],
        ));
        finding
    })
}
