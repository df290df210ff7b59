// SPDX-License-Identifier: GPL-2.0
//! Rules of the classic mode: a limit for every counter.

use super::Checker;
use super::Class;
use super::Sizes;
use super::sizes::FILES_PER_PROCESS;
use super::sizes::OTHER_BUFFERS;
use super::sizes::OTHER_BUFFERS_GOOD;
use super::sizes::PER_SOCKET;
use super::sizes::TCP_BUFFERS;
use crate::params;
use crate::units;
use crate::units::LEGACY_UNLIMITED_PAGES;
use crate::units::Pair;
use crate::units::UNLIMITED;

/// Resources of which nothing may be left between barrier and limit.
const EQUAL: [&str; 8] = [
    "NUMPROC",
    "NUMTCPSOCK",
    "NUMOTHERSOCK",
    "SHMPAGES",
    "NUMFILE",
    "NUMPTY",
    "NUMSIGINFO",
    "NUMIPTENT",
];

/// Buffers, the sockets that must find room in them, and how bad it is if
/// these do not.
const ROOM: [(&str, &str, Class); 3] = [
    ("TCPSNDBUF", "NUMTCPSOCK", Class::Error),
    ("OTHERSOCKBUF", "NUMOTHERSOCK", Class::Error),
    ("TCPRCVBUF", "NUMTCPSOCK", Class::Warning),
];

/// `n` times `size`, at most unlimited.
fn times(n: u64, size: u64) -> u64 {
    n.saturating_mul(size).min(UNLIMITED)
}

fn plus(a: u64, b: u64) -> u64 {
    a.saturating_add(b).min(UNLIMITED)
}

