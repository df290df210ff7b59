// SPDX-License-Identifier: GPL-2.0
//! What vzubc showed the last time, for `-r` and `-i`. Each keeps its own,
//! so that a script that uses one does not disturb a person who uses both.

use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Result;
use crate::error::ResultExt;
use crate::ubc;
use crate::ubc::Beancounter;
use crate::ubc::Usage;
use clap::ArgMatches;
use std::path::Path;
use std::path::PathBuf;

/// Counters of an earlier call; `None`: not asked for.
pub(super) struct Before(Option<Vec<Beancounter>>);

impl Before {
    /// Reads what `kind` ("relative" or "incremental") kept, and keeps what
    /// there is now.
    pub(super) fn take(
        ctx: &Ctx<'_>,
        m: &ArgMatches,
        kind: &str,
        now: &[Beancounter],
    ) -> Result<Self> {
        let store = store(ctx, m, kind);
        if m.get_flag(&format!("{kind}-clear")) {
            match std::fs::remove_file(&store) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).or_err(Code::System, || {
                        format!("cannot remove {}", store.display())
                    });
                }
                _ => {}
            }
        }
        if !m.get_flag(kind) {
            return Ok(Self(None));
        }
        // One that cannot be read or understood is as good as none.
        let text = std::fs::read_to_string(&store).unwrap_or_default();
        let mut kept = ubc::parse(&text).unwrap_or_default();
        let before = kept.clone();
        kept.retain(|b| now.iter().all(|n| n.id != b.id));
        kept.extend(now.iter().cloned());
        save(&store, &kept)?;
        Ok(Self(Some(before)))
    }

    /// What a counter was; zero if the VE started since, `None` if nobody
    /// asked or the VE was not there.
    pub(super) fn of(&self, id: u32, name: &str, now: &Usage) -> Option<Usage> {
        let bc = self.0.as_ref()?.iter().find(|b| b.id == id)?;
        let was = bc.get(name).unwrap_or_default();
        // A counter that went back belongs to an earlier start of the VE.
        Some(
            match was.failcnt > now.failcnt || was.maxheld > now.maxheld {
                true => Usage::default(),
                false => was,
            },
        )
    }
}

fn store(ctx: &Ctx<'_>, m: &ArgMatches, kind: &str) -> PathBuf {
    let dir = m
        .get_one::<String>(&format!("{kind}-dir"))
        .map(PathBuf::from);
    dir.unwrap_or_else(|| ctx.paths.state_dir().join("vzubc"))
        .join(kind)
}

/// Writes the kernel's own format, atomically.
fn save(store: &Path, all: &[Beancounter]) -> Result<()> {
    let failed = || format!("cannot write {}", store.display());
    let mut text = String::from("Version: 2.5\n");
    for bc in all {
        for (i, (name, u)) in bc.rows.iter().enumerate() {
            let id = match i {
                0 => format!("{}:", bc.id),
                _ => String::new(),
            };
            text.push_str(&format!(
                "{id} {name} {} {} {} {} {}\n",
                u.held, u.maxheld, u.barrier, u.limit, u.failcnt
            ));
        }
    }
    let dir = store.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(dir).or_err(Code::System, failed)?;
    let tmp = tempfile::NamedTempFile::new_in(dir).or_err(Code::System, failed)?;
    std::fs::write(tmp.path(), text).or_err(Code::System, failed)?;
    tmp.persist(store)
        .map_err(|e| e.error)
        .or_err(Code::System, failed)?;
    Ok(())
}
