//! How much one session may hold: [`Limits`], judged before anything is written.

use strata_core::{Error, ErrorKind, Result};

use crate::values::OWN;

/// Bounds on the values of one session, so that a client cannot fill the store through it. All are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "limits do nothing until they are given to a builder"]
pub struct Limits {
    values: usize,
    name_bytes: usize,
    value_bytes: usize,
    total_bytes: usize,
}

impl Limits {
    /// The most values; 64 unless told otherwise.
    pub fn values(mut self, count: usize) -> Self {
        self.values = count;
        self
    }

    /// The longest name, in bytes; 128 unless told otherwise.
    pub fn name_bytes(mut self, bytes: usize) -> Self {
        self.name_bytes = bytes;
        self
    }

    /// The longest encoded value, in bytes; 16 KiB unless told otherwise.
    pub fn value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// The most bytes of all names and encoded values together; 64 KiB unless told otherwise. The handle's own limit on one
    /// value holds beside it.
    pub fn total_bytes(mut self, bytes: usize) -> Self {
        self.total_bytes = bytes;
        self
    }

    /// The longest encoded value.
    pub(crate) fn longest_value(&self) -> usize {
        self.value_bytes
    }

    /// A name an application may use: not empty, not too long, no control character, not one of Strata's own.
    pub(crate) fn check_name(&self, name: &str) -> Result<()> {
        if name.starts_with(OWN) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "set session value",
                "names that begin with `~` are Strata's own; choose another",
            ));
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "set session value",
                "the name is empty or has a control character; give it at least one visible character",
            ));
        }
        within("the name takes", name.len(), "bytes", self.name_bytes)
    }

    /// Whether a session may hold this many values and bytes.
    pub(crate) fn check_content(&self, values: usize, bytes: usize) -> Result<()> {
        within("the session would hold", values, "values", self.values)?;
        within("the session would hold", bytes, "bytes", self.total_bytes)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { values: 64, name_bytes: 128, value_bytes: 16 * 1024, total_bytes: 64 * 1024 }
    }
}

fn within(what: &str, found: usize, unit: &str, limit: usize) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        "set session value",
        format!(
            "{what} {found} {unit}, at most {limit} are allowed; store less, or raise the limit of the manager"
        ),
    ))
}
