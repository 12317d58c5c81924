//! Archives with the same bytes for the same files.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::job::run_quietly;
use crate::workspace::Workspace;

/// Packs `name`, a folder in `parent`, into a compressed archive: sorted, with no time, user or umask of this machine.
pub fn pack(workspace: &Workspace, parent: &Path, name: &str, to: &Path) -> Result<()> {
    let tar_file = to.with_extension("tar");
    let mut tar = workspace.command("tar");
    tar.args(["--create", "--format=gnu", "--sort=name", "--mtime=@0"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mode=u=rwX,go=rX", "--exclude=*.orig", "--exclude=*.swp"]);
    tar.arg("--file").arg(&tar_file);
    run_quietly(tar.arg("--directory").arg(parent).arg(name))?;
    compress(workspace.command("gzip"), &tar_file, to)?;
    std::fs::remove_file(&tar_file).context("failed to remove an archive")
}

/// Without name and time in the header.
fn compress(mut gzip: Command, from: &Path, to: &Path) -> Result<()> {
    let create = |path: &Path| File::create(path);
    let output = create(to).with_context(|| format!("failed to create {}", to.display()))?;
    gzip.args(["--no-name", "--best", "--stdout"]).arg(from);
    let status = gzip.stdout(output).status().context("failed to run gzip")?;
    anyhow::ensure!(status.success(), "gzip failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn time_and_umask_do_not_change_an_archive() {
        let folder = std::env::temp_dir().join(format!("netdiag-pack-{}", std::process::id()));
        let workspace = Workspace::find().unwrap();
        let packed = |mode: u32, age: u64, order: [&str; 2]| {
            let chart = folder.join("chart");
            let _ = fs::remove_dir_all(&chart);
            fs::create_dir_all(&chart).unwrap();
            for name in order {
                let path = chart.join(name);
                fs::write(&path, name).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(age);
                let times = FileTimes::new().set_modified(time);
                File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_times(times)
                    .unwrap();
            }
            let to = folder.join("chart.tgz");
            pack(&workspace, &folder, "chart", &to).unwrap();
            fs::read(to).unwrap()
        };
        let one = packed(0o644, 7, ["a", "b"]);
        assert_eq!(one[..2], [0x1f, 0x8b]);
        assert_eq!(one, packed(0o600, 1_000_000, ["b", "a"]));
        fs::remove_dir_all(folder).unwrap();
    }
}
