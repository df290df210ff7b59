# SPDX-License-Identifier: GPL-2.0
"""The container of the comparison, as an OCI runtime configuration.

It is what a VE is, as far as cgroup v2 and namespaces go: ids of its own, every
namespace but that of the clocks, and limits of memory, processes and CPU weight that
are never reached.  It has no seccomp filter: a VE has none.
"""

NAMESPACES = ("user", "pid", "mount", "network", "ipc", "uts", "cgroup")
# As big as those of the VE, see set_limits() in bench.c.
LIMIT = 1 << 20
PAGE = 4096
# Those of root in a VE of the tests, see VE_BSET in ve.h.
CAPABILITIES = [
    f"CAP_{name}" for name in (
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_CHROOT", "SYS_PTRACE", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TTY_CONFIG", "MKNOD",
        "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    )
]  # fmt: skip
IDS = [{"containerID": 0, "hostID": 262144, "size": 65536}]


def mount(where, what, *options):
    return {"destination": where, "type": what, "source": what, "options": list(options)}


def config(repetitions, rows):
    """The content of config.json for measuring these rows."""
    return {
        "ociVersion": "1.0.2",
        "hostname": "bench",
        "root": {"path": "rootfs"},
        "process": {
            "args": ["/bench/bench", "host", str(repetitions), *rows],
            "env": [],
            "cwd": "/",
            "user": {"uid": 0, "gid": 0},
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
        },
        "mounts": [
            mount("/proc", "proc", "nosuid", "nodev", "noexec"),
            mount("/dev", "tmpfs", "nosuid", "mode=755"),
            mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            mount("/tmp", "tmpfs"),
        ],
        "linux": {
            "namespaces": [{"type": name} for name in NAMESPACES],
            "uidMappings": IDS,
            "gidMappings": IDS,
            "cgroupsPath": "/bench/1",
            "resources": {
                "memory": {"limit": LIMIT * PAGE},
                "pids": {"limit": LIMIT},
                "cpu": {"shares": 1024},
            },
        },
    }
