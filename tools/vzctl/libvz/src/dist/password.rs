// SPDX-License-Identifier: GPL-2.0
//! Passwords and users of a guest, set in its files from the node.
//!
//! The hash is made here, so that the password is in no process's arguments
//! and the guest's programs never see it.

use crate::cli::args::Password;
use crate::ctx::Ctx;
use crate::dist::Tree;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id::Veid;
use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_ulong;
use std::ffi::c_void;
use std::path::Path;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Size of libcrypt's `struct crypt_data`.
const CRYPT_DATA: usize = 32_768;

#[link(name = "crypt")]
unsafe extern "C" {
    fn crypt_rn(
        phrase: *const c_char,
        setting: *const c_char,
        data: *mut c_void,
        size: c_int,
    ) -> *mut c_char;
    fn crypt_gensalt_rn(
        prefix: *const c_char,
        count: c_ulong,
        rbytes: *const c_char,
        nrbytes: c_int,
        output: *mut c_char,
        size: c_int,
    ) -> *mut c_char;
}

/// Hash of a password; `prefix` names the method ("$y$", "$6$").
fn hash(password: &str, prefix: &CStr) -> Option<String> {
    let phrase = CString::new(password).ok()?;
    let mut setting = [0 as c_char; 192];
    // SAFETY: `prefix` is a C string, no random bytes are given (libcrypt gets
    // its own), and `setting` has the size that is named.
    let made = unsafe {
        let size = c_int::try_from(setting.len()).unwrap_or(0);
        crypt_gensalt_rn(
            prefix.as_ptr(),
            0,
            std::ptr::null(),
            0,
            setting.as_mut_ptr(),
            size,
        )
    };
    if made.is_null() {
        return None;
    }
    // u64: the structure wants more than byte alignment.
    let mut data = vec![0u64; CRYPT_DATA / 8];
    // SAFETY: `phrase` and `setting` are C strings (the latter was just
    // written by libcrypt), `data` is zeroed and has the size that is named.
    // The answer points into `data` and is copied before that is dropped.
    let text = unsafe {
        let size = c_int::try_from(CRYPT_DATA).unwrap_or(0);
        let out = crypt_rn(
            phrase.as_ptr(),
            setting.as_ptr(),
            data.as_mut_ptr().cast(),
            size,
        );
        if out.is_null() {
            None
        } else {
            CStr::from_ptr(out).to_str().ok().map(str::to_string)
        }
    };
    text.filter(|t| t.starts_with('$'))
}

/// Sets a user's password, and makes the user if there is none.
///
/// # Errors
/// Bad user or password, or the tree has no user database (74).
pub fn set_password(_: &Ctx<'_>, id: Veid, tree: &Path, pass: &Password) -> Result<()> {
    let tree = Tree::open(tree)?;
    let failed = || format!("cannot set the password of {} in VE {id}", pass.user);
    apply(&tree, pass).map_err(|e| {
        let why = e.message();
        Error::new(Code::Password, failed()).why(why)
    })
}

fn bad(why: &str) -> Error {
    Error::new(Code::Password, why)
}

fn apply(tree: &Tree, pass: &Password) -> Result<()> {
    let user = &pass.user;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if user.is_empty() || user.starts_with('-') || !user.bytes().all(plain) {
        return Err(bad("bad user name"));
    }
    let line = if pass.crypted {
        let ok = |b: u8| b.is_ascii_graphic() && b != b':';
        if pass.password.is_empty() || !pass.password.bytes().all(ok) {
            return Err(bad("that is no password hash"));
        }
        pass.password.clone()
    } else {
        hash(&pass.password, method(tree)).ok_or_else(|| bad("the password cannot be hashed"))?
    };
    let passwd = tree
        .read("/etc/passwd")?
        .ok_or_else(|| bad("there is no /etc/passwd"))?;
    if field(&passwd, user, 2).is_none() {
        add_user(tree, &passwd, user)?;
    }
    let shadow = tree
        .read("/etc/shadow")?
        .ok_or_else(|| bad("there is no /etc/shadow"))?;
    let days = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() / 86_400);
    tree.write("/etc/shadow", &with_hash(&shadow, user, &line, days), 0o640)
}

/// What the guest's own passwd would use; only new ones know yescrypt.
fn method(tree: &Tree) -> &'static CStr {
    let defs = tree
        .read("/etc/login.defs")
        .ok()
        .flatten()
        .unwrap_or_default();
    let words = |l: &str| {
        let mut w = l.split_whitespace();
        w.next() == Some("ENCRYPT_METHOD")
            && w.next().is_some_and(|m| m.eq_ignore_ascii_case("yescrypt"))
    };
    if defs.lines().any(words) {
        c"$y$"
    } else {
        c"$6$"
    }
}