impl Checker<'_> {
    pub(super) fn classic(&mut self, sizes: Sizes) {
        self.missing();
        self.equal();
        self.guarantees();
        self.socket_gaps();
        self.buffers();
        self.kernel_memory(sizes);
        self.address_space();
        self.files(sizes);
    }

    fn missing(&mut self) {
        for param in params::TABLE.iter().filter(|p| p.resource.is_some()) {
            if param.name != "SWAPPAGES" && !self.is_set(param) {
                let text = "it is not set, and neither are RAM and swap";
                self.add(Class::Error, param.name, text, None);
            }
        }
    }

    fn equal(&mut self) {
        for name in EQUAL {
            let Some(p) = self.pair(name).filter(|p| p.barrier < p.limit) else {
                continue;
            };
            let text = format!(
                "barrier and limit must be equal, they are {}",
                p.to_config()
            );
            self.add(Class::Error, name, &text, Some(Pair::both(p.limit)));
        }
    }

    fn guarantees(&mut self) {
        for name in ["VMGUARPAGES", "OOMGUARPAGES"] {
            let Some(p) = self.pair(name).filter(|p| p.limit < LEGACY_UNLIMITED_PAGES) else {
                continue;
            };
            let text = format!("the limit must be unlimited, it is {}", p.limit);
            let fix = Pair {
                limit: UNLIMITED,
                ..p
            };
            self.add(Class::Error, name, &text, Some(fix));
        }
        let Some(p) = self.pair("PHYSPAGES") else {
            return;
        };
        if p.barrier != 0 || p.limit < LEGACY_UNLIMITED_PAGES {
            let mut text = format!("it must be 0:unlimited, it is {}", p.to_config());
            if p.limit < LEGACY_UNLIMITED_PAGES && self.pair("SWAPPAGES").is_none() {
                text += "; or SWAPPAGES must be set, too";
            }
            let fix = Pair {
                barrier: 0,
                limit: UNLIMITED,
            };
            self.add(Class::Error, "PHYSPAGES", &text, Some(fix));
        }
    }

    /// Between barrier and limit every socket must find room for a buffer.
    fn socket_gaps(&mut self) {
        for (name, sockets, class) in ROOM {
            let (Some(p), Some(n)) = (self.pair(name), self.lim(sockets)) else {
                continue;
            };
            let need = times(n, PER_SOCKET);
            let gap = p.limit.saturating_sub(p.barrier);
            if gap < need && p.limit != UNLIMITED {
                let text = format!(
                    "limit minus barrier is {gap}, it must be at least {PER_SOCKET} for each of \
                     the {} sockets of {sockets}, which is {}",
                    units::bound(n),
                    units::bound(need)
                );
                let limit = plus(p.barrier, need);
                self.add(class, name, &text, Some(Pair { limit, ..p }));
            }
        }
    }

    /// What all sockets of a kind of buffer need between barrier and limit.
    fn room(&self, name: &str) -> u64 {
        ROOM.iter()
            .find(|(buffers, ..)| *buffers == name)
            .and_then(|(_, sockets, _)| self.lim(sockets))
            .map_or(0, |n| times(n, PER_SOCKET))
    }

    fn buffers(&mut self) {
        let tcp = [(TCP_BUFFERS, Class::Warning)];
        let other = [
            (OTHER_BUFFERS, Class::Warning),
            (OTHER_BUFFERS_GOOD, Class::Advice),
        ];
        for (name, steps) in [
            ("TCPSNDBUF", &tcp[..]),
            ("TCPRCVBUF", &tcp),
            ("OTHERSOCKBUF", &other),
            ("DGRAMRCVBUF", &other),
        ] {
            let Some(p) = self.pair(name) else { continue };
            let Some((least, class)) = steps.iter().find(|(least, _)| p.barrier < *least) else {
                continue;
            };
            let text = match class {
                Class::Advice => format!(
                    "the barrier {} is below {least}, large datagrams may not fit",
                    p.barrier
                ),
                _ => format!("the barrier {} is below {least}", p.barrier),
            };
            let fix = Pair {
                barrier: *least,
                limit: plus(p.limit, least - p.barrier).max(plus(*least, self.room(name))),
            };
            self.add(*class, name, &text, Some(fix));
        }
    }

    fn average_processes(&self) -> Option<u64> {
        let assumed = || self.bar("NUMPROC").map(|n| n / 2);
        self.bar("AVNUMPROC").or_else(assumed)
    }

    fn kernel_memory(&mut self, sizes: Sizes) {
        let (Some(p), Some(n), Some(cache)) = (
            self.pair("KMEMSIZE"),
            self.average_processes(),
            self.lim("DCACHESIZE"),
        ) else {
            return;
        };
        let need = plus(times(n, sizes.process), cache);
        if p.barrier >= need {
            return;
        }
        let text = format!(
            "the barrier {} is below {}, which is {} for each of {} processes and the {} of \
             DCACHESIZE",
            p.barrier,
            units::bound(need),
            sizes.process,
            units::bound(n),
            units::bound(cache)
        );
        let limit = plus(need, need / 10).max(p.limit);
        let fix = Pair {
            barrier: need,
            limit,
        };
        self.add(Class::Error, "KMEMSIZE", &text, Some(fix));
    }

    fn address_space(&mut self) {
        let (Some(p), Some(guaranteed)) = (self.pair("PRIVVMPAGES"), self.bar("VMGUARPAGES"))
        else {
            return;
        };
        if p.barrier < guaranteed {
            let text = format!(
                "the barrier {} is below that of VMGUARPAGES, {}",
                p.barrier,
                units::bound(guaranteed)
            );
            let fix = Pair {
                barrier: guaranteed,
                limit: p.limit.max(guaranteed),
            };
            self.add(Class::Warning, "PRIVVMPAGES", &text, Some(fix));
        }
    }

    fn files(&mut self, sizes: Sizes) {
        let Some(files) = self.lim("NUMFILE") else {
            return;
        };
        if let Some(p) = self.pair("DCACHESIZE") {
            let need = times(files, sizes.file);
            if p.limit < need {
                let text = format!(
                    "the limit {} is below {}, which is {} for each of {} files",
                    p.limit,
                    units::bound(need),
                    sizes.file,
                    units::bound(files)
                );
                self.add(
                    Class::Warning,
                    "DCACHESIZE",
                    &text,
                    Some(Pair { limit: need, ..p }),
                );
            }
        }
        let sockets = ["NUMTCPSOCK", "NUMOTHERSOCK", "NUMPTY"]
            .iter()
            .filter_map(|n| self.lim(n))
            .fold(0, plus);
        let processes = self.average_processes().unwrap_or(0);
        let need = times(processes, FILES_PER_PROCESS).max(sockets);
        if files < need {
            let text = format!(
                "{files} is below {}, the larger of {FILES_PER_PROCESS} for each process and the \
                 sum of NUMTCPSOCK, NUMOTHERSOCK and NUMPTY",
                units::bound(need)
            );
            self.add(Class::Warning, "NUMFILE", &text, Some(Pair::both(need)));
        }
    }
}
