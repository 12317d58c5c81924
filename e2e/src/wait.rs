//! Waits for something to become true, saying what for.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The time for whatever takes a moment, on any machine: only a test that fails waits for it.
pub const LIMIT: Duration = Duration::from_secs(180);

const POLL: Duration = Duration::from_millis(200);
const FIRST_PROGRESS: Duration = Duration::from_secs(2);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Calls `probe` until it gives a value. Errors of `probe` are taken as "not yet"; the last one is
/// shown when `limit` is over.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut next_progress = FIRST_PROGRESS;
    loop {
        let last = match probe() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => String::new(),
            Err(error) => format!(": {error:#}"),
        };
        let elapsed = started.elapsed();
        if elapsed > limit {
            bail!(
                "waited {} s without success for {what}{last}",
                limit.as_secs()
            );
        }
        if elapsed > next_progress {
            eprintln!("  waiting for {what} ({} s)", elapsed.as_secs());
            next_progress = elapsed + PROGRESS_EVERY;
        }
        thread::sleep(POLL);
    }
}

/// Longer than the pause before a retransmission, which begins at 200 ms, and than what the last frame needs to get
/// through an emulated NIC.
const QUIET: Duration = Duration::from_millis(700);

/// Reads counters until they rise no more: what a closed connection had left, and what is on its way, comes after its
/// sender's end.
pub fn until_quiet<T: PartialEq>(what: &str, mut read: impl FnMut() -> Result<T>) -> Result<T> {
    let mut last = read()?;
    until(what, LIMIT, || {
        thread::sleep(QUIET);
        let now = read()?;
        let is_quiet = now == last;
        last = now;
        Ok(is_quiet.then_some(()))
    })?;
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_it_waited_for_and_the_last_error() {
        let never = until::<()>("rain", Duration::ZERO, || bail!("clear sky"));
        let text = never.unwrap_err().to_string();
        assert_eq!(text, "waited 0 s without success for rain: clear sky");
    }

    #[test]
    fn survives_errors_until_the_value_is_there() {
        let mut calls = 0;
        let value = until("a value", Duration::from_secs(5), || {
            calls += 1;
            if calls < 2 {
                bail!("not yet")
            } else {
                Ok(Some(calls))
            }
        });
        assert_eq!(value.unwrap(), 2);
    }
}
