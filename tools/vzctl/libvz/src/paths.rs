// SPDX-License-Identifier: GPL-2.0
//! Every file and directory the tools use, in one place.
//!
//! `VZ_SYSROOT` puts all of them under a prefix, so that tests need no root.

use crate::config::Global;
use crate::error::Result;
use crate::id::Veid;
use std::path::Path;
use std::path::PathBuf;

/// The directory layout of this node, after reading vz.conf.
#[derive(Debug, Clone)]
pub struct Paths {
    sysroot: Option<PathBuf>,
    global: Global,
}

impl Paths {
    /// Reads `VZ_SYSROOT` from the environment and vz.conf.
    ///
    /// # Errors
    /// vz.conf is missing (10) or broken (85).
    pub fn load() -> Result<Self> {
        let root = std::env::var_os("VZ_SYSROOT").filter(|r| !r.is_empty());
        Self::at(root.map(PathBuf::from))
    }

    /// As [`Paths::load`], with the prefix given.
    ///
    /// # Errors
    /// vz.conf is missing (10) or broken (85).
    pub fn at(sysroot: Option<PathBuf>) -> Result<Self> {
        let mut paths = Self {
            sysroot,
            global: Global::default(),
        };
        paths.global = Global::load(&paths.vz_conf())?;
        Ok(paths)
    }

    /// Maps an absolute path of the node to where it really is.
    #[must_use]
    pub fn host(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        match &self.sysroot {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_path_buf(),
        }
    }

    /// The test prefix, if one is set.
    #[must_use]
    pub fn sysroot(&self) -> Option<&Path> {
        self.sysroot.as_deref()
    }

    /// Values of vz.conf with their defaults.
    #[must_use]
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// The node-wide configuration file.
    #[must_use]
    pub fn vz_conf(&self) -> PathBuf {
        self.host("/etc/vz/vz.conf")
    }

    /// Directory of VE configurations, samples and action scripts.
    #[must_use]
    pub fn conf_dir(&self) -> PathBuf {
        self.host("/etc/vz/conf")
    }

    /// Configuration of one VE.
    #[must_use]
    pub fn ve_conf(&self, id: Veid) -> PathBuf {
        self.conf_dir().join(format!("{id}.conf"))
    }

    /// A sample configuration.
    #[must_use]
    pub fn sample(&self, name: &str) -> PathBuf {
        self.conf_dir().join(format!("ve-{name}.conf-sample"))
    }

    /// Directory of name links.
    #[must_use]
    pub fn names_dir(&self) -> PathBuf {
        self.host("/etc/vz/names")
    }

    /// Directory of distribution actions.
    #[must_use]
    pub fn dists_dir(&self) -> PathBuf {
        self.host("/etc/vz/dists")
    }

    /// `template-prefix kernel-release` pairs.
    #[must_use]
    pub fn osrelease_conf(&self) -> PathBuf {
        self.host("/etc/vz/osrelease.conf")
    }

    /// Template recipes: shipped ones first, then the administrator's.
    #[must_use]
    pub fn recipe_dirs(&self) -> [PathBuf; 2] {
        [
            self.host("/usr/share/vzctl/templates"),
            self.host("/etc/vz/templates.d"),
        ]
    }

    /// `LOCKDIR`.
    #[must_use]
    pub fn lock_dir(&self) -> PathBuf {
        self.host(self.global.get("LOCKDIR"))
    }

    /// Lock of one VE.
    #[must_use]
    pub fn lock_file(&self, id: Veid) -> PathBuf {
        self.lock_dir().join(format!("{id}.lck"))
    }

    /// Lock for what concerns the whole node.
    #[must_use]
    pub fn node_lock_file(&self) -> PathBuf {
        self.lock_dir().join("node.lck")
    }

    /// Default checkpoint image of a VE.
    #[must_use]
    pub fn dump_file(&self, id: Veid) -> PathBuf {
        self.host(self.global.get("DUMPDIR"))
            .join(format!("Dump.{id}"))
    }

    /// `TEMPLATE/cache`, where OS template caches are.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        self.host(self.global.get("TEMPLATE")).join("cache")
    }

    /// `VE_ROOT` of vz.conf for this VE.
    #[must_use]
    pub fn default_root(&self, id: Veid) -> PathBuf {
        self.host(expand_veid(self.global.get("VE_ROOT"), id))
    }

    /// `VE_PRIVATE` of vz.conf for this VE.
    #[must_use]
    pub fn default_private(&self, id: Veid) -> PathBuf {
        self.host(expand_veid(self.global.get("VE_PRIVATE"), id))
    }

    /// Trees that are being destroyed.
    #[must_use]
    pub fn vztmp_dir(&self) -> PathBuf {
        self.host("/var/lib/vz/vztmp")
    }

    /// Destroyed VEs that can be brought back.
    #[must_use]
    pub fn trash_dir(&self) -> PathBuf {
        self.host("/var/lib/vz/trash")
    }

    /// State of the tools that survives a reboot of the node.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.host("/var/lib/vzctl")
    }

    /// Exists while the VE runs, read at the next boot of the node.
    #[must_use]
    pub fn reboot_mark(&self, id: Veid) -> PathBuf {
        self.state_dir().join("vzreboot").join(id.to_string())
    }

    /// Run-time state of a VE; vanishes when the node boots.
    #[must_use]
    pub fn run_dir(&self, id: Veid) -> PathBuf {
        self.host("/run/vz").join(id.to_string())
    }

    /// `LOGFILE`, or `None` if logging is off.
    #[must_use]
    pub fn log_file(&self) -> Option<PathBuf> {
        self.global
            .is_yes("LOGGING")
            .then(|| self.host(self.global.get("LOGFILE")))
    }

    /// A file of the proc filesystem: `proc("vz/veinfo")`.
    #[must_use]
    pub fn proc(&self, rel: &str) -> PathBuf {
        self.host("/proc").join(rel)
    }

    /// The control device.
    #[must_use]
    pub fn control_device(&self) -> PathBuf {
        self.host("/dev/vzctl")
    }

    /// Cgroup directory of a VE as the host sees it.
    #[must_use]
    pub fn cgroup(&self, id: Veid) -> PathBuf {
        self.host("/sys/fs/cgroup/ve").join(id.to_string())
    }
}

/// Replaces `$VEID` and `${VEID}`.
#[must_use]
pub fn expand_veid(text: &str, id: Veid) -> String {
    let id = id.to_string();
    text.replace("${VEID}", &id).replace("$VEID", &id)
}
