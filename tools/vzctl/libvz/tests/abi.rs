// SPDX-License-Identifier: GPL-2.0
//! The Rust side of the control interface against the C header that defines
//! it: a small C program prints sizes, offsets and numbers.

use libvz::kernel::abi;
use std::fmt::Write;
use std::mem::offset_of;
use std::mem::size_of;
use std::path::Path;
use std::process::Command;

macro_rules! layout {
    ($c:ident, $rust:ty: $($field:ident),*) => {{
        let mut list = vec![(format!("sizeof(struct {})", stringify!($c)), size_of::<$rust>() as u64)];
        $(list.push((
            format!("offsetof(struct {}, {})", stringify!($c), stringify!($field)),
            offset_of!($rust, $field) as u64,
        ));)*
        list
    }};
}

fn expected() -> Vec<(String, u64)> {
    let mut all = Vec::new();
    all.extend(layout!(vzctl_reserve, abi::Reserve: size, veid, flags, pad));
    all.extend(layout!(vzctl_open, abi::Open: size, veid, flags, pad));
    all.extend(layout!(
        vzctl_create, abi::Create: size, flags, uid_base, uid_count, bset, cgroup_fd, pad
    ));
    all.extend(layout!(vzctl_set, abi::Set: size, key, data, len, pad));
    all.extend(layout!(vzctl_enter, abi::Enter: size, flags));
    all.extend(layout!(vzctl_kill, abi::Kill: size, signal));
    all.extend(layout!(
        vzctl_get, abi::Get: size, veid, state, flags, serial, init_pid, nproc, start_time,
        uid_base, uid_count, reason, code
    ));
    all.extend(layout!(vzctl_ubc, abi::Ubc: size, id, resource, pad, barrier, limit));
    all.extend(layout!(vzctl_limit, abi::Limit: resource, pad, barrier, limit));
    all.extend(layout!(vzctl_ubcs, abi::Ubcs: size, id, limits, count, wrong));
    let numbers: [(&str, u32); 39] = [
        ("VZCTL_RESERVE", abi::RESERVE),
        ("VZCTL_OPEN", abi::OPEN),
        ("VZCTL_CREATE2", abi::CREATE2),
        ("VZCTL_SET", abi::SET),
        ("VZCTL_RUN", abi::RUN),
        ("VZCTL_ENTER2", abi::ENTER2),
        ("VZCTL_KILL", abi::KILL),
        ("VZCTL_LOCK", abi::LOCK),
        ("VZCTL_UNLOCK", abi::UNLOCK),
        ("VZCTL_GET", abi::GET),
        ("VZCTL_FREEZE", abi::FREEZE),
        ("VZCTL_THAW", abi::THAW),
        ("VZCTL_UBC", abi::UBC),
        ("VZCTL_UBCS", abi::UBCS),
        ("VZCTL_UBCS_MAX", abi::UBCS_MAX),
        ("VZCTL_UBCS_NONE", abi::UBCS_NONE),
        ("VZCTL_VEID_MIN", abi::VEID_MIN),
        ("VZCTL_VEID_MAX", abi::VEID_MAX),
        ("VZCTL_ID_RANGE", abi::ID_RANGE),
        ("VZCTL_STATE_STARTING", abi::STATE_STARTING),
        ("VZCTL_STATE_RUNNING", abi::STATE_RUNNING),
        ("VZCTL_STATE_FROZEN", abi::STATE_FROZEN),
        ("VZCTL_STATE_STOPPING", abi::STATE_STOPPING),
        ("VZCTL_STATE_DEAD", abi::STATE_DEAD),
        ("VZCTL_REASON_NONE", abi::REASON_NONE),
        ("VZCTL_REASON_ABORTED", abi::REASON_ABORTED),
        ("VZCTL_REASON_EXIT", abi::REASON_EXIT),
        ("VZCTL_REASON_HALT", abi::REASON_HALT),
        ("VZCTL_REASON_REBOOT", abi::REASON_REBOOT),
        ("VZCTL_REASON_KILLED", abi::REASON_KILLED),
        ("VZCTL_SET_OSRELEASE", abi::SET_OSRELEASE),
        ("VZCTL_SET_HOSTNAME", abi::SET_HOSTNAME),
        ("VZCTL_ENTER_SKIPLOCK", abi::ENTER_SKIPLOCK),
        ("VZCTL_GET_LOCKED", abi::GET_LOCKED),
        // Both sides must agree on these for the tool's own limits too.
        ("(unsigned)(VZCTL_VEID_MAX)", libvz::id::MAX),
        ("(unsigned)sizeof(__u32)", 4),
        ("(unsigned)sizeof(__u64)", 8),
        ("(unsigned)sizeof(__s32)", 4),
        ("(unsigned)VZCTL_IOC_TYPE", b'.' as u32),
    ];
    all.extend(
        numbers
            .iter()
            .map(|(name, n)| (name.to_string(), u64::from(*n))),
    );
    all
}

#[test]
fn layout_and_numbers_are_those_of_the_header() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../include/uapi/linux/vzctl.h");
    assert!(header.is_file(), "{} is missing", header.display());
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("SKIP: no C compiler");
        return;
    }
    let expected = expected();
    let mut source = String::from("#include <stdio.h>\n#include <stddef.h>\n");
    writeln!(
        source,
        "#include \"{}\"\nint main(void)\n{{",
        header.display()
    )
    .unwrap();
    for (expr, _) in &expected {
        writeln!(
            source,
            "\tprintf(\"%llu\\n\", (unsigned long long)({expr}));"
        )
        .unwrap();
    }
    source.push_str("\treturn 0;\n}\n");
    let dir = tempfile::tempdir().unwrap();
    let (c, exe) = (dir.path().join("abi.c"), dir.path().join("abi"));
    std::fs::write(&c, source).unwrap();
    let cc = Command::new("cc")
        .args(["-Wall", "-Werror", "-o"])
        .arg(&exe)
        .arg(&c)
        .output()
        .unwrap();
    assert!(
        cc.status.success(),
        "{}",
        String::from_utf8_lossy(&cc.stderr)
    );
    let out = Command::new(&exe).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let got: Vec<u64> = text.lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(got.len(), expected.len());
    for ((expr, want), got) in expected.iter().zip(got) {
        assert_eq!(*want, got, "{expr}");
    }
}

#[test]
fn every_constant_of_the_header_is_compared() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../include/uapi/linux/vzctl.h");
    let text = std::fs::read_to_string(header).unwrap();
    let known = expected();
    for line in text.lines() {
        let Some(name) = line
            .strip_prefix("#define\u{20}")
            .and_then(|l| l.split_whitespace().next())
        else {
            continue;
        };
        if name.starts_with("_UAPI") {
            continue;
        }
        assert!(
            known.iter().any(|(expr, _)| expr.contains(name)),
            "{name} is not compared"
        );
    }
}
