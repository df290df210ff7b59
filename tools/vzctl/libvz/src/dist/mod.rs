// SPDX-License-Identifier: GPL-2.0
//! Distribution actions: what has to be changed in a guest's file tree.
//!
//! All of them are done from the node, on a tree that is not trusted (see
//! [`Tree`]), and a second run changes nothing.

mod password;
mod tree;

pub use password::set_password;
pub use tree::Tree;

use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::Veid;
use std::path::Path;

/// Marks lines that belong to the tools.
const MARK: &str = "# vzctl-managed";

/// Sets the host name in the files of a tree.
///
/// # Errors
/// A file cannot be written.
pub fn set_hostname(_: &Ctx<'_>, _: Veid, tree: &Path, name: &str) -> Result<()> {
    hostname(&Tree::open(tree)?, name)
}

fn hostname(tree: &Tree, name: &str) -> Result<()> {
    if !tree.is_dir("/etc") {
        return Ok(());
    }
    tree.write("/etc/hostname", &format!("{name}\n"), 0o644)?;
    let old = tree
        .read("/etc/hosts")?
        .unwrap_or_else(|| DEFAULT_HOSTS.to_string());
    tree.write("/etc/hosts", &hosts(&old, name), 0o644)
}

const DEFAULT_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/// `/etc/hosts` with our one line for the name.
fn hosts(old: &str, name: &str) -> String {
    let short = name.split('.').next().unwrap_or(name);
    let names = if short == name {
        name.to_string()
    } else {
        format!("{name} {short}")
    };
    let mut new: String = old
        .lines()
        .filter(|l| !l.contains(MARK))
        .flat_map(|l| [l, "\n"])
        .collect();
    new.push_str(&format!("127.0.1.1\t{names}\t{MARK}\n"));
    new
}

/// Sets the name servers. A file the guest manages itself, which is a link
/// to somewhere under `/run`, is left alone.
fn set_dns(tree: &Tree, text: &str) -> Result<()> {
    if !tree.is_dir("/etc") || tree.is_link("/etc/resolv.conf") {
        return Ok(());
    }
    tree.write("/etc/resolv.conf", text, 0o644)
}

/// Content of resolv.conf; `None`: the guest's file stays as it is.
fn resolv_conf(ctx: &Ctx<'_>, conf: &VeConfig) -> Option<String> {
    let value = |name| {
        conf.get(name)
            .unwrap_or_else(|| ctx.paths.global().get(name))
            .to_string()
    };
    let servers = value("NAMESERVER");
    let host = std::fs::read_to_string(ctx.paths.host("/etc/resolv.conf")).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for search in std::iter::once(value("SEARCHDOMAIN")).filter(|s| !s.is_empty()) {
        match search.as_str() {
            "inherit" => lines.extend(inherited(&host, "search")),
            list => lines.push(format!("search {list}")),
        }
    }
    for server in servers.split_whitespace() {
        match server {
            "inherit" => lines.extend(inherited(&host, "nameserver")),
            address => lines.push(format!("nameserver {address}")),
        }
    }
    (!lines.is_empty()).then(|| format!("{MARK}\n{}\n", lines.join("\n")))
}

/// Lines of the node's file, without servers only the node can reach.
fn inherited(host: &str, key: &str) -> Vec<String> {
    host.lines()
        .map(str::trim)
        .filter(|l| l.split_whitespace().next() == Some(key))
        .filter(|l| {
            !l.split_whitespace()
                .any(|w| w.starts_with("127.") || w == "::1")
        })
        .map(str::to_string)
        .collect()
}

const KEYS_UNIT: &str = "/etc/systemd/system/vz-ssh-keys.service";

/// Distributions make host keys when the package is installed, or at what
/// systemd takes for the first boot, which an empty machine-id is not.
const KEYS_TEXT: &str = "\
# vzctl-managed
[Unit]
Description=Make the SSH host keys of a new container
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service ssh.socket sshd.socket

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
";

