// SPDX-License-Identifier: GPL-2.0
//! Unpacking an OS template as the VE it is for.
//!
//! GNU tar runs as root of the VE's ids, so owners, ACLs and file
//! capabilities come out as the VE's own.  It never follows links it has just
//! made, and outside of the tree it could write only what anybody can.
//! Everything in `/dev` is left out: a VE gets its devices at start.

use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::progress::Bytes;
use crate::undo;
use crate::ve::userns;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;

/// Suffixes of templates and the programs that unpack them.
pub const FORMATS: [(&str, &[&str]); 5] = [
    ("tar.zst", &["zstd", "-dcq"]),
    ("tar.gz", &["gzip", "-dcq"]),
    ("tar.xz", &["xz", "-dcq"]),
    ("tar.bz2", &["bzip2", "-dcq"]),
    ("tar", &[]),
];

/// Unpacks `archive` into the empty directory `dir`, as ids `base`..
///
/// # Errors
/// A program is missing, the archive is broken, or the disk is full (46).
pub fn unpack(ctx: &Ctx<'_>, archive: &Path, dir: &Path, base: u32) -> Result<()> {
    let what = || format!("cannot unpack {}", archive.display());
    let name = archive.to_string_lossy();
    let filter = FORMATS
        .iter()
        .find(|(suffix, _)| name.ends_with(&format!(".{suffix}")));
    let Some((_, filter)) = filter else {
        return Err(Error::new(Code::NoTemplate, what()).why("the format is not known"));
    };
    for program in filter.first().into_iter().chain(&["tar"]) {
        if !userns::has_program(program) {
            return Err(Error::new(Code::System, what())
                .why(format!("the program {program} is missing"))
                .hint(format!(
                    "apt install {}",
                    if *program == "xz" {
                        "xz-utils"
                    } else {
                        program
                    }
                )));
        }
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dirfd = rustix::fs::open(dir, flags, Mode::empty()).or_err(Code::System, what)?;
    let namespace = ctx.kernel.id_namespace(base)?;
    let mut source = File::open(archive).or_err(Code::NoTemplate, what)?;
    let total = source.metadata().or_err(Code::System, what)?.len();
    let mut errors = tempfile::tempfile().or_err(Code::System, what)?;

    let (mut unzip, input) = match filter.split_first() {
        Some((program, args)) => {
            let mut child = Command::new(program)
                .args(args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(errors.try_clone().or_err(Code::System, what)?)
                .spawn()
                .or_err(Code::System, what)?;
            let out = child.stdout.take().map_or(Stdio::null(), Stdio::from);
            (Some(child), out)
        }
        None => (None, Stdio::piped()),
    };
    let mut tar = tar(&namespace, &dirfd, input, &errors).or_err(Code::System, what)?;
    let sink = match &mut unzip {
        Some(child) => child.stdin.take(),
        None => tar.stdin.take(),
    };
    let bar = Bytes::start(&ctx.out, "unpacking", total);
    let fed = sink.map_or(Ok(()), |sink| feed(&mut source, sink, &bar));
    drop(bar);
    if fed.is_err() {
        // Interrupted, or one of them died and says why below.
        drop(unzip.as_mut().map(Child::kill));
        if undo::interrupted() {
            drop(tar.kill());
        }
    }
    let unzipped = unzip.map_or(Ok(true), |mut c| c.wait().map(|s| s.success()));
    let status = tar.wait().or_err(Code::System, what)?;
    undo::check_interrupt()?;
    let mut said = String::new();
    errors
        .rewind()
        .and_then(|()| errors.read_to_string(&mut said))
        .or_err(Code::System, what)?;
    let bad: Vec<&str> = said.lines().filter(|l| !harmless(l)).collect();
    let ok = unzipped.or_err(Code::System, what)? && (status.success() || bad.is_empty());
    if ok && fed.is_ok() {
        return Ok(());
    }
    let full = bad
        .iter()
        .any(|l| l.contains("No space left") || l.contains("quota exceeded"));
    let code = if full { Code::NoSpace } else { Code::System };
    let last: Vec<&str> = bad.iter().rev().take(3).rev().copied().collect();
    let why = if last.is_empty() {
        status.to_string()
    } else {
        last.join("; ")
    };
    Err(Error::new(code, what()).why(why))
}

fn tar(
    namespace: &Option<OwnedFd>,
    dir: &OwnedFd,
    input: Stdio,
    errors: &File,
) -> std::io::Result<Child> {
    let mut cmd = Command::new("tar");
    cmd.args(["-x", "-f", "-", "--numeric-owner", "--preserve-permissions"])
        .args([
            "--xattrs",
            "--xattrs-include=*",
            "--acls",
            "--delay-directory-restore",
        ])
        .args(["--anchored", "--exclude=./dev/*", "--exclude=dev/*"])
        .env("LC_ALL", "C")
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(errors.try_clone()?);
    if namespace.is_none() {
        cmd.arg("--no-same-owner");
    }
    userns::enter(&mut cmd, namespace.as_ref(), dir);
    cmd.spawn()
}

fn feed(source: &mut File, mut sink: ChildStdin, bar: &Bytes) -> std::io::Result<()> {
    let mut buf = vec![0u8; 256 * 1024];
    loop {
        if undo::interrupted() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let n = match source.read(&mut buf) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        sink.write_all(buf.get(..n).unwrap_or_default())?;
        bar.add(n as u64);
    }
}

/// What tar says although nothing that matters is missing: devices cannot be
/// made in a VE, and labels of the node's security modules are not its own.
fn harmless(line: &str) -> bool {
    line.trim().is_empty()
        || (line.contains("Cannot mknod") && line.contains("Operation not permitted"))
        || line.contains("Exiting with failure status due to previous errors")
        || line.contains("Cannot set 'security.selinux' extended attribute")
        || line.contains("Cannot setxattr: 'trusted.")
        || line.contains("in the future")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_matter() {
        assert!(harmless(
            "tar: ./lib/udev/null: Cannot mknod: Operation not permitted"
        ));
        assert!(!harmless("tar: ./x: Cannot mknod: No space left on device"));
        assert!(!harmless("tar: Unexpected EOF in archive"));
    }
}
