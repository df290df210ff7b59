// SPDX-License-Identifier: GPL-2.0

//! User beancounters: per-container accounting and limits of kernel resources.
//!
//! Guarantee: a request is refused only if it does not fit below its bound, and what a container
//! holds is known exactly when it is gone.
//!
//! A beancounter (UB) differs from a memory cgroup in 4 ways:
//!
//! 1. Each resource has two bounds, and the caller says which one may refuse it (`Severity`).
//! 2. A refused request leaves no trace in `held`, so it never makes another one fail.
//! 3. The payer is recorded in the charged object and never changes, wherever its user moves.
//! 4. There is no hierarchy: a container has one UB, the host is UB 0 and is never charged.
//!
//! The C face is `include/linux/ubc.h`; `export` implements it. `glue` wraps what only C can do
//! (`shim.c`, `proc.c`). `event.c`, `notify.c` and `netlink.c` tell and are told by user space.
//! Kernel memory is charged from `kmem.c`, which asks `kmem`.
//!
//! Lock order: the mutex of `limit`, then that of `table`; everything else is lockless, but for a
//! spinlock in `kmem.c` that nests in anything.

use kernel::prelude::*;

mod admin;
mod bean;
mod counter;
mod export;
mod glue;
mod kmem;
mod limit;
mod memory;
mod oom;
mod precharge;
mod pressure;
#[cfg(CONFIG_UBC_DEBUG)]
mod recount;
mod resource;
mod show;
mod show_export;
mod sockbuf;
mod sockbuf_export;
mod stock;
mod table;
mod timewait;
mod vm;

module! {
    type: Ubc,
    name: "ubc",
    authors: ["VE developers"],
    description: "User beancounters",
    license: "GPL",
}

/// Everything lives in statics and in the UBs themselves; built in, never unloaded.
struct Ubc;

impl kernel::Module for Ubc {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        limit::init();
        table::init()?;
        glue::proc_init()?;
        table::show_host()?;
        Ok(Ubc)
    }
}
