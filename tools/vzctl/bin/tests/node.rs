// SPDX-License-Identifier: GPL-2.0
//! vzcalc, vzmemcheck, vzsplit and vzcfgscale.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::beancounters;
use common::counters;
use common::put;

const UNLIMITED: u64 = i64::MAX as u64;
const MIB: u64 = 256;

/// 16 GiB of RAM and 8 GiB of swap; VE 101 in the simple, 103 in the classic
/// mode.
fn node() -> Node {
    let node = Node::with_ves();
    put(
        &node,
        "proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree: 1 kB\nSwapTotal:       8388608 kB\n",
    );
    put(&node, "proc/sys/kernel/threads-max", "10000\n");
    count(&node, UNLIMITED);
    node
}

fn count(node: &Node, vmguarpages: u64) {
    let text = beancounters(&[
        (
            101,
            &counters(&[
                ("kmemsize", [64 << 20, 0, UNLIMITED, UNLIMITED, 0]),
                ("numproc", [50, 60, 500, 500, 0]),
                ("physpages", [256 * MIB, 0, 0, 1024 * MIB, 0]),
                ("swappages", [0, 0, 0, 2048 * MIB, 0]),
                ("oomguarpages", [256 * MIB, 0, 1024 * MIB, UNLIMITED, 0]),
                ("vmguarpages", [0, 0, 3072 * MIB, UNLIMITED, 0]),
                ("privvmpages", [384 * MIB, 0, UNLIMITED, UNLIMITED, 0]),
            ]),
        ),
        (
            103,
            &counters(&[
                ("kmemsize", [32 << 20, 0, 100 << 20, 128 << 20, 0]),
                ("tcpsndbuf", [1 << 20, 0, 8 << 20, 32 << 20, 0]),
                ("tcprcvbuf", [0, 0, 8 << 20, 32 << 20, 0]),
                ("othersockbuf", [0, 0, 8 << 20, 32 << 20, 0]),
                ("dgramrcvbuf", [0, 0, 8 << 20, 32 << 20, 0]),
                ("oomguarpages", [0, 0, 512 * MIB, UNLIMITED, 0]),
                (
                    "vmguarpages",
                    [0, 0, vmguarpages.min(1024 * MIB), UNLIMITED, 0],
                ),
                ("privvmpages", [0, 0, 1024 * MIB, 1152 * MIB, 0]),
            ]),
        ),
        (0, &counters(&[])),
    ]);
    put(node, "proc/bc/resources", &text);
}

#[test]
fn vzcalc() {
    let node = node();
    assert_eq!(
        node.run("vzcalc -v 101").ok(),
        "Resource   Current(%) Promised(%)    Max(%)\n\
         Low Mem          0.39        6.25      6.25\n\
         Total RAM        1.95         n/a      6.25\n\
         Mem + Swap       1.30        4.17     12.50\n\
         Alloc. Mem       1.82       12.50 unlimited\n\
         Num. Proc        0.50         n/a      5.00\n\
         Largest          1.95       12.50 unlimited\n"
    );
    assert_eq!(
        node.run("vzcalc 999").err,
        "vzcalc: VE 999 does not exist: there is no /etc/vz/conf/999.conf  \
         [VZ_VE_CONFIG_NOT_FOUND, 14]\n  try: vzlist -a\n"
    );
    assert_eq!(
        node.run("vzcalc -v 103").ok(),
        "Resource   Current(%) Promised(%)    Max(%)\n\
         Low Mem          0.20        1.56      1.56\n\
         Total RAM        0.20         n/a       n/a\n\
         Mem + Swap       0.13        3.12       n/a\n\
         Alloc. Mem       0.13        5.21      5.73\n\
         Num. Proc        0.00         n/a unlimited\n\
         Largest          0.20        5.21 unlimited\n"
    );
    // It does not run: its configuration says what it may take.
    let value = node.run("vzcalc --json 102").json();
    let percent = &value["percent"];
    assert_eq!(value["veid"], 102);
    assert_eq!(percent["ram"]["current"], 0.0);
    assert!(percent["ram"]["max"].is_null());
    assert_eq!(percent["numproc"]["max"], 2.4);
    assert_eq!(percent["largest"]["max"], 4.6);
    let value = node.run("vzcalc --json 101").json();
    assert_eq!(value["percent"]["alloc"]["max"], "unlimited");
}

#[test]
fn what_cannot_be_read_is_told() {
    let node = node();
    put(&node, "proc/sys/kernel/threads-max", "?\n");
    assert_eq!(
        node.run("vzcalc 101").err,
        "vzcalc: cannot find out how many processes the node can have: \
         /proc/sys/kernel/threads-max holds \"?\"  [VZ_SYSTEM_ERROR, 3]\n  \
         try: sysctl kernel.threads-max\n"
    );
    put(&node, "proc/meminfo", "MemFree: 1 kB\n");
    let err = node.run("vzmemcheck").fails(3);
    assert!(err.contains("/proc/meminfo has no line MemTotal:"), "{err}");
    std::fs::remove_file(node.path("proc/meminfo")).unwrap();
    let err = node.run("vzsplit -n 3").fails(3);
    assert!(
        err.contains("cannot read /proc/meminfo: no such file or directory"),
        "{err}"
    );
    let node = self::node();
    put(
        &node,
        "proc/bc/resources",
        "Version: 2.5\n 101: kmemsize 1 2 3 4 5\n",
    );
    let err = node.run("vzcalc 101").fails(3);
    assert!(
        err.contains("its beancounter has no line tcpsndbuf"),
        "{err}"
    );
}

