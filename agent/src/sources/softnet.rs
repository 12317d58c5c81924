//! The CPUs' backlogs: /proc/net/softnet_stat and net.core.netdev_max_backlog.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
};

use netdiag_diagnosis::evidence::{CpuBacklog, Missing, Observed, Softnet, SoftnetCounters};

use crate::causes::causes;

const STATISTICS: &str = "/proc/net/softnet_stat";
const MAX_BACKLOG: &str = "/proc/sys/net/core/netdev_max_backlog";
/// NR_CPUS of any kernel is below; a line has at most 135 characters.
const MOST_CPUS: usize = 8_192;
const LONGEST_FILE: u64 = 2 * 1024 * 1024;
/// Column of the CPU's number, which older kernels do not print.
const CPU_COLUMN: usize = 12;

/// Every online CPU's counters as of one moment.
#[derive(Debug, Default)]
pub(crate) struct Backlogs(BTreeMap<u32, SoftnetCounters>);

/// Why the counters are unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read {STATISTICS:?}")]
    Read { source: io::Error },
    #[error("failed to parse {STATISTICS:?}")]
    Parse,
}

/// Reads the counters.
///
/// # Errors
/// /proc/net/softnet_stat cannot be read.
pub(crate) fn read() -> Result<Backlogs, Error> {
    let failed = |source| Error::Read { source };
    let file = File::open(STATISTICS).map_err(failed)?;
    let mut text = String::new();
    file.take(LONGEST_FILE)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let backlogs = parse(&text);
    if backlogs.0.is_empty() {
        return Err(Error::Parse);
    }
    Ok(backlogs)
}

/// Both ends of a window together.
pub(crate) fn between(
    before: Result<Backlogs, Error>,
    after: Result<Backlogs, Error>,
) -> Observed<Softnet> {
    let (before, after) = match (before, after) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(error), _) | (_, Err(error)) => {
            let reason = causes(&error);
            return Observed::unavailable(Missing::failed(reason));
        }
    };
    let max_backlog = fs::read_to_string(MAX_BACKLOG).ok();
    let cpus = after.0.into_iter().map(|(cpu, after)| CpuBacklog {
        cpu,
        before: before.0.get(&cpu).copied(),
        after,
    });
    Observed::Complete {
        value: Softnet {
            max_backlog: max_backlog.and_then(|text| text.trim().parse().ok()),
            cpus: cpus.collect(),
        },
    }
}

/// A line of hexadecimal numbers for each online CPU (`softnet_seq_show`): processed, dropped, time_squeeze, .. Where
/// they do not hold the CPU's number, the line's is taken.
pub(super) fn parse(text: &str) -> Backlogs {
    let lines = text.lines().take(MOST_CPUS).zip(0_u32..);
    Backlogs(
        lines
            .filter_map(|(line, number)| {
                let columns: Vec<u32> = line
                    .split_whitespace()
                    .map_while(|word| u32::from_str_radix(word, 16).ok())
                    .collect();
                let &[processed, dropped, time_squeeze, ..] = columns.as_slice() else {
                    return None;
                };
                let counters = SoftnetCounters {
                    processed,
                    dropped,
                    time_squeeze,
                };
                Some((*columns.get(CPU_COLUMN).unwrap_or(&number), counters))
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 6.18 prints them, with 7 drops on the second CPU.
    const NEW: &str = "\
02d90ca7 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
020cec60 00000007 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003 00000000 00000000
";
    /// Without the last columns, as older kernels print them.
    const OLD: &str =
        "00000010 0000000a 00000000 00000000 00000000\n00000020 0000000b 00000001 00000000\n";

    fn dropped(text: &str) -> Vec<(u32, u32)> {
        let backlogs = parse(text).0.into_iter();
        backlogs
            .map(|(cpu, counters)| (cpu, counters.dropped))
            .collect()
    }

    #[test]
    fn each_line_is_a_cpu_by_its_own_number_where_it_has_one() {
        assert_eq!(dropped(NEW), [(0, 0), (3, 7)]);
        assert_eq!(dropped(OLD), [(0, 10), (1, 11)]);
    }

    #[test]
    fn a_cpu_that_came_meanwhile_has_no_start() {
        let observed = between(Ok(parse("1 2 3\n")), Ok(parse("4 5 6\n7 8 9\n")));
        let cpus = &observed.value().unwrap().cpus;
        assert_eq!(cpus[0].increase(|counters| counters.dropped), 3);
        assert_eq!(cpus[1].before, None);
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in ["", "\n\n", "x y z", "1 2", "fffffffff 1 2"] {
            assert_eq!(dropped(text), [], "{text:?}");
        }
        let many = "1 2 3\n".repeat(MOST_CPUS + 5);
        assert_eq!(dropped(&many).len(), MOST_CPUS);
    }

    #[test]
    fn the_running_kernel_has_them() {
        assert!(!read().unwrap().0.is_empty());
    }

    #[test]
    fn one_end_that_could_not_be_read_makes_both_useless() {
        let observed = between(Ok(parse(NEW)), Err(Error::Parse));
        let missing = observed.missing().unwrap();
        assert!(missing.contains("softnet_stat"), "{missing}");
    }
}
