//! The kernel's log within the window: /dev/kmsg, or syslog(2) where a container has no such device.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
};

use netdiag_diagnosis::{
    evidence::{KernelLogLine, Missing, Observed},
    text::printable_up_to,
};

use super::system_calls;
use crate::{
    privileges::{Access, Restrictions},
    probes::monotonic_ns,
};

/// The number of lines that are kept, and of characters of each.
const MOST_LINES: usize = 1_000;
const LONGEST_LINE: usize = 512;
/// PRINTK_MESSAGE_MAX: a record of /dev/kmsg is never longer, and a shorter buffer would lose it.
const LONGEST_RECORD: usize = 8_192;
/// The ring of most kernels has 256 KiB to 1 MiB.
const SYSLOG_BUFFER: usize = 1024 * 1024;

/// The log from now on.
pub(crate) struct KernelLog {
    began_us: u64,
    source: Source,
}

enum Source {
    /// /dev/kmsg, placed behind the last line.
    Kmsg(File),
    /// syslog(2), with the time stamp of the last line.
    Syslog {
        last_us: u64,
    },
    Refused(io::Error),
}

impl KernelLog {
    /// Remembers where the log ends now.
    pub(crate) fn from_now() -> Self {
        let source = open_kmsg().map(Source::Kmsg).or_else(|error| {
            let lines = read_syslog().map_err(|other| denied_first(error, other))?;
            let last_us = lines.iter().map(|line| line.at_us).max();
            Ok(Source::Syslog {
                last_us: last_us.unwrap_or(0),
            })
        });
        Self {
            // The log's own clock (local_clock()) is near enough to this one for display.
            began_us: monotonic_ns() / 1_000,
            source: source.unwrap_or_else(Source::Refused),
        }
    }

