// SPDX-License-Identifier: GPL-2.0
//! Tables and JSON of vzlist, vzubc, vzpid and status; pages and completion.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::beancounters;
use common::put;

const UNLIMITED: u64 = i64::MAX as u64;

fn node() -> Node {
    let node = Node::with_ves();
    node.run("vzctl set 101 --name web1 --hostname web1.example.org --save")
        .ok();
    node.run_args(&[
        "vzctl",
        "set",
        "102",
        "--description",
        "two words",
        "--save",
    ])
    .ok();
    node.fake_running(101);
    put(
        &node,
        "proc/vz/veinfo",
        "       101     0    23 10.0.0.101\n         0     0    90\n",
    );
    let text = beancounters(&[
        (
            101,
            &[
                (
                    "kmemsize",
                    [2_952_339, 3_059_712, 14_372_700, 14_790_164, 0],
                ),
                ("numproc", [23, 31, 240, 240, 7]),
                ("physpages", [65_536, 70_000, 0, 131_072, 0]),
            ],
        ),
        (
            0,
            &[
                ("kmemsize", [1, 2, UNLIMITED, UNLIMITED, 0]),
                ("numproc", [90, 99, UNLIMITED, UNLIMITED, 0]),
            ],
        ),
    ]);
    put(&node, "proc/bc/resources", &text);
    node
}

#[test]
fn tables() {
    let node = node();
    for (line, text) in [
        (
            "vzlist",
            "      CTID      NPROC STATUS    IP_ADDR         HOSTNAME\n       \
             101         23 running   10.0.0.101      web1.example.org\n",
        ),
        (
            "vzlist -a",
            "      CTID      NPROC STATUS    IP_ADDR         HOSTNAME\n       \
             101         23 running   10.0.0.101      web1.example.org\n       \
             102          - stopped   -               -\n",
        ),
        (
            "vzlist -S -H",
            "       102          - stopped   -               -\n",
        ),
        ("vzlist -1 -a", "       101\n       102\n"),
        ("vzlist -H -a -o ctid -s -ctid", "       102\n       101\n"),
        (
            "vzlist -H -a -o veid,status -s numproc",
            "       102 stopped\n       101 running\n",
        ),
        (
            "vzlist -a -n -o ctid,status",
            " SMARTNAME STATUS\n      web1 running\n       102 stopped\n",
        ),
        (
            "vzlist -H -o numproc,numproc.m,numproc.b,numproc.l,numproc.f,failcnt",
            "        23         31        240        240          7          7\n",
        ),
        (
            "vzlist -H -a -o ctid,physpages.l,vmguarpages.l,vswap",
            "       101     131072          - yes\n       102 9223372036854775807 9223372036854775807 no\n",
        ),
        (
            "vzlist -H 102 -o onboot,disabled,cpuunits,description",
            "no     no           - two words\n",
        ),
        ("vzlist -H -a -h *.example.org -o ctid", "       101\n"),
        ("vzlist -H -a -d two* -o ctid", "       102\n"),
        ("vzlist -H -a -N web? -o ctid", "       101\n"),
        (
            "vzlist -H -a --filter status!=running -o ctid",
            "       102\n",
        ),
        ("vzlist -H web1 -o private", "/var/lib/vz/private/101\n"),
        (
            "vzlist -H -a -o hostname,ctid -t",
            "web1.example.org                        101\n-                                       102\n",
        ),
    ] {
        assert_eq!(node.run(line).ok(), text, "{line}");
    }
}

#[test]
fn long_texts_are_cut_but_numbers_are_not() {
    let node = node();
    let long = "x".repeat(40);
    node.run(&format!("vzctl set 102 --description {long} --save"))
        .ok();
    assert_eq!(
        node.run("vzlist -H 102 -o description,ctid").ok(),
        format!("{}        102\n", &long[..32])
    );
    assert_eq!(
        node.run("vzlist -H -t 102 -o description,ctid").ok(),
        format!("{long}        102\n")
    );
}

#[test]
fn json() {
    let node = node();
    let all = node.run("vzlist -a --json").json();
    let (up, down) = (&all[0], &all[1]);
    assert_eq!(up["ctid"], 101);
    assert_eq!(up["ip"], serde_json::json!(["10.0.0.101"]));
    assert_eq!(up["nameserver"], serde_json::json!([]));
    assert_eq!(up["vswap"], true);
    assert_eq!(up["disabled"], false);
    assert_eq!(
        up["numproc"],
        serde_json::json!({"held":23,"maxheld":31,"barrier":240,"limit":240,"failcnt":7})
    );
    assert!(up["laverage"].is_null() && up.get("numproc.m").is_none());
    assert_eq!(down["status"], "stopped");
    assert!(down["hostname"].is_null() && down["numproc"].is_null());
    assert_eq!(
        node.run("vzlist -a -j -o ctid,status").json(),
        serde_json::json!([
            {"ctid": 101, "status": "running"}, {"ctid": 102, "status": "stopped"}
        ])
    );
    assert_eq!(node.run("vzlist -j --filter ctid=7").out, "[]\n");
}

