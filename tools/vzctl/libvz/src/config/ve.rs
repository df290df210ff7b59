// SPDX-License-Identifier: GPL-2.0
//! The configuration of one VE.

use crate::config::File;
use crate::config::Simple;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id::Veid;
use crate::params;
use crate::params::Param;
use crate::paths::Paths;
use crate::paths::expand_veid;
use crate::units;
use crate::units::Pair;
use crate::units::UNLIMITED;
use std::path::PathBuf;

/// Where an effective limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A line of the configuration.
    Config,
    /// Derived from RAM and swap.
    Implied,
    /// Nothing is said, so nothing is limited.
    Default,
}

/// Barrier and limit that one resource gets at start.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Entry of the parameter table.
    pub param: &'static Param,
    /// Number of the resource in the kernel.
    pub resource: u32,
    /// Values in the kernel's units.
    pub pair: Pair,
    /// Why these values.
    pub source: Source,
}

/// Configuration of one VE; parameters fall back to vz.conf where it has them.
#[derive(Debug, Clone)]
pub struct VeConfig {
    id: Veid,
    file: File,
}

impl VeConfig {
    /// Reads `ID.conf`.
    ///
    /// # Errors
    /// Missing (14) or broken (85).
    pub fn load(paths: &Paths, id: Veid) -> Result<Self> {
        let path = paths.ve_conf(id);
        match File::read(&path)? {
            Some(file) => Ok(Self { id, file }),
            None => Err(
                Error::new(Code::NoConfig, format!("VE {id} does not exist"))
                    .why(format!("there is no {}", path.display()))
                    .hint("vzlist -a"),
            ),
        }
    }

    /// Wraps a file, for `create`.
    #[must_use]
    pub fn from_file(id: Veid, file: File) -> Self {
        Self { id, file }
    }

    /// The VE.
    #[must_use]
    pub fn id(&self) -> Veid {
        self.id
    }

