// SPDX-License-Identifier: GPL-2.0
//! Template caches: `NAME.tar.zst` with `NAME.manifest.json` beside it.

use crate::ctx::Ctx;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::pkg::Fail;
use crate::pkg::Failure;
use crate::pkg::apt;
use crate::pkg::apt::Package;
use crate::pkg::recipe::Manager;
use crate::pkg::recipe::Recipe;
use crate::progress::Bytes;
use crate::progress::Phase;
use crate::undo;
use crate::undo::Stack;
use crate::undo::Undo;
use crate::ve::unpack::FORMATS;
use rustix::fs::FlockOperation;
use serde::Deserialize;
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// What is in an archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the template.
    pub name: String,
    /// Seconds since 1970 when it was built.
    pub built: u64,
    /// Checksum of the archive.
    pub sha256: String,
    /// Bytes of the unpacked archive.
    pub bytes: u64,
    /// Entries of the archive.
    pub files: u64,
    /// Packages.
    pub packages: Vec<Package>,
}

/// Room an archive needs when unpacked.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Bytes on disk.
    pub bytes: u64,
    /// Inodes.
    pub files: u64,
}

/// Name of an archive without its suffix.
fn stem(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    FORMATS
        .iter()
        .find_map(|(s, _)| Some(name.strip_suffix(s)?.strip_suffix('.')?.to_string()))
}

/// The archive of a template, `.zst` preferred.
#[must_use]
pub fn archive(paths: &Paths, name: &str) -> Option<PathBuf> {
    let dir = paths.cache_dir();
    FORMATS
        .iter()
        .map(|(s, _)| dir.join(format!("{name}.{s}")))
        .find(|p| p.is_file())
}

/// Names of all templates that have an archive, sorted.
#[must_use]
pub fn cached(paths: &Paths) -> Vec<String> {
    let Ok(dir) = std::fs::read_dir(paths.cache_dir()) else {
        return Vec::new();
    };
    let mut names: Vec<String> = dir
        .flatten()
        .filter(|e| !e.file_name().to_string_lossy().starts_with('.'))
        .filter_map(|e| stem(&e.path()))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn manifest_path(archive: &Path) -> PathBuf {
    let stem = stem(archive).unwrap_or_default();
    archive.with_file_name(format!("{stem}.manifest.json"))
}

/// What is known of an archive; foreign ones have no manifest.
#[must_use]
pub fn manifest(archive: &Path) -> Option<Manifest> {
    let text = std::fs::read_to_string(manifest_path(archive)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Room the tree needs, guessed without a manifest.
#[must_use]
pub fn unpacked_size(archive: &Path) -> Size {
    match manifest(archive) {
        Some(m) => Size {
            bytes: m.bytes,
            files: m.files,
        },
        None => {
            let packed = archive.metadata().map_or(0, |m| m.len());
            Size {
                bytes: packed.saturating_mul(4),
                files: packed / 4096,
            }
        }
    }
}

fn failed(recipe: &Recipe, why: impl std::fmt::Display) -> Failure {
    Failure::new(Fail::Manager, format!("cannot build {}", recipe.name)).why(why)
}

/// Builds a template and puts it where `output` says, or into the cache.
/// With `only_newer` an archive with the same packages is left alone.
///
/// # Errors
/// See [`apt::build`]; 21 if another process builds it.
pub fn build(
    ctx: &Ctx<'_>,
    recipe: &Recipe,
    output: Option<&Path>,
    only_newer: bool,
) -> Result<Option<PathBuf>, Failure> {
    let target = match output {
        Some(path) => path.to_path_buf(),
        None => ctx
            .paths
            .cache_dir()
            .join(format!("{}.tar.zst", recipe.name)),
    };
    if !target.to_string_lossy().ends_with(".tar.zst") {
        return Err(
            Failure::new(Fail::BadArgument, format!("bad name {}", target.display()))
                .why("an archive ends in .tar.zst"),
        );
    }
    let dir = match target.parent().filter(|d| !d.as_os_str().is_empty()) {
        Some(dir) => dir.to_path_buf(),
        None => PathBuf::from("."),
    };
    std::fs::create_dir_all(&dir).map_err(|e| failed(recipe, e))?;
    let _lock = lock(ctx, recipe)?;
    undo::catch_interrupts();
    let none = Lock::none();
    let stack = Stack::new(ctx.kernel, &none)?;
    let work = dir.join(format!(".build-{}", recipe.name));
    stack.push(Undo::RemoveTree(work.clone()))?;
    // We hold the lock: what is there was left by a crash.
    undo::remove_tree(&work).map_err(|e| failed(recipe, e))?;
    std::fs::create_dir(&work).map_err(|e| failed(recipe, e))?;
    let tar = work.join("tree.tar");
    let packages = match recipe.manager {
        Manager::Apt => apt::build(ctx, recipe, &work, &tar)?,
    };
    let old = manifest(&target).filter(|_| target.is_file());
    if only_newer && old.is_some_and(|m| m.packages == packages) {
        return Ok(None);
    }
    let packed = work.join("tree.tar.zst");
    compress(ctx, recipe, &tar, &packed)?;
    let manifest = Manifest {
        name: recipe.name.clone(),
        built: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs()),
        sha256: sha256(recipe, &packed)?,
        bytes: tar.metadata().map_err(|e| failed(recipe, e))?.len(),
        files: entries(recipe, &tar)?,
        packages,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| failed(recipe, e))?;
    let json = work.join("manifest.json");
    std::fs::write(&json, text + "\n").map_err(|e| failed(recipe, e))?;
    undo::check_interrupt()?;
    // An archive without its manifest still works, the reverse would lie.
    std::fs::rename(&packed, &target)
        .and_then(|()| std::fs::rename(&json, manifest_path(&target)))
        .map_err(|e| failed(recipe, e))?;
    Ok(Some(target))
}

/// Held until the file is closed.
fn lock(ctx: &Ctx<'_>, recipe: &Recipe) -> Result<File, Failure> {
    let dir = ctx.paths.host("/run/vz");
    std::fs::create_dir_all(&dir).map_err(|e| failed(recipe, e))?;
    let path = dir.join(format!("vzpkg-{}.lock", recipe.name));
    let file = File::create(&path).map_err(|e| failed(recipe, e))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Failure::new(Fail::Locked, format!("{} is being built", recipe.name))
            .why("another vzpkg works on it")
    })?;
    Ok(file)
}

