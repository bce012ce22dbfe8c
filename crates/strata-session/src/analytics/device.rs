//! What a visitor looks through, told by its width: [`Device`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// Narrower than 768 pixels.
    Mobile,
    /// At least 768 and narrower than 1024 pixels.
    Tablet,
    /// At least 1024 pixels.
    Desktop,
    /// Nobody said how wide it is.
    #[default]
    Unknown,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mobile, Self::Tablet, Self::Desktop, Self::Unknown];

    /// The kind of a window of this width, in CSS pixels.
    pub const fn of_width(pixels: u32) -> Self {
        match pixels {
            0..768 => Self::Mobile,
            768..1024 => Self::Tablet,
            1024.. => Self::Desktop,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Desktop => "desktop",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_have_a_kind_each() {
        for (width, device) in [
            (0, Device::Mobile),
            (767, Device::Mobile),
            (768, Device::Tablet),
            (1023, Device::Tablet),
            (1024, Device::Desktop),
            (u32::MAX, Device::Desktop),
        ] {
            assert_eq!(Device::of_width(width), device, "{width}");
        }
    }
}
