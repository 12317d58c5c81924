//! The images that a cluster of real nodes starts with: the programs of this checkout, and what a pod needs besides.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::image::Image;
use super::settings::PAUSE_IMAGE;
use crate::programs;

/// The image of the programs that make traffic.
pub const LAB_IMAGE: &str = "localhost/netdiag-lab:1";

/// Writes the images of agent, controller, traffic and pause as archives into a folder; returns their paths.
pub fn local_images(folder: &Path) -> Result<Vec<PathBuf>> {
    let agent = programs::agent()?;
    let controller = programs::controller()?;
    let lab = programs::lab()?;
    let image = |name, program, arguments, user| Image {
        name,
        program,
        arguments,
        user,
    };
    [
        image("localhost/netdiag-agent:0.1.0", &agent, &[][..], 0),
        image(
            "localhost/netdiag-controller:0.1.0",
            &controller,
            &[],
            65532,
        ),
        image(LAB_IMAGE, &lab, &[], 0),
        image(PAUSE_IMAGE, Path::new("/usr/bin/sleep"), &["infinity"], 0),
    ]
    .iter()
    .map(|image| image.write(folder))
    .collect()
}
