//! End-to-end tests. All are ignored by default: they need a control plane or root, which
//! `cargo xtask test` sets up.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod apiserver;
mod live;

use std::sync::LazyLock;

use netdiag_e2e::control_plane::ControlPlane;

/// The control plane that all tests share, with the custom resources installed. Each test has
/// object names of its own.
static CONTROL_PLANE: LazyLock<ControlPlane> = LazyLock::new(|| {
    let plane = ControlPlane::start().unwrap();
    let crds = netdiag_crds::schema::yaml().unwrap();
    plane.kubectl().install_crds(&crds).unwrap();
    plane
});
