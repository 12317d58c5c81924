//! The evidence that a check needs, declared by each: what of it is missing becomes `unchecked`.

use crate::{
    causes::Check,
    evidence::{EvidenceWindow, Observed, OnDemand},
    finding::{Unchecked, Unmade},
};

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Links with their counters (netlink).
    Links,
    /// Dropped packets (the drop probe).
    Drops,
    /// Dropped packets of kernels that give reasons; without reasons there is nothing to miss.
    ReasonedDrops,
    /// Names of the functions that drop packets.
    FunctionNames,
    /// Drop reasons, or names of functions in their place.
    ReasonsOrNames,
    /// Packet sockets (BPF iterators).
    PacketSockets,
    /// Lines of the kernel's log.
    KernelLog,
    /// The backlogs of the CPUs (/proc/net/softnet_stat).
    CpuBacklogs,
    /// Frames that came in on two interfaces.
    FrameCopies,
    /// Packets that receive offload merged or did not merge.
    ReceiveOffload,
    /// TCP retransmissions joined to drops.
    Retransmissions,
    /// The rules of the node's own namespace.
    PacketFilter,
    /// The node's routes for packets that found no way on.
    Routes,
    /// Counters of the namespaces' protocols (/proc/PID/net).
    ProtocolCounters,
    /// A window of so many milliseconds.
    Duration(u64),
}

/// Evidence that a check needs, and the words that say what is not known without it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    evidence: Evidence,
    unknown: &'static str,
    /// Without it the check finds nothing.
    is_essential: bool,
}

/// Missing evidence.
struct Gap {
    reason: String,
    /// The part of the evidence that is missing.
    missing: Unmade,
}

impl Need {
    /// Evidence without which the check finds nothing.
    pub(crate) const fn all(evidence: Evidence, unknown: &'static str) -> Self {
        Self {
            evidence,
            unknown,
            is_essential: true,
        }
    }

    /// Evidence without which the check finds less, as long as there is other evidence.
    pub(crate) const fn part(evidence: Evidence, unknown: &'static str) -> Self {
        Self {
            evidence,
            unknown,
            is_essential: false,
        }
    }
}

/// The entries of a check with these needs, in their order. Where the check finds nothing at all, they say only why.
pub(crate) fn unchecked(
    check: &'static Check,
    needs: &[Need],
    window: &EvidenceWindow,
) -> Vec<Unchecked> {
    let gaps = needs.iter().flat_map(|need| {
        let gaps = need.evidence.gaps(window).into_iter();
        gaps.map(move |gap| (need, gap))
    });
    let gaps: Vec<(&Need, Gap)> = gaps.collect();
    let ends_it = |(need, gap): &(&Need, Gap)| need.is_essential && gap.missing == Unmade::All;
    let is_blind = gaps.iter().any(ends_it);
    let has_some = needs.iter().any(|need| need.evidence.was_read(window));
    gaps.into_iter()
        .filter(|gap| !is_blind || ends_it(gap))
        .map(|(need, gap)| Unchecked {
            check,
            unmade: match gap.missing {
                Unmade::All if has_some && !need.is_essential => Unmade::Part,
                missing => missing,
            },
            reason: format!("{}: {}", need.unknown, gap.reason),
        })
        .collect()
}

impl Evidence {
    /// All or some of the evidence was read.
    fn was_read(self, window: &EvidenceWindow) -> bool {
        match self {
            Self::Links => window.links.value().is_some(),
            Self::Drops | Self::ReasonedDrops => window.drops.value().is_some(),
            Self::PacketSockets => window.packet_sockets.value().is_some(),
            Self::KernelLog => window.kernel_log.value().is_some(),
            Self::CpuBacklogs => window.softnet.value().is_some(),
            Self::FrameCopies => window.frame_copies.value().is_some(),
            Self::ReceiveOffload => window.gro.value().is_some(),
            Self::Retransmissions => window.retransmissions.value().is_some(),
            Self::PacketFilter => window.packet_filter.value().is_some(),
            Self::Routes => window.routes.value().is_some(),
            Self::ProtocolCounters => window.namespaces.iter().any(|one| !one.counters.is_empty()),
            // No evidence by themselves.
            Self::FunctionNames | Self::ReasonsOrNames | Self::Duration(_) => false,
        }
    }