    /// The lines.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The lines, to be changed; [`File::save`] writes them.
    pub fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Value of a parameter, `None` if unset or empty. Old names are tried.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = match params::by_name(name) {
            Some(param) => param.names().find_map(|n| self.file.get(n)),
            None => self.file.get(name),
        };
        found.filter(|v| !v.is_empty())
    }

    /// Sets a parameter, or removes it with an empty value; old names go.
    ///
    /// # Errors
    /// The value cannot be written in one line (21).
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        for old in params::by_name(name).map_or(&[][..], |p| p.read_aliases) {
            self.file.unset(old);
        }
        if value.is_empty() {
            self.file.unset(name);
            return Ok(());
        }
        self.file.set(name, value)
    }

    /// "set in FILE line N", under whichever name.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<String> {
        match params::by_name(name) {
            Some(param) => param.names().find_map(|n| self.file.origin(n)),
            None => self.file.origin(name),
        }
    }

    /// Whether a yes/no parameter is yes.
    #[must_use]
    pub fn is_yes(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|v| v.eq_ignore_ascii_case("yes"))
    }

    /// A number.
    ///
    /// # Errors
    /// The value is not a number (85).
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        self.get(name)
            .map(|v| {
                v.parse()
                    .map_err(|_| self.bad(name, v, "it must be a number"))
            })
            .transpose()
    }

    /// Barrier and limit as the line says, in the parameter's units.
    ///
    /// # Errors
    /// The value is bad (85), or the parameter is not a pair (3).
    pub fn pair(&self, name: &str) -> Result<Option<Pair>> {
        let unit = params::by_name(name)
            .and_then(|p| p.kind.unit())
            .ok_or_else(|| Error::new(Code::System, format!("{name} is not a pair of limits")))?;
        self.get(name)
            .map(|v| units::parse_pair(v, unit).map_err(|why| self.bad(name, v, &why)))
            .transpose()
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.get("NAME")
    }

    /// The mount point on this node, `$VEID` replaced, default from vz.conf.
    #[must_use]
    pub fn root(&self, paths: &Paths) -> PathBuf {
        match self.get("VE_ROOT") {
            Some(dir) => paths.host(expand_veid(dir, self.id)),
            None => paths.default_root(self.id),
        }
    }

    /// The file tree on this node, `$VEID` replaced, default from vz.conf.
    #[must_use]
    pub fn private(&self, paths: &Paths) -> PathBuf {
        match self.get("VE_PRIVATE") {
            Some(dir) => paths.host(expand_veid(dir, self.id)),
            None => paths.default_private(self.id),
        }
    }

    /// Seconds that init gets to halt.
    ///
    /// # Errors
    /// The value is not a number (85).
    pub fn stop_timeout(&self, paths: &Paths) -> Result<u64> {
        Ok(self
            .number("STOP_TIMEOUT")?
            .unwrap_or_else(|| paths.global().number("STOP_TIMEOUT")))
    }

    /// RAM and swap, if memory is set by these two.
    ///
    /// # Errors
    /// PHYSPAGES or SWAPPAGES is bad (85).
    pub fn simple(&self) -> Result<Option<Simple>> {
        Ok(Simple::of(self.pair("PHYSPAGES")?, self.pair("SWAPPAGES")?))
    }

    /// Limits of all resources, as they are at start.
    ///
    /// # Errors
    /// A value is bad (85); in the classic mode, one is missing (28).
    pub fn limits(&self) -> Result<Vec<Limit>> {
        let simple = self.simple()?;
        let overcommit = self.overcommit()?;
        let mut all = Vec::new();
        for param in params::TABLE.iter() {
            let Some(resource) = param.resource else {
                continue;
            };
            let set = self.pair(param.name)?;
            let (pair, source) = match (set, simple) {
                (Some(pair), _) => (pair, Source::Config),
                (None, Some(simple)) => match simple.implied(param.name, overcommit) {
                    Some(pair) => (pair, Source::Implied),
                    None => (Pair::both(UNLIMITED), Source::Default),
                },
                (None, None) if param.name == "SWAPPAGES" => {
                    (Pair::both(UNLIMITED), Source::Default)
                }
                (None, None) => return Err(self.missing(param)),
            };
            all.push(Limit {
                param,
                resource,
                pair,
                source,
            });
        }
        Ok(all)
    }

    /// `VM_OVERCOMMIT` in thousandths, `None` if unset or 0.
    fn overcommit(&self) -> Result<Option<u64>> {
        let Some(text) = self.get("VM_OVERCOMMIT") else {
            return Ok(None);
        };
        let milli = units::parse_factor(text).map_err(|e| self.bad("VM_OVERCOMMIT", text, &e))?;
        Ok((milli > 0).then_some(milli))
    }

    fn missing(&self, param: &Param) -> Error {
        let id = self.id;
        let path = self.file.path().display();
        Error::new(Code::MissingUbc, format!("VE {id} has no {}", param.name))
            .why(format!("{path} sets neither RAM and swap nor all counters"))
            .hint(format!("vzctl set {id} --ram 512M --swap 1G --save"))
            .hint(format!("vzctl set {id} --{} VALUE --save", param.option))
    }

    fn bad(&self, name: &str, value: &str, why: &str) -> Error {
        let err = Error::new(Code::BadConfig, format!("bad value {name}=\"{value}\"")).why(why);
        match self.origin(name) {
            Some(at) => err.at(at),
            None => err,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn conf(text: &str) -> VeConfig {
        let file = File::parse(Path::new("101.conf"), text.as_bytes()).unwrap();
        VeConfig::from_file(Veid::parse("101").unwrap(), file)
    }

    fn limit(conf: &VeConfig, name: &str) -> (u64, u64, Source) {
        let all = conf.limits().unwrap();
        let found = all.iter().find(|l| l.param.name == name).unwrap();
        (found.pair.barrier, found.pair.limit, found.source)
    }

    #[test]
    fn ram_and_swap_imply_the_rest() {
        let c = conf("PHYSPAGES=\"0:256M\"\nSWAPPAGES=\"0:512M\"\nNUMPROC=\"99\"\n");
        assert!(c.simple().unwrap().is_some());
        assert_eq!(limit(&c, "PHYSPAGES"), (0, 65_536, Source::Config));
        assert_eq!(limit(&c, "LOCKEDPAGES"), (65_536, 65_536, Source::Implied));
        assert_eq!(
            limit(&c, "OOMGUARPAGES"),
            (65_536, UNLIMITED, Source::Implied)
        );
        assert_eq!(
            limit(&c, "VMGUARPAGES"),
            (196_608, UNLIMITED, Source::Implied)
        );
        assert_eq!(
            limit(&c, "PRIVVMPAGES"),
            (UNLIMITED, UNLIMITED, Source::Default)
        );
        assert_eq!(limit(&c, "NUMPROC"), (99, 99, Source::Config));
        let c = conf("PHYSPAGES=\"0:256M\"\nSWAPPAGES=\"0:512M\"\nVM_OVERCOMMIT=\"1.5\"\n");
        assert_eq!(
            limit(&c, "PRIVVMPAGES"),
            (294_912, 294_912, Source::Implied)
        );
        assert_eq!(c.limits().unwrap().len(), 21);
    }

    #[test]
    fn classic_mode_needs_all() {
        let c = conf("PHYSPAGES=\"0:unlimited\"\n");
        let err = c.limits().unwrap_err();
        assert_eq!(err.code(), Code::MissingUbc);
        assert!(err.message().contains("KMEMSIZE"), "{err}");
        let basic = conf(include_str!("../../../etc/conf/ve-basic.conf-sample"));
        assert!(basic.simple().unwrap().is_none());
        assert_eq!(basic.limits().unwrap().len(), 21);
    }

    #[test]
    fn old_names() {
        let mut c = conf("IPTENTRIES=\"128\"\n");
        assert_eq!(c.pair("NUMIPTENT").unwrap(), Some(Pair::both(128)));
        c.set("NUMIPTENT", "200").unwrap();
        assert_eq!(c.file().to_bytes(), b"NUMIPTENT=\"200\"\n");
    }

    #[test]
    fn bad_values_name_the_line() {
        let err = conf("\nNUMPROC=\"12x\"\n").pair("NUMPROC").unwrap_err();
        assert_eq!(err.code(), Code::BadConfig);
        assert_eq!(err.origin(), Some("set in 101.conf line 2"));
    }
}
