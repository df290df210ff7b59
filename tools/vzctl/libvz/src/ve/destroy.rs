// SPDX-License-Identifier: GPL-2.0
//! `vzctl destroy`: the tree to the trash, the configuration aside.

use crate::cli::args;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::lock;
use crate::names;
use crate::output::Outcome;
use crate::undo;
use crate::undo::Stack;
use crate::undo::Undo;
use crate::ve::create::unfinished;
use crate::ve::mount::private_dir;
use crate::ve::state;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Steps of destroy, in order; each is a fault point.
pub const STEPS: &[&str] = &[lock::STEP, "tree", "config", "scripts", "name", "commit"];

/// Files beside the configuration that belong to one VE.
const SCRIPTS: [&str; 6] = ["premount", "mount", "start", "stop", "umount", "postumount"];

/// Destroys a stopped VE.
///
/// # Errors
/// Running (32), mounted (41), protected (170), or it cannot be moved (52).
pub fn destroy(ctx: &Ctx<'_>, id: Veid, args: &args::Destroy) -> Result<Outcome> {
    ctx.kernel.check()?;
    let label = ctx.label(id);
    let failed = || format!("cannot destroy {label}");
    let lock = ctx.lock(id, "destroying")?;
    let conf = ctx.config(id)?;
    if conf.is_yes("PROTECTED") {
        return Err(Error::new(Code::Protected, failed()).why("it is protected"));
    }
    if ctx.kernel.running(id)?.is_some() {
        return Err(Error::new(Code::Running, failed())
            .why("it is running")
            .hint(format!("vzctl stop {id}")));
    }
    state::clean_leftover(ctx, &conf)?;
    let root = conf.root(&ctx.paths);
    if ctx.kernel.is_mounted(&root)? {
        return Err(Error::new(Code::Mounted, failed())
            .why("it is mounted")
            .hint(format!("vzctl umount {id}")));
    }
    let private = conf.private(&ctx.paths);
    let kept = trash_name(ctx, &conf, args.purge);
    if ctx.opts.dry_run {
        ctx.out.note(&format!(
            "would move {} to {}",
            private.display(),
            kept.display()
        ));
        return Ok(Outcome::silent());
    }
    let stack = Stack::new(ctx.kernel, &lock)?;
    stack.step("tree")?;
    let moved = move_tree(&private, &kept, &stack).map_err(|e| e.context(failed()))?;
    stack.step("config")?;
    aside(&ctx.paths.ve_conf(id), &stack)?;
    stack.step("scripts")?;
    for action in SCRIPTS {
        aside(&ctx.paths.conf_dir().join(format!("{id}.{action}")), &stack)?;
    }
    stack.step("name")?;
    stack.step("commit")?;
    stack.commit()?;
    // Nothing of what follows is worth bringing the VE back for.
    if let Some(name) = conf.name() {
        if let Err(e) = names::unlink(&ctx.paths, id, name) {
            ctx.out.warn(&e.message());
        }
    }
    drop(undo::remove_tree(&unfinished(&private)));
    drop(std::fs::remove_dir(&root));
    state::unmark(ctx, id);
    if args.purge && moved {
        undo::remove_tree(&kept).or_err(Code::DelPrivate, || {
            format!("cannot delete {}", kept.display())
        })?;
    }
    empty_trash(ctx);
    drop(lock);
    ctx.log.event(
        id,
        if args.purge {
            "destroyed and deleted"
        } else {
            "destroyed"
        },
    );
    let done = Outcome::done(format!("{label} was destroyed"));
    Ok(if moved && !args.purge {
        done.with("trash", kept.to_string_lossy())
    } else {
        done
    })
}

fn trash_name(ctx: &Ctx<'_>, conf: &VeConfig, purge: bool) -> PathBuf {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let dir = if purge {
        ctx.paths.vztmp_dir()
    } else {
        ctx.paths.trash_dir()
    };
    let name = format!("{}-{}.{:06}", conf.id(), now.as_secs(), now.subsec_micros());
    dir.join(name)
}

/// Moves the tree. `false`: there was none, or only a link to one.
fn move_tree(private: &Path, kept: &Path, stack: &Stack<'_>) -> Result<bool> {
    let what = || format!("cannot move {} to {}", private.display(), kept.display());
    let Ok(meta) = private.symlink_metadata() else {
        return Ok(false);
    };
    if meta.is_symlink() {
        // The tree behind it may belong to others.
        std::fs::remove_file(private).or_err(Code::DelPrivate, what)?;
        return Ok(false);
    }
    if let Some(dir) = kept.parent() {
        private_dir(dir, Code::DelPrivate)?;
    }
    stack.push(Undo::Rename(private.to_path_buf(), kept.to_path_buf()))?;
    match std::fs::rename(private, kept) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
            Err(Error::new(Code::DelPrivate, what())
                .why("they are on different filesystems")
                .hint("make /var/lib/vz/trash a link to a directory beside the file trees"))
        }
        Err(e) => Err(e).or_err(Code::DelPrivate, what),
    }
}

fn aside(path: &Path, stack: &Stack<'_>) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let mut name = path.as_os_str().to_os_string();
    name.push(".destroyed");
    let to = PathBuf::from(name);
    stack.push(Undo::Rename(path.to_path_buf(), to.clone()))?;
    std::fs::rename(path, &to).or_err(Code::SaveConfig, || {
        format!("cannot rename {}", path.display())
    })
}

/// Deletes what has been in the trash for longer than `TRASH_KEEP`, and what
/// a purge has left behind.
pub fn empty_trash(ctx: &Ctx<'_>) {
    let keep = duration(ctx.paths.global().get("TRASH_KEEP"));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let expired = |name: &str| -> Option<bool> {
        let (_, stamp) = name.split_once('-')?;
        let then: u64 = stamp.split('.').next()?.parse().ok()?;
        Some(now.saturating_sub(Duration::from_secs(then)) > keep?)
    };
    let Ok(dir) = std::fs::read_dir(ctx.paths.trash_dir()) else {
        return;
    };
    for entry in dir.flatten() {
        if entry.file_name().to_str().and_then(expired) == Some(true) {
            if let Err(e) = undo::remove_tree(&entry.path()) {
                ctx.out
                    .warn(&format!("cannot delete {}: {e}", entry.path().display()));
            }
        }
    }
}

/// "7d", "12h", "90" (seconds); `None` if it is none of these.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("7d"), Some(Duration::from_secs(604_800)));
        assert_eq!(duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(duration("x"), None);
        assert_eq!(duration("5y"), None);
    }
}
