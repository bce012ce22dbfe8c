//! Guests who become users: [`Guests`] manages both, a [`Guest`] has values of their own, [`Migrate`] gives them to a user by [`Rules`].
mod at_once;
mod cart;
mod guest;
mod manager;
mod migrate;
mod preferences;
mod report;
mod root;
mod rules;
mod steps;

pub use cart::{Cart, Line};
pub use guest::{Guest, GuestSet};
pub use manager::{Guests, GuestsBuilder};
pub use migrate::{Migrate, Migrated};
pub use preferences::{Preference, Preferences};
pub use report::Report;
pub use rules::Rules;
