//! The subject of a finding.

use crate::evidence::{Link, Namespace, NetnsId, Pod};

/// The subject of a finding; each part when it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Interface name in its own namespace.
    pub interface: Option<String>,
    /// Interface index in its own namespace.
    pub ifindex: Option<u32>,
    /// The namespace, absent for the node's own.
    pub netns: Option<NetnsId>,
    /// Name of the namespace under /run/netns.
    pub netns_name: Option<String>,
    /// The pod whose namespace it is.
    pub pod: Option<Pod>,
    /// The container.
    pub container: Option<String>,
    /// The process, as `comm (pid N)`.
    pub process: Option<String>,
    /// Protocol by its usual name: `LLDP`, `TCP`, ..
    pub protocol: Option<String>,
}

impl Subject {
    /// The subject of a link: its name and index, and whose namespace it is in.
    pub fn of_link(link: &Link, namespace: Option<&Namespace>) -> Self {
        let mut subject = namespace.map_or_else(Self::default, Self::of_namespace);
        subject.interface = Some(link.name.clone());
        subject.ifindex = Some(link.ifindex);
        subject
    }

    /// The subject of a namespace as a whole.
    pub fn of_namespace(namespace: &Namespace) -> Self {
        if namespace.is_node {
            return Self::default();
        }
        Self {
            netns: Some(namespace.id),
            netns_name: namespace.name.clone(),
            pod: namespace.pod.clone(),
            ..Self::default()
        }
    }

    /// The subject of a link, or of the namespace where the link is not known.
    pub fn of_place(link: Option<&Link>, namespace: Option<&Namespace>) -> Self {
        match link {
            Some(link) => Self::of_link(link, namespace),
            None => namespace.map_or_else(Self::default, Self::of_namespace),
        }
    }

    /// The same subject with a protocol.
    pub fn with_protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = Some(protocol.into());
        self
    }

    /// The owner in a few words: the pod, the namespace's name or number; `None` for the node's own.
    pub fn place(&self) -> Option<String> {
        let netns = self.netns?;
        Some(match (&self.pod, &self.netns_name) {
            (Some(pod), _) => format!("pod {}/{}", pod.namespace, pod.name),
            (None, Some(name)) => format!("netns {name}"),
            (None, None) => netns.to_string(),
        })
    }

    /// The subject's part of a finding's identity. Namespaces enter by pod or name where they have one, because numbers
    /// are reused and would make another finding of the same fault.
    pub(super) fn key(&self) -> String {
        let mut parts = Vec::new();
        if let Some(netns) = self.netns {
            parts.push(match (&self.pod, &self.netns_name) {
                (Some(pod), _) => format!("{}.{}", pod.namespace, pod.name),
                (None, Some(name)) => name.clone(),
                (None, None) => netns.to_string(),
            });
        }
        parts.extend(
            [
                &self.interface,
                &self.container,
                &self.process,
                &self.protocol,
            ]
            .into_iter()
            .flatten()
            .cloned(),
        );
        parts.join("/")
    }
}
