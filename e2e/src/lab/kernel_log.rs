//! A stand-in for the kernel's log. Drivers whose hardware is not here cannot be made to print, and what a program
//! writes into /dev/kmsg is marked as a program's: `devkmsg_write` turns the kernel's own facility into LOG_USER.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

use super::HostRoot;

/// A read of the device returns one record. A file keeps none apart, so each record is as long as what the agent asks
/// for at a time, which is the longest that the kernel has.
const RECORD: usize = 8_192;

/// A file that an agent reads as /dev/kmsg.
pub struct KernelLog {
    file: PathBuf,
    sequence: AtomicU64,
}

impl KernelLog {
    /// An empty log in a node's file system.
    pub fn new(host: &HostRoot) -> Result<Self> {
        let file = host.path().join("kmsg");
        File::create(&file).with_context(|| format!("failed to create {}", file.display()))?;
        Ok(Self {
            file,
            sequence: AtomicU64::new(0),
        })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// Adds a line: `level` is a syslog severity, `facility` 0 the kernel's.
    pub fn print(&self, facility: u32, level: u32, text: &str) -> Result<()> {
        let uptime = fs::read_to_string("/proc/uptime").context("failed to read the uptime")?;
        let seconds: f64 = uptime
            .split(' ')
            .next()
            .and_then(|seconds| seconds.parse().ok())
            .context("the uptime is no number")?;
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let microseconds = (seconds * 1e6) as u64;
        let priority = facility * 8 + level;
        // Dictionary lines follow the text, as those of a device do.
        let mut record =
            format!("{priority},{sequence},{microseconds},-;{text}\n FILLER=").into_bytes();
        ensure!(record.len() < RECORD, "{text:?} is too long for a record");
        record.resize(RECORD - 1, b'.');
        record.push(b'\n');
        let mut log = OpenOptions::new()
            .append(true)
            .open(&self.file)
            .context("failed to open the log")?;
        log.write_all(&record)
            .context("failed to write into the log")
    }
}
