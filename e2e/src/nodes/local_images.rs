//! The images that a cluster of real nodes starts with: those of this checkout, and what a pod needs besides.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::image::Image;
use super::settings::PAUSE_IMAGE;
use crate::programs;

/// The image of the programs that make traffic.
pub const LAB_IMAGE: &str = "localhost/netdiag-lab:1";

/// Archives of the images of agent and controller, as built from the Dockerfile of this checkout.
pub fn local_images() -> Result<[PathBuf; 2]> {
    Ok([
        programs::image("netdiag-agent")?,
        programs::image("netdiag-controller")?,
    ])
}

/// Archives of the images of traffic and pause, which are written into a folder.
pub fn images_of_tests(folder: &Path) -> Result<[PathBuf; 2]> {
    let packed = |name, program: &Path, arguments| {
        let image = Image {
            name,
            program,
            arguments,
        };
        image.write(folder)
    };
    Ok([
        packed(LAB_IMAGE, &programs::lab()?, &[])?,
        packed(PAUSE_IMAGE, Path::new("/usr/bin/sleep"), &["infinity"])?,
    ])
}
