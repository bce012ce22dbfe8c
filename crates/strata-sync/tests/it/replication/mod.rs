//! Separate stores in step: peers over a network that loses, repeats, delays and reorders.

mod absence;
mod activity;
mod between;
mod crashes;
mod not_again;
mod orders;
mod schedules;
mod travels;
mod world;
