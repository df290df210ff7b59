// SPDX-License-Identifier: GPL-2.0
//! `vzctl set`: kernel first, then the configuration; nothing else changes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::put;

const UNLIMITED: u64 = i64::MAX as u64;

#[test]
fn other_lines_stay_as_they_are() {
    let node = Node::new();
    let text =
        "# by hand\r\nCPUUNITS=\"1000\"\nUNKNOWN='$(x)'\n\nNUMPROC=\"10\" # few\nDISKSPACE=1G:2G";
    put(&node, "etc/vz/conf/101.conf", text);
    node.run("vzctl set 101 --numproc 20 --save").ok();
    assert_eq!(node.conf_text(101), text.replace("\"10\"", "\"20\""));
    node.run("vzctl set 101 --onboot yes --save").ok();
    assert_eq!(
        node.conf_text(101),
        format!("{}\nONBOOT=\"yes\"\n", text.replace("\"10\"", "\"20\""))
    );
    node.run("vzctl set 101 --onboot unset --save").ok();
    assert_eq!(
        node.conf_text(101),
        format!("{}\n", text.replace("\"10\"", "\"20\""))
    );
}

#[test]
fn a_stopped_ve_needs_save() {
    let node = Node::with_ves();
    let before = node.conf_text(101);
    let ran = node.run("vzctl set 101 --numproc 20");
    assert_eq!(ran.status, 0);
    assert!(ran.err.contains("nothing was changed"), "{ran:?}");
    assert_eq!(node.conf_text(101), before);
    assert_eq!(node.fake_ubc(101, 5), None);
}

#[test]
fn a_running_ve_changes_at_once() {
    let node = Node::with_ves();
    node.fake_running(101);
    let before = node.conf_text(101);
    let ran = node.run("vzctl set 101 --numproc 20:30");
    assert_eq!(ran.out, "NUMPROC of VE 101 was set\n");
    assert_eq!(
        ran.err,
        "this lasts until the VE stops; add --save to keep it\n"
    );
    assert_eq!(node.fake_ubc(101, 5), Some((20, 30)));
    assert_eq!(node.conf_text(101), before);
    node.run("vzctl set 101 --numfile 4096 --save").ok();
    assert_eq!(node.fake_ubc(101, 19), Some((4096, 4096)));
    assert!(node.conf_text(101).ends_with("NUMFILE=\"4096\"\n"));
}

#[test]
fn ram_brings_what_follows_from_it() {
    let node = Node::with_ves();
    node.fake_running(101);
    node.run("vzctl set 101 --ram 1G --vm_overcommit 2 --save")
        .ok();
    assert_eq!(node.fake_ubc(101, 6), Some((0, 262_144)));
    assert_eq!(node.fake_ubc(101, 1), Some((262_144, 262_144)));
    assert_eq!(node.fake_ubc(101, 8), Some((262_144, UNLIMITED)));
    assert_eq!(node.fake_ubc(101, 7), Some((524_288, UNLIMITED)));
    assert_eq!(node.fake_ubc(101, 2), Some((1_048_576, 1_048_576)));
    assert_eq!(node.fake_ubc(101, 5), None);
    assert!(node.conf_text(101).contains("PHYSPAGES=\"0:1G\"\n"));
    node.run("vzctl set 101 --reset_ub").ok();
    assert_eq!(node.fake_ubc(101, 5), Some((UNLIMITED, UNLIMITED)));
}

/// The example of the manual page, and what a bare number is.
#[test]
fn sizes_and_pairs() {
    let node = Node::with_ves();
    node.fake_running(101);
    node.run("vzctl set 101 --numproc 400 --kmemsize 64M:70M --save")
        .ok();
    assert_eq!(node.fake_ubc(101, 0), Some((64 << 20, 70 << 20)));
    for (line, resource, pair) in [
        ("--ram 1073741824", 6, (0, 262_144)),
        ("--swap 3P", 24, (0, 3)),
        ("--privvmpages 1000:1G", 2, (1000, 262_144)),
        ("--tcpsndbuf 1000:unlimited", 13, (1000, UNLIMITED)),
    ] {
        node.run(&format!("vzctl set 101 {line}")).ok();
        assert_eq!(node.fake_ubc(101, resource), Some(pair), "{line}");
    }
    assert_eq!(
        node.run("vzctl set 101 --ram 1G --physpages 0:unlimited")
            .fails(20),
        "vzctl: --ram and --physpages together: both set PHYSPAGES  \
         [VZ_INVALID_PARAMETER_SYNTAX, 20]\n  try: give one of them\n"
    );
    let err = node.run("vzctl set 101 --kmemsize unlimted").fails(21);
    assert!(err.contains("or \"unlimited\""), "{err}");
}

