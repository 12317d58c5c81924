//! Undoes what the harness did: at the end of a scope, when a test fails, at exit, on Ctrl-C.
//!
//! Tests share one control plane through a static, which Rust never drops, and Ctrl-C runs no
//! destructor at all. So whatever must not stay behind is registered here, and undone exactly once
//! by whichever comes first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, PoisonError, RwLock};
use std::{fs, io, process, thread};

use anyhow::{Context, Result};

/// Names start with this and the process id of the harness that made them.
const PREFIX: &str = "netdiag-";

type Action = Box<dyn FnOnce() + Send>;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    next: 0,
    actions: BTreeMap::new(),
});

/// Shared by each thread that runs an action: a process must not end in the middle of one.
static UNDER_WAY: RwLock<()> = RwLock::new(());

struct Registry {
    next: u64,
    actions: BTreeMap<u64, Action>,
}

/// Runs its action when dropped, or earlier if the process ends first.
#[must_use = "dropping it undoes at once"]
pub struct Undo(u64);

impl Undo {
    /// Registers `action`. Actions still there at the end of the process run newest first.
    pub fn register(action: impl FnOnce() + Send + 'static) -> Self {
        watch_for_the_end();
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        let id = registry.next;
        registry.next += 1;
        registry.actions.insert(id, Box::new(action));
        Self(id)
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let _under_way = UNDER_WAY.read().unwrap_or_else(PoisonError::into_inner);
        let action = {
            let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
            registry.actions.remove(&self.0)
        };
        if let Some(action) = action {
            action();
        }
    }
}

/// Undoes everything that is still registered, and waits for what other threads are undoing.
pub fn undo_all() {
    while undo_newest() {}
    drop(UNDER_WAY.write().unwrap_or_else(PoisonError::into_inner));
}

fn undo_newest() -> bool {
    let _under_way = UNDER_WAY.read().unwrap_or_else(PoisonError::into_inner);
    let newest = {
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        registry.actions.pop_last()
    };
    let Some((_, action)) = newest else {
        return false;
    };
    action();
    true
}

fn watch_for_the_end() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(unsafe_code, reason = "std has no hook for the end of the process")]
        // SAFETY: the handler is a plain function without arguments, as atexit asks.
        unsafe {
            libc::atexit(at_exit);
        }
        thread::spawn(|| {
            if let Err(error) = end_on_signal() {
                eprintln!("cannot watch for Ctrl-C: {error}");
            }
        });
    });
}

extern "C" fn at_exit() {
    undo_all();
}

/// Waits for Ctrl-C or a polite request to end, then undoes everything and exits.
fn end_on_signal() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        io::Result::Ok(tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        })
    })?;
    eprintln!("interrupted, cleaning up");
    undo_all();
    process::exit(code)
}

/// Makes a name for a harness's namespaces and folders: unique, and with its maker's process in it.
pub(crate) fn unique_name(label: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}-{label}", process::id())
}

/// The names in `folder` that harnesses made which were killed before they could clean up.
pub(crate) fn left_behind(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| maker(name).is_some_and(|pid| !Path::new("/proc").join(pid).exists()))
        .collect()
}

/// The names in `folder` that this process made.
pub(crate) fn made_here(folder: &Path) -> Vec<String> {
    made_by(folder, process::id())
}

/// The names in `folder` that the harness of this process made, which may have ended.
pub(crate) fn made_by(folder: &Path, process: u32) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let process = process.to_string();
    names.filter(|name| maker(name) == Some(&process)).collect()
}

/// The process id in the name, if a harness made it.
fn maker(name: &str) -> Option<&str> {
    let (pid, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    pid.parse::<u32>().ok().map(|_| pid)
}

/// A folder below the system's temporary one that goes with this value.
pub struct TemporaryFolder {
    path: PathBuf,
    _undo: Undo,
}

impl TemporaryFolder {
    /// Makes a folder whose name ends with `label`.
    pub fn new(label: &str) -> Result<Self> {
        static SWEEP: Once = Once::new();
        let parent = std::env::temp_dir();
        SWEEP.call_once(|| {
            for name in left_behind(&parent) {
                remove_folder(&parent.join(name));
            }
        });
        let path = parent.join(unique_name(label));
        fs::create_dir(&path).with_context(|| format!("failed to create {}", path.display()))?;
        let doomed = path.clone();
        let undo = Undo::register(move || remove_folder(&doomed));
        Ok(Self { path, _undo: undo })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes a folder with all that is in it, or says why not.
pub(crate) fn remove_folder(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        eprintln!("failed to remove {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_harness_made_is_swept() {
        assert_eq!(maker("netdiag-4711-0-node"), Some("4711"));
        assert_eq!(maker("netdiag-mine-0"), None);
        assert_eq!(maker("cni-4711-0"), None);
    }

    #[test]
    fn a_folder_goes_with_its_value_even_when_a_test_panics() {
        let folder = TemporaryFolder::new("cleanup").unwrap();
        let path = folder.path().to_path_buf();
        fs::write(path.join("file"), "x").unwrap();
        let panicked = thread::spawn(move || {
            let _folder = folder;
            panic!("as intended");
        });
        assert!(panicked.join().is_err());
        assert!(!path.exists());
    }
}
