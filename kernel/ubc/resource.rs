// SPDX-License-Identifier: GPL-2.0

//! The resources: their ids, names and initial bounds.

use crate::{
    counter::UNLIMITED,
    glue, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// Number of resource ids, dummies included.
pub(crate) const COUNT: usize = bindings::ubc_resource_UBC_RESOURCES as usize;

/// Number of resources shown in /proc/user_beancounters; later ids are in /proc/bc only.
pub(crate) const CLASSIC: usize = 24;

/// Names by id. A dummy has settable bounds and nothing else.
const NAMES: [&CStr; COUNT] = [
    c"kmemsize",
    c"lockedpages",
    c"privvmpages",
    c"shmpages",
    DUMMY,
    c"numproc",
    c"physpages",
    c"vmguarpages",
    c"oomguarpages",
    c"numtcpsock",
    c"numflock",
    c"numpty",
    c"numsiginfo",
    c"tcpsndbuf",
    c"tcprcvbuf",
    c"othersockbuf",
    c"dgramrcvbuf",
    c"numothersock",
    c"dcachesize",
    c"numfile",
    DUMMY,
    DUMMY,
    DUMMY,
    c"numiptent",
    c"swappages",
];

const DUMMY: &CStr = c"dummy";

/// The id of a resource.
///
/// # Invariants
///
/// The value is less than [`COUNT`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resource(u32);

impl Resource {
    pub(crate) const DCACHESIZE: Self = Self(bindings::ubc_resource_UBC_DCACHESIZE);
    pub(crate) const DGRAMRCVBUF: Self = Self(bindings::ubc_resource_UBC_DGRAMRCVBUF);
    pub(crate) const KMEMSIZE: Self = Self(bindings::ubc_resource_UBC_KMEMSIZE);
    pub(crate) const LOCKEDPAGES: Self = Self(bindings::ubc_resource_UBC_LOCKEDPAGES);
    pub(crate) const NUMFILE: Self = Self(bindings::ubc_resource_UBC_NUMFILE);
    pub(crate) const NUMIPTENT: Self = Self(bindings::ubc_resource_UBC_NUMIPTENT);
    pub(crate) const NUMPROC: Self = Self(bindings::ubc_resource_UBC_NUMPROC);
    pub(crate) const NUMTCPSOCK: Self = Self(bindings::ubc_resource_UBC_NUMTCPSOCK);
    pub(crate) const NUMOTHERSOCK: Self = Self(bindings::ubc_resource_UBC_NUMOTHERSOCK);
    pub(crate) const OOMGUARPAGES: Self = Self(bindings::ubc_resource_UBC_OOMGUARPAGES);
    pub(crate) const OTHERSOCKBUF: Self = Self(bindings::ubc_resource_UBC_OTHERSOCKBUF);
    pub(crate) const PHYSPAGES: Self = Self(bindings::ubc_resource_UBC_PHYSPAGES);
    pub(crate) const PRIVVMPAGES: Self = Self(bindings::ubc_resource_UBC_PRIVVMPAGES);
    pub(crate) const SHMPAGES: Self = Self(bindings::ubc_resource_UBC_SHMPAGES);
    pub(crate) const SWAPPAGES: Self = Self(bindings::ubc_resource_UBC_SWAPPAGES);
    pub(crate) const TCPRCVBUF: Self = Self(bindings::ubc_resource_UBC_TCPRCVBUF);
    pub(crate) const TCPSNDBUF: Self = Self(bindings::ubc_resource_UBC_TCPSNDBUF);
    pub(crate) const VMGUARPAGES: Self = Self(bindings::ubc_resource_UBC_VMGUARPAGES);
    const DUMMY: Self = Self(4);

    /// The resource with this id, if there is one.
    pub(crate) fn from_id(id: u32) -> Option<Self> {
        // INVARIANT: `NAMES` has `COUNT` entries.
        NAMES.get(id as usize).map(|_| Self(id))
    }

    /// The resource at this index of an array of [`COUNT`]; out of range is a dummy.
    pub(crate) fn from_index(index: usize) -> Self {
        u32::try_from(index)
            .ok()
            .and_then(Self::from_id)
            .unwrap_or(Self::DUMMY)
    }

    /// All resources by id.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..bindings::ubc_resource_UBC_RESOURCES).map(Self)
    }

    pub(crate) fn id(self) -> u32 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn name(self) -> &'static CStr {
        NAMES.get(self.index()).copied().unwrap_or(DUMMY)
    }

    pub(crate) fn is_dummy(self) -> bool {
        self.name() == DUMMY
    }

    /// Barrier and limit of a new UB.
    pub(crate) fn initial_bounds(self) -> (i64, i64) {
        match self {
            Self::VMGUARPAGES => (0, UNLIMITED),
            Self::OOMGUARPAGES => (glue::ram_pages() / 4 * 3, UNLIMITED),
            _ => (UNLIMITED, UNLIMITED),
        }
    }
}
