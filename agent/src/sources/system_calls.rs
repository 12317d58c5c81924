//! The few system calls that std has no face for.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A duplicate of a socket that another process holds. Its owner must close it soon: until then the process
/// cannot really close its end.
///
/// # Errors
/// `EPERM` without SYS_PTRACE, `ESRCH` and `EBADF` when the process or its descriptor is gone, `ENOSYS` before 5.6.
pub(super) fn duplicate_of(pidfd: BorrowedFd<'_>, descriptor: i32) -> io::Result<OwnedFd> {
    Ok(pidfd_getfd(pidfd, descriptor, PidfdGetfdFlags::empty())?)
}

/// A descriptor that stands for one process, whatever becomes of its number.
///
/// # Errors
/// `ESRCH` when there is no such process, `ENOSYS` before 5.3.
pub(super) fn open_process(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// True if a descriptor of a process is an epoll descriptor. False too where kcmp(2) cannot tell (without CONFIG_KCMP, or
/// where a seccomp filter forbids it).
pub(super) fn is_epoll(pid: u32, descriptor: i32) -> bool {
    // `get_epoll_tfile_raw_ptr` (fs/eventpoll.c) gives EINVAL for any other file, and ENOENT where no such file is
    // watched: nothing has this number.
    let watched = EpollSlot {
        epoll: u32::try_from(descriptor).unwrap_or(u32::MAX),
        watched: i32::MAX as u32,
        offset: 0,
    };
    kcmp_epoll(pid, &watched) == Some(libc::ENOENT)
}

/// True if kcmp(2) works here.
#[cfg(test)]
pub(super) fn has_kcmp() -> bool {
    let none = EpollSlot {
        epoll: i32::MAX as u32,
        watched: 0,
        offset: 0,
    };
    kcmp_epoll(std::process::id(), &none) == Some(libc::EBADF)
}

/// `struct kcmp_epoll_slot` of `<linux/kcmp.h>`.
#[repr(C)]
struct EpollSlot {
    epoll: u32,
    watched: u32,
    offset: u32,
}

/// The error that the kernel gives when it looks for a watched file (KCMP_EPOLL_TFD, 4.13).
#[expect(unsafe_code, reason = "libc has no face for kcmp")]
fn kcmp_epoll(pid: u32, slot: &EpollSlot) -> Option<libc::c_int> {
    const KCMP_EPOLL_TFD: libc::c_long = 7;
    /// Any open file of this process, to compare with.
    const OWN_FILE: libc::c_long = 0;
    let own = libc::c_long::from(std::process::id());
    // SAFETY: the pointer is to a structure of the documented layout that outlives the call, which only reads it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            own,
            libc::c_long::from(pid),
            KCMP_EPOLL_TFD,
            OWN_FILE,
            std::ptr::from_ref(slot),
        )
    };
    (result < 0).then(|| io::Error::last_os_error().raw_os_error())?
}

/// The network namespace that a socket is in, which may differ from the one its holder is in now.
///
/// # Errors
/// `EPERM` without NET_ADMIN there, `ENOTTY` when it is no socket.
#[expect(
    unsafe_code,
    reason = "an ioctl has no safe face, and its descriptor must be adopted"
)]
pub(super) fn namespace_of_socket(socket: BorrowedFd<'_>) -> io::Result<File> {
    // SAFETY: SIOCGSKNS (`sock_ioctl`, net/socket.c) reads no argument and returns a new descriptor.
    let descriptor = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGSKNS as libc::Ioctl) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, so nobody else closes it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// An option of a socket whose request and answer share a buffer, such as those of packet filters.
