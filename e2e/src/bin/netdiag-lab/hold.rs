//! A server that holds its sockets: each read waits in the kernel for memory, with the socket locked, so that what arrives
//! meanwhile goes to the socket's backlog.
#![expect(unsafe_code, reason = "userfaultfd has no safe wrapper")]

use std::{
    fs::File,
    io::{self, Read},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd, FromRawFd},
    ptr, thread,
};

use anyhow::{Context, Result, ensure};

use crate::listen::ListenArgs;

const PAGE: usize = 4096;
/// `<linux/userfaultfd.h>`: requests, and the version of the interface.
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_ZEROPAGE: libc::c_ulong = 0xc020_aa04;
const UFFD_API: u64 = 0xaa;
const MODE_MISSING: u64 = 1;
/// Length of `struct uffd_msg`.
const MESSAGE: usize = 32;

/// A page that is not there until somebody provides it.
struct MissingPage {
    start: u64,
    faults: File,
}

/// Accepts one connection on each address and reads from it into a missing page, which comes with a datagram to the same
/// port.
pub(crate) fn run(args: &ListenArgs) -> Result<()> {
    for address in &args.addresses {
        let listener = TcpListener::bind((*address, args.port)).context("failed to listen")?;
        let order = UdpSocket::bind((*address, args.port)).context("failed to bind")?;
        thread::spawn(move || {
            let served = serve(&listener, &order);
            println!("failed={} {served:?}", u8::from(served.is_err()));
        });
    }
    args.stay();
    Ok(())
}

fn serve(listener: &TcpListener, order: &UdpSocket) -> Result<()> {
    let (stream, client) = listener.accept().context("failed to accept")?;
    let page = MissingPage::new()?;
    let start = page.start;
    let reader = thread::spawn(move || read_into(&stream, start));
    page.wait_for_fault()?;
    println!("held-{}=1", if client.is_ipv4() { "v4" } else { "v6" });
    order
        .recv(&mut [0; 16])
        .context("failed to receive an order")?;
    page.provide()?;
    let _ = reader.join();
    Ok(())
}

/// Reads into the page, and the rest into a buffer that is there, until the end of the connection.
fn read_into(mut stream: &TcpStream, start: u64) {
    // SAFETY: the page was mapped for this length and stays so until the program ends.
    unsafe { libc::recv(stream.as_raw_fd(), start as *mut libc::c_void, PAGE, 0) };
    let mut buffer = vec![0; 65_536];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

impl MissingPage {
    fn new() -> Result<Self> {
        // SAFETY: the call takes plain numbers.
        let raw = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        ensure!(raw >= 0, "userfaultfd: {}", io::Error::last_os_error());
        // SAFETY: `raw` was just opened and nobody else owns it.
        let faults = unsafe { File::from_raw_fd(raw as libc::c_int) };
        // SAFETY: an anonymous mapping of a page touches nothing that is there.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(
            page != libc::MAP_FAILED,
            "mmap: {}",
            io::Error::last_os_error()
        );
        let this = Self {
            start: page as u64,
            faults,
        };
        this.request(UFFDIO_API, &mut [UFFD_API, 0, 0])?;
        this.request(
            UFFDIO_REGISTER,
            &mut [this.start, PAGE as u64, MODE_MISSING, 0],
        )?;
        Ok(this)
    }

    /// Waits until somebody has touched it, and waits for it in turn.
    fn wait_for_fault(&self) -> Result<()> {
        (&self.faults)
            .read_exact(&mut [0; MESSAGE])
            .context("failed to read a fault")
    }

    fn provide(&self) -> Result<()> {
        self.request(UFFDIO_ZEROPAGE, &mut [self.start, PAGE as u64, 0, 0])
    }

    fn request(&self, request: libc::c_ulong, argument: &mut [u64]) -> Result<()> {
        // SAFETY: `argument` has as many bytes as the request's number says.
        let done =
            unsafe { libc::ioctl(self.faults.as_raw_fd(), request as _, argument.as_mut_ptr()) };
        ensure!(done >= 0, "userfaultfd: {}", io::Error::last_os_error());
        Ok(())
    }
}