#[test]
fn vzmemcheck() {
    let node = node();
    assert_eq!(
        node.run("vzmemcheck -v").ok(),
        "veid          LowMem    LowMem       RAM   MemSwap   MemSwap     Alloc     Alloc     Alloc\n\
         \x20               util    commit      util      util    commit      util    commit     limit\n\
         101             0.39      6.25      1.95      1.30      4.17      1.82     12.50 unlimited\n\
         103             0.20      1.56      0.20      0.13      3.12      0.13      5.21      5.73\n\
         Summary:        0.59      7.81      2.15      1.44      7.29      1.96     17.71 unlimited\n"
    );
    let out = node.run("vzmemcheck -A").ok();
    assert_eq!(out.lines().count(), 4);
    assert!(out.ends_with(
        "Node:            16G       16G       16G       24G       24G       24G       24G       24G\n"
    ));
    let value = node.run("vzmemcheck --json").json();
    assert_eq!(value["over"], serde_json::json!([]));
    assert_eq!(value["ves"][1]["veid"], 103);
    assert_eq!(
        value["ves"][1]["claims"]["lowmem_commit"],
        serde_json::json!({"bytes": 256 << 20, "percent": 1.56})
    );
    assert_eq!(value["sum"]["alloc_limit"]["bytes"], "unlimited");
    assert_eq!(value["node"]["low"], 16_u64 << 30);
}

#[test]
fn vzmemcheck_when_nothing_is_limited() {
    let node = node();
    put(
        &node,
        "proc/bc/resources",
        &beancounters(&[(101, &counters(&[]))]),
    );
    let ran = node.run("vzmemcheck");
    assert!(
        ran.status == 1
            && ran
                .err
                .contains("warning: LowMem: no limit bounds what is promised, see vzmemcheck -v\n"),
        "{ran:?}"
    );
}

#[test]
fn vzmemcheck_when_too_much_is_promised() {
    let node = node();
    put(
        &node,
        "proc/meminfo",
        "MemTotal: 1048576 kB\nLowTotal: 1048576 kB\nSwapTotal: 1048576 kB\n",
    );
    let ran = node.run("vzmemcheck");
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(
        ran.err,
        "vzmemcheck: warning: LowMem: 312.50 % of the node's is promised\n\
         vzmemcheck: warning: Alloc: 212.50 % of the node's is promised\n"
    );
    let ran = node.run("vzmemcheck --json");
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.json()["over"],
        serde_json::json!(["lowmem_commit", "alloc_commit"])
    );
}

#[test]
fn vzcpucheck() {
    let node = node();
    let cpu = |n: u32| format!("processor\t: {n}\nbogomips\t: 4000.50\n\n");
    put(&node, "proc/cpuinfo", &(cpu(0) + &cpu(1)));
    for id in [101, 102, 105] {
        node.fake_running(id);
    }
    let text = node.conf_text(102) + "CPUUNITS=\"180000\"\n";
    put(&node, "etc/vz/conf/102.conf", &text);
    assert_eq!(
        node.run("vzcpucheck").ok(),
        "Current CPU utilization: 183000\nPower of the node: 200000\n"
    );
    assert_eq!(
        node.run("vzcpucheck -v").ok(),
        "      CTID   CPUUNITS\n         0       1000\n       101       1000\n       \
         102     180000\n       105       1000\n\
         Current CPU utilization: 183000\nPower of the node: 200000\n"
    );
    let ran = node.run("vzcpucheck --legacy-power --json");
    assert_eq!((ran.status, &ran.json()["power"]), (0, &200_025.into()));
    // One CPU less: more is promised than there is.
    put(&node, "proc/cpuinfo", &cpu(0));
    let ran = node.run("vzcpucheck");
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.err,
        "vzcpucheck: warning: 183000 units are promised, the node has 100000: VEs get less than \
         their units say\n"
    );
    let ran = node.run("vzcpucheck --json");
    assert_eq!((ran.status, &ran.json()["over"]), (1, &true.into()));
    assert_eq!(ran.json()["ves"][2]["cpuunits"], 180_000);
    put(&node, "etc/vz/vz.conf", "VE0CPUUNITS=\"5\"\n");
    assert!(node.run("vzcpucheck").out.contains(": 182005\n"));
    put(&node, "etc/vz/conf/102.conf", "CPUUNITS=\"many\"\n");
    let err = node.run("vzcpucheck").fails(85);
    assert!(err.contains("102.conf line 1"), "{err}");
    put(&node, "proc/cpuinfo", "model name\t: x\n");
    let err = node.run("vzcpucheck").fails(3);
    assert!(err.contains("/proc/cpuinfo has no line processor"), "{err}");
}

