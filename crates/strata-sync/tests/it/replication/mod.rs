//! Separate stores in step: peers over a network that loses, repeats, delays and reorders.

mod schedules;
mod world;
