// SPDX-License-Identifier: GPL-2.0
//! vzubc and vzctl explain.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::beancounters;
use common::counters;
use common::put;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;

const UNLIMITED: u64 = i64::MAX as u64;

fn count(node: &Node, numproc_failcnt: u64) {
    let text = beancounters(&[
        (
            101,
            &counters(&[
                ("kmemsize", [40 << 20, 41 << 20, 50 << 20, 55 << 20, 0]),
                ("numproc", [240, 240, 240, 240, numproc_failcnt]),
                ("physpages", [65_536, 131_072, 0, 131_072, 2]),
                ("oomguarpages", [65_000, 66_000, 131_072, UNLIMITED, 0]),
                ("swappages", [0, 0, 0, 262_144, 0]),
            ]),
        ),
        (
            0,
            &counters(&[("numproc", [90, 99, UNLIMITED, UNLIMITED, 0])]),
        ),
    ]);
    put(node, "proc/bc/resources", &text);
}

/// VE 101 runs and was refused things; its apache2 was the last to be told.
fn node() -> Node {
    let node = Node::with_ves();
    node.fake_running(101);
    count(&node, 7);
    put(&node, "proc/uptime", "1000.50 900.00\n");
    let refusal = |resource: &str, time: &str| {
        format!(
            "resource:\t{resource}\nrequested:\t1\nheld:\t240\nbound:\t240\n\
             severity:\tbarrier\ntime:\t{time}\n"
        )
    };
    for (pid, veid, name, text) in [
        (4711, 101, "apache2", refusal("numproc", "988.500000000")),
        (4712, 101, "cron", String::new()),
        (4713, 101, "sh", refusal("numproc", "400.000000001")),
        (4714, 102, "other", refusal("numproc", "999.000000000")),
        (4716, 101, "worker", refusal("numproc", "999.500000000")),
    ] {
        put(
            &node,
            &format!("proc/{pid}/status"),
            &format!("Name:\t{name}\nenvID:\t{veid}\nVPid:\t{}\n", pid - 4000),
        );
        put(&node, &format!("proc/{pid}/ubc_last"), &text);
    }
    // 4716 is a thread of 4712.
    for tid in [4712, 4716] {
        put(&node, &format!("proc/4712/task/{tid}/comm"), "");
    }
    node
}

#[test]
fn explain() {
    let node = node();
    assert_eq!(
        node.run("vzctl explain 101").ok(),
        "VE 101 was refused numproc 7 times\n\
         \x20 held 240, barrier 240, limit 240\n\
         \x20 what it is: Processes and threads\n\
         \x20 refused means: ENOMEM from fork and clone; EAGAIN from pthread_create\n\
         \x20 refused: worker (pid 4716, inside 716) 1 s ago: asked for 1 while 240 of 240 were held\n\
         \x20 refused: apache2 (pid 4711, inside 711) 12 s ago: asked for 1 while 240 of 240 were held\n\
         \x20 refused: sh (pid 4713, inside 713) 10 min ago: asked for 1 while 240 of 240 were held\n\
         \x20 try: vzctl set 101 --numproc 300 --save\n\
         \n\
         VE 101 was refused physpages 2 times\n\
         \x20 held 65536 (256M), barrier 0, limit 131072 (512M) (set in /etc/vz/conf/101.conf line 7)\n\
         \x20 what it is: RAM in use; the limit is enforced\n\
         \x20 refused means: memory is reclaimed and swapped out; if that gives nothing, the VE's \
         out-of-memory killer acts\n\
         \x20 no living process has it as its last refusal\n\
         \x20 try: vzctl set 101 --ram 640M --save\n"
    );
    assert_eq!(
        node.run("vzctl explain 101 NUMFILE").ok(),
        "VE 101 was never refused numfile\n  held 0, barrier unlimited, limit unlimited\n  \
         what it is: Open files\n  refused means: ENFILE from open, pipe, socket, accept and all \
         else that makes a file\n"
    );
    assert_eq!(
        node.run("vzctl explain 0").ok(),
        "the node was refused nothing\n"
    );
    let value = node.run("vzctl explain --json 101 numproc").json();
    assert_eq!(value["tasks_known"], true);
    let story = &value["resources"][0];
    assert_eq!(story["failcnt"], 7);
    assert_eq!(story["try"], "vzctl set 101 --numproc 300 --save");
    assert_eq!(story["tasks"][1]["command"], "apache2");
    assert_eq!(story["tasks"][1]["vpid"], 711);
    assert_eq!(story["tasks"][1]["seconds_ago"], 12.0);
    // What is suggested can be done.
    node.run("vzctl set 101 --numproc 300 --save").ok();
    assert_eq!(node.fake_ubc(101, 5), Some((300, 300)));
    let err = node.run("vzctl explain 102").fails(31);
    assert!(err.contains("vzctl start 102"), "{err}");
    node.run("vzctl explain 999").fails(14);
    let err = node.run("vzctl explain 101 numprocs").fails(21);
    assert!(err.contains("did you mean numproc?"), "{err}");
}

