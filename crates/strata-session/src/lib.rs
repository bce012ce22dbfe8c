//! Session managers over any Strata handle: what a program does with sessions, in terms of users and tokens. They know the
//! handle, never a store, a cipher, a clock or a runtime.
//!
//! [`basic`] holds sessions of named values behind a bearer token.

pub mod basic;

pub use basic::{Ids, Limits, Session, SessionId, SessionKind, SessionToken, Sessions, SessionsBuilder};

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
