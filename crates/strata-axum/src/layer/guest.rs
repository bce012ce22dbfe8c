//! A guest's session within one request: read when it is first needed, changed in memory, stored once.

use http::HeaderValue;
use strata_core::{Error, ErrorKind, Result};
use strata_session::basic::LoadedSession;
use strata_session::migration::{Guests, Report};
use strata_session::{Draft, SessionToken, Sessions};
use tokio::sync::MutexGuard;

use super::exchange::{Exchange, Outcome, over};

/// How things stand with it.
#[derive(Default)]
pub(crate) struct GuestState {
    now: Now,
    /// One that ends with this request.
    doomed: Option<LoadedSession>,
    /// Whether it gets a new token.
    rotate: bool,
    /// Whether the cookie is taken away.
    forget: bool,
    cookie: Option<HeaderValue>,
    csrf: Option<String>,
    over: bool,
}

#[derive(Default)]
enum Now {
    /// Nobody has asked yet.
    #[default]
    Unasked,
    /// There is none; what is stored begins one.
    Visitor(Draft),
    /// It was read.
    Open(Box<LoadedSession>),
}

impl Exchange {
    fn sessions(&self) -> Result<&Sessions> {
        self.site.sessions.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "use session",
                "the layer has no sessions of guests; give its builder `guests`",
            )
        })
    }

    /// The session, read if that has not happened.
    pub(crate) async fn guest(&self) -> Result<MutexGuard<'_, GuestState>> {
        let mut state = self.guest.lock().await;
        if state.over {
            return Err(over());
        }
        if matches!(state.now, Now::Unasked) {
            state.now = self.look().await?;
        }
        Ok(state)
    }

    async fn look(&self) -> Result<Now> {
        let sessions = self.sessions()?;
        let credentials = self.credentials();
        let found = match &credentials.guest {
            Some(token) if credentials.quiet => sessions.load_quietly(token).await?,
            Some(token) => sessions.load(token).await?,
            None => None,
        };
        Ok(found.map_or_else(|| Now::Visitor(sessions.draft()), |loaded| Now::Open(Box::new(loaded))))
    }

    /// The session, to be changed.
    pub(crate) async fn changing_guest(&self) -> Result<MutexGuard<'_, GuestState>> {
        self.check_method_for_values()?;
        let state = self.guest().await?;
        if self.credentials().bearer && matches!(state.now, Now::Visitor(_)) {
            return Err(self.unbegun());
        }
        Ok(state)
    }

    /// A program would never learn of a token that only a cookie tells.
    fn unbegun(&self) -> Error {
        if self.site.has_users {
            let message =
                "a request with a bearer token has no guest's session; keep values in that of the user";
            Error::new(ErrorKind::Unsupported, "change session values", message)
        } else {
            Error::new(
                ErrorKind::Gone,
                "change session values",
                "the bearer token opens nothing; get a new one",
            )
        }
    }

    /// A guest gets a new token when somebody signs in: whoever planted or saw the old one has nothing (ASVS 7.2.4).
    pub(super) async fn renew_guest(&self) -> Result<()> {
        if self.site.sessions.is_none() || self.credentials().guest.is_none() {
            return Ok(());
        }
        let mut state = self.guest().await?;
        state.rotate |= matches!(state.now, Now::Open(_));
        Ok(())
    }

    /// Begins the session now if there is none, and stores what was changed.
    pub(crate) async fn save_guest(&self, begin: bool) -> Result<()> {
        let mut state = if begin { self.changing_guest().await? } else { self.guest().await? };
        self.store(&mut state, begin).await
    }

    /// Gives all a guest has to a user; nothing if the visitor has no session.
    pub(crate) async fn migrate_guest(&self, guests: &Guests, user: &str) -> Result<Option<Report>> {
        self.check_method("migrate guest")?;
        let mut state = self.guest().await?;
        let Now::Open(loaded) = &mut state.now else { return Ok(None) };
        let migrated = guests.migrate(loaded.session_mut(), user).await?;
        if let Some(token) = &migrated.token {
            state.rotate = false;
            self.give(&mut state, token)?;
        }
        Ok(Some(migrated.report))
    }

    async fn store(&self, state: &mut GuestState, begin: bool) -> Result<()> {
        if let Some(doomed) = state.doomed.take() {
            doomed.destroy().await?;
        }
        if std::mem::take(&mut state.forget) {
            state.cookie = Some(self.site.cookies.guest.unset()?);
        }
        let token = match &mut state.now {
            Now::Open(loaded) if state.rotate => Some(loaded.rotate().await?),
            Now::Open(loaded) => {
                loaded.commit().await?;
                None
            }
            Now::Visitor(draft) if draft.is_changed() || begin => {
                let sessions = self.sessions()?;
                let (token, _) = sessions.create_from(draft).await?;
                // Read back: one read for a visitor's first value.
                if begin && let Some(loaded) = sessions.load(&token).await? {
                    state.now = Now::Open(Box::new(loaded));
                }
                Some(token)
            }
            Now::Visitor(_) | Now::Unasked => None,
        };
        state.rotate = false;
        if let Some(token) = token {
            self.give(state, &token)?;
        }
        Ok(())
    }

    fn give(&self, state: &mut GuestState, token: &SessionToken) -> Result<()> {
        state.csrf = Some(token.csrf_token());
        if self.credentials().bearer {
            return Ok(());
        }
        state.cookie = Some(self.site.cookies.guest.set(&token.expose(), self.site.guest_life)?);
        Ok(())
    }

    /// What pages of this session have to send back, once it has a token.
    pub(crate) async fn guest_csrf_token(&self) -> Result<Option<String>> {
        let state = self.guest().await?;
        let presented = || match &state.now {
            Now::Open(_) => self.credentials().guest.as_ref().map(SessionToken::csrf_token),
            _ => None,
        };
        Ok(state.csrf.clone().or_else(presented))
    }

    pub(super) async fn is_guest_changed(&self) -> bool {
        self.guest.lock().await.is_changed()
    }

    /// Stores what was changed, if it is to be kept, and gives the cookie.
    pub(super) async fn settle_guest(&self, keep: bool, outcome: &mut Outcome) {
        let mut state = self.guest.lock().await;
        if keep && !state.over {
            let stored = self.store(&mut state, false).await;
            outcome.note(stored);
        }
        state.over = true;
        outcome.cookies.extend(state.cookie.take());
    }
}

