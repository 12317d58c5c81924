//! Rules of packet filters: tables, chains and comments are names that somebody chose.

use super::Anonymiser;
use crate::evidence::{FilterRule, PacketFilter, RefusedPort};

impl Anonymiser {
    pub(super) fn packet_filter(&mut self, filter: &mut PacketFilter) {
        let PacketFilter {
            rules,
            refused_ports,
            missing,
        } = filter;
        for rule in rules {
            self.rule(rule);
        }
        for port in refused_ports {
            self.refused_port(port);
        }
        for text in missing {
            self.text(text);
        }
    }

    fn rule(&mut self, rule: &mut FilterRule) {
        let is_kube_proxys = rule.is_for_refused_ports();
        let FilterRule {
            backend: _,
            family: _,
            table,
            chain,
            number: _,
            verdict: _,
            hooks: _,
            packets_before: _,
            packets: _,
            comment,
        } = rule;
        if !is_kube_proxys {
            self.name("table", table);
            self.name("chain", chain);
        }
        *comment = comment.take().and_then(|comment| {
            let mut ends = FilterRule::WITHOUT_ENDPOINTS.iter().map(|(end, _)| *end);
            let end = ends.find(|end| comment.ends_with(end))?;
            Some(self.service(comment.strip_suffix(end)?) + end)
        });
    }

    fn refused_port(&mut self, refused: &mut RefusedPort) {
        let RefusedPort {
            address,
            protocol: _,
            port: _,
            verdict: _,
            comment,
        } = refused;
        *address = address.map(|address| self.addresses.ip(address));
        *comment = comment.as_deref().map(|comment| self.service(comment));
    }

    /// `namespace/name:port`.
    fn service(&mut self, text: &str) -> String {
        let (namespace, rest) = text.split_once('/').unwrap_or(("", text));
        let (name, port) = rest.split_once(':').unwrap_or((rest, ""));
        let new = format!(
            "{}/{}",
            self.names.of("namespace", namespace),
            self.names.of("service", name)
        );
        match port {
            "" => new,
            port => format!("{new}:{}", self.names.of("port", port)),
        }
    }
}
