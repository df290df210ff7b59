// SPDX-License-Identifier: GPL-2.0
//! Exit codes and error texts that scripts and people rely on.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::put;

#[test]
fn exit_codes() {
    let node = Node::with_ves();
    node.run("vzctl set 101 --name web1 --save").ok();
    put(&node, "etc/vz/conf/103.conf", "NUMPROC = 1\n");
    for (line, code) in [
        ("vzctl status 101", 0),
        ("vzctl status 999", 0),
        ("vzctl --version", 0),
        ("vzctl --help", 0),
        ("vzctl -h", 0),
        ("vzctl help", 0),
        ("vzctl help set", 0),
        ("vzctl start -h", 0),
        ("vzctl", 20),
        ("vzctl frobnicate 101", 20),
        ("vzctl start", 20),
        ("vzctl start 101 --frobnicate", 20),
        ("vzctl exec 101", 20),
        ("vzctl exec nobody true", 14),
        ("vzctl exec 0 true", 21),
        ("vzctl enter 0", 21),
        ("vzctl start nobody", 14),
        ("vzctl start zz*", 14),
        ("vzctl start 2147483645", 21),
        ("vzctl start -- -1", 21),
        ("vzctl destroy --all", 20),
        ("vzctl create abc", 21),
        ("vzctl create 0", 21),
        ("vzctl create 104 --layout ploop", 99),
        ("vzctl create 104 --ostemplate ../x", 21),
        ("vzctl create 104 --ostemplate no-such-thing", 91),
        ("vzctl create 104 --config ../x", 21),
        ("vzctl create 104 --hostname -x", 70),
        ("vzctl create 104 --local_uid 5", 21),
        ("vzctl set 101", 20),
        ("vzctl set 999 --onboot yes --save", 14),
        ("vzctl set 103 --onboot yes --save", 85),
        ("vzctl set 101 --onboot", 20),
        ("vzctl set 101 --onboot maybe --save", 21),
        ("vzctl set 101 --onboot yes", 20),
        ("vzctl set 101 --numproc -1 --save", 21),
        ("vzctl set 101 --numproc 9223372036854775808 --save", 21),
        ("vzctl set 101 --ram 1G --physpages 5 --save", 20),
        ("vzctl set 101 --name 55 --save", 131),
        ("vzctl set 102 --name web1 --save", 131),
        ("vzctl set 101 --hostname a..b --save", 70),
        ("vzctl set 101 --cpuunits 1000 --save", 2),
        ("vzctl set 101 --diskspace 1G --save", 62),
        ("vzctl set 101 --ipadd 10.0.0.1 --save", 34),
        ("vzctl set 101 --ioprio 4 --save", 148),
        ("vzctl set 101 --devnodes null:rw --save", 86),
        ("vzctl set 101 --skip_arpdetect --save", 34),
        ("vzctl set 101 --local_uid 262144 --save", 20),
        ("vzctl set 101 --force --onboot yes", 20),
        ("vzctl set 101 --reset_ub", 31),
        ("vzctl set 101 --reset_ub --numproc 5", 20),
        ("vzctl set 101 --applyconfig", 20),
        ("vzctl set 101 --applyconfig ../x", 21),
        ("vzctl set 101 --applyconfig nothing --save", 109),
        ("vzctl set 101 --reset_ub --applyconfig basic", 20),
        ("vzctl set 2026-01 --onboot yes --save", 14),
        ("vzctl set 0 --onboot yes --save", 21),
        ("vzctl status 101 --wait flying", 21),
        ("vzctl status 101 --wait running=0", 133),
        ("vzctl status 101 --wait stopped=0", 0),
        ("vzctl --lock-timeout soon start 101", 21),
        ("vzlist -o nothing", 21),
        ("vzlist 999", 1),
        ("vzlist --frobnicate", 20),
        ("vzubc", 5),
        ("vzubc -f /nonexistent", 3),
        ("vzpid x", 21),
        ("vzpid 4194305", 1),
        ("vzcfgvalidate /nonexistent", 1),
        ("vzcfgvalidate", 20),
        ("vzubc 999", 5),
        ("vzubc -qh many", 21),
        ("vzctl explain", 20),
        ("vzctl explain 101", 5),
        ("vzctl explain nobody", 14),
        ("vzctl explain 101 nothing", 21),
        ("vzctl monitor", 5),
        ("vzctl monitor nobody", 14),
        ("vzctl monitor --count 0", 21),
        ("vzcalc", 20),
        ("vzcalc 0", 21),
        ("vzcalc 101", 3),
        ("vzcalc 999", 14),
        ("vzmemcheck", 3),
        ("vzcpucheck", 3),
        ("vzcpucheck 101", 20),
        ("vzsplit", 20),
        ("vzsplit -n 0", 21),
        ("vzsplit -n 5", 3),
        ("vzcfgscale /nonexistent", 20),
        ("vzcfgscale -a 2", 20),
        ("vzcfgscale -a 2 /nonexistent", 14),
        ("vzcfgscale -a 0 /nonexistent", 21),
        ("vzcfgscale -u two /nonexistent", 21),
        ("vz-nothing", 20),
    ] {
        let ran = node.run(line);
        assert_eq!(ran.status, code, "{line}: {ran:?}");
        if code > 2 {
            assert!(ran.err.contains(&format!(", {code}]")), "{line}: {ran:?}");
            assert!(ran.out.is_empty(), "{line}: {ran:?}");
        }
    }
}

