//! End-to-end tests. All are ignored by default: they need a control plane, root or a guest, which
//! `cargo xtask test` and `cargo xtask test-vm` set up.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod apiserver;
mod arm64;
mod cluster;
mod dockerfile;
mod image;
mod kernels;
mod kernels_in_ci;
mod live;
mod outcome;
mod release;
mod scenarios;
mod workflows;

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
