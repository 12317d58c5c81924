use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other window loads a probe, and keeps others waiting: a load parses some 20 MB of the kernel's type
/// information for a moment.
pub(crate) fn wait_for_turn() -> MutexGuard<'static, ()> {
    static LOADING: Mutex<()> = Mutex::new(());
    LOADING.lock().unwrap_or_else(PoisonError::into_inner)
}