#[test]
fn texts() {
    let node = Node::with_ves();
    node.run("vzctl set 101 --name web1 --save").ok();
    for (line, text) in [
        (
            "vzctl start --forse 101",
            "vzctl: unknown option \"--forse\": did you mean \"--force\"?  \
             [VZ_INVALID_PARAMETER_SYNTAX, 20]\n  try: vzctl start --help\n",
        ),
        (
            "vzctl strat 101",
            "vzctl: unknown subcommand \"strat\": did you mean \"start\" or \"restart\"?  \
             [VZ_INVALID_PARAMETER_SYNTAX, 20]\n  try: vzctl --help\n",
        ),
        (
            "vzctl exec 101",
            "vzctl: COMMAND... is missing  [VZ_INVALID_PARAMETER_SYNTAX, 20]\n  \
             usage: vzctl exec ID|NAME COMMAND [ARGUMENT...]\n  try: vzctl exec --help\n",
        ),
        (
            "vzctl start we",
            "vzctl: no VE is named \"we\": did you mean web1?  [VZ_VE_CONFIG_NOT_FOUND, 14]\n",
        ),
        (
            "vzctl set 101 --cpulimit 10%",
            "vzctl: --cpulimit is not supported by this version: it has no CPU limits yet  \
             [VZ_SETFSHD_ERROR, 2]\n  a line CPULIMIT=... in a configuration is kept unchanged\n",
        ),
        (
            "vzctl set 101 --onboot maybe",
            "vzctl: bad value \"maybe\" for --onboot: it must be yes or no or unset  \
             [VZ_INVALID_PARAMETER_VALUE, 21]\n  try: vzctl set --help\n",
        ),
        (
            "vzctl set 101 --onboot yes",
            "vzctl: cannot set ONBOOT of VE 101 (web1): it only lives in the configuration  \
             [VZ_INVALID_PARAMETER_SYNTAX, 20]\n  try: vzctl set 101 --onboot yes --save\n",
        ),
        (
            "vzlist -o numprc",
            "vzlist: there is no field \"numprc\": did you mean numproc or numpty?  \
             [VZ_INVALID_PARAMETER_VALUE, 21]\n  try: vzlist -L\n",
        ),
    ] {
        assert_eq!(node.run(line).err, text, "{line}");
    }
    put(&node, "etc/vz/conf/103.conf", "# c\nNUMPROC=\"1\n");
    assert_eq!(
        node.run("vzctl set 103 --onboot yes --save").err,
        "vzctl: /etc/vz/conf/103.conf:2:9: the closing quote is missing  [VZ_INVALID_CONFIG, 85]\n  \
         NUMPROC=\"1\n          ^\n"
    );
}

#[test]
fn without_vz_conf() {
    let node = Node::new();
    std::fs::remove_file(node.path("etc/vz/vz.conf")).unwrap();
    for line in ["vzctl start 101", "vzlist", "vzubc"] {
        let err = node.run(line).fails(10);
        assert!(err.contains("/etc/vz/vz.conf"), "{err}");
    }
    put(&node, "etc/vz/vz.conf", "VE_ROOT=\"/vz/root\"\n");
    let err = node.run("vzctl status 101").fails(85);
    assert!(
        err.contains("$VEID") && err.contains("vz.conf line 1"),
        "{err}"
    );
}

#[test]
fn json_envelope() {
    let node = Node::with_ves();
    let ran = node.run("vzctl --json set 101 --onboot yes --save");
    assert_eq!(
        ran.out,
        "{\"ok\":true,\"command\":\"set\",\"veid\":101,\"code\":0,\"name\":null,\
         \"message\":\"ONBOOT of VE 101 was set and saved\",\"warnings\":[],\"data\":{\"saved\":true,\
         \"changes\":[{\"name\":\"ONBOOT\",\"old\":\"no\",\"new\":\"yes\"}]}}\n"
    );
    let ran = node.run("vzctl --json set 999 --onboot yes --save");
    assert_eq!(ran.status, 14);
    assert_eq!(ran.err, "");
    let value = ran.json();
    assert_eq!(value["ok"], false);
    assert_eq!(value["code"], 14);
    assert_eq!(value["name"], "VZ_VE_CONFIG_NOT_FOUND");
    let value = node.run("vzctl set --json 101 --frob").json();
    assert_eq!(
        (&value["code"], &value["command"]),
        (&20.into(), &"set".into())
    );
}

#[test]
fn quiet_is_silent() {
    let node = Node::with_ves();
    let ran = node.run("vzctl --quiet set 101 --onboot yes --save");
    assert_eq!(
        (ran.status, ran.out.as_str(), ran.err.as_str()),
        (0, "", "")
    );
    let ran = node.run("vzctl --quiet set 101 --onboot perhaps --save");
    assert!(ran.err.starts_with("vzctl: bad value"));
}

#[test]
fn names_of_links_choose_the_tool() {
    let node = Node::with_ves();
    let link = node.path("vzlist");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_vz-tools"), &link).unwrap();
    let done = std::process::Command::new(&link)
        .args(["-H", "-a", "-o", "ctid"])
        .env("VZ_SYSROOT", node.dir.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "       101\n       102\n"
    );
}