///
/// # Errors
/// `EPERM` without NET_ADMIN, `ENOPROTOOPT` where nothing has such an option.
#[expect(unsafe_code, reason = "libc has no safe getsockopt")]
pub(super) fn read_option(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(buffer.len()).map_err(io::Error::other)?;
    // SAFETY: the pointers are to a buffer and a local that outlive the call, and `length` is the buffer's size.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `net->net_cookie` of a socket's namespace (SO_NETNS_COOKIE, 5.14).
///
/// # Errors
/// `ENOPROTOOPT` on older kernels, `ENOTSOCK` when it is no socket.
#[expect(unsafe_code, reason = "libc has no safe getsockopt")]
pub(super) fn namespace_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: both pointers are to locals that outlive the call, and `length` is the size of `cookie`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// True if a descriptor is a network namespace: any file may lie under /run/netns.
#[expect(unsafe_code, reason = "an ioctl has no safe face")]
pub(super) fn is_network_namespace(file: BorrowedFd<'_>) -> bool {
    // SAFETY: NS_GET_NSTYPE (`ns_ioctl`, fs/nsfs.c) reads no argument; other files refuse the number with ENOTTY.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), libc::NS_GET_NSTYPE) };
    kind == libc::CLONE_NEWNET
}

/// Copies the kernel's log ring into `buffer` (syslog(2), SYSLOG_ACTION_READ_ALL) and gives how many bytes it wrote.
///
/// # Errors
/// `EPERM` without SYSLOG where `kernel.dmesg_restrict` is set.
#[expect(unsafe_code, reason = "libc has no safe klogctl")]
pub(super) fn read_kernel_log(buffer: &mut [u8]) -> io::Result<usize> {
    const SYSLOG_ACTION_READ_ALL: libc::c_int = 3;
    let length = libc::c_int::try_from(buffer.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the pointer and the length describe `buffer`, which outlives the call.
    let written =
        unsafe { libc::klogctl(SYSLOG_ACTION_READ_ALL, buffer.as_mut_ptr().cast(), length) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// `struct ethtool_drvinfo` of `<linux/ethtool.h>`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    rest: [u8; 96],
}

/// The driver of a device and the version of the device's firmware; empty where the driver gives none.
pub(super) struct Driver {
    pub(super) name: String,
    pub(super) firmware: String,
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// The driver of a device in the namespace of `socket` (ETHTOOL_GDRVINFO).
///
/// # Errors
/// `ENODEV` when there is no such device, `EOPNOTSUPP` when it has no driver.
pub(super) fn driver_of(socket: BorrowedFd<'_>, device: &str) -> io::Result<Driver> {
    const ETHTOOL_GDRVINFO: u32 = 3;
    let mut info = DriverInfo {
        command: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        version: [0; 32],
        firmware: [0; 32],
        rest: [0; 96],
    };
    ethtool(socket, device, &mut info)?;
    let text = |bytes: &[u8]| {
        let text = bytes.split(|byte| *byte == 0).next();
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    };
    Ok(Driver {
        name: text(&info.driver),
        firmware: text(&info.firmware),
    })
}

/// True if a device in the namespace of `socket` may be left to compute checksums (ETHTOOL_GTXCSUM: any of the features
/// `tx-checksum-*`).
///
/// # Errors
/// `ENODEV` when there is no such device.
pub(super) fn transmit_checksum(socket: BorrowedFd<'_>, device: &str) -> io::Result<bool> {
    const ETHTOOL_GTXCSUM: u32 = 0x16;
    feature(socket, device, ETHTOOL_GTXCSUM)
}

/// True if packets that come in on a device in the namespace of `socket` may be joined (ETHTOOL_GGRO: the feature
/// `generic-receive-offload`).
///
/// # Errors
/// `ENODEV` when there is no such device.
pub(super) fn receive_offload(socket: BorrowedFd<'_>, device: &str) -> io::Result<bool> {
    const ETHTOOL_GGRO: u32 = 0x2b;
    feature(socket, device, ETHTOOL_GGRO)
}

fn feature(socket: BorrowedFd<'_>, device: &str, command: u32) -> io::Result<bool> {
    let mut value = EthtoolValue { command, data: 0 };
    ethtool(socket, device, &mut value)?;
    Ok(value.data != 0)
}

#[expect(unsafe_code, reason = "an ioctl has no safe face")]
fn ethtool<T>(socket: BorrowedFd<'_>, device: &str, argument: &mut T) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    if device.len() >= name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    let mut request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_data: std::ptr::from_mut(argument).cast(),
        },
    };
    // SAFETY: the request and what it points to outlive the call, and `T` is the structure of its command.
    let result = unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCETHTOOL as libc::Ioctl,
            &raw mut request,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
