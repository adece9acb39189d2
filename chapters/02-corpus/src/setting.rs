//! The error that a stage's `validate` gives: it names the setting, its value and the rule that it breaks.

use std::borrow::Cow;

use thiserror::Error;

/// A setting outside its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{name} is {value}; {rule}")]
pub struct InvalidSetting {
    /// Where the setting is, for example `quality.max_symbol_share`.
    pub name: &'static str,
    /// The value as it was given.
    pub value: String,
    /// What it must be.
    pub rule: Cow<'static, str>,
}

/// Accepts a share: a number from 0 to 1.
pub(crate) fn share(name: &'static str, value: f64) -> Result<(), InvalidSetting> {
    holds((0.0..=1.0).contains(&value), name, value, "choose a share from 0 to 1")
}

/// Accepts `value` when `ok`.
pub(crate) fn holds(
    ok: bool,
    name: &'static str,
    value: impl ToString,
    rule: impl Into<Cow<'static, str>>,
) -> Result<(), InvalidSetting> {
    if ok { Ok(()) } else { Err(InvalidSetting { name, value: value.to_string(), rule: rule.into() }) }
}
