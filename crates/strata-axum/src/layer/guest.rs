//! A guest's session within one request: read when it is first needed, changed in memory, stored once.

use http::HeaderValue;
use strata_core::{Error, ErrorKind, Result};
use strata_session::basic::LoadedSession;
use strata_session::migration::{Guests, Report};
use strata_session::{Draft, SessionToken, Sessions};
use tokio::sync::MutexGuard;

use super::exchange::{Exchange, Outcome, check_renewed, over};

/// How things stand with it.
#[derive(Default)]
pub(crate) struct GuestState {
    now: Now,
    /// One that ends with this request.
    doomed: Option<LoadedSession>,
    renewal: Renewal,
    /// Whether the cookie is taken away.
    forget: bool,
    cookie: Option<HeaderValue>,
    csrf: Option<String>,
    over: bool,
}

/// Whether it gets a new token.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Renewal {
    #[default]
    None,
    /// With what was changed.
    Asked,
    /// Somebody has signed in: whatever becomes of the request, the old token is dead afterwards.
    SignedIn,
}

/// What comes after storing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The response.
    Over,
    /// More of the handler.
    More,
    /// More of the handler, which needs a session even if nothing was changed.
    Begun,
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
            Error::new(ErrorKind::Invalid, "change session values", message)
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
        if matches!(state.now, Now::Open(_)) {
            state.renewal = Renewal::SignedIn;
        }
        Ok(())
    }

    /// Stores what was changed.
    pub(crate) async fn save_guest(&self) -> Result<()> {
        let mut state = self.guest().await?;
        self.store(&mut state, Then::More).await
    }

    /// As [`Exchange::save_guest`], and begins the session if there is none.
    pub(crate) async fn begin_guest(&self) -> Result<()> {
        let mut state = self.changing_guest().await?;
        self.store(&mut state, Then::Begun).await
    }

    /// Has the session get a new token.
    pub(crate) async fn rotate_guest(&self) -> Result<()> {
        self.check_method("rotate session")?;
        let mut state = self.guest().await?;
        let Now::Open(_) = state.now else { return Ok(()) };
        self.refuse_program()?;
        if state.renewal == Renewal::None {
            state.renewal = Renewal::Asked;
        }
        Ok(())
    }

    /// Refuses to go on without the session whose token this request brings, where that has got a new one just now.
    async fn check_renewed(&self) -> Result<()> {
        let Some(token) = &self.credentials().guest else { return Ok(()) };
        check_renewed(self.sessions()?.handle(), token).await
    }

    /// Gives all a guest has to a user; nothing if the visitor has no session.
    pub(crate) async fn migrate_guest(&self, guests: &Guests, user: &str) -> Result<Option<Report>> {
        self.check_method("migrate guest")?;
        let mut state = self.guest().await?;
        let Now::Open(loaded) = &mut state.now else { return Ok(None) };
        self.refuse_program()?;
        let migrated = guests.migrate(loaded.session_mut(), user).await?;
        if let Some(token) = &migrated.token {
            state.renewal = Renewal::None;
            self.give(&mut state, token)?;
        }
        Ok(Some(migrated.report))
    }

    async fn store(&self, state: &mut GuestState, then: Then) -> Result<()> {
        if let Some(doomed) = &state.doomed {
            doomed.session().destroy().await?;
            state.doomed = None;
        }
        if std::mem::take(&mut state.forget) {
            state.cookie = Some(self.site.cookies.guest.unset()?);
        }
        let token = match &mut state.now {
            Now::Open(loaded) if state.renewal != Renewal::None => match loaded.rotate().await {
                // Somebody who signs in elsewhere was faster: the old token is dead, and nothing else was wanted.
                Err(error)
                    if error.kind() == ErrorKind::Gone
                        && state.renewal == Renewal::SignedIn
                        && !loaded.draft().is_changed() =>
                {
                    None
                }
                renewed => Some(renewed?),
            },
            Now::Open(loaded) => {
                loaded.commit().await?;
                None
            }
            Now::Visitor(draft) if draft.is_changed() || then == Then::Begun => {
                self.check_renewed().await?;
                let sessions = self.sessions()?;
                let (token, _) = sessions.create_from(draft).await?;
                // The cookie first: the session is there, whatever becomes of the read.
                self.give(state, &token)?;
                if then != Then::Over
                    && let Some(loaded) = sessions.load(&token).await?
                {
                    state.now = Now::Open(Box::new(loaded));
                }
                None
            }
            Now::Visitor(_) | Now::Unasked => None,
        };
        state.renewal = Renewal::None;
        if let Some(token) = token {
            self.give(state, &token)?;
        }
        Ok(())
    }

    /// The new token that somebody who signs in gets for the guest's session, without what was changed.
    async fn renew_only(&self, state: &mut GuestState) -> Result<()> {
        let Now::Open(loaded) = &mut state.now else { return Ok(()) };
        match loaded.session_mut().rotate().await {
            Ok(token) => self.give(state, &token),
            Err(error) if error.kind() == ErrorKind::Gone => Ok(()),
            Err(error) => Err(error),
        }
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
        let token = state.csrf.clone().or_else(presented);
        if token.is_some() {
            self.tell();
        }
        Ok(token)
    }

    pub(super) async fn is_guest_changed(&self) -> bool {
        self.guest.lock().await.is_changed()
    }

    /// Stores what was changed, if it is to be kept, and gives the cookie.
    pub(super) async fn settle_guest(&self, keep: bool, outcome: &mut Outcome) {
        let mut state = self.guest.lock().await;
        if keep {
            let stored = self.store(&mut state, Then::Over).await;
            outcome.note(stored);
        } else if state.renewal == Renewal::SignedIn {
            let renewed = self.renew_only(&mut state).await;
            outcome.note(renewed);
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

    fn is_changed(&self) -> bool {
        self.doomed.is_some() || self.renewal != Renewal::None || self.draft().is_some_and(Draft::is_changed)
    }
}

impl Exchange {
    /// Dooms the guest's session; what is stored after that begins a new one.
    pub(crate) async fn destroy_guest(&self) -> Result<()> {
        self.check_method("destroy session")?;
        let draft = self.sessions()?.draft();
        let mut state = self.guest().await?;
        match std::mem::replace(&mut state.now, Now::Visitor(draft)) {
            Now::Open(loaded) => state.doomed = Some(*loaded),
            _ if state.doomed.is_none() => self.check_renewed().await?,
            _ => {}
        }
        let credentials = self.credentials();
        let has_cookie = credentials.guest.is_some() || state.cookie.is_some();
        state.forget = has_cookie && !credentials.bearer;
        (state.renewal, state.csrf) = (Renewal::None, None);
        Ok(())
    }
}