/// Neither RAM and swap nor all counters: it could not start any more.
#[test]
fn a_configuration_that_starts_stays_one() {
    let node = Node::with_ves();
    node.fake_running(101);
    let before = node.conf_text(101);
    for dry_run in ["", "--dry-run "] {
        let err = node
            .run(&format!("vzctl {dry_run}set 101 --ram unlimited --save"))
            .fails(28);
        assert!(
            err.starts_with("vzctl: cannot save PHYSPAGES of VE 101: VE 101 has no KMEMSIZE: ")
                && err.contains("try: vzctl set 101 --ram "),
            "{err}"
        );
    }
    assert_eq!(node.conf_text(101), before);
    assert_eq!(node.fake_ubc(101, 6), None);
    // Until the stop it may be so, and with --force.
    let ran = node.run("vzctl set 101 --ram unlimited");
    assert_eq!(
        ran.err,
        "this lasts until the VE stops; add --save to keep it\n"
    );
    assert_eq!(node.fake_ubc(101, 6), Some((0, UNLIMITED)));
    node.run("vzctl set 101 --ram unlimited --force --save")
        .ok();
    assert!(node.conf_text(101).contains("PHYSPAGES=\"0:unlimited\"\n"));
    // The way back, and other changes, are free.
    node.run("vzctl set 101 --numproc 99 --save").ok();
    node.run("vzctl set 101 --ram 1G --save").ok();
}

#[test]
fn what_a_running_ve_cannot_take() {
    let node = Node::with_ves();
    node.fake_running(101);
    let before = node.conf_text(101);
    let err = node.run("vzctl set 101 --private /x --save").fails(32);
    assert!(err.contains("try: vzctl stop 101"), "{err}");
    node.run("vzctl set 101 --capability sys_time:on --save")
        .fails(32);
    assert_eq!(node.conf_text(101), before);
    node.run("vzctl set 101 --capability sys_time:on --setmode ignore --save")
        .ok();
    node.run("vzctl set 101 --capability net_raw:off --setmode ignore --save")
        .ok();
    assert!(
        node.conf_text(101)
            .contains("CAPABILITY=\"SYS_TIME:on NET_RAW:off\"\n")
    );
}

#[test]
fn names() {
    let node = Node::with_ves();
    node.run("vzctl set 101 --name web1 --save").ok();
    let link = std::fs::read_link(node.path("etc/vz/names/web1")).unwrap();
    assert_eq!(link.to_str(), Some("/etc/vz/conf/101.conf"));
    let before = node.conf_text(102);
    node.run("vzctl set 102 --name web1 --onboot yes --save")
        .fails(131);
    assert_eq!(node.conf_text(102), before);
    node.run("vzctl set web1 --name web2 --save").ok();
    assert!(!node.path("etc/vz/names/web1").is_symlink());
    node.run("vzctl set 102 --name web1 --save").ok();
    node.run_args(&["vzctl", "set", "web2", "--name", "", "--save"])
        .ok();
    assert_eq!(
        std::fs::read_dir(node.path("etc/vz/names"))
            .unwrap()
            .count(),
        1
    );
    // Names and ids by pattern, and the bulk form.
    let ran = node.run("vzctl set web* 10? --bootorder 5 --save");
    assert_eq!(
        ran.out,
        "BOOTORDER of VE 102 (web1) was set and saved\nBOOTORDER of VE 101 was set and saved\n"
    );
    let out = node
        .run("vzctl set --all --parallel 2 --bootorder 6 --save")
        .ok();
    assert_eq!(out.lines().count(), 2);
    let out = node
        .run("vzctl set --filter bootorder=6,name=web? --bootorder 7 --save")
        .ok();
    assert_eq!(out, "BOOTORDER of VE 102 (web1) was set and saved\n");
}

