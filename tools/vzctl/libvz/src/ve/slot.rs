// SPDX-License-Identifier: GPL-2.0
//! Id ranges of VEs: slot k is the 262144 ids from k × 262144 on.
//!
//! A slot is taken by the configuration that records it.  While a VE is being
//! created its slot is taken by a file `/run/vz/slots/K` with the creator's
//! pid.  The file is made first and the configurations are read after that,
//! so that of two creators one sees the other's file or configuration.

use crate::config::File;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::kernel::abi::ID_RANGE;
use crate::paths::Paths;
use crate::undo::Stack;
use crate::undo::Undo;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// Slots that are given out. The first belong to the node's own users, and
/// to the ids Debian hands to containers of other kinds.
const FIRST: u32 = 2;
const LAST: u32 = 7167;

/// First ids of all configured VEs but one.
fn used(paths: &Paths, but: Veid) -> BTreeSet<u32> {
    let Ok(dir) = std::fs::read_dir(paths.conf_dir()) else {
        return BTreeSet::new();
    };
    dir.flatten()
        .filter_map(|e| {
            let name = e.file_name();
            let id = Veid::parse(name.to_str()?.strip_suffix(".conf")?)?;
            if id == but || id.is_node() {
                return None;
            }
            // A configuration that cannot be read hides its slot; starting
            // that VE fails for the same reason.
            let file = File::read(&e.path()).ok()??;
            file.get("LOCAL_UID")?.parse().ok()
        })
        .collect()
}

fn marker(paths: &Paths, slot: u32) -> PathBuf {
    paths.host("/run/vz/slots").join(slot.to_string())
}

/// Takes a slot's file; `false` if a living process has it.
fn claim(paths: &Paths, slot: u32, stack: &Stack<'_>) -> Result<bool> {
    let path = marker(paths, slot);
    let what = || format!("cannot write {}", path.display());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).or_err(Code::System, what)?;
    }
    for _ in 0..2 {
        match std::fs::File::options()
            .write(true)
            .create_new(true)
            .open(&path)
        {
            Ok(mut file) => {
                stack.push(Undo::RemoveFile(path.clone()))?;
                write!(file, "{}", std::process::id()).or_err(Code::System, what)?;
                return Ok(true);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                // Empty: made a moment ago, or the node crashed in between.
                let alive = owner.is_empty() || paths_proc(&owner).exists();
                if alive {
                    return Ok(false);
                }
                drop(std::fs::remove_file(&path));
            }
            Err(e) => return Err(e).or_err(Code::System, what),
        }
    }
    Ok(false)
}

fn paths_proc(pid: &str) -> PathBuf {
    PathBuf::from("/proc").join(pid.trim())
}

/// Gives back a slot's file once the configuration records the slot.
pub fn release(paths: &Paths, base: u32) {
    drop(std::fs::remove_file(marker(paths, base / ID_RANGE)));
}

/// Chooses the id range of a new VE: its own configuration, vz.conf, or the
/// next free slot.
///
/// # Errors
/// The range belongs to another VE, or none is free (6).
pub fn choose(ctx: &Ctx<'_>, conf: &VeConfig, stack: &Stack<'_>) -> Result<u32> {
    let id = conf.id();
    let fixed = match conf.number("LOCAL_UID")? {
        Some(uid) => Some(uid),
        None => ctx.paths.global().get("LOCAL_UID").parse().ok(),
    };
    if let Some(uid) = fixed {
        let base = check(uid, id)?;
        if !claim(&ctx.paths, base / ID_RANGE, stack)? || used(&ctx.paths, id).contains(&base) {
            return Err(Error::new(
                Code::Resource,
                format!("cannot give ids {base}.. to VE {id}"),
            )
            .why("they belong to another VE")
            .hint("leave out --local_uid to get the next free ids"));
        }
        return Ok(base);
    }
    let mut taken = used(&ctx.paths, id);
    for slot in FIRST..=LAST {
        let base = slot * ID_RANGE;
        if taken.contains(&base) || !claim(&ctx.paths, slot, stack)? {
            continue;
        }
        taken = used(&ctx.paths, id);
        if !taken.contains(&base) {
            return Ok(base);
        }
        release(&ctx.paths, base);
    }
    Err(
        Error::new(Code::Resource, format!("no ids are free for VE {id}"))
            .why(format!("all {} ranges are taken", LAST - FIRST + 1)),
    )
}

fn check(uid: u64, id: Veid) -> Result<u32> {
    u32::try_from(uid)
        .ok()
        .filter(|u| u % ID_RANGE == 0 && (FIRST..=LAST).contains(&(u / ID_RANGE)))
        .ok_or_else(|| {
            Error::new(Code::BadConfig, format!("bad LOCAL_UID {uid} of VE {id}")).why(format!(
                "it must be a multiple of {ID_RANGE} from {} to {}",
                FIRST * ID_RANGE,
                LAST * ID_RANGE
            ))
        })
}

/// The id range of a VE that exists.
///
/// # Errors
/// Not recorded (27), bad (85), or the group ids differ (85).
pub fn of(conf: &VeConfig) -> Result<u32> {
    let id = conf.id();
    let Some(uid) = conf.number("LOCAL_UID")? else {
        return Err(
            Error::new(Code::MissingParam, format!("VE {id} has no LOCAL_UID"))
                .why(format!(
                    "{} does not say whose ids its files have",
                    conf.file().path().display()
                ))
                .hint(format!("set LOCAL_UID to the owner of {id}'s file tree")),
        );
    };
    if conf.number("LOCAL_GID")?.is_some_and(|gid| gid != uid) {
        let err = Error::new(Code::BadConfig, format!("bad LOCAL_GID of VE {id}"))
            .why("it must equal LOCAL_UID");
        return Err(match conf.origin("LOCAL_GID") {
            Some(at) => err.at(at),
            None => err,
        });
    }
    check(uid, id)
}
