//! Where the keys of this user's stores are kept: [`user_keys`].

use std::sync::Arc;

use strata_core::{KeyProvider, Result};
use strata_crypto::{FileKeys, Keys};

/// The places for the keys of this user's stores, the best first: with the feature `keyring` the operating system's keyring
/// (`KeyringKeys`), then key files in the user's own data folder ([`FileKeys::of_user`]).
///
/// A fresh store takes the first that exists here and keeps to it; one that exists but is locked or does not answer is an error. A
/// store that is there is opened from the place in its header, never from another.
///
/// # Errors
/// [`ErrorKind::Unsupported`](strata_core::ErrorKind::Unsupported): there is no place at all.
pub fn user_keys() -> Result<Keys> {
    let mut places: Vec<Arc<dyn KeyProvider>> = Vec::new();
    #[cfg(feature = "keyring")]
    places.push(Arc::new(strata_adapter_keyring::KeyringKeys::of_user()?));
    match FileKeys::of_user() {
        Ok(files) => places.push(Arc::new(files)),
        Err(error) if places.is_empty() => return Err(error),
        // A user without a home may still have a keyring.
        Err(_) => {}
    }
    Ok(Keys::first_of(places))
}