    fn gaps(self, window: &EvidenceWindow) -> Vec<Gap> {
        let drops = window.drops.value();
        match self {
            Self::Links => observed(&window.links),
            Self::Drops => observed(&window.drops),
            Self::ReasonedDrops if drops.is_some_and(|drops| !drops.has_reasons) => Vec::new(),
            Self::ReasonedDrops => observed(&window.drops),
            Self::FunctionNames => {
                let is_hidden =
                    drops.is_some_and(|drops| !drops.has_locations && !drops.counts.is_empty());
                gap_if(is_hidden, Unmade::All, || {
                    hidden("function names are hidden", window)
                })
            }
            Self::ReasonsOrNames => {
                let has_neither =
                    drops.is_some_and(|drops| !drops.has_reasons && !drops.has_locations);
                let what = "this kernel gives no drop reasons, and function names are hidden";
                gap_if(has_neither, Unmade::All, || hidden(what, window))
            }
            Self::PacketSockets => observed(&window.packet_sockets),
            Self::KernelLog => observed(&window.kernel_log),
            Self::CpuBacklogs => observed(&window.softnet),
            // Every process may read these files: they are missing only together with their namespace.
            Self::ProtocolCounters => Vec::new(),
            Self::FrameCopies => {
                let lost = window.frame_copies.value().map_or(0, |copies| copies.lost);
                let mut gaps = on_demand(&window.frame_copies);
                gaps.extend(gap_if(lost > 0, Unmade::Part, || {
                    format!("{lost} copies of frames could not be counted, because a map was full")
                }));
                gaps
            }
            Self::ReceiveOffload => {
                let (lost, unread) = window
                    .gro
                    .value()
                    .map_or((0, 0), |gro| (gro.lost, gro.unread));
                let missed = lost.saturating_add(unread);
                let why = if unread > 0 {
                    "their headers lie in pages that this kernel does not let the probe find"
                } else {
                    "they were on more interfaces than are counted apart"
                };
                let mut gaps = on_demand(&window.gro);
                gaps.extend(gap_if(missed > 0, Unmade::Part, || {
                    format!("{missed} could not be counted, because {why}")
                }));
                gaps
            }
            Self::Retransmissions => on_demand(&window.retransmissions),
            Self::PacketFilter => {
                let filter = window.packet_filter.value();
                let missing = filter.map_or(&[][..], |filter| &filter.missing);
                with_parts(&window.packet_filter, missing)
            }
            Self::Routes => {
                let missing = window.routes.value();
                let missing = missing.map_or(&[][..], |routes| &routes.missing);
                with_parts(&window.routes, missing)
            }
            Self::Duration(least_ms) => {
                gap_if(window.duration_ms < least_ms, Unmade::TooRare, || {
                    format!("{} s can miss them", window.duration_ms / 1_000)
                })
            }
        }
    }
}

