//! Who has signed in: [`User`] as the application knows it, and [`StoredUser`] as the record has it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use strata_core::{Codec, Error, ErrorKind, Result, Value};

use super::device::check_text;
use crate::limits::Limits;
use crate::roster::check_user;
use crate::values::Stored;

/// A user, with claims of the application's own type `C`. Roles and permissions are the application's words; Strata compares them
/// exactly, and derives none from another.
///
/// ```
/// use strata_session::auth::User;
///
/// let ada = User::new("u1").named("Ada").role("editor").permission("page:write").claims(7_u32);
/// assert!(ada.has_role("editor") && ada.has_any_permission(&["page:read", "page:write"]));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User<C = ()> {
    /// The account's id: at most 256 bytes, no control characters. It never changes within a session.
    pub id: String,
    /// The name to show, at most 256 bytes.
    pub name: Option<String>,
    /// The address to write to, at most 320 bytes. Not checked to be one.
    pub email: Option<String>,
    /// At most 256 of at most 128 bytes each.
    pub roles: BTreeSet<String>,
    /// At most 256 of at most 128 bytes each.
    pub permissions: BTreeSet<String>,
    /// What else the application knows.
    pub claims: C,
}

impl User {
    /// A user of whom only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        let (roles, permissions) = (BTreeSet::new(), BTreeSet::new());
        Self { id: id.into(), name: None, email: None, roles, permissions, claims: () }
    }
}

impl<C> User<C> {
    /// With a name to show.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With an address to write to.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// With one more role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.insert(role.into());
        self
    }

    /// With one more permission.
    #[must_use]
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions.insert(permission.into());
        self
    }

    /// With these claims in place of those there are.
    #[must_use]
    pub fn claims<D>(self, claims: D) -> User<D> {
        let Self { id, name, email, roles, permissions, claims: _ } = self;
        User { id, name, email, roles, permissions, claims }
    }

    /// Whether the user has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// Whether the user has one of these roles at least; of none, no.
    pub fn has_any_role(&self, roles: &[&str]) -> bool {
        roles.iter().any(|role| self.has_role(role))
    }

    /// Whether the user has each of these roles; of none, yes.
    pub fn has_all_roles(&self, roles: &[&str]) -> bool {
        roles.iter().all(|role| self.has_role(role))
    }

    /// Whether the user has this permission.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// Whether the user has one of these permissions at least; of none, no.
    pub fn has_any_permission(&self, permissions: &[&str]) -> bool {
        permissions.iter().any(|permission| self.has_permission(permission))
    }

    /// Whether the user has each of these permissions; of none, yes.
    pub fn has_all_permissions(&self, permissions: &[&str]) -> bool {
        permissions.iter().all(|permission| self.has_permission(permission))
    }

    fn check(&self) -> Result<()> {
        const SIGN_IN: &str = "describe user";
        check_user(SIGN_IN, &self.id)?;
        self.name.as_deref().map_or(Ok(()), |name| check_text(SIGN_IN, "name", name, 256))?;
        self.email.as_deref().map_or(Ok(()), |email| check_text(SIGN_IN, "email", email, 320))?;
        for (what, words) in [("role", &self.roles), ("permission", &self.permissions)] {
            if words.len() > MANY {
                let message = format!(
                    "the user has {} {what}s, at most {MANY} are allowed; grant a role for several of them",
                    words.len()
                );
                return Err(Error::new(ErrorKind::TooLarge, SIGN_IN, message));
            }
            words.iter().try_for_each(|word| check_text(SIGN_IN, what, word, 128))?;
        }
        Ok(())
    }
}

/// The most roles, and the most permissions, of one user.
const MANY: usize = 256;

/// The id only: who somebody is does not belong in logs.
impl<C> fmt::Debug for User<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("roles", &self.roles.len())
            .field("permissions", &self.permissions.len())
            .finish_non_exhaustive()
    }
}

/// A user inside a record. The claims are encoded on their own, so that an operator's tool reads everything else without knowing
/// their type.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredUser {
    id: String,
    name: Option<String>,
    email: Option<String>,
    roles: BTreeSet<String>,
    permissions: BTreeSet<String>,
    claims: Stored,
}

