// SPDX-License-Identifier: GPL-2.0
//! Rules that the limits of one VE have to keep among themselves.

use crate::config::File;
use crate::params;
use crate::paths::Paths;
use crate::units;
use crate::units::LEGACY_UNLIMITED_PAGES;
use crate::units::PAGE;
use crate::units::Pair;
use crate::units::UNLIMITED;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Applications will fail in ways they do not expect.
    Error,
    /// Unusual, may be meant.
    Warning,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub class: Class,
    /// The rule with its numbers.
    pub text: String,
    /// The parameter to change.
    pub name: &'static str,
    /// Line of the parameter, if it is set.
    pub line: Option<usize>,
    /// Value that repairs it.
    pub fix: String,
}

/// Memory of the node, in pages.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// RAM.
    pub ram: u64,
    /// Swap.
    pub swap: u64,
}

/// RAM and swap of this node.
#[must_use]
pub fn host(paths: &Paths) -> Option<Host> {
    let text = std::fs::read_to_string(paths.proc("meminfo")).ok()?;
    let pages = |key: &str| -> Option<u64> {
        let line = text.lines().find_map(|l| l.strip_prefix(key))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / (units::PAGE / 1024))
    };
    Some(Host {
        ram: pages("MemTotal:")?,
        swap: pages("SwapTotal:")?,
    })
}

/// Bytes of kernel memory that the rules assume.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// For one process.
    pub process: u64,
    /// For one cached directory entry with its inode.
    pub dentry: u64,
}

/// What the rules always assumed.
pub const CLASSIC: Sizes = Sizes {
    process: 40 * 1024,
    dentry: 384,
};
/// What a current kernel needs on x86_64.
pub const MODERN: Sizes = Sizes {
    process: 96 * 1024,
    dentry: 1400,
};

/// Checks a configuration with the classic sizes.
#[must_use]
pub fn check(file: &File, host: Option<Host>) -> Vec<Finding> {
    check_with(file, host, CLASSIC, None)
}

/// Checks a configuration. `vswap` overrides which rules are used; by
/// default the file tells.
#[must_use]
pub fn check_with(
    file: &File,
    host: Option<Host>,
    sizes: Sizes,
    vswap: Option<bool>,
) -> Vec<Finding> {
    let mut c = Checker {
        file,
        found: Vec::new(),
    };
    c.values();
    let finite = |p: Option<Pair>| p.is_some_and(|p| p.limit < LEGACY_UNLIMITED_PAGES);
    let simple = finite(c.pair("PHYSPAGES")) && c.pair("SWAPPAGES").is_some();
    c.barriers();
    if vswap.unwrap_or(simple) {
        c.simple(host);
    } else {
        c.classic();
        c.buffers();
        c.kernel_memory(sizes);
    }
    c.found
}

struct Checker<'a> {
    file: &'a File,
    found: Vec<Finding>,
}

