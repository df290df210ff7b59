// SPDX-License-Identifier: GPL-2.0
//! Create, start, stop and destroy on the fake kernel: that they work, and
//! that whatever step fails or is killed, nothing is left.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::Ran;
use libvz::ve::create;
use libvz::ve::destroy;
use libvz::ve::start;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

/// Small enough to unpack a hundred times.
fn template(node: &Node) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("sbin/init", "#!/bin/sh\n"),
        ("etc/machine-id", "0123456789abcdef\n"),
        ("etc/shadow", "root::1:0:99999:7:::\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/ssh/ssh_host_rsa_key", "secret\n"),
        ("dev/left-out", "\n"),
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let init = dir.path().join("sbin/init");
    std::fs::set_permissions(init, std::fs::Permissions::from_mode(0o755)).unwrap();
    let cache = node.path("var/lib/vz/template/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let made = Command::new("tar")
        .args(["-C", dir.path().to_str().unwrap(), "-czf"])
        .arg(cache.join("tiny-1-x86_64.tar.gz"))
        .arg(".")
        .status()
        .unwrap();
    assert!(made.success());
}

trait Vzctl {
    fn vzctl(&self, args: &[&str]) -> Ran;
    fn vzctl_env(&self, args: &[&str], env: &[(&str, &str)]) -> Ran;
}

impl Vzctl for Node {
    fn vzctl(&self, args: &[&str]) -> Ran {
        self.vzctl_env(args, &[])
    }

