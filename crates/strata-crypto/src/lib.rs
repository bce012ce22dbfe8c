//! Sealing for Strata: AES-256-GCM envelopes, keysets, nonces, key sources.

mod cache;
mod cipher;
mod derive;
mod fork;
mod hex;
mod keyset;
mod master;
mod nonce;
mod random;
mod room;
mod sealer;
mod text;

pub use keyset::{KeyInfo, Keyset};
pub use master::{CheckValue, MasterKey};
pub use nonce::Nonces;
pub use random::SystemRandom;
pub use sealer::Sealer;