impl GuestState {
    /// The values.
    pub(crate) fn draft(&self) -> Option<&Draft> {
        match &self.now {
            Now::Unasked => None,
            Now::Visitor(draft) => Some(draft),
            Now::Open(loaded) => Some(loaded.draft()),
        }
    }

    /// The values, to be changed.
    pub(crate) fn draft_mut(&mut self) -> Option<&mut Draft> {
        match &mut self.now {
            Now::Unasked => None,
            Now::Visitor(draft) => Some(draft),
            Now::Open(loaded) => Some(loaded.draft_mut()),
        }
    }

    /// The session, if there is one in the store.
    pub(crate) fn opened(&self) -> Option<&LoadedSession> {
        match &self.now {
            Now::Open(loaded) => Some(loaded),
            _ => None,
        }
    }

    pub(crate) fn rotate(&mut self) {
        self.rotate |= matches!(self.now, Now::Open(_));
    }

    /// Dooms the session; what is stored after that begins a new one.
    pub(crate) fn destroy(&mut self, sessions: Draft) {
        if let Now::Open(loaded) = std::mem::replace(&mut self.now, Now::Visitor(sessions)) {
            self.doomed = Some(*loaded);
        }
        (self.rotate, self.forget) = (false, true);
    }

    fn is_changed(&self) -> bool {
        self.doomed.is_some() || self.rotate || self.draft().is_some_and(Draft::is_changed)
    }
}

impl Exchange {
    /// Dooms the guest's session.
    pub(crate) async fn destroy_guest(&self) -> Result<()> {
        self.check_method("destroy session")?;
        let draft = self.sessions()?.draft();
        self.guest().await?.destroy(draft);
        Ok(())
    }
}
