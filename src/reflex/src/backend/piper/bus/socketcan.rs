//! A bus of this computer, by the kernel's raw CAN sockets.
//!
//! **What can wait to be sent, and what a flush does.** A frame that was handed over goes through the socket's send buffer
//! and the interface's queue to the controller, and nothing takes it back from there: neither closing the socket nor any
//! call without the right to configure the network. So little is let in: the send buffer is cut down to about ten frames,
//! then [`BusError::Full`] is answered. On a bus that works ten frames take 1.3 ms. On one that does not (a cable pulled:
//! nobody acknowledges) they stay, and leave first when it works again, in their order, before whatever was sent later: a
//! stop that comes after them is what counts in the end. At bus-off the kernel throws them away. [`Bus::flush`] answers 0.
//!
//! **An interface that is down or gone** is told by the next call and lets go of the socket; [`Bus::reopen`] makes another.
//! Both take the kernel's network lock, which others hold for moments only.
//!
//! **Time** is the kernel's, taken where a frame comes out of its driver.

use std::{
    io::{self, ErrorKind},
    os::fd::AsFd,
};

use motion::Nanos;
use socketcan::{
    CanAddr, CanDataFrame, CanFrame, CanSocket, EmbeddedFrame, Id, Socket, SocketOptions,
    StandardId,
};

use super::{Bus, BusError, BusTrouble, Frame, Heard, Inbox, OpenError, Received};
use crate::clock::{Ready, monotonic_now, monotonic_of, wait_for};

/// Send buffer, which the kernel doubles: about ten frames of its 768 bytes each.
const SEND_ROOM: usize = 4096;

/// Receive buffer, as far as the kernel allows: half a second of a whole arm.
const RECEIVE_ROOM: usize = 1 << 20;

/// Everything but lost arbitration, which is how a bus is shared.
const ERRORS: u32 = libc::CAN_ERR_MASK & !libc::CAN_ERR_LOSTARB;

/// A raw CAN socket.
pub(super) struct Socketcan {
    name: String,
    socket: Option<CanSocket>,
    gone: BusError,
}

/// Opens an interface.
pub(super) fn open(name: &str) -> Result<Socketcan, OpenError> {
    let mut bus = Socketcan { name: name.to_owned(), socket: None, gone: BusError::Closed };
    match bus.reopen() {
        Ok(()) => Ok(bus),
        Err(why) => Err(OpenError::new(name.to_owned(), reason(name, why))),
    }
}

/// What is wrong with an interface, and the remedy.
fn reason(name: &str, why: BusError) -> String {
    let up = format!("`ip link set {name} up type can bitrate 1000000 restart-ms 100`");
    let is_there = CanAddr::from_iface(name).is_ok();
    match why {
        BusError::Down => format!("the interface is down: {up}"),
        BusError::Closed if is_there => "the interface is no CAN interface".into(),
        BusError::Closed => format!(
            "there is no such interface: is the adapter plugged in, and its driver loaded? Then {up}"
        ),
        BusError::Os(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT) => {
            "this kernel has no CAN sockets: `modprobe can_raw`, or use socketcand://".into()
        }
        BusError::Os(libc::EPERM | libc::EACCES) => "CAN sockets are not permitted".into(),
        why => why.to_string(),
    }
}

/// A socket on an interface, with everything set.
fn connect(name: &str) -> io::Result<CanSocket> {
    let socket = CanSocket::open_addr(&CanAddr::from_iface(name)?)?;
    socket.set_nonblocking(true)?;
    socket.set_error_filter(ERRORS)?;
    socket.set_recv_timestamp(true)?;
    // Other programs on this computer hear us and we hear them; we do not hear ourselves.
    socket.set_loopback(true)?;
    socket.set_recv_own_msgs(false)?;
    let raw = socket.as_raw_socket();
    raw.set_send_buffer_size(SEND_ROOM)?;
    raw.set_recv_buffer_size(RECEIVE_ROOM)?;
    // An interface that is down takes a socket all the same, and says so here.
    match raw.take_error()? {
        Some(why) => Err(why),
        None => Ok(socket),
    }
}

