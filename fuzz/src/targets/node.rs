//! The kernel's view of a node, of which pods write a part: log, netlink, /proc.

/// Records of /dev/kmsg, or of syslog(2), a line each.
pub(crate) fn kernel_log(bytes: &[u8]) -> Option<()> {
    netdiag_agent::fuzzing::kernel_log(&String::from_utf8_lossy(bytes));
    Some(())
}

/// A batch of rtnetlink messages.
pub(crate) fn netlink(bytes: &[u8]) -> Option<()> {
    netdiag_agent::fuzzing::netlink(bytes);
    Some(())
}

/// The first byte chooses the file.
pub(crate) fn proc_file(bytes: &[u8]) -> Option<()> {
    let (file, text) = bytes.split_first()?;
    netdiag_agent::fuzzing::proc_file(*file, &String::from_utf8_lossy(text));
    Some(())
}
