// SPDX-License-Identifier: GPL-2.0
//! A guest's file tree, seen from the node.
//!
//! Nothing in it is trusted.  Every path is resolved by the kernel with the
//! tree as root (`RESOLVE_IN_ROOT`) and without magic links, files are opened
//! only if they are plain ones, and a changed file is a new one renamed into
//! place, with the owner and mode of the old.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Stat;
use rustix::fs::Uid;
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

/// Largest file that is read: more is not a configuration file.
const MAX_SIZE: u64 = 1 << 20;

const NEW_NAME: &str = ".vzctl-new";

/// An opened file tree.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    root: OwnedFd,
    uid: u32,
    gid: u32,
}

impl Tree {
    /// Opens the tree whose root directory is `path`; its owner is the
    /// guest's root.
    ///
    /// # Errors
    /// Not a directory, or closed to the caller.
    pub fn open(path: &Path) -> Result<Self> {
        let what = || format!("cannot open the file tree {}", path.display());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).or_err(Code::System, what)?;
        let st = rustix::fs::fstat(&root).or_err(Code::System, what)?;
        Ok(Self {
            path: path.to_path_buf(),
            root,
            uid: st.st_uid,
            gid: st.st_gid,
        })
    }

    /// Node-side id of the guest's user 0.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Descriptor of the root directory.
    #[must_use]
    pub fn root(&self) -> &OwnedFd {
        &self.root
    }

    fn resolve(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(
                &self.root,
                path,
                flags | OFlags::CLOEXEC,
                Mode::empty(),
                how,
            ) {
                // The kernel could not rule out a race with a rename.
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
    }

    fn failed(&self, path: &str, verb: &str) -> String {
        format!("cannot {verb} {path} in {}", self.path.display())
    }

    /// Type and owner of what the path leads to, if anything.
    #[must_use]
    pub fn stat(&self, path: &str) -> Option<Stat> {
        let fd = self.resolve(path, OFlags::PATH).ok()?;
        rustix::fs::statat(&fd, c"", AtFlags::EMPTY_PATH).ok()
    }

    /// Whether the path leads to a plain file.
    #[must_use]
    pub fn is_file(&self, path: &str) -> bool {
        self.stat(path)
            .is_some_and(|s| FileType::from_raw_mode(s.st_mode).is_file())
    }

    /// Whether the path leads to a directory.
    #[must_use]
    pub fn is_dir(&self, path: &str) -> bool {
        self.stat(path)
            .is_some_and(|s| FileType::from_raw_mode(s.st_mode).is_dir())
    }

    /// Whether the path itself is a symbolic link.
    #[must_use]
    pub fn is_link(&self, path: &str) -> bool {
        self.parent(path).is_ok_and(|(dir, name)| {
            rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_symlink())
        })
    }

    /// Content of a plain file; `None` if there is no such file.
    ///
    /// # Errors
    /// Something else than a plain file, unreadable, or too large.
    pub fn read(&self, path: &str) -> Result<Option<String>> {
        self.read_up_to(path, MAX_SIZE)
    }

    /// As [`Tree::read`], with another bound on the size.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn read_up_to(&self, path: &str, max: u64) -> Result<Option<String>> {
        // Not blocked by a FIFO in the file's place.
        let fd = match self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => other.or_err(Code::System, || self.failed(path, "read"))?,
        };
        let st = rustix::fs::fstat(&fd).or_err(Code::System, || self.failed(path, "read"))?;
        if !FileType::from_raw_mode(st.st_mode).is_file() {
            return Err(
                Error::new(Code::BadTree, self.failed(path, "read")).why("it is not a plain file")
            );
        }
        let mut bytes = Vec::new();
        File::from(fd)
            .take(max.saturating_add(1))
            .read_to_end(&mut bytes)
            .or_err(Code::System, || self.failed(path, "read"))?;
        if bytes.len() as u64 > max {
            return Err(Error::new(Code::BadTree, self.failed(path, "read")).why("it is too large"));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Directory of a path, and the last component.
    fn parent<'p>(&self, path: &'p str) -> rustix::io::Result<(OwnedFd, &'p str)> {
        let (dir, name) = path
            .trim_end_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", path));
        if name.is_empty() || name == "." || name == ".." {
            return Err(Errno::INVAL);
        }
        let dir = if dir.is_empty() { "/" } else { dir };
        // O_PATH is enough for the *at calls below.
        Ok((self.resolve(dir, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    /// Replaces a file. A new one gets `mode` and the guest's root as owner;
    /// an old one's owner and mode are kept. The same content: nothing done.
    ///
    /// # Errors
    /// The directory is missing, or writing failed.
    pub fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        let (dir, name) = self
            .parent(path)
            .or_err(Code::System, || self.failed(path, "write"))?;
        let old = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let old = old.filter(|s| FileType::from_raw_mode(s.st_mode).is_file());
        if old.is_some() && self.read(path)?.as_deref() == Some(text) {
            return Ok(());
        }
        let (uid, gid, mode) = match &old {
            Some(st) => (st.st_uid, st.st_gid, st.st_mode & 0o7777),
            None => (self.uid, self.gid, mode),
        };
        self.replace(&dir, name, text, uid, gid, mode)
            .or_err(Code::System, || self.failed(path, "write"))
    }

    fn replace(
        &self,
        dir: &OwnedFd,
        name: &str,
        text: &str,
        uid: u32,
        gid: u32,
        mode: u32,
    ) -> std::io::Result<()> {
        match rustix::fs::unlinkat(dir, NEW_NAME, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, NEW_NAME, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(fd);
        let done = file.write_all(text.as_bytes()).and_then(|()| {
            rustix::fs::fchown(
                file.as_fd(),
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
            )?;
            rustix::fs::fchmod(file.as_fd(), Mode::from_raw_mode(mode))?;
            file.sync_data()?;
            Ok(rustix::fs::renameat(dir, NEW_NAME, dir, name)?)
        });
        if done.is_err() {
            // The first error is the one to tell.
            let _ = rustix::fs::unlinkat(dir, NEW_NAME, AtFlags::empty());
        }
        done
    }

    /// Deletes a file or link; a missing one is no error.
    ///
    /// # Errors
    /// A directory, or the call failed.
    pub fn remove(&self, path: &str) -> Result<()> {
        let res = self
            .parent(path)
            .and_then(|(dir, name)| rustix::fs::unlinkat(&dir, name, AtFlags::empty()));
        match res {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(e) => Err(e).or_err(Code::System, || self.failed(path, "remove")),
        }
    }

    /// Makes a symbolic link that belongs to the guest's root, and the
    /// directory it is in. An existing entry is left alone.
    ///
    /// # Errors
    /// The call failed.
    pub fn link(&self, target: &str, path: &str) -> Result<()> {
        let what = || self.failed(path, "make");
        if let Some((dir, _)) = path.rsplit_once('/').filter(|(d, _)| !d.is_empty()) {
            if !self.is_dir(dir) {
                self.make_dir(dir, 0o755, 0, 0)?;
            }
        }
        let (dir, name) = self.parent(path).or_err(Code::System, what)?;
        match rustix::fs::symlinkat(target, &dir, name) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(()),
            Err(e) => return Err(e).or_err(Code::System, what),
        }
        let owner = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
        rustix::fs::chownat(&dir, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
            .or_err(Code::System, what)
    }

    /// Makes a directory that belongs to a user of the guest.
    ///
    /// # Errors
    /// It exists, or the call failed.
    pub fn make_dir(&self, path: &str, mode: u32, uid: u32, gid: u32) -> Result<()> {
        let what = || self.failed(path, "make");
        let (dir, name) = self.parent(path).or_err(Code::Mkdir, what)?;
        rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o700)).or_err(Code::Mkdir, what)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made =
            rustix::fs::openat(&dir, name, flags, Mode::empty()).or_err(Code::Mkdir, what)?;
        let owner = (Uid::from_raw(self.uid + uid), Gid::from_raw(self.gid + gid));
        rustix::fs::fchown(&made, Some(owner.0), Some(owner.1)).or_err(Code::Mkdir, what)?;
        rustix::fs::fchmod(&made, Mode::from_raw_mode(mode)).or_err(Code::Mkdir, what)
    }

    /// Names in a directory; none if there is no such directory.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self, path: &str) -> Result<Vec<String>> {
        let fd = match self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            other => other.or_err(Code::System, || self.failed(path, "read"))?,
        };
        let dir = rustix::fs::Dir::new(fd).or_err(Code::System, || self.failed(path, "read"))?;
        Ok(dir
            .flatten()
            .filter_map(|e| e.file_name().to_str().ok().map(str::to_string))
            .filter(|n| n != "." && n != "..")
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("guest/etc")).unwrap();
        let tree = Tree::open(&dir.path().join("guest")).unwrap();
        (dir, tree)
    }

    #[test]
    fn links_cannot_leave_the_tree() {
        let (dir, tree) = tree();
        let outside = dir.path().join("secret");
        std::fs::write(&outside, "secret").unwrap();
        symlink(&outside, dir.path().join("guest/etc/a")).unwrap();
        symlink("../../secret", dir.path().join("guest/etc/b")).unwrap();
        symlink(dir.path(), dir.path().join("guest/out")).unwrap();
        assert_eq!(tree.read("/etc/a").unwrap(), None);
        assert_eq!(tree.read("/etc/b").unwrap(), None);
        assert_eq!(tree.read("/out/secret").unwrap(), None);
        assert!(tree.write("/out/new", "x", 0o644).is_err());
        tree.write("/etc/a", "mine", 0o644).unwrap();
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret");
        assert_eq!(tree.read("/etc/a").unwrap().as_deref(), Some("mine"));
        tree.remove("/etc/b").unwrap();
        assert!(outside.exists());
    }

    #[test]
    fn absolute_links_stay_inside() {
        let (dir, tree) = tree();
        symlink("/etc/real", dir.path().join("guest/etc/link")).unwrap();
        tree.write("/etc/real", "content", 0o600).unwrap();
        assert_eq!(tree.read("/etc/link").unwrap().as_deref(), Some("content"));
        assert!(tree.is_link("/etc/link"));
        assert!(!tree.is_link("/etc/real"));
    }

    #[test]
    fn mode_is_kept_and_no_new_file_is_left() {
        let (dir, tree) = tree();
        let file = dir.path().join("guest/etc/shadow");
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        tree.write("/etc/shadow", "new", 0o600).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(tree.names("/etc").unwrap(), ["shadow"]);
    }

    #[test]
    fn fifos_and_directories_are_no_files() {
        let (dir, tree) = tree();
        nix::unistd::mkfifo(
            &dir.path().join("guest/etc/fifo"),
            nix::sys::stat::Mode::S_IRWXU,
        )
        .unwrap();
        assert!(tree.read("/etc/fifo").is_err());
        assert!(tree.read("/etc").is_err());
    }
}
