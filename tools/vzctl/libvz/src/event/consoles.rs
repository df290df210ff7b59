// SPDX-License-Identifier: GPL-2.0
//! Consoles of VEs: the daemon holds the master sides and keeps what was
//! written last.

use crate::ctx::Ctx;
use crate::error::Result;
use crate::event::socket_error;
use crate::event::uevent::Event;
use crate::event::uevent::Kind;
use crate::id::Veid;
use crate::ve::console;
use crate::ve::console::Given;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::SocketAddrUnix;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::process::PidfdFlags;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// How much of a console's output is kept.
const KEPT: usize = 64 * 1024;

#[derive(Debug)]
struct Console {
    id: Veid,
    master: OwnedFd,
    /// Keeps the master from reporting a hang-up while nobody in the VE has
    /// the console open.
    _slave: OwnedFd,
    /// Readable when init is dead: the console must be gone before the VE is.
    init: OwnedFd,
    kept: Vec<u8>,
    /// Where [`Console::save`] writes; `vzctl start` made it.
    file: File,
}

/// All consoles and the socket they arrive on.
#[derive(Debug)]
pub(super) struct Consoles {
    socket: OwnedFd,
    arriving: Vec<OwnedFd>,
    list: Vec<Console>,
}

impl Consoles {
    pub(super) fn open(ctx: &Ctx<'_>) -> Result<Self> {
        let path = console::socket(&ctx.paths);
        let what = format!("cannot listen on {}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|e| socket_error(&what, e))?;
        }
        drop(std::fs::remove_file(&path));
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(|e| socket_error(&what, e))?;
        let address = SocketAddrUnix::new(&path).map_err(|e| socket_error(&what, e))?;
        let old = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let bound = rustix::net::bind(&socket, &address);
        rustix::process::umask(old);
        bound
            .and_then(|()| rustix::net::listen(&socket, 64))
            .map_err(|e| socket_error(&what, e))?;
        Ok(Self {
            socket,
            arriving: Vec::new(),
            list: Vec::new(),
        })
    }

    /// The socket, arriving connections, then two descriptors per console.
    pub(super) fn add_to<'s>(&'s self, fds: &mut Vec<PollFd<'s>>) {
        fds.push(PollFd::new(&self.socket, PollFlags::IN));
        for fd in &self.arriving {
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        for console in &self.list {
            fds.push(PollFd::new(&console.master, PollFlags::IN));
            fds.push(PollFd::new(&console.init, PollFlags::IN));
        }
    }

    /// Serves what is ready, in the order of [`Consoles::add_to`].
    pub(super) fn serve(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().copied();
        let mut next = || ready.next().unwrap_or(false);
        let accept = next();
        let arrived: Vec<bool> = self.arriving.iter().map(|_| next()).collect();
        let mut dead = Vec::new();
        for console in &mut self.list {
            let (output, ended) = (next(), next());
            if output && console.read() {
                console.save();
            }
            if ended {
                console.read();
                console.save();
                dead.push(console.id);
            }
        }
        self.list.retain(|c| !dead.contains(&c.id));
        let mut keep = arrived.iter().map(|a| !a);
        let mut new = Vec::new();
        self.arriving.retain(|fd| {
            let waits = keep.next().unwrap_or(true);
            if !waits {
                new.extend(console::receive(fd));
            }
            waits
        });
        for given in new {
            self.list.retain(|c| c.id != given.id);
            self.list.extend(Console::new(given));
        }
        if accept {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            while let Ok(fd) = rustix::net::accept_with(&self.socket, flags) {
                self.arriving.push(fd);
            }
        }
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        if event.kind != Kind::Start {
            let dead = |c: &Console| {
                let mut fds = [PollFd::new(&c.init, PollFlags::IN)];
                let now = rustix::event::Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
            };
            // A new start may have handed over its console already.
            self.list.retain(|c| c.id != event.id || !dead(c));
        }
    }
}

impl Console {
    /// `None` if it is no terminal, or its init is gone already.
    fn new(given: Given) -> Option<Self> {
        let Given {
            id,
            init,
            master,
            kept: file,
        } = given;
        let pid = rustix::process::Pid::from_raw(i32::try_from(init).ok()?)?;
        let init = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
        rustix::fs::fcntl_setfl(&master, OFlags::NONBLOCK).ok()?;
        let peer = rustix::pty::OpenptFlags::RDWR
            | rustix::pty::OpenptFlags::NOCTTY
            | rustix::pty::OpenptFlags::CLOEXEC;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, peer).ok()?;
        Some(Self {
            id,
            master,
            _slave: slave,
            init,
            kept: Vec::new(),
            file,
        })
    }

    /// Takes what was written; `true` if that was anything.
    fn read(&mut self) -> bool {
        let mut buf = [0u8; 8192];
        let mut any = false;
        // Bounded, so that one busy console does not starve the others.
        for _ in 0..16 {
            match rustix::io::read(&self.master, &mut buf) {
                Ok(n @ 1..) => {
                    any = true;
                    self.kept.extend_from_slice(&buf[..n]);
                    let over = self.kept.len().saturating_sub(KEPT);
                    self.kept.drain(..over);
                }
                Err(Errno::INTR) => {}
                _ => break,
            }
        }
        any
    }

    fn save(&self) {
        // On a full disk the end of the text is missing until there is space.
        drop(self.file.write_all_at(&self.kept, 0));
        drop(self.file.set_len(self.kept.len() as u64));
    }
}
