//! The controller of netdiag: gives each node its part of every diagnosis and rolls up what the nodes report.
//!
//! Two controllers share three caches (`stores`):
//!
//! - [`diagnosis`], keyed by NodeNetDiagnosis, writes only its status;
//! - [`report`], keyed by Node, writes only the spec of that node's NodeNetReport.
//!
//! Neither imports the other: what both know of a run is in `run`, what a report says of it in `stored_report`.
//! They speak to each other only through the stored objects, so either can stop at any moment: a run is first
//! remembered in the status, then assigned from there, and a node's part in it is remembered in its report.
//!
//! # Permissions
//!
//! The chart's `templates/controller/access.yaml` grants exactly these.
//!
//! | resource | verbs | why |
//! |---|---|---|
//! | `nodes` | list, watch | selecting nodes, their readiness, labels and kernel |
//! | `nodenetdiagnoses` | list, watch | what people ask for |
//! | `nodenetdiagnoses` | delete | `ttlSecondsAfterFinished` |
//! | `nodenetdiagnoses/status` | patch | the answer |
//! | `nodenetreports` | list, watch | what agents report |
//! | `nodenetreports` | create, patch | server-side apply of a node's assignments, which creates its report, and of its labels |
//! | `nodenetreports` | delete | the report of a deleted node whose name a new one has taken |
//! | the agents' DaemonSet in its own namespace | get | the nodes where an agent can be: `nodes.all` |
//! | `events` in namespace `default` | create, patch | turning points of a diagnosis, which has no namespace |
//! | `leases` in its own namespace | create | the lease `netdiag-controller`, made where there is none |
//! | the lease `netdiag-controller` in its own namespace | get, update | which of the replicas works |

pub mod check;
pub mod cli;
pub mod diagnosis;
pub mod report;
pub mod serve;

mod context;
mod coverage;
#[cfg(test)]
mod faults;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gather;
mod heartbeats;
mod lease;
mod metrics;
mod older;
mod pace;
mod passes;
#[cfg(test)]
mod properties;
mod retry;
mod run;
mod stored_report;
mod stores;
#[cfg(test)]
mod testing;
mod versions;
mod wake;
mod watch;
mod watches;
