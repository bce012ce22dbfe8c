//! How the demo's passwords are hashed: Argon2id (RFC 9106) with the parameters of OWASP's Password Storage cheat sheet, on threads for
//! blocking work, a bounded number at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use strata::{Error, ErrorKind, Random, Result};
use strata_axum::Password;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// 19 MiB, two passes, one lane: the second of the equal choices of the cheat sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many wait for a turn at most; each waits its time and holds a password.
const MOST_WAITING: usize = 256;

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    /// Places for those at work and those who wait.
    places: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
        // One core is left for everything else.
        let cores =
            std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            turns: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores + MOST_WAITING)),
        })
    }

    /// The hash of a password with a salt of its own, as a PHC string.
    pub(crate) async fn hash(&self, password: &Password, random: &dyn Random) -> Result<String> {
        let mut salt = [0; 16];
        random.fill(&mut salt)?;
        self.work(password, move |argon2, password| {
            argon2.hash_password_with_salt(password, &salt).map(|hash| hash.to_string()).map_err(failed)
        })
        .await
    }

    /// Whether this is the password of `hash`.
    pub(crate) async fn verify(&self, password: &Password, hash: &str) -> Result<bool> {
        let hash = hash.to_owned();
        self.work(password, move |argon2, password| {
            let hash = PasswordHash::new(&hash).map_err(failed)?;
            match argon2.verify_password(password, &hash) {
                Ok(()) => Ok(true),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    /// Waits for a turn and does the work on a thread that may block.
    async fn work<T: Send + 'static>(
        &self,
        password: &Password,
        work: impl FnOnce(&Argon2<'_>, &[u8]) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| busy())?;
        // Neither is ever closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| busy())?;
        let (argon2, password) = (self.argon2.clone(), Zeroizing::new(password.expose().to_vec()));
        // What waits goes with the work: a caller that gives up does not make room for more at once.
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&argon2, &password);
            drop((turn, place));
            done
        });
        done.await.map_err(failed)?
    }
}

#[cold]
fn busy() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "verify password",
        "too many are signing in just now; try again in a moment",
    )
}

#[cold]
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Other, "verify password", "the password could not be hashed; see the cause")
        .because(error)
}

#[cfg(test)]
mod tests {
    use strata::SystemRandom;

    use super::*;

    #[tokio::test]
    async fn a_hash_is_argon2id_with_the_recommended_cost_and_its_own_salt() {
        let hasher = Hasher::new().expect("a hasher");
        let typed = Password::new("correct horse");
        let random = SystemRandom::new();
        let (one, other) = (hasher.hash(&typed, &random).await, hasher.hash(&typed, &random).await);
        let (one, other) = (one.expect("a hash"), other.expect("a hash"));
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(hasher.verify(&typed, &one).await.expect("verified"));
        assert!(!hasher.verify(&Password::new("correct horsf"), &one).await.expect("verified"));
        assert!(hasher.verify(&typed, "no hash").await.is_err());
    }

    #[tokio::test]
    async fn no_more_wait_than_there_are_places() {
        let hasher = Hasher::new().expect("a hasher");
        let all = u32::try_from(hasher.places.available_permits()).expect("few");
        let taken = hasher.places.try_acquire_many(all).expect("all places");
        let refused = hasher.verify(&Password::new("x"), "").await.expect_err("no place");
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        drop(taken);
        assert_ne!(
            hasher.verify(&Password::new("x"), "").await.expect_err("no hash").kind(),
            ErrorKind::Unavailable
        );
    }
}
