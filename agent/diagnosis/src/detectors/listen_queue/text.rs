//! The words about listeners whose queues are full, and what to do.

mod ports;

pub(super) use self::ports::PortWords;
use super::judge::{Fault, Kind, accepted_nobody, handshakes};
use crate::{
    Window,
    detectors::kit::{proof, say, sockets},
    evidence::{InetSocket, Namespace},
    finding::{Acts, Harm, Proof, Remedy, Subject, Text},
    kernel::NamespaceCounter::{ListenDrops, ListenOverflows, SynQueueFullDrop},
};

const SOMAXCONN: &str = "net.core.somaxconn";
const SYNCOOKIES: &str = "net.ipv4.tcp_syncookies";
/// Listeners that are shown one by one.
const SHOWN: usize = 4;
const ITERATOR: &str = "BPF iterator";

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

    fn attempts(&self) -> String {
        say::count(self.fault.tally.count, "connection attempt")
    }

    fn headline(&self) -> String {
        let place = say::place(&Subject::of_namespace(self.fault.namespace));
        let attempts = self.attempts();
        let listener = sockets::first_and_others(&self.fault.listeners, "listener");
        let listener = listener.unwrap_or_else(|| "a listener".to_owned());
        match self.fault.kind {
            Kind::AcceptQueueFull => format!(
                "The queue of connections to accept of {listener} was full and refused {attempts} {place}"
            ),
            Kind::SynQueueFull => format!(
                "The queue of handshakes of {listener} was full and refused {attempts} {place}"
            ),
        }
    }

    fn what(&self) -> String {
        match self.fault.kind {
            Kind::AcceptQueueFull => {
                let answer = match self.fault.namespace.settings.tcp_abort_on_overflow {
                    // `tcp_conn_request` drops a SYN whatever is set; `tcp_check_req` answers the last ACK.
                    Some(true) => {
                        "ignores new handshakes; the last segment of one that had begun it answers with RST, because \
                         tcp_abort_on_overflow is 1"
                    }
                    _ => "ignores what comes next",
                };
                let hung = match self.fault.listeners.iter().any(|one| accepted_nobody(one)) {
                    true => {
                        " The same connection has waited longest since the start: it accepted nobody."
                    }
                    false => "",
                };
                format!(
                    "The program accepts too slowly or not at all. The kernel completes connections for it until its \
                     backlog is reached, and {answer}. It frees most of these packets as if it had read them, so only \
                     counters tell.{hung}"
                )
            }
            Kind::SynQueueFull => {
                let cookies = match self.fault.namespace.settings.tcp_syncookies {
                    Some(0) => {
                        " SYN cookies, which need no place in it, are off (tcp_syncookies 0)."
                    }
                    _ => " It was not answered with SYN cookies, which need no place in it.",
                };
                format!(
                    "Each SYN takes a place until the client has answered, and clients that never answer keep theirs for \
                     7 s to a minute.{cookies} No drop event tells who sent them: a flood, or clients that the answers do not \
                     reach."
                )
            }
        }
    }

    fn hurts(&self) -> String {
        let assessment = &self.fault.assessment;
        let (attempts, within) = (self.attempts(), say::within(self.window));
        let seen = say::seen(assessment);
        match assessment.harm {
            Harm::Outage => format!(
                "New connections fail: {attempts} refused{within}.{seen} Established ones go on."
            ),
            _ => {
                let accepted = assessment.carried.map_or_else(String::new, |accepted| {
                    format!(
                        ", while {} of this namespace came about",
                        say::count(accepted, "connection")
                    )
                });
                let again = match self.fault.kind {
                    Kind::AcceptQueueFull => "Clients ask again 1 s later or more.",
                    Kind::SynQueueFull => {
                        "Clients ask again 1 s later or more; no counter tells them from a flood."
                    }
                };
                format!(
                    "{attempts} refused{accepted}{within}. {again}{seen} Established ones go on."
                )
            }
        }
    }

    /// A line for each of the listeners.
    pub(super) fn listeners(&self) -> Vec<(&'static str, String)> {
        let shown = self.fault.listeners.iter().take(SHOWN);
        shown
            .map(|listener| ("Listener", self.listener(listener)))
            .collect()
    }

    fn listener(&self, listener: &InetSocket) -> String {
        let queue = match self.fault.kind {
            Kind::AcceptQueueFull => format!(
                "{} waited at the end, its backlog is {}",
                say::count(u64::from(listener.after.accept), "connection"),
                listener.accept_limit
            ),
            Kind::SynQueueFull => format!(
                "{} under way, its backlog is {}",
                say::count(u64::from(handshakes(listener)), "handshake"),
                listener.accept_limit
            ),
        };
        format!(
            "{} of {}; {queue}, {} refused",
            sockets::end(listener),
            say::process_of_pod(&listener.owner),
            listener.dropped()
        )
    }

    pub(super) fn proofs(&self) -> Vec<Proof> {
        let namespace = self.fault.namespace;
        let rose = |counter: crate::kernel::NamespaceCounter| {
            proof::counter_rose(namespace, counter.name(), "packets")
        };
        let counters = match self.fault.kind {
            Kind::AcceptQueueFull => vec![rose(ListenOverflows)],
            Kind::SynQueueFull => {
                vec![
                    rose(SynQueueFullDrop),
                    rose(ListenDrops),
                    rose(ListenOverflows),
                ]
            }
        };
        let mut proofs: Vec<Proof> = counters.into_iter().flatten().collect();
        for listener in self.fault.listeners.iter().take(SHOWN) {
            let end = sockets::end(listener);
            let (name, value) = match self.fault.kind {
                Kind::AcceptQueueFull => (
                    format!(
                        "connections that wait for {end} to accept, at the start and the end, and its backlog"
                    ),
                    format!(
                        "{}, {} of {}",
                        listener.before.map_or(0, |before| before.accept),
                        listener.after.accept,
                        listener.accept_limit
                    ),
                ),
                Kind::SynQueueFull => (
                    format!(
                        "handshakes of {end} under way, at the start and the end, and its backlog"
                    ),
                    format!(
                        "{}, {} of {}",
                        listener.before.map_or(0, |before| before.syn),
                        listener.after.syn,
                        listener.accept_limit
                    ),
                ),
            };
            proofs.push(Proof::new(name, value, "", ITERATOR));
        }
        if self.fault.kind == Kind::SynQueueFull {
            let settings = &namespace.settings;
            let place = say::namespace(namespace);
            let cookies = settings
                .tcp_syncookies
                .map(|value| Proof::new(format!("tcp_syncookies of {place}"), value, "", ITERATOR));
            let backlog = settings.tcp_max_syn_backlog.map(|value| {
                Proof::new(
                    format!("tcp_max_syn_backlog of {place}"),
                    value,
                    "",
                    ITERATOR,
                )
            });
            proofs.extend(cookies.into_iter().chain(backlog));
        }
        proofs
    }

    pub(super) fn remedies(&self) -> Vec<Remedy> {
        let look = Remedy::command_in(
            self.fault.namespace,
            "See the listeners: Recv-Q is what waits to be accepted, Send-Q the backlog.",
            &["ss", "-ltnp"],
            &[],
        );
        let mut remedies = match self.fault.kind {
            Kind::AcceptQueueFull => self.for_accept_queue(),
            Kind::SynQueueFull => self.for_syn_queue(),
        };
        remedies.push(look);
        remedies
    }

    /// A longer queue helps a program that accepts in time, not one that does not accept.
    fn for_accept_queue(&self) -> Vec<Remedy> {
        let Some(listener) = self.fault.listeners.first() else {
            return vec![Remedy::advice(
                "Let the program accept faster, or call listen() with a larger backlog; net.core.somaxconn bounds it.",
            )];
        };
        let process = say::process(&listener.owner);
        if listener.is_accept_queue_full(&listener.after) {
            return vec![Remedy::advice(format!(
                "See why {process} does not accept: the queue was still full at the end. A larger backlog would only fill \
                 later."
            ))];
        }
        let limit = listener.accept_limit;
        let Some(somaxconn) = self.fault.namespace.settings.somaxconn else {
            return vec![Remedy::advice(format!(
                "Let {process} accept faster, or call listen() with a larger backlog than {limit}; net.core.somaxconn \
                 bounds it."
            ))];
        };
        if limit < somaxconn {
            return vec![Remedy::advice(format!(
                "Let {process} accept faster, or call listen() with a backlog of {}, twice that of now; {SOMAXCONN} \
                 ({somaxconn}) is not what bounds it.",
                limit.saturating_mul(2)
            ))];
        }
        let double = somaxconn.saturating_mul(2);
        let set = |value: u32| {
            Remedy::command_in(
                self.fault.namespace,
                format!(
                    "Let listeners of this namespace have a longer queue, and restart {process}. It asked for {limit} or \
                     more: if for no more, raise its own backlog as well."
                ),
                &["sysctl", "-w", &format!("{SOMAXCONN}={value}")],
                &[],
            )
        };
        vec![
            set(double)
                .undone_by(set(somaxconn))
                .acting(Acts::NextListen)
                .with_effect("connections wait longer before they are refused")
                .lasting(self.lasting(SOMAXCONN, double)),
        ]
    }

    fn for_syn_queue(&self) -> Vec<Remedy> {
        let namespace = self.fault.namespace;
        let mut remedies = Vec::new();
        if namespace.settings.tcp_syncookies == Some(0) {
            let set = |value: u8| {
                Remedy::command_in(
                    namespace,
                    "Answer with SYN cookies when the queue is full.",
                    &["sysctl", "-w", &format!("{SYNCOOKIES}={value}")],
                    &[],
                )
            };
            remedies.push(
                set(1)
                    .undone_by(set(0))
                    .with_effect(
                        "while the queue is full, connections without TCP timestamps lose window scaling and SACK",
                    )
                    .lasting(self.lasting(SYNCOOKIES, 1)),
            );
        }
        remedies.push(Remedy::command_in(
            namespace,
            "See who sends SYNs and never answers.",
            &["ss", "-tn", "state", "syn-recv"],
            &[],
        ));
        remedies
    }

    fn lasting(&self, name: &str, value: u32) -> String {
        match self.fault.namespace.is_node {
            true => format!("{name} = {value} in a file of /etc/sysctl.d"),
            false => format!("{name}: \"{value}\" in the pod's securityContext.sysctls"),
        }
    }
}

/// The namespaces of which it is not known whether SYN cookies were on.
pub(super) fn without_settings(namespaces: &[&Namespace]) -> Option<String> {
    let names: Vec<String> = namespaces.iter().map(|one| say::namespace(one)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "whether a queue of handshakes was full in {}: tcp_syncookies could not be read there",
            say::list(&names)
        )
    })
}