fn compress(ctx: &Ctx<'_>, recipe: &Recipe, from: &Path, to: &Path) -> Result<(), Failure> {
    let mut source = File::open(from).map_err(|e| failed(recipe, e))?;
    let total = source.metadata().map_err(|e| failed(recipe, e))?.len();
    let sink = File::create(to).map_err(|e| failed(recipe, e))?;
    let mut child = Command::new("zstd")
        .args(["-q", "-c", "-T0", "-10"])
        .stdin(Stdio::piped())
        .stdout(sink.try_clone().map_err(|e| failed(recipe, e))?)
        .spawn()
        .map_err(|e| failed(recipe, format!("zstd: {e}")).hint("apt install zstd"))?;
    let bar = Bytes::start(&ctx.out, "compressing", total);
    let mut buf = vec![0u8; 256 * 1024];
    if let Some(mut pipe) = child.stdin.take() {
        loop {
            let n = source.read(&mut buf).map_err(|e| failed(recipe, e))?;
            if n == 0 || undo::interrupted() || pipe.write_all(&buf[..n]).is_err() {
                break;
            }
            bar.add(n as u64);
        }
    }
    drop(bar);
    let status = child.wait().map_err(|e| failed(recipe, e))?;
    undo::check_interrupt()?;
    if !status.success() {
        return Err(failed(recipe, format!("zstd: {status}")));
    }
    sink.sync_all().map_err(|e| failed(recipe, e))
}

fn output(recipe: &Recipe, mut cmd: Command) -> Result<String, Failure> {
    let out = cmd
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| failed(recipe, e))?;
    match out.status.success() {
        true => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        false => Err(failed(recipe, format!("{cmd:?}: {}", out.status))),
    }
}

fn sha256(recipe: &Recipe, path: &Path) -> Result<String, Failure> {
    let mut cmd = Command::new("sha256sum");
    cmd.arg("--").arg(path);
    let text = output(recipe, cmd)?;
    let sum = text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_start_matches('\\');
    Ok(sum.to_string())
}

fn entries(recipe: &Recipe, tar: &Path) -> Result<u64, Failure> {
    let mut cmd = Command::new("tar");
    cmd.arg("-tf").arg(tar);
    Ok(output(recipe, cmd)?.lines().count() as u64)
}

/// Removes an archive and its manifest.
///
/// # Errors
/// There is none (23).
pub fn remove(paths: &Paths, name: &str) -> Result<(), Failure> {
    let Some(archive) = archive(paths, name) else {
        return Err(
            Failure::new(Fail::NotCached, format!("{name} has no cache")).hint("vzpkg list -O"),
        );
    };
    let what = |e| {
        Failure::new(
            Fail::Manager,
            format!("cannot remove {}", archive.display()),
        )
        .why(e)
    };
    std::fs::remove_file(&archive).map_err(what)?;
    drop(std::fs::remove_file(manifest_path(&archive)));
    Ok(())
}

/// Checks that an archive is the one that was built.
///
/// # Errors
/// The checksum differs (22), or there is nothing to check (23).
pub fn verify(ctx: &Ctx<'_>, recipe: &Recipe) -> Result<(), Failure> {
    let found = archive(&ctx.paths, &recipe.name).and_then(|a| Some((manifest(&a)?, a)));
    let Some((manifest, archive)) = found else {
        return Err(Failure::new(
            Fail::NotCached,
            format!("{} has no manifest", recipe.name),
        ));
    };
    let _phase = Phase::start(&ctx.out, &format!("checking {}", recipe.name));
    match sha256(recipe, &archive)? == manifest.sha256 {
        true => Ok(()),
        false => Err(Failure::new(
            Fail::NotUpToDate,
            format!("{} was changed", archive.display()),
        )
        .why("its checksum is not that of the manifest")
        .hint(format!("vzpkg update cache {}", recipe.name))),
    }
}