impl Checker<'_> {
    /// A pair that is set and makes sense.
    fn pair(&self, name: &str) -> Option<Pair> {
        let param = params::by_name(name)?;
        let unit = param.kind.unit()?;
        let names = std::iter::once(&param.name).chain(param.read_aliases);
        let text = names.into_iter().find_map(|n| self.file.get(n))?;
        units::parse_pair(text, unit).ok()
    }

    fn bar(&self, name: &str) -> Option<u64> {
        self.pair(name).map(|p| p.barrier)
    }

    fn lim(&self, name: &str) -> Option<u64> {
        self.pair(name).map(|p| p.limit)
    }

    fn add(&mut self, class: Class, name: &'static str, text: String, fix: String) {
        let param = params::by_name(name);
        let aliases = param.map_or(&[][..], |p| p.read_aliases);
        let line = std::iter::once(&name)
            .chain(aliases)
            .find_map(|n| self.file.line_of(n));
        self.found.push(Finding {
            class,
            text,
            name,
            line,
            fix,
        });
    }

    /// Values that are no numbers at all.
    fn values(&mut self) {
        for (name, value, line) in self.file.assignments() {
            let Some(param) = params::by_name(name) else {
                continue;
            };
            let Some(unit) = param.kind.unit() else {
                continue;
            };
            if let Err(why) = units::parse_pair(value, unit) {
                self.found.push(Finding {
                    class: Class::Error,
                    text: format!("{name}: {why}"),
                    name: param.name,
                    line: Some(line),
                    fix: String::new(),
                });
            }
        }
    }

    fn barriers(&mut self) {
        for param in params::TABLE.iter().filter(|p| p.resource.is_some()) {
            let Some(p) = self.pair(param.name) else {
                continue;
            };
            if p.barrier > p.limit {
                let text = format!(
                    "{}: the barrier {} is above the limit {}",
                    param.name,
                    units::bound(p.barrier),
                    units::bound(p.limit)
                );
                self.add(
                    Class::Error,
                    param.name,
                    text,
                    Pair::both(p.barrier).to_config(),
                );
            }
        }
    }

    fn simple(&mut self, host: Option<Host>) {
        for (name, most) in [
            ("PHYSPAGES", host.map(|h| h.ram)),
            ("SWAPPAGES", host.map(|h| h.swap)),
        ] {
            let Some(p) = self.pair(name) else { continue };
            if p.barrier != 0 {
                let text = format!("{name}: the barrier must be 0, it is {}", p.barrier);
                let fix = Pair {
                    barrier: 0,
                    limit: p.limit,
                }
                .to_config();
                self.add(Class::Error, name, text, fix);
            }
            let Some(most) = most else { continue };
            if p.limit > most && p.limit != UNLIMITED {
                let mib = |pages: u64| pages / (1024 * 1024 / PAGE);
                let text = format!(
                    "{name}: the limit of {} MiB is above the {} MiB the node has",
                    mib(p.limit),
                    mib(most)
                );
                self.add(
                    Class::Warning,
                    name,
                    text,
                    Pair {
                        barrier: 0,
                        limit: most,
                    }
                    .to_config(),
                );
            }
        }
    }

    fn classic(&mut self) {
        for name in [
            "NUMPROC",
            "NUMTCPSOCK",
            "NUMOTHERSOCK",
            "SHMPAGES",
            "NUMFILE",
            "NUMPTY",
            "NUMSIGINFO",
            "NUMIPTENT",
        ] {
            let Some(p) = self.pair(name).filter(|p| p.barrier < p.limit) else {
                continue;
            };
            let text = format!(
                "{name}: barrier and limit must be equal, they are {}",
                p.to_config()
            );
            self.add(Class::Error, name, text, Pair::both(p.limit).to_config());
        }
        for name in ["VMGUARPAGES", "OOMGUARPAGES"] {
            let Some(p) = self.pair(name).filter(|p| p.limit < LEGACY_UNLIMITED_PAGES) else {
                continue;
            };
            let text = format!("{name}: the limit must be unlimited, it is {}", p.limit);
            let fix = Pair {
                barrier: p.barrier,
                limit: UNLIMITED,
            }
            .to_config();
            self.add(Class::Error, name, text, fix);
        }
        if let Some(p) = self.pair("PHYSPAGES") {
            if p.barrier != 0 || p.limit < LEGACY_UNLIMITED_PAGES {
                let text = format!("PHYSPAGES: must be 0:unlimited, it is {}", p.to_config());
                self.add(Class::Error, "PHYSPAGES", text, "0:unlimited".into());
            }
        }
        for param in params::TABLE.iter().filter(|p| p.resource.is_some()) {
            let aliases = param
                .read_aliases
                .iter()
                .any(|a| self.file.get(a).is_some());
            if param.name != "SWAPPAGES" && self.file.get(param.name).is_none() && !aliases {
                let text = format!(
                    "{}: it is not set, and neither are RAM and swap",
                    param.name
                );
                self.add(Class::Error, param.name, text, String::new());
            }
        }
    }

    fn buffers(&mut self) {
        const PER_SOCKET: u64 = 2560;
        for (name, sockets, class) in [
            ("TCPSNDBUF", "NUMTCPSOCK", Class::Error),
            ("OTHERSOCKBUF", "NUMOTHERSOCK", Class::Error),
            ("TCPRCVBUF", "NUMTCPSOCK", Class::Warning),
        ] {
            let (Some(p), Some(n)) = (self.pair(name), self.lim(sockets)) else {
                continue;
            };
            let need = n.saturating_mul(PER_SOCKET);
            if p.limit.saturating_sub(p.barrier) < need && p.limit != UNLIMITED {
                let text = format!(
                    "{name}: limit minus barrier is {}, it must be at least 2560 for each of the \
                     {n} sockets of {sockets}, which is {need}",
                    p.limit.saturating_sub(p.barrier)
                );
                let limit = p.barrier.saturating_add(need).min(UNLIMITED);
                self.add(
                    class,
                    name,
                    text,
                    Pair {
                        barrier: p.barrier,
                        limit,
                    }
                    .to_config(),
                );
            }
        }
        for (name, least) in [
            ("TCPSNDBUF", 65_536),
            ("TCPRCVBUF", 65_536),
            ("OTHERSOCKBUF", 32_768),
            ("DGRAMRCVBUF", 32_768),
        ] {
            let Some(p) = self.pair(name).filter(|p| p.barrier < least) else {
                continue;
            };
            let text = format!("{name}: the barrier {} is below {least}", p.barrier);
            let fix = Pair {
                barrier: least,
                limit: p.limit.max(least),
            }
            .to_config();
            self.add(Class::Warning, name, text, fix);
        }
    }

    fn kernel_memory(&mut self, sizes: Sizes) {
        let average = self
            .bar("AVNUMPROC")
            .or_else(|| self.bar("NUMPROC").map(|n| n / 2));
        let cache = self.lim("DCACHESIZE");
        if let (Some(p), Some(n), Some(cache)) = (self.pair("KMEMSIZE"), average, cache) {
            let need = n
                .saturating_mul(sizes.process)
                .saturating_add(cache)
                .min(UNLIMITED);
            if p.barrier < need {
                let text = format!(
                    "KMEMSIZE: the barrier {} is below {need}, which is {} for each of {n} \
                     processes and the {cache} of DCACHESIZE",
                    p.barrier, sizes.process
                );
                let limit = need.saturating_add(need / 10).min(UNLIMITED).max(p.limit);
                self.add(
                    Class::Error,
                    "KMEMSIZE",
                    text,
                    Pair {
                        barrier: need,
                        limit,
                    }
                    .to_config(),
                );
            }
        }
        if let (Some(p), Some(guaranteed)) = (self.pair("PRIVVMPAGES"), self.bar("VMGUARPAGES")) {
            if p.barrier < guaranteed {
                let text = format!(
                    "PRIVVMPAGES: the barrier {} is below that of VMGUARPAGES, {guaranteed}",
                    p.barrier
                );
                let fix = Pair {
                    barrier: guaranteed,
                    limit: p.limit.max(guaranteed),
                }
                .to_config();
                self.add(Class::Warning, "PRIVVMPAGES", text, fix);
            }
        }
        let Some(files) = self.lim("NUMFILE") else {
            return;
        };
        if let Some(p) = self.pair("DCACHESIZE") {
            let need = files.saturating_mul(sizes.dentry).min(UNLIMITED);
            if p.limit < need {
                let text = format!(
                    "DCACHESIZE: the limit {} is below {need}, which is {} for each of {files} files",
                    p.limit, sizes.dentry
                );
                let fix = Pair {
                    barrier: p.barrier,
                    limit: need,
                }
                .to_config();
                self.add(Class::Warning, "DCACHESIZE", text, fix);
            }
        }
        let sockets = ["NUMTCPSOCK", "NUMOTHERSOCK", "NUMPTY"]
            .iter()
            .filter_map(|n| self.lim(n))
            .fold(0, u64::saturating_add);
        let need = average
            .unwrap_or(0)
            .saturating_mul(32)
            .max(sockets)
            .min(UNLIMITED);
        if files < need {
            let text = format!(
                "NUMFILE: {files} is below {need}, the larger of 32 for each process and the sum \
                 of NUMTCPSOCK, NUMOTHERSOCK and NUMPTY"
            );
            self.add(
                Class::Warning,
                "NUMFILE",
                text,
                Pair::both(need).to_config(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn check_text(text: &str) -> Vec<Finding> {
        let file = File::parse(Path::new("t.conf"), text.as_bytes()).unwrap();
        check(
            &file,
            Some(Host {
                ram: 262_144,
                swap: 0,
            }),
        )
    }

    const BASIC: &str = include_str!("../../../etc/conf/ve-basic.conf-sample");

    #[test]
    fn shipped_samples_are_good() {
        for (name, text) in [
            ("basic", BASIC),
            (
                "light",
                include_str!("../../../etc/conf/ve-light.conf-sample"),
            ),
            (
                "vswap-256m",
                include_str!("../../../etc/conf/ve-vswap-256m.conf-sample"),
            ),
            (
                "vswap-4g",
                include_str!("../../../etc/conf/ve-vswap-4g.conf-sample"),
            ),
        ] {
            let file = File::parse(Path::new(name), text.as_bytes()).unwrap();
            assert_eq!(check(&file, None), [], "{name}");
        }
        let file = File::parse(Path::new("basic"), BASIC.as_bytes()).unwrap();
        assert_eq!(check_with(&file, None, MODERN, None), []);
    }

    #[test]
    fn each_rule_is_found_and_repaired() {
        for (line, class) in [
            ("NUMPROC=\"240:250\"", Class::Error),
            ("NUMIPTENT=\"16:20\"", Class::Error),
            ("LOCKEDPAGES=\"10:9\"", Class::Error),
            ("VMGUARPAGES=\"100:200\"", Class::Error),
            ("OOMGUARPAGES=\"100\"", Class::Error),
            ("PHYSPAGES=\"1:unlimited\"", Class::Error),
            ("KMEMSIZE=\"1000000:2000000\"", Class::Error),
            ("TCPSNDBUF=\"1720320:1720321\"", Class::Error),
            ("OTHERSOCKBUF=\"1126080\"", Class::Error),
            ("TCPRCVBUF=\"1720320\"", Class::Warning),
            ("DGRAMRCVBUF=\"32767\"", Class::Warning),
            ("PRIVVMPAGES=\"1000\"", Class::Warning),
            ("NUMFILE=\"735\"", Class::Warning),
            ("DCACHESIZE=\"1000\"", Class::Warning),
        ] {
            let text = format!("{BASIC}\n{line}\n");
            let found = check_text(&text);
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert_eq!(found[0].class, class, "{line}");
            let repaired = format!("{text}{}=\"{}\"\n", found[0].name, found[0].fix);
            assert_eq!(check_text(&repaired), [], "{line} -> {}", found[0].fix);
        }
    }

    #[test]
    fn simple_mode() {
        assert_eq!(check_text("PHYSPAGES=\"0:256M\"\nSWAPPAGES=\"0\"\n"), []);
        let found = check_text("PHYSPAGES=\"0:2G\"\nSWAPPAGES=\"1:0\"\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(
            found.iter().filter(|f| f.class == Class::Warning).count(),
            1
        );
    }

    #[test]
    fn missing_and_bad_values() {
        let found = check_text("NUMPROC=\"many\"\n");
        assert_eq!(found[0].line, Some(1));
        assert_eq!(found.len(), 20);
    }
}