    /// The lines written since. Never waits for one.
    pub(crate) fn read(&mut self) -> Observed<Vec<KernelLogLine>> {
        let mut missing = Vec::new();
        let lines = match &mut self.source {
            Source::Kmsg(file) => read_kmsg(file, &mut missing),
            Source::Syslog { last_us } => read_syslog().map(|mut lines| {
                lines.retain(|line| line.at_us > *last_us);
                lines
            }),
            Source::Refused(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match lines {
            Ok(mut lines) => {
                if lines.len() > MOST_LINES {
                    let left_out = lines.len() - MOST_LINES;
                    missing.push(Missing::failed(format!("{left_out} lines after these")));
                    lines.truncate(MOST_LINES);
                }
                let lines = lines.into_iter().map(|line| line.since(self.began_us));
                Observed::without(lines.collect(), missing)
            }
            Err(error) => Observed::unavailable(describe(&error, &Restrictions::read())),
        }
    }
}

/// The error that names what to do: a missing permission rather than a missing device.
fn denied_first(one: io::Error, other: io::Error) -> io::Error {
    if one.kind() == io::ErrorKind::PermissionDenied {
        one
    } else {
        other
    }
}

fn describe(error: &io::Error, restrictions: &Restrictions) -> Missing {
    if error.kind() == io::ErrorKind::PermissionDenied {
        restrictions.refused(Access::KernelLog)
    } else {
        Missing::failed(format!("the kernel's log could not be read: {error}"))
    }
}

/// A line with its time stamp as the kernel wrote it.
#[derive(Debug, PartialEq)]
struct LogRecord {
    at_us: u64,
    level: u8,
    text: String,
}

impl LogRecord {
    fn since(self, began_us: u64) -> KernelLogLine {
        KernelLogLine {
            at_ms: self.at_us.saturating_sub(began_us) / 1_000,
            level: self.level,
            text: self.text,
        }
    }
}

fn open_kmsg() -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

fn read_kmsg(file: &mut File, missing: &mut Vec<Missing>) -> io::Result<Vec<LogRecord>> {
    let mut lines = Vec::new();
    let mut record = vec![0; LONGEST_RECORD];
    let mut overwritten = false;
    // Twice the bound, so that a flood of lines cannot keep this reading for ever.
    for _ in 0..2 * MOST_LINES {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(length) => {
                let text = record.get(..length).unwrap_or_default();
                lines.extend(parse_kmsg(&String::from_utf8_lossy(text)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // The ring went round past our place; the next read goes on at the oldest line that is left.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => overwritten = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if overwritten {
        missing.push(Missing::failed(
            "lines that the kernel's log had overwritten",
        ));
    }
    Ok(lines)
}

/// `level+facility,sequence,microseconds,flags;text`, then lines of ` KEY=value` (Documentation/ABI/testing/dev-kmsg).
/// Only the kernel's own facility, 0: others are what programs wrote into the log. No program can write as the kernel:
/// `devkmsg_write` begins with LOG_USER and takes a facility over only when it is not 0.
fn parse_kmsg(record: &str) -> Option<LogRecord> {
    let (prefix, rest) = record.split_once(';')?;
    let mut fields = prefix.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let at_us = fields.nth(1)?.parse().ok()?;
    line(priority, at_us, rest.lines().next()?)
}

fn read_syslog() -> io::Result<Vec<LogRecord>> {
    let mut buffer = vec![0; SYSLOG_BUFFER];
    let length = system_calls::read_kernel_log(&mut buffer)?;
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    Ok(text.lines().filter_map(parse_syslog).collect())
}

/// `<level>[seconds.microseconds] text`, and behind the time stamp possibly the caller (`[ T12] `), which stays.
fn parse_syslog(text: &str) -> Option<LogRecord> {
    let (priority, rest) = text.strip_prefix('<')?.split_once('>')?;
    let (stamp, message) = rest.strip_prefix('[')?.split_once(']')?;
    let (seconds, microseconds) = stamp.trim_start().split_once('.')?;
    let at_us = seconds
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(microseconds.parse().ok()?)?;
    line(priority.parse().ok()?, at_us, message.trim_start())
}

fn line(priority: u32, at_us: u64, text: &str) -> Option<LogRecord> {
    // The lower three bits are the severity, the rest the facility.
    (priority < 8).then(|| LogRecord {
        at_us,
        level: priority as u8,
        text: printable_up_to(text, LONGEST_LINE),
    })
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::Why;

    use super::*;
    use crate::privileges::Capability;

    fn expected(at_us: u64, level: u8, text: &str) -> Option<LogRecord> {
        Some(LogRecord {
            at_us,
            level,
            text: text.to_owned(),
        })
    }

    #[test]
    fn records_of_kmsg_are_read_without_their_dictionary() {
        assert_eq!(
            parse_kmsg("6,339,5140900,-;br0: port 1(eth0) entered; state\n SUBSYSTEM=net\n"),
            expected(5_140_900, 6, "br0: port 1(eth0) entered; state")
        );
        assert_eq!(
            parse_kmsg("4,1,7,c,caller=T1;x\u{1b}[31m"),
            expected(7, 4, "x\\u{1b}[31m")
        );
    }

    #[test]
    fn lines_that_programs_wrote_are_left_out() {
        assert_eq!(
            parse_kmsg("12,339,5140900,-;br0: entered promiscuous mode"),
            None
        );
        assert_eq!(parse_syslog("<14>[    5.140900] hello"), None);
        // `echo '<4>ixgbe ..' >/dev/kmsg`, as it is read back.
        let forged = "12,340,5140901,-;ixgbe 0000:03:00.0: partial checksum but l4 proto=2b!";
        assert_eq!(parse_kmsg(forged), None);
    }

    #[test]
    fn lines_of_syslog_are_read() {
        assert_eq!(
            parse_syslog("<6>[    5.140900] br0: entered [x]"),
            expected(5_140_900, 6, "br0: entered [x]")
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in [
            "",
            ";",
            "a,b,c;d",
            "6,1;x",
            "6,1,99999999999999999999999,-;x",
        ] {
            assert_eq!(parse_kmsg(text), None, "{text}");
        }
        for text in [
            "",
            "<",
            "<6>",
            "<6>[]",
            "<6>[a.b] x",
            "<6>[18446744073709551615.1] x",
        ] {
            assert_eq!(parse_syslog(text), None, "{text}");
        }
    }

    #[test]
    fn a_missing_permission_is_named() {
        let restrictions = Restrictions {
            missing: vec![Capability::Syslog],
            ..Restrictions::default()
        };
        let error = io::Error::from_raw_os_error(libc::EPERM);
        let text = "the kernel's log is closed: CAP_SYSLOG is missing";
        let expected = Missing::not_permitted(text, vec![Capability::Syslog]);
        assert_eq!(describe(&error, &restrictions), expected);
        let no_device = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(describe(&no_device, &restrictions).why, Why::Failed);
    }
}