#[test]
fn a_broken_configuration_does_not_hide_the_others() {
    let node = node();
    put(&node, "etc/vz/conf/103.conf", "what?\n");
    let ran = node.run("vzlist -a -H -o ctid,status");
    assert_eq!(
        ran.out,
        "       101 running\n       102 stopped\n       103 stopped\n"
    );
    assert!(ran.err.contains("/etc/vz/conf/103.conf:1:5"), "{ran:?}");
}

#[test]
fn status() {
    let node = node();
    for (line, text) in [
        ("vzctl status 101", "CTID 101 exist unmounted running\n"),
        (
            "vzctl status 102 999",
            "CTID 102 exist unmounted down\nCTID 999 deleted unmounted down\n",
        ),
    ] {
        assert_eq!(node.run(line).ok(), text);
    }
    put(&node, "var/lib/vz/dump/Dump.102", "");
    assert_eq!(
        node.run("vzctl status 102").ok(),
        "CTID 102 exist unmounted down suspended\n"
    );
    assert_eq!(node.run("vzlist -H -o status 102").ok(), "suspended\n");
}

#[test]
fn vzubc() {
    let node = node();
    assert_eq!(
        node.run("vzubc 101").ok(),
        "VE 101 (web1)       HELD Bar% Lim% |     MAXH Bar% Lim% |      BAR      LIM |   FAIL\n\
         kmemsize            2.8M  21%  20% |     2.9M  21%  21% |    13.7M    14.1M |      -\n\
         numproc               23  10%  10% |       31  13%  13% |      240      240 |      7\n\
         physpages           256M    -  50% |   273.4M    -  53% |        -     512M |      -\n"
    );
    let quiet = node.run("vzubc -q").ok();
    assert_eq!(quiet.lines().count(), 2, "{quiet}");
    assert_eq!(node.run("vzubc -q -qh 0.4").ok().lines().count(), 3);
    assert_eq!(
        node.run("vzubc --top 1 101")
            .ok()
            .lines()
            .nth(1)
            .map(|l| &l[..9]),
        Some("physpages")
    );
    assert_eq!(
        node.run("vzubc --json 101").json()[0]["resources"]["numproc"]["failcnt"],
        7
    );
    node.run("vzubc 102").fails(31);
}

#[test]
fn vzpid() {
    let node = node();
    put(
        &node,
        "proc/4711/status",
        "Name:\tsshd\nPid:\t4711\nenvID:\t101\nVPid:\t55\n",
    );
    put(&node, "proc/4712/status", "Name:\tbash\nPid:\t4712\n");
    assert_eq!(
        node.run("vzpid 4711").ok(),
        "Pid\tCTID\tName\n4711\t101\tsshd\n"
    );
    assert_eq!(
        node.run("vzpid -p 4711").ok(),
        "Pid\tVPid\tCTID\tName\n4711\t55\t101\tsshd\n"
    );
    node.run("vzpid 4712").fails(5);
}

#[test]
fn pages_and_completion() {
    let node = Node::new();
    let dir = node.path("man");
    node.run_args(&["gen-man", dir.to_str().unwrap()]).ok();
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(page("vzctl.8").contains("VZ_RESOURCE_ERROR"));
    let set = page("vzctl-set.8");
    for option in ["numproc", "ram", "userpasswd", "save"] {
        assert!(set.contains(&format!("\\-\\-{option}")), "{option}");
    }
    assert!(!set.contains("cpuunits"));
    assert!(page("ctid.conf.5").contains("CPUUNITS") && page("vz.conf.5").contains("STOP_TIMEOUT"));
    for name in node.run("names").ok().lines() {
        assert!(
            page(&format!("{name}.8")).contains("EXAMPLES") || name == "vzeventd",
            "{name}"
        );
    }
    for sub in ["explain", "monitor"] {
        assert!(
            page(&format!("vzctl-{sub}.8")).contains("EXAMPLES"),
            "{sub}"
        );
    }
    let validate = page("vzcfgvalidate.8");
    for size in ["96 KiB", "1400 bytes", "40 KiB", "384 bytes"] {
        assert!(validate.contains(size), "{size}");
    }
    assert!(page("ctid.conf.5").contains("When it is refused: ENFILE"));
    for shell in ["bash", "zsh", "fish"] {
        let text = node.run(&format!("vzctl completion {shell}")).ok();
        assert!(
            text.contains("numproc") && !text.contains("cpuunits"),
            "{shell}"
        );
        for name in node.run("names").ok().lines() {
            assert!(text.contains(name), "{shell} {name}");
        }
    }
}
