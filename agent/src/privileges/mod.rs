//! What this process may do, what takes the rest away, and what a diagnosis lacks without it.

mod capability;
mod confinement;
mod need;
mod restrictions;

pub use capability::Capability;
pub use need::{Need, lost_without};
pub use restrictions::Restrictions;
