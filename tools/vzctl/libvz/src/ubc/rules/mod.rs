// SPDX-License-Identifier: GPL-2.0
//! Rules that the limits of one VE have to keep among themselves.

mod classic;
mod simple;
pub mod sizes;

pub use sizes::LEGACY;
pub use sizes::MODERN;
pub use sizes::Sizes;

use crate::config::File;
use crate::config::Simple;
use crate::error::Result;
use crate::node::Memory;
use crate::params;
use crate::params::Param;
use crate::units;
use crate::units::Pair;

/// Repairs may uncover others; more rounds are never needed.
const ROUNDS: usize = 64;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Applications will fail in ways they do not expect.
    Error,
    /// Unusual, may be meant.
    Warning,
    /// Good, could be better.
    Advice,
}

impl Class {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Class::Error => "error",
            Class::Warning => "warning",
            Class::Advice => "advice",
        }
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub class: Class,
    /// The rule with its numbers.
    pub text: String,
    /// The parameter to change.
    pub param: &'static Param,
    /// Line of the parameter, if it is set.
    pub line: Option<usize>,
    /// Value that repairs it; `None`: a person has to choose.
    pub fix: Option<String>,
}

/// What to check by.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Kernel memory that things are assumed to need.
    pub sizes: Sizes,
    /// Whether the rules of the simple mode hold; `None`: the file tells.
    pub simple: Option<bool>,
    /// Memory of the node the file is for, if known.
    pub node: Option<Memory>,
}

impl Rules {
    /// Those of this kernel.
    #[must_use]
    pub fn new(node: Option<Memory>) -> Self {
        Self {
            sizes: MODERN,
            simple: None,
            node,
        }
    }

    /// All broken rules of a configuration.
    #[must_use]
    pub fn check(&self, file: &File) -> Vec<Finding> {
        let mut c = Checker {
            file,
            found: Vec::new(),
        };
        c.values();
        c.barriers();
        c.least();
        let simple = Simple::of(c.pair("PHYSPAGES"), c.pair("SWAPPAGES"));
        if self.simple.unwrap_or(simple.is_some()) {
            c.simple(self.node);
        } else {
            c.classic(self.sizes);
        }
        c.found
    }

    /// What a change breaks: findings of the new file that the old one does
    /// not have. What was there before is not news.
    #[must_use]
    pub fn news(&self, old: &File, new: &File) -> Vec<Finding> {
        let before = self.check(old);
        let known = |f: &Finding| before.iter().any(|b| b.text == f.text);
        self.check(new).into_iter().filter(|f| !known(f)).collect()
    }

    /// Repairs what `wanted` agrees to, errors first; returns what was done.
    ///
    /// # Errors
    /// A value cannot be written to the file (21).
    pub fn repair(
        &self,
        file: &mut File,
        mut wanted: impl FnMut(&Finding) -> bool,
    ) -> Result<Vec<Finding>> {
        let mut done: Vec<Finding> = Vec::new();
        let mut refused: Vec<String> = Vec::new();
        for _ in 0..ROUNDS {
            let mut open = self.check(file);
            open.sort_by_key(|f| f.class);
            let next = open
                .into_iter()
                .find(|f| f.fix.is_some() && !refused.contains(&f.text));
            let Some(finding) = next else { break };
            if !wanted(&finding) {
                refused.push(finding.text);
                continue;
            }
            for old in finding.param.read_aliases {
                file.unset(old);
            }
            if let Some(fix) = &finding.fix {
                file.set(finding.param.name, fix)?;
            }
            done.push(finding);
        }
        Ok(done)
    }
}

struct Checker<'a> {
    file: &'a File,
    found: Vec<Finding>,
}

impl Checker<'_> {
    /// A pair that is set and makes sense.
    fn pair(&self, name: &str) -> Option<Pair> {
        let param = params::by_name(name)?;
        let text = param.names().find_map(|n| self.file.get(n))?;
        units::parse_pair(text, param.kind.unit()?).ok()
    }

    fn bar(&self, name: &str) -> Option<u64> {
        self.pair(name).map(|p| p.barrier)
    }

    fn lim(&self, name: &str) -> Option<u64> {
        self.pair(name).map(|p| p.limit)
    }

    fn is_set(&self, param: &Param) -> bool {
        param.names().any(|n| self.file.get(n).is_some())
    }

    /// A finding; `text` goes on after the name.
    fn add(&mut self, class: Class, name: &str, text: &str, fix: Option<Pair>) {
        let Some(param) = params::by_name(name) else {
            return;
        };
        self.found.push(Finding {
            class,
            text: format!("{name}: {text}"),
            param,
            line: param.names().find_map(|n| self.file.line_of(n)),
            fix: fix.map(Pair::to_config),
        });
    }

    /// Values that are no numbers at all.
    fn values(&mut self) {
        let lines: Vec<_> = self
            .file
            .assignments()
            .map(|(name, value, line)| (name.to_string(), value.to_string(), line))
            .collect();
        for (name, value, line) in lines {
            let param = params::by_name(&name);
            let Some((param, unit)) = param.and_then(|p| Some((p, p.kind.unit()?))) else {
                continue;
            };
            if let Err(why) = units::parse_pair(&value, unit) {
                self.found.push(Finding {
                    class: Class::Error,
                    text: format!("{name}: {why}"),
                    param,
                    line: Some(line),
                    fix: None,
                });
            }
        }
    }

    /// What `vzctl set` would refuse, too.
    fn least(&mut self) {
        for param in params::TABLE.iter().filter(|p| p.resource.is_some()) {
            let Some(p) = self.pair(param.name) else {
                continue;
            };
            if p.barrier.min(p.limit) < param.least {
                let text = format!(
                    "it must be at least {}, it is {}",
                    param.least,
                    p.to_config()
                );
                let fix = Pair::both(p.barrier.max(p.limit).max(param.least));
                self.add(Class::Error, param.name, &text, Some(fix));
            }
        }
    }

    fn barriers(&mut self) {
        for param in params::TABLE.iter().filter(|p| p.resource.is_some()) {
            let Some(p) = self.pair(param.name).filter(|p| p.barrier > p.limit) else {
                continue;
            };
            let text = format!(
                "the barrier {} is above the limit {}",
                units::bound(p.barrier),
                units::bound(p.limit)
            );
            let fix = Pair::both(p.barrier);
            self.add(Class::Error, param.name, &text, Some(fix));
        }
    }
}

#[cfg(test)]
mod tests;
