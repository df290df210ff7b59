// SPDX-License-Identifier: GPL-2.0
//! What is known of each VE: configuration, kernel, beancounter, lock.

use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::id::Veid;
use crate::kernel::VeInfo;
use crate::list::veinfo;
use crate::lock;
use crate::lock::Holder;
use crate::paths::Paths;
use crate::status;
use crate::status::State;
use crate::ubc;
use crate::ubc::Beancounter;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// One VE.
pub(super) struct Row {
    pub(super) id: Veid,
    pub(super) state: State,
    pub(super) conf: Option<VeConfig>,
    pub(super) info: Option<VeInfo>,
    pub(super) entry: Option<veinfo::Entry>,
    pub(super) bc: Option<Beancounter>,
    pub(super) holder: Option<Holder>,
    /// Mount point and file tree, with the defaults of vz.conf.
    pub(super) dirs: Option<(PathBuf, PathBuf)>,
}

impl Row {
    /// Whether processes of the VE may be running.
    pub(super) fn is_up(&self) -> bool {
        self.state == State::Running
            || self.entry.is_some()
            || self.info.as_ref().is_some_and(|v| v.state.is_up())
    }
}

/// VEs that have a configuration, ascending.
#[must_use]
pub fn configured(paths: &Paths) -> Vec<Veid> {
    let Ok(dir) = std::fs::read_dir(paths.conf_dir()) else {
        return Vec::new();
    };
    let ids: BTreeSet<Veid> = dir
        .flatten()
        .filter_map(|e| Veid::parse(e.file_name().to_str()?.strip_suffix(".conf")?))
        .filter(|id| !id.is_node())
        .collect();
    ids.into_iter().collect()
}

/// All VEs, ascending by id: those configured and those in the kernel.
pub(super) fn gather(ctx: &Ctx<'_>) -> Vec<Row> {
    let text = std::fs::read_to_string(ctx.paths.proc("vz/veinfo")).unwrap_or_default();
    let mut entries: BTreeMap<u32, veinfo::Entry> = veinfo::parse(&text)
        .into_iter()
        .filter(|e| e.id != 0)
        .map(|e| (e.id, e))
        .collect();
    let mut infos: BTreeMap<Veid, VeInfo> = match ctx.kernel.list() {
        Ok(list) => list.into_iter().map(|v| (v.id, v)).collect(),
        Err(err) => {
            ctx.out
                .detail(1, &format!("only part of the facts: {}", err.message()));
            BTreeMap::new()
        }
    };
    let mut counters: BTreeMap<u32, Beancounter> = match ubc::read(&ctx.paths) {
        Ok(all) => all
            .unwrap_or_default()
            .into_iter()
            .map(|b| (b.id, b))
            .collect(),
        Err(err) => {
            ctx.out.warn(&format!("no counters: {}", err.message()));
            BTreeMap::new()
        }
    };
    let mut ids: BTreeSet<Veid> = configured(&ctx.paths).into_iter().collect();
    ids.extend(infos.keys());
    ids.extend(entries.keys().filter_map(|id| Veid::new(*id)));
    ids.into_iter()
        .map(|id| {
            let conf = match ctx.config(id) {
                Ok(conf) => Some(conf),
                Err(err) => {
                    if err.code() != Code::NoConfig {
                        ctx.out.warn(&format!("VE {id}: {}", err.message()));
                    }
                    None
                }
            };
            let entry = entries.remove(&id.get());
            let info = infos.remove(&id);
            let state = match status::of(ctx, id) {
                // Someone who may not open the control device can still read proc.
                State::Stopped | State::Mounted | State::Suspended if entry.is_some() => {
                    State::Running
                }
                State::Deleted if entry.is_some() || info.is_some() => State::Running,
                // The file is there, but broken.
                State::Deleted => State::Stopped,
                state => state,
            };
            let bc = counters.remove(&id.get());
            let dirs = conf
                .as_ref()
                .map(|c| (c.root(&ctx.paths), c.private(&ctx.paths)));
            let holder = lock::holder(&ctx.paths, id);
            Row {
                id,
                state,
                conf,
                info,
                entry,
                bc,
                holder,
                dirs,
            }
        })
        .collect()
}