#[test]
fn explain_on_a_kernel_that_keeps_no_refusals() {
    let node = node();
    for pid in [4711, 4712, 4713, 4714, 4716] {
        std::fs::remove_file(node.path(&format!("proc/{pid}/ubc_last"))).unwrap();
    }
    let out = node.run("vzctl explain 101 numproc").ok();
    assert!(
        out.contains("who was refused is not known: this kernel does not keep refusals by process"),
        "{out}"
    );
    assert!(
        out.contains("try: vzctl set 101 --numproc 300 --save"),
        "{out}"
    );
    let value = node.run("vzctl explain --json 101").json();
    assert_eq!(value["tasks_known"], false);
    assert!(value["resources"][0]["tasks"].is_null());
    let ran = node.run("vzubc --why -q 101");
    assert!(ran.err.contains("this kernel does not keep"), "{ran:?}");
    // New, but nobody alive was ever refused anything.
    put(&node, "proc/self/ubc_last", "");
    let out = node.run("vzctl explain 101 numproc").ok();
    assert!(out.contains("no living process"), "{out}");
}

#[test]
fn vzubc_names_who_was_refused() {
    let node = node();
    assert_eq!(
        node.run("vzubc --why -q -qh 0.9 101").ok(),
        "VE 101              HELD Bar% Lim% |     MAXH Bar% Lim% |      BAR      LIM |   FAIL\n\
         numproc              240 100% 100% |      240 100% 100% |      240      240 |      7\n\
         \x20 refused: worker (pid 4716, inside 716) 1 s ago: asked for 1 while 240 of 240 were held\n\
         \x20 refused: apache2 (pid 4711, inside 711) 12 s ago: asked for 1 while 240 of 240 were held\n\
         \x20 refused: sh (pid 4713, inside 713) 10 min ago: asked for 1 while 240 of 240 were held\n\
         physpages           256M    -  50% |     512M    - 100% |        -     512M |      2\n"
    );
    let value = node.run("vzubc --why --json -q -qh 0.9 101").json();
    let resources = &value[0]["resources"];
    assert_eq!(resources.as_object().unwrap().len(), 2);
    assert_eq!(resources["numproc"]["refused"][0]["pid"], 4716);
}

#[test]
fn vzubc_exact() {
    let node = node();
    let out = node.run("vzubc -v 101").ok();
    let line = out.lines().nth(1).unwrap();
    assert_eq!(
        line,
        "kmemsize        41943040  80%  73% | 42991616  82%  75% | 52428800 57671680 |      -"
    );
    let out = node.run("vzubc -c -q 101").ok();
    assert!(out.contains("\x1b[31mnumproc"), "{out}");
}

#[test]
fn vzubc_of_a_saved_file() {
    let node = node();
    let file = node.path("proc/bc/resources");
    let file = file.to_str().unwrap();
    node.run(&format!("vzubc -f {file} 101")).ok();
    // 102 does not run and 999 does not exist here, which is no reason.
    for id in ["102", "999"] {
        assert_eq!(
            node.run(&format!("vzubc -f {file} {id}")).fails(21),
            format!(
                "vzubc: cannot show VE {id}: /proc/bc/resources has no lines of it  \
                 [VZ_INVALID_PARAMETER_VALUE, 21]\n"
            )
        );
    }
}

#[test]
fn vzubc_since_the_last_call() {
    let node = node();
    let fails = |line: &str| {
        let value = node.run(line).json();
        let list = value.as_array().unwrap();
        list.first()
            .map(|v| v["resources"]["numproc"]["failcnt_new"].as_u64())
    };
    assert_eq!(fails("vzubc --json -i -q 101"), Some(None));
    assert_eq!(fails("vzubc --json -i 101"), Some(Some(0)));
    count(&node, 9);
    // Another VE's call does not disturb this one's.
    node.run("vzubc -i 0").ok();
    assert_eq!(fails("vzubc --json -i 101"), Some(Some(2)));
    count(&node, 10);
    let out = node.run("vzubc -i -q -qh 1 -qm 1 101").ok();
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.ends_with("|      1\n"), "{out}");
    assert_eq!(node.run("vzubc -i -q -qh 1 -qm 1 101").ok(), "");
    // It was restarted.
    count(&node, 3);
    assert_eq!(fails("vzubc --json -i 101"), Some(Some(3)));
    assert_eq!(fails("vzubc --json -ic -i 101"), Some(None));

    let held = |line: &str| {
        let out = node.run(line).ok();
        let line = out.lines().find(|l| l.starts_with("numproc")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_string()
    };
    assert_eq!(held("vzubc -r 101"), "240");
    assert_eq!(held("vzubc -r 101"), "=");
    let text = std::fs::read_to_string(node.path("proc/bc/resources")).unwrap();
    let less = text.replacen(
        "numproc                       240",
        "numproc                       200",
        1,
    );
    put(&node, "proc/bc/resources", &less);
    assert_eq!(held("vzubc -r 101"), "-40");
    put(&node, "proc/bc/resources", &text);
    let value = node.run("vzubc -r --json 101").json();
    assert_eq!(value[0]["resources"]["numproc"]["held_before"], 200);
    let elsewhere = node.path("elsewhere");
    let rd = format!("vzubc -r -rd {} 101", elsewhere.display());
    assert_eq!(held(&rd), "240");
    assert_eq!(held(&rd), "=");
    assert!(elsewhere.join("relative").exists());
    assert_eq!(held("vzubc -rc -r 101"), "240");
}

#[test]
fn vzubc_watches_until_it_is_told_to_stop() {
    let node = node();
    let mut child = node
        .command(&["vzubc", "-w", "-q"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    // Not a terminal: no escapes.
    assert!(line.starts_with("VE 101 "), "{line:?}");
    common::interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
