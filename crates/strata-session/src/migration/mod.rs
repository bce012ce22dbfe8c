//! Guests who become users: what a visitor put into a cart is there after signing in, once, whatever happens
//! meanwhile.
//!
//! - [`Guests`] is the manager; [`Guests::of`] gives the [`Guest`] of a session, [`Guests::user`] what
//!   belongs to a user.
//! - [`Guests::migrate`] gives all a guest has to a user, by [`Rules`]; [`Migrated`] says what became of each
//!   value.
//! - [`Cart`] and [`Preferences`] are values that can be merged.
//!
//! # Records
//! A guest's values are `guest:<id>:<name>`, a user's `user:<escaped id>:<name>`. Beside them
//! `guest-root:<id>` says whose the guest's values are. It is in a namespace of its own, so no name of a
//! value can hit it. Every write of a guest looks at it.
//!
//! # In one commit
//! Where the store commits several records at once and the values are few enough, a migration is one commit:
//! the user's values under the versions that were read, the guest's removed in theirs, the root, the
//! session's new secret. A guest's write is one commit, too: that the root is what was read, and the value; a
//! new value also makes a new version of the root, so that a migration that has not seen it is refused and
//! looks again. After 32 lost races it goes in steps, which stop the guest first.
//!
//! # In steps
//! Elsewhere each step is one guarded write, and any of them can be made again by whoever runs the migration
//! next:
//! 1. The root says that the migration has begun, by which plan and to whom. From then on guests are refused.
//! 2. Each of the guest's values is frozen: it gets the plan's mark as a tag and thereby a new version, so
//!    that a guest who read it before cannot write over it.
//! 3. It is decided about every value. If a rule refuses, or one of them cannot be read, the root goes back and
//!    nothing has changed; else it says that values now move.
//! 4. For each value: the user's record gets it, with the plan's mark as a tag in the same write; then the
//!    guest's is removed. A record that has the mark is not merged into again.
//! 5. The marks are taken off, the root says that all is the user's, the session gets its new secret.
//!
//! A guest's write reads the value before the root. So whatever it writes over was there while the guest was
//! one, and is frozen or moved in whichever version. A new value may come after step 2 has passed its place;
//! so whoever made one looks at the root again, and takes it back unless a step was faster, which then moves
//! it.
//!
//! # What may still surprise, in steps
//! - The user's own program removes a record, or writes it with other tags, exactly between the two writes of
//!   step 4, and the process dies there too, or another run of the same plan stands there: then the mark is
//!   gone, and that one value is given once more. It is bounded by one value for each process that died, and
//!   by the time until the next run. Writing without naming tags, and `modify`, keep the mark.
//! - The user changes a value during step 4 so that its merge refuses: what was moved stays moved, the rest
//!   waits, frozen, until the migration is run again with room made or with another rule.
//! - A guest's process dies between making a new value and taking it back: the value, of which nobody was
//!   told that it is stored, may stay behind until its life ends. Nobody can read it.
//! - Nobody runs the migration again: it waits without end. [`Guests::unfinished`] finds it,
//!   [`Guests::finish`] ends it without the session.
//!
//! # With a login
//! Sign the user in first, then migrate: `migrate(&mut session, user)` where the session goes on, with
//! [`ending_session`](Migrate::ending_session) where signing in has made another one. If the migration fails
//! the user is signed in all the same, and it is run again at the next request that has both. It takes the
//! program's word for who the user is.

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
