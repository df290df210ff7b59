// SPDX-License-Identifier: GPL-2.0
//! vz.conf: parameters of the node, with defaults from the table.

use crate::config::File;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::params;
use std::path::Path;

/// Values of vz.conf.
#[derive(Debug, Clone, Default)]
pub struct Global {
    file: Option<File>,
}

impl Global {
    /// Reads vz.conf.
    ///
    /// # Errors
    /// Missing (10), broken (85), or a directory parameter is not usable (85).
    pub fn load(path: &Path) -> Result<Self> {
        let Some(file) = File::read(path)? else {
            return Err(Error::new(
                Code::NoGlobalConfig,
                format!("cannot read {}", path.display()),
            )
            .why("no such file")
            .hint("reinstall the package vzctl, which ships it"));
        };
        let this = Self { file: Some(file) };
        for name in ["VE_ROOT", "VE_PRIVATE"] {
            let value = this.get(name);
            if !value.contains("$VEID") && !value.contains("${VEID}") {
                return Err(this.bad(name, "it must contain $VEID, or all VEs would share it"));
            }
        }
        for name in [
            "VE_ROOT",
            "VE_PRIVATE",
            "LOCKDIR",
            "DUMPDIR",
            "TEMPLATE",
            "LOGFILE",
        ] {
            if !this.get(name).starts_with('/') {
                return Err(this.bad(name, "it must be an absolute path"));
            }
        }
        Ok(this)
    }

    /// Value of a parameter, or its default; empty if it has neither.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let set = self
            .file
            .as_ref()
            .and_then(|f| f.get(name))
            .filter(|v| !v.is_empty());
        set.or_else(|| params::global(name).map(|p| p.default))
            .unwrap_or_default()
    }

    /// Whether a yes/no parameter is yes.
    #[must_use]
    pub fn is_yes(&self, name: &str) -> bool {
        self.get(name).eq_ignore_ascii_case("yes")
    }

    /// A number; the default if the value is not one.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        let default = || params::global(name).and_then(|p| p.default.parse().ok());
        self.get(name).parse().ok().or_else(default).unwrap_or(0)
    }

    /// "set in FILE line N", if the file sets it.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<String> {
        self.file.as_ref().and_then(|f| f.origin(name))
    }

    fn bad(&self, name: &str, why: &str) -> Error {
        let value = self.get(name);
        let err = Error::new(Code::BadConfig, format!("bad value {name}=\"{value}\"")).why(why);
        match self.origin(name) {
            Some(at) => err.at(at),
            None => err,
        }
    }
}
