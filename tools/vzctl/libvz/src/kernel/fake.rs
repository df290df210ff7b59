// SPDX-License-Identifier: GPL-2.0
//! A kernel made of files in one directory, for tests of an ordinary user.
//!
//! Differs from the real one in 5 ways.
//! 1. Nothing runs: `spawn` makes no process, `enter` changes nothing.
//! 2. A mount is a symbolic link in place of the empty mount point.
//! 3. A VE that was reserved belongs to the process that did it and is gone
//!    with that process, as a real one is with the last descriptor.
//! 4. Init obeys every signal at once, except when the file `stubborn`
//!    exists beside the state files; then it obeys SIGKILL only.
//! 5. Files of events cannot be waited on: it is as if they always changed.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::kernel::Kernel;
use crate::kernel::Limit;
use crate::kernel::LimitError;
use crate::kernel::Reason;
use crate::kernel::State;
use crate::kernel::Ve;
use crate::kernel::VeInfo;
use crate::ve::init::Plan;
use crate::ve::init::Spawned;
use nix::libc;
use serde_json::Value;
use serde_json::json;
use std::cell::Cell;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// How often files of events "change".
const TICK: Duration = Duration::from_millis(20);

/// A kernel whose VEs are files in one directory.
#[derive(Debug, Clone)]
pub struct FakeKernel {
    dir: PathBuf,
}

/// Descriptor of a VE of the fake.
#[derive(Debug)]
struct FakeVe {
    kernel: FakeKernel,
    id: Veid,
    /// Not released: dropping the descriptor forgets the VE.
    starting: Cell<bool>,
}

impl FakeKernel {
    /// The fake whose state is in `dir`; processes may share it.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn file(&self, id: Veid) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    fn load(&self, id: Veid) -> Option<Value> {
        let text = std::fs::read_to_string(self.file(id)).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        let owner = value["owner"].as_u64().unwrap_or(0);
        let alive = Path::new("/proc").join(owner.to_string()).exists();
        if owner != 0 && !alive {
            // Its last descriptor went with the process.
            drop(std::fs::remove_file(self.file(id)));
            return None;
        }
        Some(value)
    }

    fn store(&self, id: Veid, value: &Value) -> Result<()> {
        let tmp = self.dir.join(format!("{id}.tmp"));
        std::fs::write(&tmp, value.to_string())
            .and_then(|()| std::fs::rename(&tmp, self.file(id)))
            .or_err(Code::System, || "cannot store the state of the fake kernel")
    }

    fn update(&self, id: Veid, change: impl FnOnce(&mut Value)) -> Result<()> {
        let Some(mut value) = self.load(id) else {
            return Err(Error::new(
                Code::NotRunning,
                format!("VE {id} is not in the kernel"),
            ));
        };
        change(&mut value);
        self.store(id, &value)
    }

    fn set_limits(&self, id: Veid, limits: &[Limit]) -> Result<()> {
        if id.is_node() && self.load(id).is_none() {
            std::fs::create_dir_all(&self.dir).or_err(Code::System, || "cannot make the fake")?;
            self.store(id, &json!({ "ubc": {} }))?;
        }
        self.update(id, |v| {
            for l in limits {
                v["ubc"][l.resource.to_string()] = json!([l.barrier, l.limit]);
            }
        })
    }

    /// What was set by [`Kernel::set_ubc`] or [`Ve::set_ubc`]: barrier, limit.
    #[must_use]
    pub fn ubc(&self, id: Veid, resource: u32) -> Option<(u64, u64)> {
        let value = self.load(id)?;
        let pair = &value["ubc"][resource.to_string()];
        Some((pair[0].as_u64()?, pair[1].as_u64()?))
    }
}

fn info(id: Veid, value: &Value) -> VeInfo {
    let starting = value["owner"].as_u64().unwrap_or(0) != 0;
    VeInfo {
        id,
        state: if starting {
            State::Starting
        } else {
            State::Running
        },
        init_pid: value["init"].as_u64().and_then(|p| u32::try_from(p).ok()),
        nproc: 1,
        start_time: 1,
        serial: 1,
        locked: false,
        uid_base: value["uid_base"]
            .as_u64()
            .and_then(|p| u32::try_from(p).ok())
            .unwrap_or(0),
        reason: Reason::None,
    }
}

impl Kernel for FakeKernel {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn running(&self, id: Veid) -> Result<Option<VeInfo>> {
        Ok(self.load(id).map(|v| info(id, &v)))
    }

    fn list(&self) -> Result<Vec<VeInfo>> {
        let Ok(dir) = std::fs::read_dir(&self.dir) else {
            return Ok(Vec::new());
        };
        let mut list: Vec<_> = dir
            .flatten()
            .filter_map(|e| Veid::parse(e.file_name().to_str()?.strip_suffix(".json")?))
            .filter(|id| !id.is_node())
            .filter_map(|id| Some(info(id, &self.load(id)?)))
            .collect();
        list.sort_by_key(|v| v.id);
        Ok(list)
    }