impl Socketcan {
    /// Lets go of the socket.
    fn lose(&mut self, why: BusError) -> BusError {
        (self.socket, self.gone) = (None, why);
        why
    }

    /// Takes in what has come, without waiting: at most as much as there is room for, heard or not.
    fn look(&mut self, into: &mut Inbox) -> Result<(), BusError> {
        let Some(socket) = &self.socket else { return Err(self.gone) };
        for _ in 0..into.room() {
            match socket.read_frame_with_timestamps() {
                Ok((frame, stamps)) => {
                    let at = stamps.socket.map_or_else(monotonic_now, monotonic_of);
                    if let Some(heard) = heard(&frame) {
                        into.push(Received { heard, at });
                    }
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                // Not a classic frame: none of ours.
                Err(why) if why.kind() == ErrorKind::InvalidData => {}
                Err(why) => return Err(self.lose(os(&why))),
            }
        }
        Ok(())
    }
}

/// What a frame of the kernel says. Extended ids and remote frames are nothing of a Piper's.
fn heard(frame: &CanFrame) -> Option<Heard> {
    match frame {
        CanFrame::Data(data) => match data.id() {
            Id::Standard(id) => Frame::new(id.as_raw(), data.data()).map(Heard::Frame),
            Id::Extended(_) => None,
        },
        CanFrame::Remote(_) => None,
        CanFrame::Error(error) => {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(error.data()).for_each(|(to, from)| *to = *from);
            Some(Heard::Error(BusTrouble::of_error_frame(error.error_bits(), bytes)))
        }
    }
}

impl Bus for Socketcan {
    fn wait(&mut self, until: Nanos, into: &mut Inbox) -> Result<(), BusError> {
        let room = into.room();
        loop {
            let looked = self.look(into);
            // What was heard before the interface was lost comes first; that it was, the next call says.
            if into.room() < room {
                return Ok(());
            }
            looked?;
            if room == 0 || monotonic_now() >= until {
                return Ok(());
            }
            let Some(socket) = &self.socket else { return Err(self.gone) };
            if let Err(why) = wait_for(socket.as_fd(), Ready::Read, until) {
                return Err(self.lose(os(&why)));
            }
        }
    }

    fn send(&mut self, frame: &Frame) -> Result<(), BusError> {
        let Some(socket) = &self.socket else { return Err(self.gone) };
        let ours = StandardId::new(frame.id).and_then(|id| CanDataFrame::new(id, frame.bytes()));
        let Some(ours) = ours else { return Err(BusError::Os(libc::EINVAL)) };
        match socket.write_frame(&CanFrame::Data(ours)) {
            Ok(()) => Ok(()),
            Err(why) => match os(&why) {
                BusError::Full => Err(BusError::Full),
                why => Err(self.lose(why)),
            },
        }
    }

    fn flush(&mut self) -> usize {
        0
    }

    fn reopen(&mut self) -> Result<(), BusError> {
        if self.socket.is_none() {
            match connect(&self.name) {
                Ok(socket) => self.socket = Some(socket),
                Err(why) => return Err(self.lose(os(&why))),
            }
        }
        Ok(())
    }
}

/// An error of the system, as ours.
fn os(why: &io::Error) -> BusError {
    match why.raw_os_error() {
        // The send buffer is full, or the interface's queue.
        Some(libc::EAGAIN | libc::ENOBUFS) => BusError::Full,
        Some(libc::ENETDOWN) => BusError::Down,
        Some(libc::ENODEV | libc::ENXIO) => BusError::Closed,
        number => BusError::Os(number.unwrap_or(libc::EIO)),
    }
}

#[cfg(test)]
mod tests;