/// Makes a tree unpacked from a template a new machine of its own.
///
/// # Errors
/// A file cannot be changed.
pub fn post_create(tree: &Tree, id: Veid) -> Result<()> {
    if !tree.is_dir("/etc") {
        return Ok(());
    }
    if tree.is_file("/etc/machine-id") {
        tree.write("/etc/machine-id", "", 0o444)?;
    }
    if tree.is_file("/var/lib/dbus/machine-id") && !tree.is_link("/var/lib/dbus/machine-id") {
        tree.remove("/var/lib/dbus/machine-id")?;
    }
    for name in tree.names("/etc/ssh")? {
        if name.starts_with("ssh_host_") {
            tree.remove(&format!("/etc/ssh/{name}"))?;
        }
    }
    if tree.is_file("/usr/bin/ssh-keygen") && tree.is_dir("/etc/systemd/system") {
        tree.write(KEYS_UNIT, KEYS_TEXT, 0o644)?;
        tree.link(
            KEYS_UNIT,
            "/etc/systemd/system/multi-user.target.wants/vz-ssh-keys.service",
        )?;
    }
    if let Some(shadow) = tree.read("/etc/shadow")? {
        tree.write("/etc/shadow", &lock_empty_root(&shadow), 0o640)?;
    }
    if tree.read("/etc/hosts")?.is_none() {
        tree.write("/etc/hosts", DEFAULT_HOSTS, 0o644)?;
    }
    if let Some(crontab) = tree.read("/etc/crontab")? {
        tree.write("/etc/crontab", &shift_minutes(&crontab, id.get()), 0o644)?;
    }
    Ok(())
}

/// `root::` would let anyone in.
fn lock_empty_root(shadow: &str) -> String {
    let mut out = String::with_capacity(shadow.len() + 1);
    for line in shadow.split_inclusive('\n') {
        match line.strip_prefix("root::") {
            Some(rest) => {
                out.push_str("root:!:");
                out.push_str(rest);
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Hundreds of VEs must not run their hourly jobs in the same minute.
fn shift_minutes(crontab: &str, id: u32) -> String {
    let shift = |line: &str| -> Option<String> {
        let (minute, rest) = line.split_once(char::is_whitespace)?;
        let minute: u32 = minute.parse().ok().filter(|m| *m < 60)?;
        // 7 and 60 have no common factor: 60 neighbours get 60 minutes.
        Some(format!("{} {rest}", (minute + id % 60 * 7) % 60))
    };
    crontab
        .split_inclusive('\n')
        .map(|l| {
            if l.contains("run-parts") {
                shift(l)
            } else {
                None
            }
            .unwrap_or(l.to_string())
        })
        .collect()
}

/// What the tree must hold before init runs: host name and name servers.
///
/// # Errors
/// A file cannot be written.
pub fn pre_start(ctx: &Ctx<'_>, conf: &VeConfig, tree: &Tree) -> Result<()> {
    if let Some(name) = conf.get("HOSTNAME") {
        hostname(tree, name)?;
    }
    match resolv_conf(ctx, conf) {
        Some(text) => set_dns(tree, &text),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_line_is_replaced() {
        let once = hosts("127.0.0.1 localhost\n", "web.example.org");
        assert_eq!(
            once,
            "127.0.0.1 localhost\n127.0.1.1\tweb.example.org web\t# vzctl-managed\n"
        );
        assert_eq!(hosts(&once, "web.example.org"), once);
        assert_eq!(
            hosts(&once, "db"),
            "127.0.0.1 localhost\n127.0.1.1\tdb\t# vzctl-managed\n"
        );
    }

    #[test]
    fn empty_root_password() {
        assert_eq!(lock_empty_root("root::1:\nx::1:\n"), "root:!:1:\nx::1:\n");
        assert_eq!(lock_empty_root("root:$y$a:1:\n"), "root:$y$a:1:\n");
    }

    #[test]
    fn minutes() {
        let tab = "# c\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n";
        assert_eq!(
            shift_minutes(tab, 101),
            "# c\n4 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n"
        );
        assert_eq!(
            shift_minutes("*/5 * * * * root run-parts x\n", 1),
            "*/5 * * * * root run-parts x\n"
        );
    }

    #[test]
    fn inherited_servers() {
        let host = "nameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch a b\n";
        assert_eq!(inherited(host, "nameserver"), ["nameserver 10.0.0.1"]);
        assert_eq!(inherited(host, "search"), ["search a b"]);
    }

    #[test]
    fn new_machine() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("etc/machine-id", "abc\n");
        put("etc/ssh/ssh_host_rsa_key", "k");
        put("etc/ssh/sshd_config", "c");
        put("etc/shadow", "root::1:\n");
        let tree = Tree::open(dir.path()).unwrap();
        let id = Veid::parse("101").unwrap();
        for _ in 0..2 {
            post_create(&tree, id).unwrap();
            assert_eq!(tree.read("/etc/machine-id").unwrap().as_deref(), Some(""));
            assert_eq!(tree.names("/etc/ssh").unwrap(), ["sshd_config"]);
            assert_eq!(
                tree.read("/etc/shadow").unwrap().as_deref(),
                Some("root:!:1:\n")
            );
            assert!(
                tree.read("/etc/hosts")
                    .unwrap()
                    .unwrap()
                    .contains("localhost")
            );
        }
    }
}
