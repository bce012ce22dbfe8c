//! Refresh tokens at the server: families, rotation, reuse (RFC 9700, section 4.14.2).

mod builder;
mod ending;
mod family;
mod manager;
mod record;
mod sealed;
mod token;
mod verdict;

pub use builder::RefreshTokensBuilder;
pub use family::Family;
pub use manager::RefreshTokens;
pub use token::RefreshToken;
pub use verdict::{Rotation, Verdict};
