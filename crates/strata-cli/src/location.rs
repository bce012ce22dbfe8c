//! Where a store is: [`Location`], as `--store` names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A store as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// `sled:DIR`: in this folder.
    Sled(PathBuf),
    /// `memory:`: nowhere; gone when the command ends.
    Memory,
}

impl FromStr for Location {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("sled", "")) => Err("name a folder, such as `sled:./data`".to_owned()),
            Some(("sled", dir)) => Ok(Self::Sled(PathBuf::from(dir))),
            Some(("memory", "")) => Ok(Self::Memory),
            _ => Err("stores are named `sled:DIR` or `memory:`".to_owned()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled(dir) => write!(f, "sled:{}", dir.display()),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_by_kind_and_place() {
        assert_eq!("sled:a:b/c".parse(), Ok(Location::Sled(PathBuf::from("a:b/c"))));
        assert_eq!("memory:".parse(), Ok(Location::Memory));
        for bad in ["", "sled", "sled:", "memory", "memory:x", "redis://h", "./data"] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
    }
}