fn field<'t>(text: &'t str, user: &str, index: usize) -> Option<&'t str> {
    text.lines()
        .find(|l| l.split(':').next() == Some(user))?
        .split(':')
        .nth(index)
}

/// The shadow file with a new hash; a missing line is added.
fn with_hash(shadow: &str, user: &str, hash: &str, days: u64) -> String {
    let mut out = String::with_capacity(shadow.len() + hash.len() + 32);
    let mut found = false;
    for line in shadow.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        let day = days.to_string();
        if fields.first() == Some(&user) && !found {
            found = true;
            fields.resize(9.max(fields.len()), "");
            fields[1] = hash;
            fields[2] = &day;
            out.push_str(&fields.join(":"));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    if !found {
        out.push_str(&format!("{user}:{hash}:{days}:0:99999:7:::\n"));
    }
    out
}

fn add_user(tree: &Tree, passwd: &str, user: &str) -> Result<()> {
    let group = tree.read("/etc/group")?.unwrap_or_default();
    let ids = |text: &str, index: usize| -> Vec<u32> {
        text.lines()
            .filter_map(|l| l.split(':').nth(index)?.parse().ok())
            .collect()
    };
    let used: Vec<u32> = [ids(passwd, 2), ids(&group, 2)].concat();
    let id = (1000..60_000)
        .find(|id| !used.contains(id))
        .ok_or_else(|| bad("no user id is free"))?;
    let shell = if tree.is_file("/bin/bash") {
        "/bin/bash"
    } else {
        "/bin/sh"
    };
    if field(&group, user, 2).is_none() {
        tree.write(
            "/etc/group",
            &format!("{}{user}:x:{id}:\n", ended(&group)),
            0o644,
        )?;
        if let Some(gshadow) = tree.read("/etc/gshadow")? {
            tree.write(
                "/etc/gshadow",
                &format!("{}{user}:!::\n", ended(&gshadow)),
                0o640,
            )?;
        }
    }
    let home = format!("/home/{user}");
    let line = format!("{user}:x:{id}:{id}::{home}:{shell}\n");
    tree.write("/etc/passwd", &format!("{}{line}", ended(passwd)), 0o644)?;
    if tree.is_dir("/home") && tree.stat(&home).is_none() {
        tree.make_dir(&home, 0o755, id, id)?;
    }
    Ok(())
}

/// The text, with a newline at its end if it has lines.
fn ended(text: &str) -> String {
    let missing = !text.is_empty() && !text.ends_with('\n');
    if missing {
        format!("{text}\n")
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_salted_and_of_the_method() {
        for prefix in [c"$6$", c"$y$"] {
            let a = hash("secret", prefix).unwrap();
            assert!(a.starts_with(prefix.to_str().unwrap()), "{a}");
            assert_ne!(a, hash("secret", prefix).unwrap());
        }
    }

    #[test]
    fn shadow_lines() {
        let old = "root:*:1:0:99999:7:::\nx:!:2\n";
        assert_eq!(
            with_hash(old, "root", "H", 9),
            "root:H:9:0:99999:7:::\nx:!:2\n"
        );
        assert_eq!(
            with_hash(old, "x", "H", 9),
            "root:*:1:0:99999:7:::\nx:H:9::::::\n"
        );
        assert_eq!(
            with_hash(old, "new", "H", 9),
            format!("{old}new:H:9:0:99999:7:::\n")
        );
    }

    #[test]
    fn user_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc")).unwrap();
        let put = |n: &str, t: &str| std::fs::write(dir.path().join(n), t).unwrap();
        put("etc/passwd", "root:x:0:0::/root:/bin/sh");
        put("etc/group", "root:x:0:\nused:x:1000:\n");
        put("etc/shadow", "root:*:1:0:99999:7:::\n");
        let tree = Tree::open(dir.path()).unwrap();
        let pass = Password {
            user: "joe".into(),
            password: "$6$a$b".into(),
            crypted: true,
        };
        for _ in 0..2 {
            apply(&tree, &pass).unwrap();
        }
        let passwd = tree.read("/etc/passwd").unwrap().unwrap();
        assert_eq!(
            passwd,
            "root:x:0:0::/root:/bin/sh\njoe:x:1001:1001::/home/joe:/bin/sh\n"
        );
        let shadow = tree.read("/etc/shadow").unwrap().unwrap();
        assert_eq!(shadow.matches("joe:$6$a$b:").count(), 1);
    }
}
