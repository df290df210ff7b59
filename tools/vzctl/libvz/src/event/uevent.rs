// SPDX-License-Identifier: GPL-2.0
//! Uevents of the control device.

use crate::error::Result;
use crate::event::socket_error;
use crate::id::Veid;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink;
use std::os::fd::OwnedFd;

/// What happened to a VE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It runs.
    Start,
    /// It is down.
    Stop,
    /// It is down and wants to be started again.
    Reboot,
}

/// An event of a VE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// The VE.
    pub(super) id: Veid,
    /// What happened.
    pub(super) kind: Kind,
}

/// The kernel's uevents.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

impl Listener {
    pub(super) fn open() -> Result<Self> {
        let what = "cannot listen to kernel events";
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::KOBJECT_UEVENT),
        )
        .map_err(|e| socket_error(what, e))?;
        // 300 VEs may stop at once.
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&fd, 4 << 20)
            .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&fd, 4 << 20))
            .map_err(|e| socket_error(what, e))?;
        // Group 1 is the kernel's own; udev's group is another.
        rustix::net::bind(&fd, &netlink::SocketAddrNetlink::new(0, 1))
            .map_err(|e| socket_error(what, e))?;
        Ok(Self(fd))
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// The next event of a VE, if there is one; `lost` is set when the kernel
    /// had to drop some.
    pub(super) fn next(&self, lost: &mut bool) -> Option<Event> {
        let mut buf = [0u8; 8192];
        loop {
            match rustix::net::recvfrom(&self.0, &mut buf, RecvFlags::DONTWAIT) {
                Ok((_, len, from)) => {
                    // Only the kernel has port 0; a process could have sent
                    // to our port.
                    let from = from.and_then(|a| netlink::SocketAddrNetlink::try_from(a).ok());
                    if from.is_none_or(|a| a.pid() != 0) {
                        continue;
                    }
                    if let Some(event) = buf.get(..len).and_then(parse) {
                        return Some(event);
                    }
                }
                Err(Errno::NOBUFS) => *lost = true,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
}

/// `change@/devices/...` and `KEY=VALUE` strings, each ended by a zero.
fn parse(bytes: &[u8]) -> Option<Event> {
    let mut fields = bytes
        .split(|b| *b == 0)
        .filter_map(|f| std::str::from_utf8(f).ok());
    fields.next().filter(|head| head.starts_with("change@"))?;
    let (mut subsystem, mut name, mut kind, mut id) = (None, None, None, None);
    for field in fields {
        match field.split_once('=') {
            Some(("SUBSYSTEM", v)) => subsystem = Some(v),
            Some(("DEVPATH", v)) => name = v.rsplit('/').next(),
            Some(("VEID", v)) => id = Veid::parse(v),
            Some(("VE_EVENT", v)) => {
                kind = match v {
                    "start" => Some(Kind::Start),
                    "stop" => Some(Kind::Stop),
                    "reboot" => Some(Kind::Reboot),
                    _ => None,
                }
            }
            _ => {}
        }
    }
    if subsystem != Some("misc") || name != Some("vzctl") {
        return None;
    }
    Some(Event {
        id: id.filter(|id| !id.is_node())?,
        kind: kind?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"change@/devices/virtual/misc/vzctl\0ACTION=change\0\
        DEVPATH=/devices/virtual/misc/vzctl\0SUBSYSTEM=misc\0VE_EVENT=reboot\0VEID=101\0\
        VE_SERIAL=7\0MAJOR=10\0SEQNUM=1\0";

    #[test]
    fn events() {
        let event = parse(GOOD).unwrap();
        assert_eq!((event.id.get(), event.kind), (101, Kind::Reboot));
    }

    #[test]
    fn foreign_and_broken_messages() {
        let text = String::from_utf8(GOOD.to_vec()).unwrap();
        for (from, to) in [
            ("SUBSYSTEM=misc", "SUBSYSTEM=net"),
            ("misc/vzctl\0SUB", "misc/other\0SUB"),
            ("VEID=101", "VEID=0"),
            ("VEID=101", "VEID=-1"),
            ("=reboot", "=dance"),
            ("change@", "add@"),
        ] {
            assert!(text.contains(from));
            assert_eq!(parse(text.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"\xff\0\xff"), None);
    }
}
