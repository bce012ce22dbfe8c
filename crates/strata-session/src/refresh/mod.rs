//! Refresh tokens at the server: families, rotation, and what happens to a token that is used again (RFC 9700, section 4.14.2).
//!
//! - [`RefreshTokens`] issues, rotates, lists and revokes them.
//! - [`RefreshToken`] is what the client holds: `family.generation.secret.tag`, of which the store has hashes.
//! - [`Rotation`] is what a presented token comes to: a successor, the same successor again, or a [`Verdict`].
//! - [`Family`] is what lists tell of a line of tokens; it opens nothing.
//!
//! A family is one record with one current token. Rotating it is one guarded commit, ending it is one commit together with its user's
//! roster. The successor is also kept for retries, sealed under a key that is derived from the predecessor's secret (HKDF,
//! AES-256-GCM), so that a copied store opens nothing, and is overwritten when it is first used.
//!
//! # The server's half of a token endpoint
//! ```
//! # use std::sync::Arc;
//! # use strata_core::conformance::block_on;
//! # use strata_core::{Handle, ManualClock, Random, ReferenceStore, Result};
//! use strata_session::refresh::{RefreshToken, RefreshTokens, Rotation};
//!
//! /// What a token endpoint answers; the HTTP layer makes a response of it, never to be cached.
//! enum Answer {
//!     Tokens { access: String, refresh: String },
//!     /// `invalid_grant`, and nothing about why.
//!     SignInAgain,
//! }
//!
//! /// After a sign-in: `grant_type=authorization_code` or a password that was right.
//! async fn begin(tokens: &RefreshTokens, user: &str, client: &str) -> Result<Answer> {
//!     let (token, family) = tokens.issue(user, client).await?;
//!     Ok(Answer::Tokens { access: access_token(&family.user), refresh: token.expose().to_string() })
//! }
//!
//! /// `grant_type=refresh_token`. An error of the store is a 503: the client keeps its token and tries again.
//! async fn refresh(tokens: &RefreshTokens, client: &str, sent: &str) -> Result<Answer> {
//!     let Ok(presented) = RefreshToken::parse(sent) else { return Ok(Answer::SignInAgain) };
//!     // A token is good for the client it was issued to (RFC 6749, section 6).
//!     let known = tokens.inspect(&presented).await?;
//!     if known.is_some_and(|family| family.client != client) {
//!         tokens.end(&presented).await?;
//!         return Ok(Answer::SignInAgain);
//!     }
//!     Ok(match tokens.rotate(&presented).await? {
//!         Rotation::Rotated { token, family } | Rotation::Retried { token, family } => {
//!             Answer::Tokens { access: access_token(&family.user), refresh: token.expose().to_string() }
//!         }
//!         Rotation::Refused(_) => Answer::SignInAgain,
//!     })
//! }
//!
//! /// A logout (RFC 7009): the answer is the same whether or not the token was known.
//! async fn revoke(tokens: &RefreshTokens, sent: &str) -> Result<()> {
//!     if let Ok(presented) = RefreshToken::parse(sent) {
//!         tokens.end(&presented).await?;
//!     }
//!     Ok(())
//! }
//! # fn access_token(user: &str) -> String { format!("short-lived, for {user}") }
//! # #[derive(Debug)]
//! # struct Counting(std::sync::atomic::AtomicU8);
//! # impl Random for Counting {
//! #     fn fill(&self, bytes: &mut [u8]) -> Result<()> {
//! #         bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
//! #         Ok(())
//! #     }
//! # }
//! # let db = Handle::builder(Arc::new(ReferenceStore::new()), Arc::new(ManualClock::default()))
//! #     .random(Arc::new(Counting(1.into()))).build()?;
//! # let tokens = RefreshTokens::new(&db)?;
//! # block_on(async {
//! # let refresh_of = |answer| match answer { Answer::Tokens { refresh, .. } => Some(refresh), Answer::SignInAgain => None };
//! # let first = refresh_of(begin(&tokens, "ada", "phone").await?).expect("tokens");
//! # let second = refresh_of(refresh(&tokens, "phone", &first).await?).expect("tokens");
//! # assert_eq!(refresh_of(refresh(&tokens, "phone", &first).await?), Some(second.clone()));
//! # let third = refresh_of(refresh(&tokens, "phone", &second).await?).expect("tokens");
//! # assert_eq!(refresh_of(refresh(&tokens, "phone", &first).await?), None);
//! # assert_eq!(refresh_of(refresh(&tokens, "phone", &third).await?), None);
//! # assert_eq!(refresh_of(refresh(&tokens, "phone", "anything").await?), None);
//! # let first = refresh_of(begin(&tokens, "ada", "phone").await?).expect("tokens");
//! # assert_eq!(refresh_of(refresh(&tokens, "tablet", &first).await?), None);
//! # let first = refresh_of(begin(&tokens, "ada", "phone").await?).expect("tokens");
//! # revoke(&tokens, &first).await?;
//! # assert!(tokens.list("ada").await?.is_empty());
//! # Ok::<_, strata_core::Error>(())
//! # })?;
//! # Ok::<_, strata_core::Error>(())
//! ```

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
