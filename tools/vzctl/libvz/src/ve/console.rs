// SPDX-License-Identifier: GPL-2.0
//! The way of a console from `vzctl start` to vzeventd.
//!
//! Somebody has to hold the master side of a VE's console and read it, or its
//! init would block or be hung up.  vzeventd does.  Where it is not running a
//! VE has no console, which every init copes with.

use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::paths::Paths;
use rustix::net::AddressFamily;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use rustix::net::SocketAddrUnix;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use std::fs::File;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Socket of vzeventd.
#[must_use]
pub fn socket(paths: &Paths) -> PathBuf {
    paths.host("/run/vz/console.sock")
}

/// Last output of a VE's console.
#[must_use]
pub fn file(paths: &Paths, id: Veid) -> PathBuf {
    paths.run_dir(id).join("console")
}

/// Connection to vzeventd.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Link {
    /// `None`: the daemon is not running.
    #[must_use]
    pub fn open(ctx: &Ctx<'_>) -> Option<Self> {
        let address = SocketAddrUnix::new(socket(&ctx.paths)).ok()?;
        let fd = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .ok()?;
        rustix::net::connect(&fd, &address).ok()?;
        Some(Self(fd))
    }

    /// Hands over the console of a VE whose init has this pid on the node,
    /// and the file its output is to be kept in. Whoever starts the VE made
    /// that file and removes it; the daemon never makes a name.
    ///
    /// # Errors
    /// The daemon went away.
    pub fn give(&self, id: Veid, init: u32, master: &OwnedFd, kept: &File) -> Result<()> {
        let fds = [master.as_fd(), kept.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let [a, b] = [id.get().to_ne_bytes(), init.to_ne_bytes()];
        let text = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
        rustix::net::sendmsg(
            &self.0,
            &[IoSlice::new(&text)],
            &mut control,
            SendFlags::NOSIGNAL,
        )
        .map(drop)
        .or_err(Code::System, || {
            format!("vzeventd does not take the console of VE {id}")
        })
    }
}

/// What [`Link::give`] sent.
#[derive(Debug)]
pub struct Given {
    /// Whose console.
    pub id: Veid,
    /// Pid of its init on the node.
    pub init: u32,
    /// Master side of the terminal.
    pub master: OwnedFd,
    /// Where its last output is kept.
    pub kept: File,
}

/// The daemon's side of [`Link::give`].
#[must_use]
pub fn receive(connection: &OwnedFd) -> Option<Given> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut text = [0u8; 8];
    let mut iov = [IoSliceMut::new(&mut text)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = rustix::net::recvmsg(connection, &mut iov, &mut control, flags).ok()?;
    if got.bytes != text.len() {
        return None;
    }
    let mut fds = control.drain().find_map(|msg| match msg {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    })?;
    Some(Given {
        id: Veid::new(u32::from_ne_bytes(*text.first_chunk()?))?,
        init: u32::from_ne_bytes(*text.last_chunk()?),
        master: fds.next()?,
        kept: File::from(fds.next()?),
    })
}
