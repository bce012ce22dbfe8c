//! A session anew for a user who holds a refresh token: [`Restore`], a builder that is awaited, and what it came to, [`Restored`].

use std::fmt;
use std::future::IntoFuture;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use strata_core::{BoxFuture, Codec, Error, ErrorKind, Result, Value};

use super::device::Device;
use super::login::Login;
use super::manager::AuthSessions;
use super::session::AuthSession;
use super::user::User;
use crate::security::{Misuse, SecurityEventKind};
use crate::token::SessionToken;
use crate::tokens::{Renewal, Renewed, Tokens};

/// What came of an attempt to go on without signing in anew.
#[derive(Debug)]
#[non_exhaustive]
pub enum Restored<C> {
    /// A new session, for the user as the server knows them now.
    Session(SessionToken, AuthSession<C>),
    /// There is no refresh token, or the server has refused it: the user has to sign in.
    SignIn,
    /// The server could not be asked. Nobody is signed out by that: try again later, and keep what there is.
    Offline(Error),
}

/// A session about to be restored. Await it.
///
/// The server is always asked, and its word replaces whatever was known of the user here: a session is never made of local claims.
///
/// # Errors
/// [`ErrorKind::Denied`] when the server names another user than [`Restore::expecting`] or than the tokens were stored for: nothing is
/// begun, and it is a security event. [`ErrorKind::Invalid`] when the server's answer does not describe a user with claims of this
/// type. What the stores report.
#[must_use = "nothing is restored until this is awaited"]
pub struct Restore<'m, C> {
    sessions: &'m AuthSessions<C>,
    tokens: &'m Tokens,
    account: &'m str,
    expected: Option<&'m str>,
    remember: bool,
    device: Device,
}

impl<C: Value> AuthSessions<C> {
    /// Begins a session for the user whose refresh token `tokens` hold under `account`, such as at a start after the last session has
    /// ended. The transport's answer has to carry the user
    /// ([`TokenAnswer::user`](crate::tokens::TokenAnswer::user)) as JSON: `id`, and if there are any `name`, `email`, `roles`,
    /// `permissions` and `claims`.
    pub fn restore<'m>(&'m self, tokens: &'m Tokens, account: &'m str) -> Restore<'m, C> {
        Restore {
            sessions: self,
            tokens,
            account,
            expected: None,
            remember: false,
            device: Device::default(),
        }
    }
}

impl<'m, C: Value> Restore<'m, C> {
    /// Refuses another user than this one: whose data lie here, say.
    pub fn expecting(mut self, user: &'m str) -> Self {
        self.expected = Some(user);
        self
    }

    /// Lets the session live as the policy for remembered ones says, if the one before did. It is not so by itself: a session that
    /// is restored again and again would never end.
    pub fn remember(mut self) -> Self {
        self.remember = true;
        self
    }

    /// What the user goes on with.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    async fn run(self) -> Result<Restored<C>> {
        let renewed = match self.tokens.renew(self.account).await? {
            Renewal::Renewed(renewed) => renewed,
            Renewal::Invalid | Renewal::SignedOut => return Ok(Restored::SignIn),
            Renewal::Offline(error) => return Ok(Restored::Offline(error)),
        };
        self.login(&renewed)?.await.map(|(token, session)| Restored::Session(token, session))
    }

    /// The sign-in of whom the server described, if that is whom it may be.
    fn login(self, renewed: &Renewed) -> Result<Login<'m, C>> {
        let user = user_of::<C>(renewed)?;
        let said = renewed.subject.as_deref();
        if said.is_some_and(|said| said != user.id) || self.expected.is_some_and(|id| id != user.id) {
            let misuse = SecurityEventKind::InvalidUse(Misuse::OtherUser);
            self.sessions.log().event(misuse).user(&user.id).write();
            return Err(other_user());
        }
        let login = self.sessions.login(&user).device(self.device);
        Ok(if self.remember { login.remember() } else { login })
    }
}

impl<'m, C: Value> IntoFuture for Restore<'m, C> {
    type Output = Result<Restored<C>>;
    type IntoFuture = BoxFuture<'m, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<C> fmt::Debug for Restore<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A user as a server describes one. What it does not mention is not there.
#[derive(Deserialize)]
#[serde(bound = "C: DeserializeOwned")]
struct Described<C> {
    id: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    permissions: Vec<String>,
    claims: Option<C>,
}

fn user_of<C: Value>(renewed: &Renewed) -> Result<User<C>> {
    let text = renewed.user.as_deref().ok_or_else(|| unknown(None))?;
    let described: Described<C> = Codec::Json.decode(text).map_err(|error| unknown(Some(error)))?;
    let Described { id, name, email, roles, permissions, claims } = described;
    // A type without content, such as `()`, need not be mentioned.
    let claims =
        claims.map_or_else(|| Codec::Json.decode(b"null"), Ok).map_err(|error| unknown(Some(error)))?;
    let mut user = User::new(id).claims(claims);
    (user.name, user.email) = (name, email);
    user.roles.extend(roles);
    user.permissions.extend(permissions);
    Ok(user)
}

#[cold]
fn unknown(error: Option<Error>) -> Error {
    let message = "the server's answer does not describe the user; let the transport add it as JSON with `id` and `claims`";
    let unknown = Error::new(ErrorKind::Invalid, "restore session", message);
    match error {
        Some(error) => unknown.because(error),
        None => unknown,
    }
}

#[cold]
fn other_user() -> Error {
    let message = "the server knows the bearer of the refresh token as another user; sign out, and let the user sign in";
    Error::new(ErrorKind::Denied, "restore session", message)
}
