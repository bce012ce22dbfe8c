//! How much a device looks like the one that signed in: a risk signal, never an authenticator. Whoever steals a token can copy the
//! headers beside it; a user who updates a browser or takes a train is still the user. So a verdict here asks for a second look; it never
//! lets anybody in.
//!
//! - [`Features`] are what a program knows of a device or request, brought into a form that survives what changes by itself.
//! - [`Fingerprints`] binds them to a session, later checks others against them, and maps the [`Verdict`] to an [`Action`].
//!
//! The features a session began with, its reference, lie inside the session's own record: sealed with it, gone with it, and out of the
//! application's reach. Checking never changes them; [`Fingerprints::adopt`] does, after the user has proved to be the user.

mod agent;
mod builder;
mod feature;
mod features;
mod key;
mod manager;
mod normal;
mod policy;
mod record;
mod similarity;
mod verdict;

pub use builder::FingerprintsBuilder;
pub use feature::Feature;
pub use features::{Features, FeaturesBuilder};
pub use manager::Fingerprints;
pub use policy::{Action, FingerprintPolicy};
pub use verdict::{Score, Unknown, Verdict};
