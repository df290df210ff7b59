// SPDX-License-Identifier: GPL-2.0
//! Building a Debian tree with mmdebstrap.
//!
//! Maintainer scripts run in a user, mount and pid namespace with an own
//! `/dev` (`--mode=unshare`), never in a bare chroot.

use crate::ctx::Ctx;
use crate::paths::Paths;
use crate::pkg::Fail;
use crate::pkg::Failure;
use crate::pkg::recipe::Recipe;
use crate::pkg::sources;
use crate::progress::Phase;
use crate::undo;
use crate::ve::userns::has_program;
use nix::libc;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// How many lines of the package manager are quoted in an error.
const QUOTED: usize = 6;

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Architecture.
    pub arch: String,
}

/// Builds a recipe into the archive `tar`; `work` is an empty directory.
///
/// # Errors
/// A tool or mirror is missing (24, 35), fetching (52) or installing (70)
/// failed.
pub fn build(
    ctx: &Ctx<'_>,
    recipe: &Recipe,
    work: &Path,
    tar: &Path,
) -> Result<Vec<Package>, Failure> {
    let failed = || format!("cannot build {}", recipe.name);
    if !has_program("mmdebstrap") {
        return Err(Failure::new(Fail::Manager, failed())
            .why("the program mmdebstrap is missing")
            .hint("apt install mmdebstrap"));
    }
    let keyring = Path::new(&recipe.keyring);
    if !keyring.exists() {
        return Err(Failure::new(Fail::Manager, failed())
            .why(format!("the keys {} are missing", keyring.display()))
            .hint("apt install debian-archive-keyring"));
    }
    let list = work.join("packages");
    let mut cmd = Command::new("mmdebstrap");
    cmd.args([
        "--mode=unshare",
        "--variant=minbase",
        "--format=tar",
        "--skip=output/dev",
    ])
    .arg(format!("--architectures={}", recipe.arch))
    .arg(format!("--include={}", recipe.packages.join(",")))
    .arg(format!("--keyring={}", recipe.keyring))
    .arg("--aptopt=Acquire::Languages \"none\"");
    for path in &recipe.path_exclude {
        cmd.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    for path in &recipe.path_include {
        cmd.arg(format!("--dpkgopt=path-include={path}"));
    }
    for hook in hooks(recipe, work, &list)? {
        cmd.arg(format!("--customize-hook={hook}"));
    }
    cmd.arg(&recipe.suite).arg(tar).args(archives(ctx, recipe)?);
    if let Some(proxy) = proxy(ctx) {
        cmd.env("http_proxy", &proxy).env("https_proxy", &proxy);
    }
    if std::env::var_os("TMPDIR").is_none() {
        // /tmp is often memory.
        cmd.env("TMPDIR", "/var/tmp");
    }
    run(ctx, recipe, cmd)?;
    let text = std::fs::read_to_string(&list)
        .map_err(|e| Failure::new(Fail::Manager, failed()).why(format!("no package list: {e}")))?;
    Ok(packages(&text))
}

/// Lines of sources.list, which the VE keeps.
fn archives(ctx: &Ctx<'_>, recipe: &Recipe) -> Result<Vec<String>, Failure> {
    let node = sources::of_node(&ctx.paths, &recipe.distribution);
    let mains = match (&node, recipe.mirrors.is_empty()) {
        (_, false) => recipe.mirrors.clone(),
        (Some(node), true) => vec![node.main.clone()],
        (None, true) => {
            return Err(
                Failure::new(Fail::NotFound, format!("no mirror for {}", recipe.name))
                    .why("the recipe names none, and this node's apt does not use one either")
                    .hint(format!(
                        "put mirrors = [\"URI\"] into a copy of the recipe in {}",
                        ctx.paths.recipe_dirs()[1].display()
                    )),
            );
        }
    };
    let components = recipe.components.join(" ");
    let mut lines = Vec::new();
    for main in &mains {
        for suite in std::iter::once(&recipe.suite).chain(&recipe.more_suites) {
            lines.push(format!("deb {main} {suite} {components}"));
        }
    }
    let security = match recipe.security_mirror.is_empty() {
        true => node.and_then(|n| n.security),
        false => Some(recipe.security_mirror.clone()),
    };
    if let (Some(uri), false) = (security, recipe.security_suite.is_empty()) {
        lines.push(format!("deb {uri} {} {components}", recipe.security_suite));
    }
    Ok(lines)
}

/// `HTTP_PROXY` of vz.conf, else the proxy of the node's apt.
fn proxy(ctx: &Ctx<'_>) -> Option<String> {
    let set = ctx.paths.global().get("HTTP_PROXY");
    if !set.is_empty() {
        return Some(set.to_string());
    }
    if std::env::var_os("http_proxy").is_some() {
        return None;
    }
    let out = Command::new("apt-config")
        .args(["dump", "--format", "%v%n", "Acquire::http::Proxy"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&out.stdout).trim().to_string();
    (!text.is_empty() && text != "DIRECT").then_some(text)
}

/// What is done to the tree after the packages are in.
fn hooks(recipe: &Recipe, work: &Path, list: &Path) -> Result<Vec<String>, Failure> {
    let mut hooks: Vec<String> = Vec::new();
    let dir = "\"$1\"/etc/systemd/system";
    for mask in &recipe.mask {
        hooks.push(format!(
            "mkdir -p {dir} && ln -sf /dev/null {dir}/{}",
            mask.unit
        ));
    }
    for (i, extra) in recipe.file.iter().enumerate() {
        let local = work.join(format!("file-{i}"));
        std::fs::write(&local, &extra.content).map_err(|e| {
            Failure::new(Fail::Manager, format!("cannot write {}", local.display())).why(e)
        })?;
        if let Some((parent, _)) = extra.path.rsplit_once('/').filter(|(p, _)| !p.is_empty()) {
            hooks.push(format!("mkdir -p \"$1\"{parent}"));
        }
        hooks.push(format!("upload {} {}", quote(&local), extra.path));
        hooks.push(format!("chmod 0644 \"$1\"{}", extra.path));
    }
    hooks.push(
        "chroot \"$1\" dpkg-query -W -f '${Package} ${Version} ${Architecture}\\n' \
         > \"$1\"/var/tmp/packages"
            .into(),
    );
    hooks.push(format!("download /var/tmp/packages {}", quote(list)));
    hooks.push("rm \"$1\"/var/tmp/packages".into());
    // Nothing of this node, and no secret two VEs would share.
    hooks.push(
        "rm -f \"$1\"/etc/resolv.conf \"$1\"/etc/ssh/ssh_host_* \"$1\"/var/lib/dbus/machine-id \
         \"$1\"/var/lib/systemd/random-seed"
            .into(),
    );
    hooks.push(": > \"$1\"/etc/machine-id".into());
    hooks.push("echo localhost > \"$1\"/etc/hostname".into());
    hooks.push("rm -rf \"$1\"/var/log/apt \"$1\"/var/log/*.log \"$1\"/var/cache/ldconfig".into());
    Ok(hooks)
}

/// The special hooks take words as a shell does.
fn quote(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// Where the package manager's output is kept.
#[must_use]
pub fn log_file(paths: &Paths, name: &str) -> PathBuf {
    paths.host("/var/log/vzpkg").join(format!("{name}.log"))
}

fn run(ctx: &Ctx<'_>, recipe: &Recipe, mut cmd: Command) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| {
        Failure::new(Fail::Manager, format!("cannot build {}", recipe.name)).why(e)
    };
    let log = log_file(&ctx.paths, &recipe.name);
    if let Some(dir) = log.parent() {
        std::fs::create_dir_all(dir).map_err(|e| failed(&e))?;
    }
    let mut keep = File::create(&log).map_err(|e| failed(&e))?;
    ctx.out.detail(2, &format!("{cmd:?}"));
    // SAFETY: prctl with numbers only; it makes the builder end with us.
    unsafe {
        cmd.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| failed(&e))?;
    let err = writer.try_clone().map_err(|e| failed(&e))?;
    let mut child = cmd
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(err)
        .spawn()
        .map_err(|e| failed(&e))?;
    // It holds the writing ends, which would keep the pipe open.
    drop(cmd);
    let phase = Phase::start(&ctx.out, &format!("building OS template {}", recipe.name));
    let mut last: VecDeque<String> = VecDeque::new();
    for line in BufReader::new(File::from(reader)).lines() {
        let Ok(line) = line else { break };
        // A full disk must not hide what the builder says.
        drop(writeln!(keep, "{line}"));
        match line.strip_prefix("I: ") {
            Some(step) => {
                phase.say(step);
                ctx.out.detail(1, step);
            }
            None => phase.tick(),
        }
        last.push_back(line);
        if last.len() > 200 {
            last.pop_front();
        }
    }
    let status = child.wait().map_err(|e| failed(&e))?;
    drop(phase);
    if undo::interrupted() {
        return Err(Failure::new(Fail::Interrupted, "interrupted"));
    }
    if status.success() {
        return Ok(());
    }
    Err(diagnose(recipe, &last).hint(format!("less {}", log.display())))
}

fn diagnose(recipe: &Recipe, last: &VecDeque<String>) -> Failure {
    const FETCH: [&str; 5] = [
        "Failed to fetch",
        "Could not resolve",
        "Unable to connect",
        "Could not connect",
        "404  Not Found",
    ];
    let told: Vec<&String> = last
        .iter()
        .filter(|l| l.starts_with("E:") || l.starts_with("W:") || l.contains("rror"))
        .collect();
    let lines: Vec<&str> = match told.is_empty() {
        true => last
            .iter()
            .rev()
            .take(QUOTED)
            .rev()
            .map(String::as_str)
            .collect(),
        false => told
            .iter()
            .rev()
            .take(QUOTED)
            .rev()
            .map(|l| l.as_str())
            .collect(),
    };
    let fetch = last.iter().any(|l| FETCH.iter().any(|f| l.contains(f)));
    let kind = if fetch { Fail::Fetch } else { Fail::Manager };
    Failure::new(kind, format!("cannot build {}", recipe.name)).why(lines.join("; "))
}

/// Lines of `name version architecture`.
fn packages(text: &str) -> Vec<Package> {
    let mut all: Vec<Package> = text
        .lines()
        .filter_map(|l| {
            let mut w = l.split_whitespace().map(str::to_string);
            Some(Package {
                name: w.next()?,
                version: w.next()?,
                arch: w.next()?,
            })
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Installed packages by a dpkg status file.
#[must_use]
pub fn installed(status: &str) -> Vec<Package> {
    let mut all = Vec::new();
    for paragraph in status.split("\n\n") {
        let field = |key: &str| {
            paragraph
                .lines()
                .find_map(|l| l.strip_prefix(key))
                .map(|v| v.trim().to_string())
        };
        let ok = field("Status:").is_some_and(|s| s.ends_with(" installed"));
        if let (true, Some(name), Some(version), Some(arch)) = (
            ok,
            field("Package:"),
            field("Version:"),
            field("Architecture:"),
        ) {
            all.push(Package {
                name,
                version,
                arch,
            });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_lists() {
        let list = packages("b 2 all\na 1:1-1 amd64\n\nbroken\n");
        assert_eq!(list.len(), 2);
        assert_eq!(
            (list[0].name.as_str(), list[0].version.as_str()),
            ("a", "1:1-1")
        );
        let status = "Package: x\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\
                      Package: y\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 2\n";
        let list = installed(status);
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].name, "x");
    }
}
