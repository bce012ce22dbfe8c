//! Clients of a Strata server's routes: tokens, logout, synchronised documents, analytics. One [`HttpClient`] has one pool of
//! connections and is every transport that the managers of `strata-session` ask for.
//!
//! | file | subject |
//! |---|---|
//! | `client` | [`HttpClient`], cheap to clone, and what all calls share |
//! | `builder` | [`HttpClientBuilder`]: addresses, times, bounds |
//! | `base` | which addresses are taken, and where the routes lie below them |
//! | `tls` | rustls over ring, certificates judged by the operating system |
//! | `call` | one request, one bounded answer |
//! | `retry` | pauses between attempts; `retry_after` reads what servers ask for |
//! | `refresh`, `sync`, `analytics`, `logout` | the calls |

mod analytics;
mod base;
mod builder;
mod call;
mod client;
mod logout;
mod refresh;
mod retry;
mod retry_after;
mod sync;
mod system;
mod tls;

pub use base::Route;
pub use builder::HttpClientBuilder;
pub use client::HttpClient;
pub use rustls;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
