// SPDX-License-Identifier: GPL-2.0
//! Recipes of OS templates: TOML files, shipped and the administrator's.

use crate::paths::Paths;
use crate::pkg::Fail;
use crate::pkg::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How to build one template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Full name: `OS-VERSION-ARCH`.
    pub name: String,
    /// Other names it is known by.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// One line for lists.
    #[serde(default)]
    pub description: String,
    /// What builds it.
    pub manager: Manager,
    /// `ID` in `/etc/os-release` of nodes whose own mirrors can be used.
    pub distribution: String,
    /// Release.
    pub suite: String,
    /// Architecture as the package manager calls it.
    pub arch: String,
    /// Components of the archive.
    pub components: Vec<String>,
    /// Suites beside the release from the same archive.
    #[serde(default)]
    pub more_suites: Vec<String>,
    /// Suite of security updates.
    #[serde(default)]
    pub security_suite: String,
    /// Archives to use instead of the node's.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Archive of security updates to use instead of the node's.
    #[serde(default)]
    pub security_mirror: String,
    /// Keys that sign the archive.
    pub keyring: String,
    /// Packages beside the essential ones.
    pub packages: Vec<String>,
    /// Paths that packages may not install.
    #[serde(default)]
    pub path_exclude: Vec<String>,
    /// Exceptions from that.
    #[serde(default)]
    pub path_include: Vec<String>,
    /// Units that cannot work in a VE.
    #[serde(default)]
    pub mask: Vec<Mask>,
    /// Files added to the tree.
    #[serde(default)]
    pub file: Vec<Extra>,
}

/// Package managers there is a backend for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// Debian's, by mmdebstrap.
    Apt,
}

/// A unit that is masked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Its name.
    pub unit: String,
    /// Why it cannot work.
    pub reason: String,
}

/// A file added to the tree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Where it goes.
    pub path: String,
    /// What is in it.
    pub content: String,
}

impl Recipe {
    fn parse(path: &Path) -> Result<Self, Failure> {
        let failed = |why: String| {
            Failure::new(Fail::BadArgument, format!("bad recipe {}", path.display())).why(why)
        };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let recipe: Recipe = toml::from_str(&text).map_err(|e| failed(e.to_string()))?;
        recipe.check().map_err(failed)?;
        Ok(recipe)
    }

    /// Everything that gets onto a command line is checked here.
    fn check(&self) -> Result<(), String> {
        let word = |s: &str, more: &[u8]| {
            let ok = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b) || more.contains(&b);
            !s.is_empty() && !s.starts_with('-') && s.bytes().all(ok)
        };
        let words = [&self.name, &self.suite, &self.arch]
            .into_iter()
            .chain(&self.components)
            .chain(&self.aliases)
            .chain(&self.more_suites)
            .chain(&self.packages);
        for text in words {
            if !word(text, b"/") {
                return Err(format!("bad word \"{text}\""));
            }
        }
        if self.name.contains('/') {
            return Err("a name has no slash".into());
        }
        for mask in &self.mask {
            if !word(&mask.unit, b"@") || mask.unit.contains('/') {
                return Err(format!("bad unit \"{}\"", mask.unit));
            }
            if mask.reason.trim().is_empty() {
                return Err(format!("unit {} is masked without a reason", mask.unit));
            }
        }
        let paths = self.file.iter().map(|f| &f.path);
        for path in paths.chain(&self.path_exclude).chain(&self.path_include) {
            if !path.starts_with('/') || !word(&path[1..], b"/*@") || path.contains("..") {
                return Err(format!("bad path \"{path}\""));
            }
        }
        Ok(())
    }

    /// Whether this is its name or an alias.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|a| a == name)
    }
}

/// All recipes by name; the administrator's replace shipped ones.
///
/// # Errors
/// A recipe is broken (35).
pub fn all(paths: &Paths) -> Result<BTreeMap<String, Recipe>, Failure> {
    let mut map = BTreeMap::new();
    for dir in paths.recipe_dirs() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries.flatten() {
            if entry.path().extension().is_some_and(|e| e == "toml") {
                let recipe = Recipe::parse(&entry.path())?;
                map.insert(recipe.name.clone(), recipe);
            }
        }
    }
    Ok(map)
}

/// A recipe by its name or an alias.
///
/// # Errors
/// A recipe is broken (35), or there is none (24).
pub fn find(paths: &Paths, name: &str) -> Result<Recipe, Failure> {
    let mut map = all(paths)?;
    if let Some(recipe) = map.remove(name) {
        return Ok(recipe);
    }
    let names: Vec<String> = map.keys().cloned().collect();
    if let Some(recipe) = map.into_values().find(|r| r.is_called(name)) {
        return Ok(recipe);
    }
    let near = crate::names::nearest(name, &names);
    let err = Failure::new(Fail::NotFound, format!("there is no recipe for \"{name}\""));
    Err(match near.is_empty() {
        true => err.hint("vzpkg list --available"),
        false => err.why(format!("did you mean {}?", near.join(" or "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_recipes_are_good() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let recipe = Recipe::parse(&path).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(
                path.file_stem().unwrap().to_str(),
                Some(recipe.name.as_str())
            );
            assert!(
                recipe.mirrors.is_empty(),
                "shipped recipes use the node's mirrors"
            );
            names.extend(recipe.aliases);
            names.push(recipe.name);
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "a name is used twice");
    }

    #[test]
    fn words_that_would_be_shell_are_refused() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/debian-13-x86_64.toml");
        let good = Recipe::parse(&dir).unwrap();
        let mut bad = good.clone();
        bad.packages.push("x; rm -rf /".into());
        assert!(bad.check().is_err());
        let mut bad = good.clone();
        bad.mask.push(Mask {
            unit: "a b".into(),
            reason: "r".into(),
        });
        assert!(bad.check().is_err());
        let mut bad = good;
        bad.file.push(Extra {
            path: "/etc/../x".into(),
            content: String::new(),
        });
        assert!(bad.check().is_err());
    }
}