/// The privilege or the setting that hides the names of functions goes with it.
fn hidden(what: &str, window: &EvidenceWindow) -> String {
    match window.drops.missing() {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}

fn gap_if(is_missing: bool, missing: Unmade, reason: impl FnOnce() -> String) -> Vec<Gap> {
    let gap = is_missing.then(|| Gap {
        reason: reason(),
        missing,
    });
    gap.into_iter().collect()
}

fn observed<T>(evidence: &Observed<T>) -> Vec<Gap> {
    let missing = evidence.missing();
    let part = match evidence.value() {
        Some(_) => Unmade::Part,
        None => Unmade::All,
    };
    gap_if(missing.is_some(), part, || {
        missing.unwrap_or_default().to_owned()
    })
}

fn on_demand<T>(evidence: &OnDemand<T>) -> Vec<Gap> {
    let missing = evidence.missing();
    gap_if(missing.is_some(), Unmade::All, || {
        missing.unwrap_or_default().to_owned()
    })
}

/// The same with the parts that were not read.
fn with_parts<T>(evidence: &OnDemand<T>, missing: &[String]) -> Vec<Gap> {
    let mut gaps = on_demand(evidence);
    gaps.extend(gap_if(!missing.is_empty(), Unmade::Part, || {
        missing.join("; ")
    }));
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        causes::LINK_MTU,
        evidence::{FrameCopies, GroReceive, Missing, Observed},
        testing::{NODE, complete, drops_of, ipv4_drops, unavailable, window},
    };

    /// The entries of a check with this one need: made in part, and the reason.
    fn entries(need: Need, window: &EvidenceWindow) -> Vec<(bool, String)> {
        let all = unchecked(&LINK_MTU, &[need], window).into_iter();
        all.map(|entry| (entry.is_made(), entry.reason)).collect()
    }

    fn one(partly: bool, reason: &str) -> Vec<(bool, String)> {
        vec![(partly, reason.to_owned())]
    }

    #[test]
    fn essential_evidence_leaves_a_part_when_it_is_partial() {
        let links = Need::all(Evidence::Links, "links");
        let mut window = window(Vec::new(), Vec::new());
        assert_eq!(entries(links, &window), []);
        window.links = Observed::without(Vec::new(), [Missing::failed("one namespace")]);
        assert_eq!(entries(links, &window), one(true, "links: one namespace"));
        window.links = unavailable("EPERM");
        assert_eq!(entries(links, &window), one(false, "links: EPERM"));
    }

    #[test]
    fn without_any_evidence_no_part_is_left() {
        let needs = [
            Need::part(Evidence::Links, "NICs"),
            Need::part(Evidence::CpuBacklogs, "CPUs"),
        ];
        let mut window = window(Vec::new(), Vec::new());
        window.links = unavailable("EPERM");
        window.softnet = complete(crate::evidence::Softnet::default());
        let partly = |window: &EvidenceWindow| -> Vec<bool> {
            let all = unchecked(&LINK_MTU, &needs, window).into_iter();
            all.map(|entry| entry.is_made()).collect()
        };
        assert_eq!(partly(&window), [true]);
        window.softnet = unavailable("not read");
        assert_eq!(partly(&window), [false, false]);
    }

    #[test]
    fn hidden_names_matter_where_names_tell() {
        let names = Need::part(Evidence::FunctionNames, "functions");
        let either = Need::all(Evidence::ReasonsOrNames, "frames");
        let reasoned = Need::part(Evidence::ReasonedDrops, "frames");
        let key = ipv4_drops(NODE, 2, "NO_SOCKET", "", 1);
        let mut window = window(Vec::new(), vec![key]);
        drops_of(&mut window).has_locations = false;
        assert_eq!(entries(names, &window).len(), 1);
        assert_eq!(entries(either, &window), []);
        drops_of(&mut window).has_reasons = false;
        assert!(!entries(either, &window)[0].0);
        assert_eq!(entries(reasoned, &window), []);
    }

    #[test]
    fn a_short_window_and_what_was_lost_leave_a_part() {
        let mut window = window(Vec::new(), Vec::new());
        let announcements = Need::part(Evidence::Duration(30_000), "LLDP comes every 30 s");
        assert_eq!(entries(announcements, &window), []);
        window.duration_ms = 9_999;
        assert_eq!(
            entries(announcements, &window),
            one(true, "LLDP comes every 30 s: 9 s can miss them")
        );
        let is_blind = |need, window: &EvidenceWindow| {
            let all = unchecked(&LINK_MTU, &[need], window).into_iter();
            all.map(|entry| entry.is_blind()).collect::<Vec<bool>>()
        };
        assert_eq!(is_blind(announcements, &window), [false]);
        window.frame_copies = ran(FrameCopies {
            lost: 3,
            ..FrameCopies::default()
        });
        window.gro = ran(GroReceive {
            unread: 12,
            ..GroReceive::default()
        });
        let lost = |evidence| entries(Need::part(evidence, "x"), &window);
        assert_eq!(
            is_blind(Need::part(Evidence::FrameCopies, "x"), &window),
            [true]
        );
        assert!(lost(Evidence::FrameCopies)[0].1.contains("3 copies"));
        assert!(lost(Evidence::ReceiveOffload)[0].1.contains("12 could not"));
    }

    fn ran<T>(value: T) -> OnDemand<T> {
        OnDemand::Ran {
            question: String::new(),
            from_ms: 0,
            until_ms: 1,
            value,
        }
    }
}
