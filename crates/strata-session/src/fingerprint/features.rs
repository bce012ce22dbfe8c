//! What is known of one device or request: [`Features`], and how they are collected, [`FeaturesBuilder`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use strata_core::{Error, ErrorKind, Result};

use super::feature::Feature;
use super::normal::{self, invalid};

/// Named features in canonical form, in no order: the same ones collected in any order are the same set. No time and nothing random is in
/// it. `Debug` prints the names, not the values, which are personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Features {
    version: u16,
    values: BTreeMap<Feature, String>,
}

impl Features {
    /// The most features in one set.
    pub const MOST: usize = 32;

    /// Starts an empty set of version 1.
    pub fn builder() -> FeaturesBuilder {
        FeaturesBuilder { found: Ok(Self { version: 1, values: BTreeMap::new() }) }
    }

    /// The canonical value of a feature, such as `firefox 127 gecko`.
    pub fn get(&self, feature: &Feature) -> Option<&str> {
        self.values.get(feature).map(String::as_str)
    }

    /// The features in the set.
    pub fn names(&self) -> impl Iterator<Item = &Feature> {
        self.values.keys()
    }

    /// The version of the set.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// A set that was collected before, stored, and found genuine.
    pub(super) fn of_stored(version: u16, values: BTreeMap<Feature, String>) -> Self {
        Self { version, values }
    }

    pub(super) fn values(&self) -> &BTreeMap<Feature, String> {
        &self.values
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features(version {}: ", self.version)?;
        f.debug_list().entries(self.values.keys().map(Feature::name)).finish()?;
        f.write_str(")")
    }
}

/// Collects [`Features`]. What a client did not tell is left out; each feature comes once.
///
/// The first thing refused is told by [`FeaturesBuilder::build`]: [`ErrorKind::Invalid`] for what cannot be such a feature,
/// [`ErrorKind::TooLarge`] for text over its bound.
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct FeaturesBuilder {
    found: Result<Features>,
}

impl FeaturesBuilder {
    /// The application's version of the set, to be raised when it collects something else or otherwise: sets of different versions are not
    /// compared ([`Unknown::OtherVersion`](super::Unknown::OtherVersion)). 1 unless told otherwise.
    pub fn version(mut self, version: u16) -> Self {
        if let Ok(found) = &mut self.found {
            found.version = version;
        }
        self
    }

    /// The browser or program, from the text of its `User-Agent` header: at most 2048 bytes. What lasts is family, major version and
    /// engine; so an update is a small change, and another browser a large one.
    pub fn agent(self, header: &str) -> Self {
        self.put(Feature::AGENT, || normal::agent(header))
    }

    /// The operating system, by its name (`Sec-CH-UA-Platform`, `navigator.platform`) or from the text of a `User-Agent` header. What
    /// lasts is its family.
    pub fn platform(self, name: &str) -> Self {
        self.put(Feature::PLATFORM, || normal::platform(name))
    }

    /// The languages, from the text of an `Accept-Language` header or a list with commas: at most 512 bytes, of which the eight most
    /// preferred count.
    pub fn language(self, list: &str) -> Self {
        self.put(Feature::LANGUAGE, || normal::languages(list))
    }

    /// The size of the whole screen in pixels, 1 to 65,535 each. Changes with every monitor, so it weighs little.
    pub fn screen(self, width: u32, height: u32) -> Self {
        self.put(Feature::SCREEN, || normal::screen(width, height))
    }

    /// The time zone by its name, such as `Europe/Vienna`. Not its offset: that changes with the season.
    pub fn zone(self, name: &str) -> Self {
        self.put(Feature::ZONE, || normal::zone(name))
    }

    /// The bits of a pixel, 1 to 64.
    pub fn colour_depth(self, bits: u32) -> Self {
        self.put(Feature::COLOUR_DEPTH, || normal::colour_depth(bits))
    }

    /// The memory in mebibytes, 1 to 2^24; what lasts is the power of two below.
    pub fn memory(self, mebibytes: u32) -> Self {
        self.put(Feature::MEMORY, || normal::memory(mebibytes))
    }

    /// The logical processors, 1 to 4096.
    pub fn cores(self, count: u32) -> Self {
        self.put(Feature::CORES, || normal::cores(count))
    }

    /// The client's address, of which the network lasts: a /24 of IPv4, a /48 of IPv6. Behind a proxy that is the address the proxy
    /// reports, if the proxy is yours.
    pub fn address(self, address: IpAddr) -> Self {
        self.put(Feature::ADDRESS, || normal::address(address))
    }

    /// A feature of the application's own, at most 256 bytes, taken as it is but for spaces around it. No times, counters or
    /// anything random: what differs each time makes every device another.
    pub fn custom(self, name: &str, value: &str) -> Self {
        match Feature::custom(name) {
            Ok(feature) => {
                self.put(feature, || normal::text(name, value, normal::LONGEST_VALUE).map(str::to_owned))
            }
            Err(error) => Self { found: self.found.and(Err(error)) },
        }
    }

    /// The set.
    ///
    /// # Errors
    /// The first refusal; [`ErrorKind::Invalid`] for an empty set or a feature given twice; [`ErrorKind::TooLarge`] for more than
    /// [`Features::MOST`].
    pub fn build(self) -> Result<Features> {
        let found = self.found?;
        if found.values.is_empty() {
            return Err(invalid("nothing is known of this device; collect at least one feature"));
        }
        Ok(found)
    }

    fn put(mut self, feature: Feature, canonical: impl FnOnce() -> Result<String>) -> Self {
        if let Ok(found) = &mut self.found
            && let Err(error) = found.put(feature, canonical)
        {
            self.found = Err(error);
        }
        self
    }
}

impl Features {
    fn put(&mut self, feature: Feature, canonical: impl FnOnce() -> Result<String>) -> Result<()> {
        if self.values.contains_key(&feature) {
            return Err(invalid(&format!(
                "`{feature}` was given twice; which counts would be a matter of order"
            )));
        }
        if self.values.len() == Self::MOST {
            let message = format!("a set has at most {} features; collect fewer", Self::MOST);
            return Err(Error::new(ErrorKind::TooLarge, "collect features", message));
        }
        self.values.insert(feature, canonical()?);
        Ok(())
    }
}
