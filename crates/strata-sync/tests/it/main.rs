//! Links, groups and buses, with real parts: `support` has what moves them, the others are named after what they are about.

mod group;
mod replica;
mod support;
