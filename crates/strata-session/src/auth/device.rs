//! What a session was begun on, as the user's list shows it: [`Device`].

use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Result};

/// What a session was begun on. For people to recognise it by; nothing is decided from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Device {
    /// What the user calls it, or what the program makes of the agent; at most 128 bytes.
    pub label: Option<String>,
    /// The user agent; at most 512 bytes. It is the client's text: cut it before, a longer one is refused.
    pub agent: Option<String>,
    /// The network address, or a prefix of it; at most 64 bytes.
    pub address: Option<String>,
}

impl Device {
    /// A device of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With a user agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// With an address.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        for (what, text, longest) in
            [("label", &self.label, 128), ("agent", &self.agent, 512), ("address", &self.address, 64)]
        {
            text.as_deref().map_or(Ok(()), |text| check_text("describe device", what, text, longest))?;
        }
        Ok(())
    }
}

/// A text that people will see: not empty, no control characters, of a bounded length.
pub(super) fn check_text(
    operation: &'static str,
    what: &'static str,
    text: &str,
    longest: usize,
) -> Result<()> {
    if text.is_empty() || text.chars().any(char::is_control) {
        let message = format!("the {what} is empty or has a control character; leave it out, or clean it");
        return Err(Error::new(ErrorKind::Invalid, operation, message));
    }
    if text.len() > longest {
        let message = format!("the {what} takes {} bytes, at most {longest} are allowed; cut it", text.len());
        return Err(Error::new(ErrorKind::TooLarge, operation, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s38_texts_of_a_device_are_bounded() {
        let long = |length| "x".repeat(length);
        for (device, kind) in [
            (Device::new().label(""), ErrorKind::Invalid),
            (Device::new().agent("a\r\nb"), ErrorKind::Invalid),
            (Device::new().address("\u{1b}[2J"), ErrorKind::Invalid),
            (Device::new().label(long(129)), ErrorKind::TooLarge),
            (Device::new().agent(long(513)), ErrorKind::TooLarge),
            (Device::new().address(long(65)), ErrorKind::TooLarge),
        ] {
            assert_eq!(device.check().expect_err("refused").kind(), kind);
        }
        let longest = Device::new().label(long(128)).agent(long(512)).address(long(64));
        assert!(longest.check().is_ok() && Device::new().check().is_ok());
    }
}
