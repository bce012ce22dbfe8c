//! The demo's users: [`Accounts`], created on the first start with passwords that are drawn and shown once. It is the demo's
//! [`Verifier`]; an application has its own.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strata::session::auth::User;
use strata::{BoxFuture, Handle, Key, Result};
use strata_axum::routes::Users;
use strata_axum::{Password, Verifier};
use zeroize::Zeroizing;

use super::password::Hasher;

/// Name, what people call them, role.
const DEMO: [(&str, &str, Option<&str>); 3] = [
    ("ada", "Ada Lovelace", None),
    ("grace", "Grace Hopper", None),
    ("operator", "The Operator", Some(super::operator::ROLE)),
];

/// What is stored of a user, under the escaped name.
#[derive(Serialize, Deserialize)]
struct Account {
    name: String,
    roles: Vec<String>,
    /// The password's hash, a PHC string.
    hash: String,
}

/// A user whose password was drawn just now.
pub(crate) struct Fresh {
    pub(crate) name: &'static str,
    pub(crate) password: Zeroizing<String>,
    pub(crate) role: Option<&'static str>,
}

/// The accounts in a store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Accounts {
    handle: Handle,
    hasher: Hasher,
    /// A hash of nobody's password, for names that are not known: they take as long as others.
    nobody: String,
}

impl Accounts {
    /// In the namespace `account`.
    pub(crate) fn new(db: &Handle) -> Result<Self> {
        Ok(Self { handle: db.namespace("account")?, hasher: Hasher::new()?, nobody: String::new() })
    }

    /// Creates the demo's users where there is no account yet, or draws new passwords for them when `renews`. Says which it drew: they
    /// are durable, and nobody else has them.
    pub(crate) async fn prepare(&mut self, renews: bool) -> Result<Vec<Fresh>> {
        self.nobody = self.hasher.hash(&draw(&self.handle)?.0, &**self.handle.random()).await?;
        let is_first = self.handle.keys("*").next().await.transpose()?.is_none();
        if !is_first && !renews {
            return Ok(Vec::new());
        }
        let mut fresh = Vec::with_capacity(DEMO.len());
        let mut writes = self.handle.writes();
        for (id, name, role) in DEMO {
            let (password, text) = draw(&self.handle)?;
            let hash = self.hasher.hash(&password, &**self.handle.random()).await?;
            let roles = role.map(ToOwned::to_owned).into_iter().collect();
            let account = Account { name: name.to_owned(), roles, hash };
            writes = writes.stage(self.handle.set(&Key::escape(id), &account));
            fresh.push(Fresh { name: id, password: text, role });
        }
        writes.commit().await?;
        Ok(fresh)
    }

    async fn check(&self, name: &str, password: &Password) -> Result<Option<User>> {
        let found = self.find(name).await?;
        let hash = found.as_ref().map_or(&self.nobody, |account| &account.hash);
        let is_right = self.hasher.verify(password, hash).await?;
        Ok(found.filter(|_| is_right).map(|account| account.user(name)))
    }

    async fn find(&self, name: &str) -> Result<Option<Account>> {
        if is_name(name) { self.handle.peek(&Key::escape(name)).await } else { Ok(None) }
    }
}

impl Account {
    fn user(self, id: &str) -> User {
        let user = User::new(id).named(self.name);
        self.roles.into_iter().fold(user, User::role)
    }
}

impl Verifier for Accounts {
    fn verify<'a>(&'a self, name: &'a str, password: &'a Password) -> BoxFuture<'a, Result<Option<User>>> {
        Box::pin(self.check(name, password))
    }
}

/// For programs that refresh: who they are by now.
#[async_trait]
impl Users<()> for Accounts {
    async fn user(&self, id: &str) -> Result<Option<User>> {
        Ok(self.find(id).await?.map(|account| account.user(id)))
    }
}

/// Whether it can be the name of an account: other texts are known to be nobody's.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// What a password is made of: 32 characters that are not taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password of 100 random bits that can be typed: four groups of five.
fn draw(handle: &Handle) -> Result<(Password, Zeroizing<String>)> {
    let mut bytes = Zeroizing::new([0; 20]);
    handle.random().fill(&mut *bytes)?;
    // Room for all of it from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(23));
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 && place % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok((Password::new(text.as_str()), text))
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn accounts() -> (strata::Strata, Accounts, Vec<Fresh>) {
        let keys = crate::opening::fresh().expect("keys");
        let db = strata::builder().memory().keys(keys).open().await.expect("open");
        let mut accounts = Accounts::new(&db).expect("accounts");
        let fresh = accounts.prepare(false).await.expect("fresh ones");
        (db, accounts, fresh)
    }

    fn typed(fresh: &Fresh) -> Password {
        Password::new(fresh.password.as_str())
    }

    #[tokio::test]
    async fn demo_users_are_drawn_once_and_anew_only_when_asked() {
        let (_db, mut accounts, fresh) = accounts().await;
        assert_eq!(fresh.iter().map(|fresh| fresh.name).collect::<Vec<_>>(), ["ada", "grace", "operator"]);
        assert!(accounts.prepare(false).await.expect("nothing").is_empty());
        let user =
            accounts.verify("operator", &typed(&fresh[2])).await.expect("verified").expect("the operator");
        assert!(user.has_role("operator") && user.name.as_deref() == Some("The Operator"));
        let again = accounts.prepare(true).await.expect("new ones");
        assert!(accounts.verify("ada", &typed(&fresh[0])).await.expect("verified").is_none());
        assert!(accounts.verify("ada", &typed(&again[0])).await.expect("verified").is_some());
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_name_are_alike() {
        let (_db, accounts, fresh) = accounts().await;
        for (name, password) in [
            ("ada", typed(&fresh[1])),
            ("Ada", typed(&fresh[0])),
            ("nobody", typed(&fresh[0])),
            ("", typed(&fresh[0])),
            ("a\0", typed(&fresh[0])),
        ] {
            assert!(accounts.verify(name, &password).await.expect("verified").is_none(), "{name:?}");
        }
        // An unknown name is hashed, too: what it is compared with is a hash like any other.
        assert!(accounts.nobody.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", accounts.nobody);
    }
}
