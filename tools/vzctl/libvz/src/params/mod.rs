// SPDX-License-Identifier: GPL-2.0
//! The one table of parameters. The option parser, the configuration writer,
//! vzlist fields, help, completion and man pages are made from it; a new
//! parameter is one new entry.

mod check;
mod global;
mod table;
mod ubc;

pub use check::CAPABILITIES;
pub use check::Setting;
pub use check::normalise;
pub use global::GLOBALS;
pub use global::GlobalParam;
pub use table::TABLE;

use crate::error::Code;
use crate::units::Unit;

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// `yes`, `no` or `unset`.
    YesNoUnset,
    /// A whole number within bounds, both included.
    Number(u64, u64),
    /// First id of an id range: a multiple of 262144, not 0.
    IdBase,
    /// `barrier[:limit]`, the limits of one resource.
    Pair(Unit),
    /// One size; stored as `0:SIZE` of another parameter.
    Limit(&'static str),
    /// A factor such as 1.5.
    Factor,
    /// A directory; may contain `$VEID`.
    Directory,
    /// One line of text.
    Text,
    /// Name of a VE.
    Name,
    /// Host name.
    Hostname,
    /// Name of an OS template.
    Template,
    /// Storage layout.
    Layout,
    /// `NAME:on|off[,...]`.
    Capabilities,
    /// `USER:PASSWORD`; never stored.
    Password,
}

impl Kind {
    /// Unit of a pair.
    #[must_use]
    pub fn unit(self) -> Option<Unit> {
        match self {
            Kind::Pair(unit) => Some(unit),
            _ => None,
        }
    }
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// At once, in a running VE.
    Live,
    /// At the next start.
    Restart,
    /// It only lives in the configuration.
    Saved,
    /// Refused while the VE runs.
    Stopped,
    /// Written by `create`, never changed.
    Never,
}

/// Whether this version can do anything with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Works.
    Full,
    /// Kept when found in a configuration, refused as an option: what is
    /// missing, and the exit code that says so.
    Kept(&'static str, Code),
}

/// Chapters of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Identity, boot, files.
    General,
    /// RAM and swap.
    Memory,
    /// User beancounters.
    Ubc,
    /// Capabilities, devices, features.
    Access,
    /// CPU time.
    Cpu,
    /// Disk space and I/O.
    Disk,
    /// Addresses and interfaces.
    Network,
}

impl Group {
    /// Heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Group::General => "General parameters",
            Group::Memory => "Memory",
            Group::Ubc => "User beancounters (BARRIER[:LIMIT])",
            Group::Access => "Access",
            Group::Cpu => "CPU",
            Group::Disk => "Disk",
            Group::Network => "Network",
        }
    }
}

/// How vzcfgscale multiplies a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Not at all.
    No,
    /// Every number of it, `a` or `a:b`, with or without a suffix.
    Numbers,
    /// The last number of each of several words `a:b:c`.
    Last,
}

/// Column of vzlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name for `-o`.
    pub field: &'static str,
    /// Heading.
    pub header: &'static str,
    /// Width.
    pub width: usize,
    /// Whether it is aligned to the right.
    pub right: bool,
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Name in configuration files; empty if it is never stored.
    pub name: &'static str,
    /// Older names, read but not written.
    pub read_aliases: &'static [&'static str],
    /// Long option; empty if there is none.
    pub option: &'static str,
    /// Further options for the same parameter.
    pub more_options: &'static [&'static str],
    /// Values.
    pub kind: Kind,
    /// Effect.
    pub apply: Apply,
    /// State of support.
    pub support: Support,
    /// Chapter.
    pub group: Group,
    /// Placeholder of the value in the help.
    pub value: &'static str,
    /// One sentence without a full stop.
    pub help: &'static str,
    /// What holds when it is not set; empty if nothing needs to be said.
    pub default: &'static str,
    /// Number of the resource in the kernel, for beancounters.
    pub resource: Option<u32>,
    /// What a refusal of the resource means for applications; empty for
    /// parameters that are no beancounters.
    pub refused: &'static str,
    /// Smallest value of a pair.
    pub least: u64,
    /// Whether vzcfgscale multiplies it.
    pub scale: Scale,
    /// Whether it belongs to one VE, so that a sample should not have it.
    pub own: bool,
    /// Column of vzlist.
    pub column: Option<Column>,
}

impl Param {
    /// Whether `create` and `set` take the option.
    #[must_use]
    pub fn is_option(&self) -> bool {
        !self.option.is_empty() && self.support == Support::Full
    }

    /// All names it may have in configuration files, the current one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.read_aliases.iter().copied())
    }

    /// Whether it stands in configuration files.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        !self.name.is_empty() && !matches!(self.kind, Kind::Limit(_))
    }
}

/// Finds a parameter by its name in configuration files, old ones included.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Param> {
    TABLE
        .iter()
        .find(|p| p.is_stored() && (p.name == name || p.read_aliases.contains(&name)))
}

/// Finds a parameter by its option.
#[must_use]
pub fn by_option(option: &str) -> Option<&'static Param> {
    TABLE
        .iter()
        .find(|p| p.option == option || p.more_options.contains(&option))
}

/// Finds a beancounter by the name the kernel prints.
#[must_use]
pub fn by_resource_name(name: &str) -> Option<&'static Param> {
    TABLE
        .iter()
        .find(|p| p.resource.is_some() && p.option == name)
}

/// Finds a parameter of vz.conf.
#[must_use]
pub fn global(name: &str) -> Option<&'static GlobalParam> {
    GLOBALS.iter().find(|p| p.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_are_unique() {
        let mut names: Vec<_> = TABLE
            .iter()
            .filter(|p| p.is_stored())
            .flat_map(|p| std::iter::once(&p.name).chain(p.read_aliases))
            .collect();
        let mut options: Vec<_> = TABLE
            .iter()
            .flat_map(|p| std::iter::once(&p.option).chain(p.more_options))
            .filter(|o| !o.is_empty())
            .collect();
        for list in [&mut names, &mut options] {
            let before = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), before);
        }
    }

    #[test]
    fn every_parameter_has_a_text() {
        for p in TABLE.iter() {
            assert!(!p.help.is_empty() && !p.help.ends_with('.'), "{}", p.name);
            assert!(p.option.is_empty() || !p.value.is_empty(), "{}", p.name);
            assert_eq!(p.resource.is_some(), !p.refused.is_empty(), "{}", p.name);
            assert!(!p.refused.ends_with('.'), "{}", p.name);
        }
        for p in GLOBALS {
            assert!(!p.help.is_empty() && !p.help.ends_with('.'), "{}", p.name);
        }
    }

    #[test]
    fn all_21_resources_are_there() {
        let mut ids: Vec<_> = TABLE.iter().filter_map(|p| p.resource).collect();
        ids.sort_unstable();
        assert_eq!(
            ids,
            [
                0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 23, 24
            ]
        );
    }
}
