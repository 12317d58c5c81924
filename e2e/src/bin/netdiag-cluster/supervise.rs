//! The process that holds the cluster.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use netdiag_e2e::cleanup::{TemporaryFolder, Undo};
use netdiag_e2e::nodes::{RealCluster, images_of_tests, local_images, settings_of_host};

use crate::record::{self, Reach, Record};

const NODES: u8 = 2;
/// The interval at which a node's programs are checked.
const LOOK: Duration = Duration::from_secs(10);

/// Makes the cluster and keeps it until SIGTERM, upon which everything is undone, newest first.
pub fn supervise(folder: &Path) -> Result<()> {
    let mut record = Record::claim(folder, settings_of_host()?)?;
    let noted = record::path(folder);
    // Registered first, so it goes last: what is noted is there, or was.
    let _undo = Undo::register(move || {
        if let Err(error) = fs::remove_file(&noted) {
            eprintln!("failed to remove {}: {error}", noted.display());
        }
    });
    eprintln!("packing what pods need besides agent and controller");
    let images = TemporaryFolder::new("images")?;
    let archives = [local_images()?, images_of_tests(images.path())?].concat();
    eprintln!("starting etcd, the API server, controllers, scheduler and {NODES} nodes");
    let cluster = RealCluster::start(NODES, &archives)?;
    drop(images);
    record.reach = Some(Reach {
        network: cluster.network().to_owned(),
        kubeconfig: cluster.kubeconfig(),
        programs: env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from),
    });
    record.write(folder)?;
    loop {
        thread::sleep(LOOK);
        if let Err(error) = cluster.check_running() {
            eprintln!("{error:#}");
        }
    }
}
