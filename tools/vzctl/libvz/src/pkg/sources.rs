// SPDX-License-Identifier: GPL-2.0
//! The mirrors this node's own apt uses.
//!
//! A recipe that names no mirror takes them, so that a node behind a local
//! mirror builds its templates from there too.

use crate::paths::Paths;
use std::path::PathBuf;

/// One archive of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it is.
    pub(super) uri: String,
    /// Suites that are used from it.
    pub(super) suites: Vec<String>,
    /// Components that are used from it.
    pub(super) components: Vec<String>,
}

/// Where a release and its security updates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirrors {
    /// The release.
    pub(super) main: String,
    /// Its security updates, if the node gets them.
    pub(super) security: Option<String>,
}

/// Mirrors of the node, if it runs the distribution with this `ID`.
pub(super) fn of_node(paths: &Paths, distribution: &str) -> Option<Mirrors> {
    let release = std::fs::read_to_string(paths.host("/etc/os-release"))
        .or_else(|_| std::fs::read_to_string("/etc/os-release"))
        .ok()?;
    let value = |key: &str| {
        let line = release
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.map(|v| v.trim_matches('"').to_string())
    };
    if value("ID")? != distribution {
        return None;
    }
    choose(&entries(paths), &value("VERSION_CODENAME")?)
}

/// The archive is the one that has the node's own release.
fn choose(entries: &[Entry], codename: &str) -> Option<Mirrors> {
    const ROLLING: [&str; 4] = ["stable", "testing", "unstable", "sid"];
    let main = |e: &&Entry| {
        let own = |s: &String| *s == codename || ROLLING.contains(&s.as_str());
        e.components.iter().any(|c| c == "main") && e.suites.iter().any(own)
    };
    let security = |e: &&Entry| e.suites.iter().any(|s| s.ends_with("-security"));
    Some(Mirrors {
        main: entries.iter().find(main)?.uri.clone(),
        security: entries.iter().find(security).map(|e| e.uri.clone()),
    })
}

/// All archives of the node, in the order of the files.
fn entries(paths: &Paths) -> Vec<Entry> {
    let under = |p: &str| {
        let there = paths.host(p);
        if there.exists() {
            there
        } else {
            PathBuf::from(p)
        }
    };
    let mut files = vec![under("/etc/apt/sources.list")];
    if let Ok(dir) = std::fs::read_dir(under("/etc/apt/sources.list.d")) {
        let mut more: Vec<_> = dir.flatten().map(|e| e.path()).collect();
        more.sort();
        files.extend(more);
    }
    let mut all = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|e| e.to_str()) {
            Some("list") => all.extend(text.lines().filter_map(one_line)),
            Some("sources") => all.extend(deb822(&text)),
            _ => {}
        }
    }
    all
}

/// `deb [options] URI SUITE COMPONENT...`
fn one_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim();
    let rest = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.1.trim(),
        None => rest,
    };
    let mut words = rest.split_whitespace().map(str::to_string);
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Entry {
        uri,
        suites: vec![suite],
        components: words.collect(),
    })
}

/// Paragraphs of `Types: URIs: Suites: Components:`.
fn deb822(text: &str) -> Vec<Entry> {
    let plain: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    let mut all = Vec::new();
    for paragraph in plain.split(|l| l.trim().is_empty()) {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in paragraph {
            match (
                line.starts_with([' ', '\t']),
                line.split_once(':'),
                fields.last_mut(),
            ) {
                (true, _, Some(last)) => {
                    last.1.push(' ');
                    last.1.push_str(line.trim());
                }
                (false, Some((key, value)), _) => {
                    fields.push((key.trim().to_lowercase(), value.trim().to_string()));
                }
                _ => {}
            }
        }
        let words = |key: &str| -> Vec<String> {
            let field = fields.iter().find(|(k, _)| k == key);
            field.map_or(Vec::new(), |(_, v)| {
                v.split_whitespace().map(str::to_string).collect()
            })
        };
        if words("enabled")
            .iter()
            .any(|v| v.eq_ignore_ascii_case("no"))
            || !words("types").iter().any(|t| t == "deb")
        {
            continue;
        }
        for uri in words("uris") {
            let (suites, components) = (words("suites"), words("components"));
            all.push(Entry {
                uri,
                suites,
                components,
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats() {
        let old = one_line("deb [arch=amd64 signed-by=/k] http://mirror/debian trixie main # x");
        assert_eq!(
            old,
            Some(Entry {
                uri: "http://mirror/debian".into(),
                suites: vec!["trixie".into()],
                components: vec!["main".into()],
            })
        );
        assert_eq!(one_line("deb-src http://mirror/debian trixie main"), None);
        assert_eq!(one_line("# deb http://mirror/debian trixie main"), None);
        let new = deb822(
            "Types: deb deb-src\n# comment\nURIs: http://a/ http://b/\nSuites: x\n x-updates\n\
             Components: main\n\nTypes: deb\nEnabled: no\nURIs: http://c/\nSuites: x\n",
        );
        assert_eq!(new.len(), 2);
        assert_eq!(new[1].uri, "http://b/");
        assert_eq!(new[0].suites, ["x", "x-updates"]);
    }

    #[test]
    fn the_archive_is_chosen_and_not_a_vendor() {
        let entry = |uri: &str, suite: &str| Entry {
            uri: uri.into(),
            suites: vec![suite.into()],
            components: vec!["main".into()],
        };
        let all = [
            entry("http://vendor/apt", "nodistro"),
            entry("http://mirror/debian", "bookworm"),
            entry("http://mirror/security", "bookworm-security"),
        ];
        let got = choose(&all, "bookworm").unwrap();
        assert_eq!(got.main, "http://mirror/debian");
        assert_eq!(got.security.as_deref(), Some("http://mirror/security"));
        assert_eq!(choose(&all[..1], "bookworm"), None);
    }
}
