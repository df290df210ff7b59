// SPDX-License-Identifier: GPL-2.0
//! `vzctl set --applyconfig`: the values of a sample, as if each had been
//! given by its option.
//!
//! What belongs to one VE stays: names, addresses, ids, directories, template.
//! Limits are taken all or none: those that the sample does not set are
//! removed, or a VE would end with half of the sample's limits and half of its
//! own, and in a memory mode that is neither's.

use crate::config::File;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::params;
use crate::params::Apply;
use crate::params::Param;
use crate::params::Setting;
use crate::params::Support;

/// What a sample changes in a configuration.
pub(super) struct Sample {
    /// Values that differ, and every limit.
    pub(super) settings: Vec<Setting>,
    /// Whether it sets limits.
    pub(super) has_limits: bool,
}

impl Sample {
    /// Reads a sample; with `save` also what only lives in configurations.
    ///
    /// # Errors
    /// There is no such sample, or it is no complete one (109).
    pub(super) fn read(ctx: &Ctx<'_>, old: &VeConfig, name: &str, save: bool) -> Result<Self> {
        let path = ctx.paths.sample(name);
        let failed = |err: Error| {
            err.context(format!("cannot apply sample {name}"))
                .with_code(Code::ApplyConfig)
        };
        let Some(file) = File::read(&path).map_err(failed)? else {
            return Err(failed(
                Error::new(Code::ApplyConfig, format!("there is no {}", path.display()))
                    .hint("ls /etc/vz/conf/*.conf-sample"),
            ));
        };
        let sample = VeConfig::from_file(old.id(), file);
        let has_limits = params::TABLE
            .iter()
            .any(|p| p.resource.is_some() && sample.get(p.name).is_some());
        if has_limits {
            sample.limits().map_err(failed)?;
        }
        let mut settings = Vec::new();
        for param in params::TABLE.iter().filter(|p| is_taken(p)) {
            let value = sample.get(param.name).unwrap_or_default();
            let limit = has_limits && is_limit(param);
            if value.is_empty() && !limit {
                continue;
            }
            if !value.is_empty() && param.support == Support::Full {
                params::normalise(param, value).map_err(|err| match sample.origin(param.name) {
                    Some(at) => failed(err.at(at)),
                    None => failed(err),
                })?;
            }
            let same = old.get(param.name).unwrap_or_default() == value;
            let live = param.apply == Apply::Live && param.support == Support::Full;
            if (same && !limit) || (!save && !live) {
                continue;
            }
            settings.push(Setting {
                param,
                value: value.to_string(),
            });
        }
        let origin =
            params::by_name("ORIGIN_SAMPLE").filter(|p| save && old.get(p.name) != Some(name));
        settings.extend(origin.map(|param| Setting {
            param,
            value: name.to_string(),
        }));
        Ok(Self {
            settings,
            has_limits,
        })
    }
}

/// Whether a sample may set it for a VE that exists.
fn is_taken(param: &Param) -> bool {
    let fixed =
        param.support == Support::Full && matches!(param.apply, Apply::Never | Apply::Stopped);
    param.is_stored() && !param.own && !fixed && param.name != "OSTEMPLATE"
}

/// Limits, and what is used to reckon or to judge them.
fn is_limit(param: &Param) -> bool {
    param.resource.is_some() || matches!(param.name, "AVNUMPROC" | "VM_OVERCOMMIT")
}