#[test]
fn vzsplit() {
    let node = node();
    assert_eq!(
        node.run("vzsplit -n 20").ok(),
        "# Made by vzsplit: RAM and swap for one of 20 equal VEs of a node.\n\nONBOOT=\"no\"\n\n\
         # Pages of 4096 bytes\nPHYSPAGES=\"0:778M\"\nSWAPPAGES=\"0:409M\"\n"
    );
    assert!(
        node.run("vzsplit -n 20 -s 1073741824")
            .ok()
            .ends_with("SWAPPAGES=\"0:1556M\"\n")
    );
    for (name, mode) in [("part", "yes"), ("parts", "no")] {
        let out = node.run(&format!("vzsplit -n 30 -f {name} -v {mode}")).ok();
        assert_eq!(
            out,
            format!("/etc/vz/conf/ve-{name}.conf-sample was written\n")
        );
        let path = node.path(&format!("etc/vz/conf/ve-{name}.conf-sample"));
        node.run_args(&["vzcfgvalidate", path.to_str().unwrap()])
            .ok();
    }
    let err = node.run("vzsplit -n 30 -f part").fails(82);
    assert!(err.contains("there is a sample of that name"), "{err}");
    node.run("vzsplit -n 31 -f part --yes").ok();
    node.run("vzsplit -n 3 -f ../part").fails(21);
    assert_eq!(
        node.run("vzsplit -n 1000").err,
        "vzsplit: cannot divide the node into 1000 VEs: each would get 15 MiB of RAM, it takes 32 \
         to make a VE  [VZ_RESOURCE_ERROR, 6]\n  try: vzsplit -n 486\n"
    );
    let value = node.run("vzsplit -n 20 --json").json();
    assert_eq!(value["data"]["parameters"]["PHYSPAGES"], "0:778M");
}

#[test]
fn vzcfgscale() {
    let node = node();
    let text = "# mine\nONBOOT=\"yes\"\nNAME=\"web1\"\nPHYSPAGES=\"0:512M\"\nNUMPROC=\"240\" # few\n\
                IPTENTRIES=\"20\"\nVMGUARPAGES=\"100:unlimited\"\nCPUUNITS=\"1000\"\n\
                DISKSPACE=\"2G:2.2G\"\nRATE=\"eth0:1:8\"\nIP_ADDRESS=\"10.0.0.1\"\nUNKNOWN=\"3\"\n";
    put(&node, "etc/vz/conf/103.conf", text);
    let file = node.conf(103);
    let file = file.to_str().unwrap();
    let scale = |args: &[&str]| {
        let mut line = vec!["vzcfgscale"];
        line.extend(args);
        line.push(file);
        node.run_args(&line)
    };
    let doubled = text
        .replace("512M", "1024M")
        .replace("240", "480")
        .replace("\"20\"", "\"40\"")
        .replace("100:", "200:");
    assert_eq!(scale(&["-u", "2"]).ok(), doubled);
    assert_eq!(
        scale(&["-a", "0.5", "-u", "2"]).ok(),
        doubled
            .replace("1000", "500")
            .replace("2G:2.2G", "1G:1.1G")
            .replace(":8", ":4")
    );
    assert_eq!(
        scale(&["-c", "1", "-r"]).ok(),
        text.replace("NAME=\"web1\"\n", "")
            .replace("IP_ADDRESS=\"10.0.0.1\"\n", "")
    );
    assert_eq!(node.conf_text(103), text);
    let out = scale(&["-n", "2", "-d", "2", "-o", file]).ok();
    assert!(out.starts_with("2 scaled values were written to"), "{out}");
    assert_eq!(
        node.conf_text(103),
        text.replace("2G:2.2G", "4G:4.4G").replace(":8", ":16")
    );
    let value = scale(&["--json", "-u", "3"]).json();
    assert_eq!(
        value["data"]["changes"][0],
        serde_json::json!({"name": "NUMPROC", "old": "240", "new": "720"})
    );
    put(&node, "etc/vz/conf/103.conf", "NUMPROC=\"many\"\n");
    let err = scale(&["-u", "2"]).fails(85);
    assert!(
        err.contains("cannot scale NUMPROC=\"many\"") && err.contains("103.conf line 1"),
        "{err}"
    );
    for bad in ["1:2:3", "10K", "18446744073709551616"] {
        put(
            &node,
            "etc/vz/conf/103.conf",
            &format!("NUMPROC=\"{bad}\"\n"),
        );
        scale(&["-u", "2", "-o", file]).fails(85);
    }
    // Smaller buffers than a socket needs.
    std::fs::copy(node.conf(102), node.conf(103)).unwrap();
    let ran = scale(&["-u", "0.02"]);
    assert!(
        ran.err
            .contains("warning: TCPSNDBUF: the barrier 34406 is below 65536"),
        "{ran:?}"
    );
}
