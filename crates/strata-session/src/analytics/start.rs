//! How a visit begins, as the program says it: [`VisitStart`], and whether it may, [`Consent`].

use std::fmt;

use super::device::Device;

/// Whether the visitor has agreed to be counted. It is asked at each visit, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Given,
    /// No, or no longer: nothing is stored, and what is stored of the visitor here is removed.
    Refused,
}

/// What a program knows when a visitor opens a page.
#[derive(Clone)]
#[must_use = "a start does nothing until it is given to a recorder"]
pub struct VisitStart {
    pub(super) page: String,
    pub(super) referrer: Option<String>,
    pub(super) device: Device,
    pub(super) user: Option<String>,
}

impl VisitStart {
    /// A visitor opens `page`. Its query and fragment are cut off.
    pub fn new(page: &str) -> Self {
        Self { page: page.to_owned(), referrer: None, device: Device::Unknown, user: None }
    }

    /// Where the visitor came from. Query, fragment and credentials are cut off, and what is beyond the longest text.
    pub fn referrer(mut self, referrer: &str) -> Self {
        self.referrer = (!referrer.is_empty()).then(|| referrer.to_owned());
        self
    }

    /// How wide the window is, in CSS pixels.
    pub fn width(self, pixels: u32) -> Self {
        self.device(Device::of_width(pixels))
    }

    /// What the visitor looks through.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Who the visitor is, by the application's id. It is stored and sent as it is.
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }
}

impl fmt::Debug for VisitStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitStart").field("device", &self.device).finish_non_exhaustive()
    }
}