impl StoredUser {
    /// Checks and encodes.
    pub(super) fn encode<C: Value>(codec: Codec, user: &User<C>, limits: &Limits) -> Result<Self> {
        user.check()?;
        let User { id, name, email, roles, permissions, claims } = user;
        Ok(Self {
            id: id.clone(),
            name: name.clone(),
            email: email.clone(),
            roles: roles.clone(),
            permissions: permissions.clone(),
            claims: Stored::encode(codec, claims, limits)?,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The user, with claims of the type they were stored as.
    pub(super) fn decode<C: Value>(&self) -> Result<User<C>> {
        let claims = self.claims.decode(CLAIMS)?;
        Ok(self.public().claims(claims))
    }

    /// Refuses claims of another type, without decoding them.
    pub(super) fn check_type<C: Value>(&self) -> Result<()> {
        self.claims.check_type::<C>(CLAIMS)
    }

    pub(super) fn codec(&self) -> Result<Codec> {
        self.claims.codec()
    }

    /// The user without the application's claims.
    pub(super) fn public(&self) -> User {
        let Self { id, name, email, roles, permissions, claims: _ } = self.clone();
        User { id, name, email, roles, permissions, claims: () }
    }

    pub(super) fn has_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    pub(super) fn has_permission(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }
}

/// What errors call the application's own part.
const CLAIMS: &str = "claims";

impl fmt::Debug for StoredUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredUser").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_permissions_are_compared_exactly() {
        let ada = User::new("u1").role("admin").permission("page:write").permission("page:read");
        assert!(ada.has_role("admin") && !ada.has_role("Admin") && !ada.has_role("admi"));
        assert!(ada.has_any_role(&["guest", "admin"]) && !ada.has_any_role(&[]));
        assert!(ada.has_all_roles(&[]) && !ada.has_all_roles(&["guest", "admin"]));
        assert!(ada.has_permission("page:write") && !ada.has_permission("page:*"));
        assert!(ada.has_any_permission(&["x", "page:read"]) && !ada.has_any_permission(&["x"]));
        assert!(ada.has_all_permissions(&["page:read", "page:write"]));
        assert!(!ada.has_all_permissions(&["page:read", "x"]));
    }

    #[test]
    fn bad_users_are_refused() {
        let encode = |user: &User| StoredUser::encode(Codec::default(), user, &Limits::default());
        let many = (0..=MANY).fold(User::new("u"), |user, n| user.role(n.to_string()));
        for (user, kind) in [
            (User::new(""), ErrorKind::Invalid),
            (User::new("a\nb"), ErrorKind::Invalid),
            (User::new("x".repeat(257)), ErrorKind::TooLarge),
            (User::new("u").named("a\0"), ErrorKind::Invalid),
            (User::new("u").named("x".repeat(257)), ErrorKind::TooLarge),
            (User::new("u").email("x".repeat(321)), ErrorKind::TooLarge),
            (User::new("u").role("a\tb"), ErrorKind::Invalid),
            (User::new("u").role(""), ErrorKind::Invalid),
            (User::new("u").permission("x".repeat(129)), ErrorKind::TooLarge),
            (many, ErrorKind::TooLarge),
        ] {
            assert_eq!(encode(&user).expect_err("refused").kind(), kind, "{user:?}");
        }
        let limits = Limits::default().value_bytes(8);
        let claims = User::new("u").claims("x".repeat(9));
        let error = StoredUser::encode(Codec::default(), &claims, &limits).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn nothing_of_a_person_is_printed() {
        let ada = User::new("u1").named("Ada Lovelace").email("ada@example.org").role("editor").claims(7);
        let stored = StoredUser::encode(Codec::default(), &ada, &Limits::default()).expect("a user");
        for text in [format!("{ada:?}"), format!("{stored:?}")] {
            assert!(text.contains("u1") && !text.contains("Ada") && !text.contains('@'), "{text}");
        }
    }
}
