//! The proof that a user authenticated a short time ago: [`Fresh`].

use std::time::Duration;

use strata_core::Timestamp;

use crate::id::SessionId;

/// The user of a session authenticated a short time ago (ASVS 7.5.1). Made by
/// [`AuthSession::require_fresh`](super::AuthSession::require_fresh) and nowhere else, so a function that takes one cannot be
/// called without the check:
///
/// ```
/// use strata_session::auth::Fresh;
///
/// fn change_password(proof: &Fresh) -> String {
///     format!("{} authenticated {:?} ago", proof.user(), proof.age())
/// }
/// ```
/// ```compile_fail,E0451
/// let forged = strata_session::auth::Fresh { session: todo!(), user: String::new(), authenticated: todo!(), age: todo!() };
/// ```
#[derive(Debug)]
#[must_use = "a proof is for a function that demands one"]
pub struct Fresh {
    session: SessionId,
    user: String,
    authenticated: Timestamp,
    age: Duration,
}

impl Fresh {
    /// The proof, unless the last authentication is longer ago than `most`, or after now: a clock that was set back proves nothing.
    pub(super) fn judge(
        session: SessionId,
        user: &str,
        authenticated: Timestamp,
        now: Timestamp,
        most: Duration,
    ) -> Option<Self> {
        let age = now.since(authenticated);
        (authenticated <= now && age <= most).then(|| Self {
            session,
            user: user.to_owned(),
            authenticated,
            age,
        })
    }

    /// The session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The user's id.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// When the user last authenticated.
    pub fn authenticated(&self) -> Timestamp {
        self.authenticated
    }

    /// How long before the check that was.
    pub fn age(&self) -> Duration {
        self.age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s17_freshness_ends_after_its_last_millisecond_and_fails_closed() {
        let at = Timestamp::from_millis;
        let most = Duration::from_millis(300);
        let judge = |now| Fresh::judge(SessionId::from_bytes([1; 16]), "ada", at(1000), at(now), most);
        assert_eq!(judge(1300).expect("fresh").age(), most);
        assert!(judge(1000).is_some() && judge(1301).is_none());
        assert!(judge(999).is_none(), "an authentication in the future");
    }
}
