//! The words of a printed command in place of a bare pid. The command may be run hours later: by then the kernel may
//! have given the pid, and the namespace's number, to others. A shell that finds another there puts nothing in its
//! place, so that the command fails without touching anything.

use crate::evidence::NetnsId;

/// The file of the namespace that this process is in, for a shell; nothing where the pid or the number means another.
///
/// `find -L` follows the link as `stat` does, whose inode number is the namespace's (`ns_get_path`, fs/nsfs.c).
pub(super) fn namespace_file(pid: u32, started: Option<u64>, namespace: NetnsId) -> String {
    let same = same_process(pid, started);
    let number = namespace.0;
    format!(r#""$({same}find -L /proc/{pid}/ns/net -inum {number})""#)
}

/// The pid, for a shell; nothing where it means another process.
pub(super) fn pid(pid: u32, started: Option<u64>) -> String {
    match same_process(pid, started).as_str() {
        "" => pid.to_string(),
        same => format!(r#""$({same}echo {pid})""#),
    }
}

/// The condition before the rest of a shell's line that this pid is of the process with this start; empty when its
/// start is not known.
///
/// `starttime` is the 22nd field of /proc/PID/stat (fs/proc/array.c). The second, the name in brackets, may hold
/// anything within 15 bytes, so the fields are counted from a bracket: no name has room for 19 of them.
fn same_process(pid: u32, started: Option<u64>) -> String {
    let condition =
        |started| format!(r"grep -qE '\) ([^ ]+ ){{19}}{started} ' /proc/{pid}/stat && ");
    started.map(condition).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::MetadataExt,
        process::{Child, Command, Stdio},
    };

    use super::*;

    #[test]
    fn a_process_without_a_known_start_is_told_by_its_namespace() {
        assert_eq!(
            namespace_file(7, None, NetnsId(42)),
            r#""$(find -L /proc/7/ns/net -inum 42)""#
        );
        assert_eq!(pid(7, None), "7");
    }

    #[test]
    fn a_shell_finds_the_process_that_was_meant_and_no_other() {
        let named = Sleeper::start("a) S 1 1 1 1 1");
        let (id, started, namespace) = named.identity();
        let file =
            |started, namespace| echoed(&namespace_file(id, Some(started), NetnsId(namespace)));
        assert_eq!(file(started, namespace), format!("/proc/{id}/ns/net"));
        assert_eq!(echoed(&pid(id, Some(started))), id.to_string());
        // Another has the pid, or the process has gone to another namespace.
        for other in [started + 1, started * 10, started / 10] {
            assert_eq!(file(other, namespace), "");
            assert_eq!(echoed(&pid(id, Some(other))), "");
        }
        assert_eq!(file(started, namespace + 1), "");
        drop(named);
        assert_eq!(file(started, namespace), "");
        assert_eq!(echoed(&pid(id, Some(started))), "");
    }

    /// The text that a shell makes of a word.
    fn echoed(word: &str) -> String {
        let mut shell = Command::new("sh");
        let output = shell
            .args(["-c", &format!("echo {word}")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A process with a name of its own.
    struct Sleeper(Child);

    impl Sleeper {
        fn start(name: &str) -> Self {
            let script = format!("printf '%s' '{name}' > /proc/$$/comm; echo; read forever");
            let mut shell = Command::new("sh");
            let pipes = shell.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = pipes.args(["-c", &script]).spawn().unwrap();
            let mut said = [0];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
            let comm = fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
            assert_eq!(comm.trim_end(), name);
            Self(child)
        }

        /// Pid, start and network namespace.
        fn identity(&self) -> (u32, u64, u32) {
            let pid = self.0.id();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let fields = stat.rsplit_once(") ").unwrap().1;
            let started = fields.split(' ').nth(19).unwrap().parse().unwrap();
            let namespace = fs::metadata(format!("/proc/{pid}/ns/net")).unwrap().ino();
            (pid, started, namespace.try_into().unwrap())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}
