//! Routes: their addresses, of which common prefixes stay common.

use super::Anonymiser;
use crate::evidence::{RouteAnswer, RouteEntry, RouteLookup, RouteQuestion, Routes, RoutingRule};

impl Anonymiser {
    pub(super) fn routes(&mut self, routes: &mut Routes) {
        let Routes {
            lookups,
            covering,
            removed,
            rules,
            missing,
        } = routes;
        for lookup in lookups {
            self.lookup(lookup);
        }
        for route in covering.iter_mut().chain(removed) {
            self.route(route);
        }
        for rule in rules {
            let RoutingRule {
                is_ipv6: _,
                priority: _,
                refusal: _,
                goes_by_more: _,
            } = rule;
        }
        for text in missing {
            self.text(text);
        }
    }

    fn lookup(&mut self, lookup: &mut RouteLookup) {
        let RouteLookup {
            question:
                RouteQuestion {
                    destination,
                    source,
                    ingress: _,
                },
            answer,
        } = lookup;
        *destination = self.addresses.ip(*destination);
        *source = self.addresses.ip(*source);
        match answer {
            RouteAnswer::Leads {
                ifindex: _,
                gateway: Some(gateway),
            } => *gateway = self.addresses.ip(*gateway),
            RouteAnswer::Leads { .. }
            | RouteAnswer::Local
            | RouteAnswer::NoRoute
            | RouteAnswer::Refused { by: _ }
            | RouteAnswer::Failed { errno: _ } => {}
        }
    }

    fn route(&mut self, route: &mut RouteEntry) {
        let RouteEntry {
            prefix,
            length: _,
            refusal: _,
            table: _,
            metric: _,
            protocol: _,
            gateway,
            ifindex: _,
            is_onlink: _,
            is_plain: _,
        } = route;
        *prefix = self.addresses.ip(*prefix);
        *gateway = gateway.map(|gateway| self.addresses.ip(gateway));
    }
}
