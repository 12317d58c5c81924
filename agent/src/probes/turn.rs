use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// The longest wait: who loads for longer hangs, and keeps no other from loading.
const LONGEST_TURN: Duration = Duration::from_secs(60);

static IS_TAKEN: Mutex<bool> = Mutex::new(false);
static GIVEN_BACK: Condvar = Condvar::new();

/// The right to load a probe. Dropped, it is the next one's.
pub(crate) struct Turn(());

/// Waits until no other window loads a probe, and keeps others waiting: a load parses some 20 MB of the kernel's type
/// information for a moment.
pub(crate) fn wait_for_turn() -> Turn {
    let is_taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = GIVEN_BACK.wait_timeout_while(is_taken, LONGEST_TURN, |is_taken| *is_taken);
    let (mut is_taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
    *is_taken = true;
    Turn(())
}

impl Drop for Turn {
    fn drop(&mut self) {
        *IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = false;
        GIVEN_BACK.notify_one();
    }
}
