//! The settings of a layer: [`SessionLayerBuilder`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Result, Value};
use strata_session::auth::AuthSessions;
use strata_session::{SessionToken, Sessions};

use super::{SessionLayer, Site};
use crate::cookie::{LONGEST_LIFE, SameSite, SessionCookie};
use crate::csrf::Allowed;
use crate::request::Cookies;

/// The settings of [`SessionLayer`].
#[must_use = "a builder does nothing until `build`"]
pub struct SessionLayerBuilder<C = ()> {
    sessions: Option<Sessions>,
    users: Option<AuthSessions<C>>,
    names: (String, String),
    same_site: SameSite,
    insecure: bool,
    guest_life: Option<Duration>,
    origins: Vec<String>,
    lenient: bool,
}

impl SessionLayerBuilder {
    pub(super) fn new() -> Self {
        Self {
            sessions: None,
            users: None,
            names: ("session".to_owned(), "auth".to_owned()),
            same_site: SameSite::Lax,
            insecure: false,
            guest_life: None,
            origins: Vec::new(),
            lenient: false,
        }
    }
}

impl<C> SessionLayerBuilder<C> {
    /// Where sessions of guests lie.
    pub fn guests(mut self, sessions: &Sessions) -> Self {
        self.sessions = Some(sessions.clone());
        self
    }

    /// Where sessions of those who sign in lie.
    pub fn users<D: Value>(self, users: &AuthSessions<D>) -> SessionLayerBuilder<D> {
        let Self { sessions, users: _, names, same_site, insecure, guest_life, origins, lenient } = self;
        let users = Some(users.clone());
        SessionLayerBuilder { sessions, users, names, same_site, insecure, guest_life, origins, lenient }
    }

    /// The names of the cookies, of guests and of users, without their prefix; `session` and `auth` unless told otherwise.
    pub fn cookie_names(mut self, guest: &str, auth: &str) -> Self {
        self.names = (guest.to_owned(), auth.to_owned());
        self
    }

    /// Which requests of other sites carry the cookies; [`SameSite::Lax`] unless told otherwise.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// How long a browser keeps a guest's cookie; as long as it runs unless told otherwise, at most 400 days. The store ends the session
    /// when it says, whatever the cookie does. The cookie of a user is kept until the session's cap if the user asked to be remembered,
    /// else as long as the browser runs.
    pub fn keep_guests(mut self, life: Duration) -> Self {
        self.guest_life = Some(life);
        self
    }

    /// For plain http during development only: cookies without Secure and without `__Host-`; see
    /// [`SessionCookie::insecure_for_development`].
    pub fn insecure_for_development(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Another origin whose pages may change state, such as `https://app.example.org`; also the public origin behind a proxy that gives the
    /// server another `Host`.
    pub fn allow_origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.to_owned());
        self
    }

    /// Lets handlers change values by GET and HEAD, too, which ASVS 3.5.3 advises against: any page can make a browser send those. For
    /// such things as the page seen last. Says why, for whoever reads it; sessions are still neither begun by signing in nor ended by them.
    pub fn values_on_safe_methods(mut self, reason: &'static str) -> Self {
        tracing::info!(target: "strata::security", reason, "values may be changed by GET");
        self.lenient = true;
        self
    }
}

impl<C> SessionLayerBuilder<C> {
    /// The layer.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] without any sessions, for names that are no cookie's or the same, a life over 400 days or under a second, an origin that is none.
    pub fn build(self) -> Result<SessionLayer<C>> {
        let Self { sessions, users, names, same_site, insecure, guest_life, origins, lenient } = self;
        if sessions.is_none() && users.is_none() {
            return Err(refused("the layer has no sessions; give it those of guests, of users, or both"));
        }
        if names.0 == names.1 {
            return Err(refused("both cookies have the same name; give them two"));
        }
        if guest_life.is_some_and(|life| life > LONGEST_LIFE) {
            return Err(refused("browsers keep a cookie for 400 days at most; keep guests shorter"));
        }
        if guest_life.is_some_and(|life| life < Duration::from_secs(1)) {
            return Err(refused(
                "a cookie without a second to live is taken away at once; keep guests longer",
            ));
        }
        let cookie = |name: &str| {
            let cookie = SessionCookie::named(name)?.same_site(same_site);
            let cookie = if insecure { cookie.insecure_for_development() } else { cookie };
            // What cannot be written is found out now.
            cookie.set(&"x".repeat(SessionToken::TEXT_LEN), None).map(|_| cookie)
        };
        let cookies = Cookies { guest: cookie(&names.0)?, auth: cookie(&names.1)? };
        let mut allowed = Allowed::default();
        origins.iter().try_for_each(|origin| allowed.add(origin))?;
        let has_users = users.is_some();
        let site = Site { sessions, has_users, cookies, guest_life, allowed, lenient };
        Ok(SessionLayer { site: Arc::new(site), users })
    }
}

impl<C> fmt::Debug for SessionLayerBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayerBuilder")
            .field("names", &self.names)
            .field("same_site", &self.same_site)
            .field("insecure", &self.insecure)
            .finish_non_exhaustive()
    }
}

#[cold]
fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "build session layer", message)
}
