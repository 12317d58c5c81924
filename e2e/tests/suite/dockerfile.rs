//! The images as they are shipped. The whole Dockerfile compiled them, so they are small, and say nothing of where that
//! was. The suite runs what is asked of images in `cluster` on them too.

use std::fs;

use crate::cluster::images::image_of;

const MAX_BYTES: u64 = 25_000_000;

#[test]
#[ignore = "needs images that the Dockerfile compiled"]
fn images_are_small_and_hold_no_path_of_their_build() {
    for name in ["netdiag-agent", "netdiag-controller"] {
        let image = image_of(name);
        let bytes = fs::metadata(&image.archive).unwrap().len();
        println!("{name}: {:.1} MB", bytes as f64 / 1e6);
        assert!(bytes <= MAX_BYTES, "{name}: {bytes} bytes");
        image.assert_no_path_of_the_build(name);
    }
}