#[test]
fn dry_run_changes_nothing() {
    let node = Node::with_ves();
    node.fake_running(101);
    let before = node.conf_text(101);
    let out = node
        .run("vzctl --dry-run set 101 --ram 1G --onboot yes --save")
        .ok();
    assert_eq!(
        out,
        "ONBOOT: no -> yes\nPHYSPAGES: 0:512M -> 0:1G\n\
         LOCKEDPAGES: 131072 -> 262144 (follows)\n\
         PRIVVMPAGES: unlimited -> unlimited (follows)\n\
         VMGUARPAGES: 393216:unlimited -> 524288:unlimited (follows)\n\
         OOMGUARPAGES: 131072:unlimited -> 262144:unlimited (follows)\n"
    );
    assert_eq!(node.conf_text(101), before);
    assert_eq!(node.fake_ubc(101, 6), None);
}

#[test]
fn limits_of_the_node() {
    let node = Node::new();
    node.run("vzctl set 0 --oomguarpages unlimited --save").ok();
    assert_eq!(node.fake_ubc(0, 8), Some((UNLIMITED, UNLIMITED)));
}

#[test]
fn a_locked_ve_is_left_alone() {
    let node = Node::with_ves();
    let lock = node.path("var/lib/vz/lock/101.lck");
    let me = std::process::id();
    std::fs::write(&lock, format!("{me}\nmigrating\n")).unwrap();
    let file = std::fs::File::open(&lock).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockShared).unwrap();
    let err = node.run("vzctl set 101 --onboot yes --save").fails(9);
    assert!(err.contains(&format!("by process {me}")), "{err}");
    assert!(
        err.starts_with("vzctl: VE 101 is locked: migrating since 2"),
        "{err}"
    );
    assert_eq!(node.run("vzlist -a -H -o status 101").ok(), "migrating\n");
    node.run("vzctl --skiplock set 101 --onboot yes --save")
        .ok();
    drop(file);
    // The flock is gone: the owner has crashed, whatever its pid does now.
    node.run("vzctl set 101 --onboot no --save").ok();
    assert!(!lock.exists());
}

#[test]
fn a_refusal_of_the_kernel_leaves_the_configuration_alone() {
    let node = Node::with_ves();
    node.fake_running(101);
    let before = node.conf_text(101);
    // The fake cannot write its state.
    std::fs::create_dir(node.path("run/vz-fake-kernel/101.tmp")).unwrap();
    let err = node.run("vzctl set 101 --numproc 5 --save").fails(1);
    assert!(
        err.starts_with("vzctl: cannot set NUMPROC of VE 101 to 5: "),
        "{err}"
    );
    assert_eq!(node.conf_text(101), before);
    let err = node
        .run("vzctl set 101 --numproc 5 --numfile 99 --save")
        .fails(1);
    assert!(
        err.starts_with("vzctl: cannot set the limits of VE 101: "),
        "{err}"
    );
    assert_eq!(node.conf_text(101), before);
    let ran = node.run("vzctl set 101 --numproc 5 --save --force");
    assert!(ran.err.contains("saved because of --force"), "{ran:?}");
    assert_eq!(
        (ran.status, node.conf_text(101)),
        (0, format!("{before}NUMPROC=\"5\"\n"))
    );
}

#[test]
fn a_mounted_tree_is_not_moved() {
    let node = Node::with_ves();
    let root = node.path("var/lib/vz/root/101");
    std::fs::create_dir_all(root.parent().unwrap()).unwrap();
    // A mount of the fake.
    std::os::unix::fs::symlink("/", &root).unwrap();
    assert_eq!(
        node.run("vzctl status 101").ok(),
        "CTID 101 exist mounted down\n"
    );
    node.run("vzctl set 101 --private /x --save").fails(41);
}

#[test]
fn events_are_logged() {
    let node = Node::with_ves();
    node.run("vzctl set 101 --numproc 20 --save").ok();
    node.run("vzctl set 101 --name 5 --save").fails(131);
    let log = std::fs::read_to_string(node.path("var/log/vzctl.log")).unwrap();
    let lines: Vec<&str> = log.lines().map(|l| &l[24..]).collect();
    assert_eq!(lines[0], " vzctl : CT 101 : set NUMPROC, saved");
    assert!(
        lines[1].starts_with(" vzctl : CT 101 : set failed: bad name \"5\""),
        "{log}"
    );
    let status = node.run("vzctl --json status 101").json();
    assert!(
        status["last_error"]
            .as_str()
            .unwrap()
            .starts_with("bad name"),
        "{status}"
    );
    node.run("vzctl set 101 --numproc 30 --save").ok();
    assert!(node.run("vzctl --json status 101").json()["last_error"].is_null());
}