    fn vzctl_env(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let line: Vec<_> = std::iter::once("vzctl")
            .chain(args.iter().copied())
            .collect();
        let done = self
            .command(&line)
            .envs(env.iter().copied())
            .output()
            .unwrap();
        Ran {
            status: done
                .status
                .code()
                .or(done.status.signal().map(|s| -s))
                .unwrap(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
}

fn node() -> Node {
    let node = Node::new();
    // Made once on a node and never taken away again.
    for dir in ["private", "root", "trash", "vztmp"] {
        std::fs::create_dir_all(node.path("var/lib/vz").join(dir)).unwrap();
    }
    for dir in [
        "run/vz/slots",
        "var/lib/vzctl/vzreboot",
        "run/vz-fake-kernel",
    ] {
        std::fs::create_dir_all(node.path(dir)).unwrap();
    }
    template(&node);
    node
}

/// Every file of the node that is not a log or a memory of errors.
fn snapshot(node: &Node) -> BTreeMap<String, String> {
    fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<String, String>) {
        // A process may take something away while we look.
        let Ok(entries) = std::fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            // Logs, and what `status` remembers of the last failure.
            let memory = name
                .strip_prefix("run/vz/")
                .is_some_and(|n| n.contains("error"));
            let own = ["run/vz/101", "run/vz/102", "run/vz/50"].contains(&name.as_str());
            if name.starts_with("var/log") || memory {
                continue;
            }
            let Ok(meta) = path.symlink_metadata() else {
                continue;
            };
            let what = if meta.is_symlink() {
                format!("-> {:?}", std::fs::read_link(&path).ok())
            } else if meta.is_dir() {
                walk(root, &path, out);
                "dir".into()
            } else {
                std::fs::read_to_string(&path).unwrap_or_default()
            };
            if !own {
                out.insert(name, what);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(node.dir.path(), node.dir.path(), &mut out);
    out
}

/// Fails with the differences only.
#[track_caller]
fn assert_same(node: &Node, before: &BTreeMap<String, String>, when: &str) {
    let after = snapshot(node);
    let differ = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| -> Vec<String> {
        a.iter()
            .filter(|(k, v)| b.get(*k) != Some(v))
            .map(|(k, _)| k.clone())
            .collect()
    };
    let (gone, new) = (differ(before, &after), differ(&after, before));
    assert!(
        gone.is_empty() && new.is_empty(),
        "{when}: gone or changed {gone:?}, new {new:?}"
    );
}

const CREATE: [&str; 9] = [
    "create",
    "101",
    "--ostemplate",
    "tiny-1",
    "--hostname",
    "web.example.org",
    "--name",
    "web",
    "--userpasswd=root:secret",
];

#[test]
fn a_whole_life() {
    let node = node();
    let before = snapshot(&node);
    let said = node.vzctl(&CREATE).ok();
    assert!(said.contains("VE 101 (web) was created"), "{said}");
    let private = node.path("var/lib/vz/private/101");
    let read = |name: &str| std::fs::read_to_string(private.join(name)).unwrap();
    assert_eq!(read("etc/machine-id"), "");
    assert_eq!(read("etc/hostname"), "web.example.org\n");
    assert!(read("etc/hosts").contains("127.0.1.1\tweb.example.org web\t# vzctl-managed"));
    assert!(
        read("etc/shadow").starts_with("root:$6$"),
        "{}",
        read("etc/shadow")
    );
    assert!(!private.join("etc/ssh/ssh_host_rsa_key").exists());
    assert!(!private.join("dev/left-out").exists());
    let conf = std::fs::read_to_string(node.conf(101)).unwrap();
    for line in [
        "OSTEMPLATE=\"tiny-1-x86_64\"",
        "LOCAL_UID=\"524288\"",
        "NAME=\"web\"",
    ] {
        assert!(conf.contains(line), "{line} in {conf}");
    }
    assert!(!conf.contains("secret"));
    assert!(!node.path("run/vz/slots/2").exists());
    // The next VE gets the next ids, and the next id.
    node.vzctl(&["create", "--ostemplate", "tiny-1"]).ok();
    let conf = std::fs::read_to_string(node.conf(102)).unwrap();
    assert!(conf.contains("LOCAL_UID=\"786432\""), "{conf}");
    node.vzctl(&["destroy", "102", "--purge"]).ok();

    node.vzctl(&["start", "web"]).ok();
    node.vzctl(&["start", "101"]).fails(32);
    node.vzctl(&["destroy", "101"]).fails(32);
    node.vzctl(&["umount", "101"]).fails(32);
    assert!(node.path("var/lib/vzctl/vzreboot/101").exists());
    assert!(
        node.path("var/lib/vz/root/101").is_symlink(),
        "the fake's mount"
    );
    node.vzctl(&["restart", "101"]).ok();
    node.vzctl(&["stop", "101"]).ok();
    assert!(!node.path("var/lib/vzctl/vzreboot/101").exists());
    assert!(!node.path("var/lib/vz/root/101").is_symlink());
    assert!(
        node.vzctl(&["stop", "101"])
            .ok()
            .contains("was not running")
    );

    node.vzctl(&["mount", "101"]).ok();
    node.vzctl(&["mount", "101"]).fails(41);
    node.vzctl(&["destroy", "101"]).fails(41);
    node.vzctl(&["start", "101"]).ok();
    node.vzctl(&["stop", "101", "--fast"]).ok();
    node.vzctl(&["umount", "101"]).fails(40);

    node.vzctl(&["destroy", "101"]).ok();
    let after = snapshot(&node);
    let new: Vec<_> = after.keys().filter(|k| !before.contains_key(*k)).collect();
    let kept = |k: &&&String| k.starts_with("var/lib/vz/trash/101-") || k.ends_with(".destroyed");
    assert!(new.iter().all(|k| kept(&k)), "{new:?}");
    assert!(
        new.iter().any(|k| k.ends_with("/etc/machine-id")),
        "the trash has the tree"
    );
}

#[test]
fn stubborn_init_is_killed() {
    let node = node();
    node.vzctl(&[
        "create",
        "101",
        "--ostemplate",
        "tiny-1",
        "--stop-timeout",
        "1",
    ])
    .ok();
    node.vzctl(&["start", "101"]).ok();
    std::fs::write(node.path("run/vz-fake-kernel/stubborn"), "").unwrap();
    let ran = node.vzctl(&["stop", "101"]);
    assert!(ran.err.contains("is killed"), "{ran:?}");
    ran.ok();
}

#[test]
fn boot_and_shutdown_of_the_node() {
    let node = node();
    for (id, onboot) in [("101", "yes"), ("102", "unset"), ("103", "no")] {
        node.vzctl(&["create", id, "--ostemplate", "tiny-1", "--onboot", onboot])
            .ok();
    }
    let boot = |what: &str| {
        let done = node.command(&["boot", what]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let running = || -> Vec<u32> {
        let list = [101, 102, 103];
        let file = |id: &u32| node.path(&format!("run/vz-fake-kernel/{id}.json")).exists();
        list.into_iter().filter(file).collect()
    };
    boot("start");
    assert_eq!(running(), [101]);
    node.vzctl(&["start", "102"]).ok();
    node.vzctl(&["start", "103"]).ok();
    boot("stop");
    assert!(running().is_empty());
    // What ran is started again, unless it is told not to be.
    boot("start");
    assert_eq!(running(), [101, 102]);
    node.vzctl(&["stop", "102"]).ok();
    boot("stop");
    boot("start");
    assert_eq!(running(), [101]);
    // What a crash of the node leaves behind.
    boot("stop");
    std::fs::create_dir(node.path("var/lib/vz/private/105.tmp")).unwrap();
    std::fs::create_dir(node.path("var/lib/vz/vztmp/105-1")).unwrap();
    boot("start");
    assert!(!node.path("var/lib/vz/private/105.tmp").exists());
    assert!(!node.path("var/lib/vz/vztmp/105-1").exists());
}

#[test]
fn commands_run_on_the_node_side_of_the_fake() {
    let node = node();
    node.vzctl(&CREATE).ok();
    node.vzctl(&["exec", "101", "true"]).fails(31);
    node.vzctl(&["start", "101"]).ok();
    assert_eq!(node.vzctl(&["exec", "101", "echo", "a", "b"]).ok(), "a b\n");
    node.vzctl(&["exec", "101", "exit 3"]).fails(8);
    node.vzctl(&["exec2", "101", "exit 3"]).fails(3);
    node.vzctl(&["exec2", "101", "kill -9 $$"]).fails(137);
    node.vzctl(&["exec3", "101", "/nosuch"]).fails(127);
    let long = node.vzctl(&["exec", "101", "seq 1 200000"]).ok();
    assert!(long.ends_with("\n200000\n"), "{}", long.len());
    // A script of the node that is run inside, and fails: the VE is stopped.
    node.vzctl(&["stop", "101"]).ok();
    let path = node.path("etc/vz/conf/101.start");
    std::fs::write(&path, "exit 5\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = node.vzctl(&["start", "101"]).fails(79);
    assert!(said.contains("exit status 5"), "{said}");
    node.vzctl(&["exec", "101", "true"]).fails(31);
}

#[test]
fn what_create_refuses() {
    let node = node();
    node.vzctl(&["create", "50", "--ostemplate", "tiny-1"])
        .fails(21);
    node.vzctl(&["create", "50", "--ostemplate", "tiny-1", "--force-reserved"])
        .ok();
    node.vzctl(&["create", "50", "--ostemplate", "tiny-1", "--force-reserved"])
        .fails(44);
    let conf = std::fs::read_to_string(node.path("etc/vz/vz.conf")).unwrap();
    let without = conf.replace("DEF_OSTEMPLATE=", "#DEF_OSTEMPLATE=");
    std::fs::write(node.path("etc/vz/vz.conf"), without).unwrap();
    node.vzctl(&["create", "101"]).fails(29);
    let said = node
        .vzctl(&["create", "101", "--ostemplate", "tiny-2-x86_64"])
        .fails(91);
    assert!(said.contains("did you mean tiny-1-x86_64?"), "{said}");
    node.vzctl(&[
        "create",
        "101",
        "--ostemplate",
        "tiny-1",
        "--config",
        "none",
    ])
    .fails(82);
    std::fs::remove_dir_all(node.path("var/lib/vz/private/50")).unwrap();
    node.vzctl(&["start", "50"]).fails(43);
}

#[test]
fn broken_trees_and_archives() {
    let node = node();
    node.vzctl(&["create", "101", "--ostemplate", "tiny-1"])
        .ok();
    std::fs::remove_file(node.path("var/lib/vz/private/101/sbin/init")).unwrap();
    node.vzctl(&["start", "101"]).fails(47);
    assert!(!node.path("var/lib/vz/root/101").is_symlink());
    let cache = node.path("var/lib/vz/template/cache");
    let good = std::fs::read(cache.join("tiny-1-x86_64.tar.gz")).unwrap();
    std::fs::write(cache.join("cut-1-x86_64.tar.gz"), &good[..good.len() / 2]).unwrap();
    let before = snapshot(&node);
    node.vzctl(&["create", "102", "--ostemplate", "cut-1"])
        .fails(3);
    assert_same(&node, &before, "after the failure");
}

#[test]
fn action_scripts_can_refuse() {
    let node = node();
    node.vzctl(&["create", "101", "--ostemplate", "tiny-1"])
        .ok();
    for (script, text) in [
        ("vps.premount", "exit 0"),
        ("101.premount", "echo \"$VEID $VE_CONFFILE\" >&2; exit 3"),
    ] {
        let path = node.path("etc/vz/conf").join(script);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let before = snapshot(&node);
    let said = node.vzctl(&["start", "101"]).fails(79);
    assert!(
        said.contains("exit status: 3") && said.contains("101 /"),
        "{said}"
    );
    assert_same(&node, &before, "after the failure");
}

/// Fails, then kills, a command at each of its steps.
fn at_every_step(args: &[&str], steps: &[&str], prepare: impl Fn(&Node), tail: &[&str]) {
    let node = node();
    prepare(&node);
    let before = snapshot(&node);
    for step in steps {
        let ran = node.vzctl_env(args, &[("VZ_FAULT", step)]);
        assert_eq!(ran.status, 3, "{step}: {ran:?}");
        assert!(
            ran.err.contains(&format!("step {step} failed")),
            "{step}: {ran:?}"
        );
        assert_same(&node, &before, &format!("{step} failed"));
    }
    for step in steps {
        let ran = node.vzctl_env(args, &[("VZ_FAULT_KILL", step)]);
        assert_eq!(ran.status, -9, "{step}: {ran:?}");
        let end = Instant::now() + Duration::from_secs(20);
        while snapshot(&node) != before && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_same(&node, &before, &format!("killed at {step}"));
    }
    node.vzctl(args).ok();
    for command in tail {
        node.vzctl(&[command, "101"]).ok();
    }
}

#[test]
fn create_leaves_nothing() {
    at_every_step(
        &CREATE,
        create::STEPS,
        |_| {},
        &["start", "stop", "destroy"],
    );
}

#[test]
fn start_leaves_nothing() {
    let made = |node: &Node| drop(node.vzctl(&CREATE).ok());
    // After RUN the fake's init has nobody to tell it that we are gone.
    let steps: Vec<_> = start::STEPS
        .iter()
        .copied()
        .filter(|s| !["commit", "go"].contains(s))
        .collect();
    at_every_step(&["start", "101"], &steps, made, &["stop", "destroy"]);
}

#[test]
fn destroy_is_whole_or_not_at_all() {
    let made = |node: &Node| drop(node.vzctl(&CREATE).ok());
    at_every_step(&["destroy", "101"], destroy::STEPS, made, &[]);
}
