// SPDX-License-Identifier: GPL-2.0
//! Names of VEs: links `/etc/vz/names/NAME` to the VE's configuration.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::paths::Paths;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Longest name.
const MAX_LEN: usize = 64;

/// Checks that a text can be a name.
///
/// # Errors
/// It cannot (131).
pub fn check(name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b" -+_.".contains(&b);
    let why = if name.is_empty() {
        "a name must not be empty"
    } else if name.len() > MAX_LEN {
        "a name has at most 64 characters"
    } else if !name.bytes().all(plain) {
        "a name is made of letters, digits, space, and - + _ ."
    } else if name.bytes().all(|b| b.is_ascii_digit()) {
        "a name must not be a number, that would be an id"
    } else if name.starts_with(['-', ' ', '.']) || name.ends_with(' ') {
        "a name must not begin with - . or a space, nor end with a space"
    } else {
        return Ok(());
    };
    Err(Error::new(Code::Name, format!("bad name \"{name}\"")).why(why))
}

/// The VE a name stands for, if there is such a name.
///
/// # Errors
/// The link is broken (131).
pub fn lookup(paths: &Paths, name: &str) -> Result<Option<Veid>> {
    if check(name).is_err() {
        return Ok(None);
    }
    let link = paths.names_dir().join(name);
    let Ok(target) = std::fs::read_link(&link) else {
        return Ok(None);
    };
    let Some(id) = target_id(&target) else {
        return Err(Error::new(Code::Name, format!("name \"{name}\" is broken"))
            .why(format!("{} points to {}", link.display(), target.display()))
            .hint(format!("rm \"{}\"", link.display())));
    };
    // A link that outlived its VE means nothing.
    Ok(paths.ve_conf(id).exists().then_some(id))
}

fn target_id(target: &Path) -> Option<Veid> {
    let file = target.file_name()?.to_str()?;
    Veid::parse(file.strip_suffix(".conf")?).filter(|id| !id.is_node())
}

/// All names, sorted.
#[must_use]
pub fn all(paths: &Paths) -> Vec<String> {
    let Ok(dir) = std::fs::read_dir(paths.names_dir()) else {
        return Vec::new();
    };
    let mut names: Vec<_> = dir
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

/// Names that a mistyped one may have meant: those it begins, else the nearest.
#[must_use]
pub fn similar(paths: &Paths, text: &str) -> Vec<String> {
    nearest(text, &all(paths))
}

/// Candidates that begin with `text`, else those within a small edit distance.
#[must_use]
pub fn nearest(text: &str, candidates: &[String]) -> Vec<String> {
    let mut found: Vec<String> = candidates
        .iter()
        .filter(|c| !text.is_empty() && c.starts_with(text))
        .cloned()
        .collect();
    if found.is_empty() {
        let allowed = (text.chars().count() / 3).max(1);
        let mut near: Vec<_> = candidates
            .iter()
            .map(|c| (distance(text, c), c))
            .filter(|(d, _)| *d <= allowed)
            .collect();
        near.sort();
        found = near.into_iter().map(|(_, c)| c.clone()).collect();
    }
    found.truncate(3);
    found
}

/// Levenshtein distance, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Gives a VE a name. It is taken atomically: of two VEs that want the same
/// name, one gets it.
///
/// # Errors
/// Bad, or used by another VE (131).
pub fn link(paths: &Paths, id: Veid, name: &str) -> Result<()> {
    check(name)?;
    let link = paths.names_dir().join(name);
    let failed = || format!("cannot name VE {id} \"{name}\"");
    match lookup(paths, name)? {
        Some(owner) if owner == id => return Ok(()),
        Some(owner) => {
            return Err(Error::new(Code::Name, failed())
                .why(format!("VE {owner} has that name"))
                .hint(format!("vzctl set {owner} --name OTHER --save")));
        }
        None => {
            if link.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
                std::fs::remove_file(&link).or_err(Code::Name, failed)?;
            }
        }
    }
    std::fs::create_dir_all(paths.names_dir()).or_err(Code::Name, failed)?;
    // The target is the path as the node sees it, not as a test does.
    symlink(format!("/etc/vz/conf/{id}.conf"), &link).or_err(Code::Name, failed)
}

/// Takes a name away from a VE. Another VE's name is left alone.
///
/// # Errors
/// The link cannot be removed (131).
pub fn unlink(paths: &Paths, id: Veid, name: &str) -> Result<()> {
    if check(name).is_err() {
        return Ok(());
    }
    let link = paths.names_dir().join(name);
    let Ok(target) = std::fs::read_link(&link) else {
        return Ok(());
    };
    if target_id(&target) != Some(id) {
        return Ok(());
    }
    std::fs::remove_file(&link).or_err(Code::Name, || {
        format!("cannot remove name \"{name}\" of VE {id}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for good in ["web1", "my web+db_1.a-b", "1a"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "101", "a/b", "..", "-x", " x", "x ", "w\u{e4}b", "a\nb"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nearest_names() {
        let names = ["web1".to_string(), "web2".into(), "mail".into()];
        assert_eq!(nearest("we", &names), ["web1", "web2"]);
        assert_eq!(nearest("mial", &names), Vec::<String>::new());
        assert_eq!(nearest("mai1", &names), ["mail"]);
        assert_eq!(nearest("weeb1", &names), ["web1"]);
    }
}
