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
    bounded::{Bounded, Overflows, at_most},
    privileges::{Access, Restrictions},
    probes::monotonic_ns,
};

/// The number of lines that are kept, and of characters of each.
const MOST_LINES: usize = 1_000;
/// The number of records that are looked at, those of programs too, so that a flood of them cannot keep the reading for
/// ever. A ring of 1 MiB holds no more than about 20,000.
const MOST_RECORDS: usize = 65_536;
const LONGEST_LINE: usize = 512;
/// Their name where there are more.
const LINES: &str = "lines of the kernel's log";
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
            // Only the last of them counts.
            let lines = lines.part();
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
            Source::Syslog { last_us } => read_syslog().map(|lines| since(lines, *last_us)),
            Source::Refused(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match lines {
            Ok(lines) => {
                let mut overflows = Overflows::default();
                let lines = lines.noted(&mut overflows);
                missing.extend(overflows.missing());
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
pub(super) struct LogRecord {
    at_us: u64,
    level: u8,
    text: String,
}

impl LogRecord {
    pub(super) fn since(self, began_us: u64) -> KernelLogLine {
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

fn read_kmsg(
    file: &mut impl Read,
    missing: &mut Vec<Missing>,
) -> io::Result<Bounded<Vec<LogRecord>>> {
    let mut lines = Vec::new();
    let mut left_out = 0;
    let mut record = vec![0; LONGEST_RECORD];
    let mut overwritten = false;
    let mut has_ended = false;
    for _ in 0..MOST_RECORDS {
        match file.read(&mut record) {
            Ok(0) => {
                has_ended = true;
                break;
            }
            Ok(length) => {
                let text = record.get(..length).unwrap_or_default();
                match parse_kmsg(&String::from_utf8_lossy(text)) {
                    Some(line) if lines.len() < MOST_LINES => lines.push(line),
                    Some(_) => left_out += 1,
                    None => {}
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                has_ended = true;
                break;
            }
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
    Ok(match has_ended {
        true => Bounded::without(lines, LINES, MOST_LINES, left_out),
        false => Bounded::ended(lines, "records of the kernel's log", MOST_RECORDS),
    })
}

/// The lines after that time, no more than are kept.
fn since(lines: Bounded<Vec<LogRecord>>, last_us: u64) -> Bounded<Vec<LogRecord>> {
    let is_new = |line: &LogRecord| line.at_us > last_us;
    if lines.is_whole() {
        return at_most(lines.part().into_iter().filter(is_new), MOST_LINES, LINES);
    }
    // The buffer held the newest lines only. If the oldest of them is new, there were more.
    let mut kept = lines.part();
    if kept.first().is_some_and(is_new) {
        kept.truncate(MOST_LINES);
        return Bounded::ended(kept, "bytes of the kernel's log", SYSLOG_BUFFER);
    }
    at_most(kept.into_iter().filter(is_new), MOST_LINES, LINES)
}

/// `level+facility,sequence,microseconds,flags;text`, then lines of ` KEY=value` (Documentation/ABI/testing/dev-kmsg).
/// Only the kernel's own facility, 0: others are what programs wrote into the log. No program can write as the kernel:
/// `devkmsg_write` begins with LOG_USER and takes a facility over only when it is not 0.
pub(super) fn parse_kmsg(record: &str) -> Option<LogRecord> {
    let (prefix, rest) = record.split_once(';')?;
    let mut fields = prefix.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let at_us = fields.nth(1)?.parse().ok()?;
    line(priority, at_us, rest.lines().next()?)
}

fn read_syslog() -> io::Result<Bounded<Vec<LogRecord>>> {
    let mut buffer = vec![0; SYSLOG_BUFFER];
    let length = system_calls::read_kernel_log(&mut buffer)?;
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    let lines = text.lines().filter_map(parse_syslog).collect();
    Ok(match length + LONGEST_RECORD < SYSLOG_BUFFER {
        true => Bounded::whole(lines),
        false => Bounded::ended(lines, "bytes of the kernel's log", SYSLOG_BUFFER),
    })
}

/// `<level>[seconds.microseconds] text`, and behind the time stamp possibly the caller (`[ T12] `), which stays.
pub(super) fn parse_syslog(text: &str) -> Option<LogRecord> {
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

    /// A device that gives the records in turn, and then none.
    struct Records<I>(I);

    impl<I: Iterator<Item = String>> Read for Records<I> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let record = self.0.next().ok_or(io::ErrorKind::WouldBlock)?;
            buffer[..record.len()].copy_from_slice(record.as_bytes());
            Ok(record.len())
        }
    }

    /// The number of lines that are kept, and what is told of the rest.
    fn read_records(records: impl Iterator<Item = String>) -> (usize, Vec<String>) {
        let mut missing = Vec::new();
        let lines = read_kmsg(&mut Records(records), &mut missing).unwrap();
        let mut overflows = Overflows::default();
        let lines = lines.noted(&mut overflows);
        missing.extend(overflows.missing());
        (
            lines.len(),
            missing.into_iter().map(|one| one.text).collect(),
        )
    }

    #[test]
    fn a_flood_of_lines_is_bounded_and_told() {
        let kernel = |number| format!("6,{number},{number},-;br0: port {number} entered");
        let program = |number| format!("12,{number},{number},-;hello");
        assert_eq!(read_records((0..1_000).map(kernel)), (1_000, vec![]));
        let told = "500 lines of the kernel's log beyond the limit of 1000";
        assert_eq!(
            read_records((0..1_500).map(kernel)),
            (1_000, vec![told.to_owned()])
        );
        // Lines of programs take no room, and do not hide one of the kernel behind them.
        let behind = (0..60_000).map(program).chain([kernel(1)]);
        assert_eq!(read_records(behind), (1, vec![]));
        let told = "records of the kernel's log beyond the limit of 65536";
        assert_eq!(read_records((0..).map(program)), (0, vec![told.to_owned()]));
    }

    #[test]
    fn a_full_buffer_of_syslog_is_told_where_it_matters() {
        let lines = |at_us: &[u64]| -> Vec<LogRecord> {
            let line = |at_us| line(6, at_us, "x").unwrap();
            at_us.iter().copied().map(line).collect()
        };
        let full = |at_us| Bounded::ended(lines(at_us), "bytes", SYSLOG_BUFFER);
        assert_eq!(since(Bounded::whole(lines(&[1, 2, 3])), 1).part().len(), 2);
        assert!(since(full(&[1, 2, 3]), 1).is_whole());
        assert!(!since(full(&[2, 3]), 1).is_whole());
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