    fn set_ubc(&self, id: Veid, limits: &[Limit]) -> std::result::Result<(), LimitError> {
        let twice = |at: &usize| {
            let resource = limits[*at].resource;
            limits[..*at].iter().any(|l| l.resource == resource)
        };
        if let Some(at) = (0..limits.len()).find(twice) {
            let error = Error::new(Code::SetUbc, "a resource is named twice");
            return Err(LimitError {
                at: Some(at),
                error,
            });
        }
        self.set_limits(id, limits)
            .map_err(|error| LimitError { at: None, error })
    }

    fn reserve(&self, id: Veid) -> Result<Box<dyn Ve>> {
        std::fs::create_dir_all(&self.dir).or_err(Code::System, || "cannot make the fake")?;
        if self.load(id).is_some() {
            return Err(
                Error::new(Code::Running, format!("the kernel cannot reserve VE {id}"))
                    .why("file exists"),
            );
        }
        self.store(id, &json!({ "owner": std::process::id(), "ubc": {} }))?;
        Ok(Box::new(FakeVe {
            kernel: self.clone(),
            id,
            starting: Cell::new(true),
        }))
    }

    fn open(&self, id: Veid) -> Result<Option<Box<dyn Ve>>> {
        let known = self.load(id).is_some();
        Ok(known.then(|| -> Box<dyn Ve> {
            Box::new(FakeVe {
                kernel: self.clone(),
                id,
                starting: Cell::new(false),
            })
        }))
    }

    fn bind(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::remove_dir(to)
            .and_then(|()| std::os::unix::fs::symlink(from, to))
            .or_err(Code::Mount, || format!("cannot mount {}", to.display()))
    }

    fn unmount(&self, at: &Path) -> Result<bool> {
        if !self.is_mounted(at)? {
            return Ok(false);
        }
        std::fs::remove_file(at)
            .and_then(|()| std::fs::create_dir(at))
            .or_err(Code::Umount, || format!("cannot unmount {}", at.display()))?;
        Ok(true)
    }

    fn is_mounted(&self, at: &Path) -> Result<bool> {
        Ok(at
            .symlink_metadata()
            .is_ok_and(|m| m.file_type().is_symlink()))
    }

    fn wait_events(&self, _files: &[BorrowedFd<'_>], timeout: Duration) -> Result<()> {
        std::thread::sleep(timeout.min(TICK));
        Ok(())
    }

    fn id_namespace(&self, _uid_base: u32) -> Result<Option<OwnedFd>> {
        Ok(None)
    }
}

impl Ve for FakeVe {
    fn info(&self) -> Result<VeInfo> {
        match self.kernel.load(self.id) {
            Some(value) => Ok(info(self.id, &value)),
            None => Ok(VeInfo {
                state: State::Dead,
                ..info(self.id, &Value::Null)
            }),
        }
    }

    fn set_ubc(&self, limits: &[Limit]) -> std::result::Result<(), LimitError> {
        self.kernel.set_ubc(self.id, limits)
    }

    fn set_osrelease(&self, text: &str) -> Result<()> {
        self.kernel
            .update(self.id, |v| v["osrelease"] = json!(text))
    }

    fn set_hostname(&self, text: &str) -> Result<()> {
        self.kernel.update(self.id, |v| v["hostname"] = json!(text))
    }

    fn spawn(&self, plan: &Plan) -> Result<Spawned> {
        self.kernel.update(self.id, |v| {
            v["uid_base"] = json!(plan.uid_base);
            v["init"] = json!(std::process::id());
        })?;
        Ok(Spawned::none(self.id))
    }

    fn run(&self) -> Result<()> {
        self.kernel.update(self.id, |v| v["owner"] = json!(0))?;
        self.starting.set(false);
        Ok(())
    }

    fn kill(&self, signal: i32) -> Result<bool> {
        if self.kernel.load(self.id).is_none() {
            return Ok(false);
        }
        if signal == libc::SIGKILL || !self.kernel.dir.join("stubborn").exists() {
            match std::fs::remove_file(self.kernel.file(self.id)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(e).or_err(Code::Stop, || "cannot remove the fake VE");
                }
                _ => {}
            }
        }
        Ok(true)
    }

    fn wait_dead(&self, timeout: Duration) -> Result<bool> {
        if self.kernel.load(self.id).is_some() {
            std::thread::sleep(timeout.min(Duration::from_millis(10)));
        }
        Ok(self.kernel.load(self.id).is_none())
    }

    fn enter(&self, _skip_lock: bool) -> Result<()> {
        Ok(())
    }
}

impl Drop for FakeVe {
    fn drop(&mut self) {
        if self.starting.get() {
            drop(std::fs::remove_file(self.kernel.file(self.id)));
        }
    }
}
