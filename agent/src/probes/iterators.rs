//! BPF iterators: programs that write what the kernel holds, of all namespaces and processes, when a file is read.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    sync::Arc,
};

use aya::{
    Btf, Ebpf, Pod,
    programs::{Iter, ProgramError},
};
use netdiag_abi::{
    inet_sockets::{InetSocketLayout, InetSocketRecord},
    net_devices::{NetDeviceLayout, NetDeviceRecord},
    packet_sockets::{PacketSocketLayout, PacketSocketRecord},
};

use crate::bounded::Bounded;

use super::{
    error::Error, inet_sockets, kernel::Kernel, net_devices, object::loader, packet_sockets,
    system, wire::Wire,
};

/// The most bytes that a reading may give; a node with more is not read to its end, and that is told.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The loaded iterators. They cost nothing until they are read.
pub(crate) struct Iterators {
    programs: RefCell<Ebpf>,
    packet_sockets: Result<(), Error>,
    inet_sockets: Result<(), Error>,
    net_devices: Result<(), Error>,
}

impl Iterators {
    /// Loads all; one that this kernel refuses does not keep the others from working.
    ///
    /// # Errors
    /// The agent was built without eBPF, or this process may load none of it.
    pub(crate) fn load(kernel: &Kernel) -> Result<Self, Error> {
        let (sockets, devices) = (&packet_sockets::DESCRIPTION, &net_devices::DESCRIPTION);
        let inet = &inet_sockets::DESCRIPTION;
        let socket_layout = kernel.layout::<PacketSocketLayout>(sockets).map(Wire);
        let inet_layout = kernel.layout::<InetSocketLayout>(inet).map(Wire);
        let device_layout = kernel.layout::<NetDeviceLayout>(devices).map(Wire);
        let (mut loader, object) = loader(kernel, &[sockets, inet, devices])?;
        if let Ok(layout) = &socket_layout {
            loader.override_global(sockets.layout, layout, true);
        }
        if let Ok(layout) = &inet_layout {
            loader.override_global(inet.layout, layout, true);
        }
        if let Ok(layout) = &device_layout {
            loader.override_global(devices.layout, layout, true);
        }
        let mut programs = loader
            .load(object)
            .map_err(|source| Error::refused(&source))?;
        let types = Btf::from_sys_fs().map_err(|source| Error::refused(&source))?;
        let mut load = |name, iterator| load_one(&mut programs, name, iterator, &types);
        let packet_sockets = socket_layout.and_then(|_| load(packet_sockets::PROGRAM, "task_file"));
        let inet_sockets = inet_layout.and_then(|_| load(inet_sockets::PROGRAM, "task_file"));
        let net_devices = device_layout.and_then(|_| load(net_devices::PROGRAM, "task"));

        // The object's maps belong to other programs. What the iterators use, the kernel keeps for them.
        let maps: Vec<_> = programs.maps().map(|(name, _)| name.to_owned()).collect();
        for map in maps {
            drop(programs.take_map(&map));
        }
        drop(types);
        system::give_back();
        Ok(Self {
            programs: RefCell::new(programs),
            packet_sockets,
            inet_sockets,
            net_devices,
        })
    }

    /// Every packet socket of every process, once for each descriptor that leads to it.
    ///
    /// # Errors
    /// This kernel refused the program, or the reading failed.
    pub(crate) fn packet_sockets(&self) -> Result<Bounded<Vec<PacketSocketRecord>>, Error> {
        self.packet_sockets.clone()?;
        let bytes = self.read(packet_sockets::PROGRAM, "bytes of packet sockets")?;
        Ok(bytes.map(|bytes| records::<Wire<_>>(&bytes).map(|wire| wire.0).collect()))
    }

    /// The sockets of TCP, UDP and raw IP of every process that can lose packets, once for each descriptor that leads to
    /// them.
    ///
    /// # Errors
    /// This kernel refused the program, or the reading failed.
    pub(crate) fn inet_sockets(&self) -> Result<Bounded<Vec<InetSocketRecord>>, Error> {
        self.inet_sockets.clone()?;
        let bytes = self.read(inet_sockets::PROGRAM, "bytes of sockets")?;
        Ok(bytes.map(|bytes| records::<Wire<_>>(&bytes).map(|wire| wire.0).collect()))
    }

    /// The devices of every namespace that a task is in.
    ///
    /// # Errors
    /// This kernel refused the program, or the reading failed.
    pub(crate) fn net_devices(&self) -> Result<Bounded<Vec<NetDeviceRecord>>, Error> {
        self.net_devices.clone()?;
        let bytes = self.read(net_devices::PROGRAM, "bytes of devices")?;
        Ok(bytes.map(|bytes| records::<Wire<_>>(&bytes).map(|wire| wire.0).collect()))
    }

    fn read(&self, program: &'static str, what: &'static str) -> Result<Bounded<Vec<u8>>, Error> {
        let mut programs = self.programs.borrow_mut();
        let file = open(&mut programs, program)?;
        read_all(file, what).map_err(|source| Error::Read {
            program,
            source: Arc::new(source),
        })
    }
}

fn load_one(
    programs: &mut Ebpf,
    name: &'static str,
    iterator: &str,
    types: &Btf,
) -> Result<(), Error> {
    find(programs, name)?
        .load(iterator, types)
        .map_err(|source| Error::refused(&source))
}

fn open(programs: &mut Ebpf, name: &'static str) -> Result<File, Error> {
    let refused = |source: ProgramError| Error::refused(&source);
    let program = find(programs, name)?;
    let link = program.attach().map_err(refused)?;
    let link = program.take_link(link).map_err(refused)?;
    link.into_file().map_err(|source| Error::refused(&source))
}

fn find<'a>(programs: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Iter, Error> {
    programs
        .program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(Error::Inconsistent { name })
}

/// Reads to the end. The kernel asks with EAGAIN to be read again after a million objects without a record.
fn read_all(mut file: impl Read, what: &'static str) -> io::Result<Bounded<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while bytes.len() < MOST_BYTES {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Bounded::whole(bytes)),
            Ok(length) => bytes.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Bounded::ended(bytes, what, MOST_BYTES))
}

/// The records in `bytes`; a torn one at the end is left out.
fn records<T: Pod>(bytes: &[u8]) -> impl Iterator<Item = T> {
    bytes.chunks_exact(size_of::<T>()).map(record)
}

#[expect(unsafe_code, reason = "turns the bytes of a record into its type")]
fn record<T: Pod>(bytes: &[u8]) -> T {
    debug_assert_eq!(bytes.len(), size_of::<T>());
    // SAFETY: there are as many bytes, any bytes are a `T`, and the read does not mind alignment.
    unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_without_end_is_ended_and_told() {
        let read = read_all(io::repeat(1), "bytes").unwrap();
        assert!(!read.is_whole());
        assert!(read.part().len() >= MOST_BYTES);
        assert!(read_all(&[1; 9][..], "bytes").unwrap().is_whole());
    }

    #[test]
    fn a_torn_record_is_left_out() {
        let bytes = vec![1; 2 * size_of::<NetDeviceRecord>() + 5];
        let found: Vec<_> = records::<Wire<NetDeviceRecord>>(&bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0.ifindex, 0x0101_0101);
    }
}