/// Option of a resource, its number in the kernel.
const RESOURCES: [(&str, u32); 21] = [
    ("kmemsize", 0),
    ("lockedpages", 1),
    ("privvmpages", 2),
    ("shmpages", 3),
    ("numproc", 5),
    ("physpages", 6),
    ("vmguarpages", 7),
    ("oomguarpages", 8),
    ("numtcpsock", 9),
    ("numflock", 10),
    ("numpty", 11),
    ("numsiginfo", 12),
    ("tcpsndbuf", 13),
    ("tcprcvbuf", 14),
    ("othersockbuf", 15),
    ("dgramrcvbuf", 16),
    ("numothersock", 17),
    ("dcachesize", 18),
    ("numfile", 19),
    ("numiptent", 23),
    ("swappages", 24),
];

#[test]
fn every_resource_is_set_live_and_saved() {
    let node = Node::with_ves();
    node.fake_running(102);
    for (option, number) in RESOURCES {
        let (bar, lim) = (1000 + u64::from(number), 2000 + u64::from(number));
        node.run(&format!("vzctl set 102 --{option} {bar}:{lim} --save"))
            .ok();
        assert_eq!(node.fake_ubc(102, number), Some((bar, lim)), "{option}");
        let line = format!("{}=\"{bar}:{lim}\"\n", option.to_uppercase());
        assert!(node.conf_text(102).contains(&line), "{option}");
        node.run(&format!("vzctl set 102 --{option} unlimited"))
            .ok();
        assert_eq!(
            node.fake_ubc(102, number),
            Some((UNLIMITED, UNLIMITED)),
            "{option}"
        );
    }
    // What was not saved goes.
    let out = node.run("vzctl set 102 --reset_ub").ok();
    assert_eq!(out, "21 limits of VE 102 were applied\n");
    for (option, number) in RESOURCES {
        let pair = (1000 + u64::from(number), 2000 + u64::from(number));
        assert_eq!(node.fake_ubc(102, number), Some(pair), "{option}");
    }
    node.run("vzctl set 102 --dummy 5").fails(20);
}

#[test]
fn reset_ub() {
    let node = Node::with_ves();
    put(
        &node,
        "etc/vz/conf/0.conf",
        "OOMGUARPAGES=\"5:unlimited\"\n",
    );
    let out = node.run("vzctl set 0 --reset_ub").ok();
    assert_eq!(out, "1 limits of the node were applied\n");
    assert_eq!(node.fake_ubc(0, 8), Some((5, UNLIMITED)));
    node.fake_running(102);
    node.run("vzctl --dry-run set 102 --reset_ub").ok();
    assert_eq!(node.fake_ubc(102, 0), None);
    let text = node.conf_text(102).replace("NUMFLOCK", "#");
    std::fs::write(node.conf(102), text).unwrap();
    let err = node.run("vzctl set 102 --reset_ub").fails(28);
    assert!(err.contains("VE 102 has no NUMFLOCK"), "{err}");
    assert_eq!(node.fake_ubc(102, 0), None);
}

#[test]
fn limits_that_do_not_fit_are_warned_of() {
    let node = Node::with_ves();
    let ran = node.run("vzctl set 102 --numproc 240:250 --save");
    assert_eq!(ran.status, 0);
    assert_eq!(
        ran.err,
        "vzctl: warning: inconsistent limits: NUMPROC: barrier and limit must be equal, they are \
         240:250\n  try: vzctl set 102 --numproc 250 --save\n"
    );
    assert!(node.conf_text(102).contains("NUMPROC=\"240:250\"\n"));
    // Half of what it takes to have RAM and swap.
    let ran = node.run("vzctl --dry-run set 102 --ram 1G --save");
    assert!(ran.err.contains("or SWAPPAGES must be set, too"), "{ran:?}");
    // It was said before.
    let ran = node.run("vzctl set 102 --numpty 20 --save");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let ran = node
        .run("vzctl --json set 102 --numpty 20:30 --save")
        .json();
    let warning = ran["warnings"][0].as_str().unwrap();
    assert!(warning.contains("NUMPTY"), "{warning}");
}
