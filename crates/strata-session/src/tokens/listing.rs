//! Which accounts there are, in one record, for stores that cannot be walked.
//!
//! An account is listed before its tokens are stored, and for longer than they live, so the list names every account that has tokens; whether
//! one still has any, its own record tells. Entries leave when their time has passed, or when room is needed.

use serde::{Deserialize, Serialize};
use strata_core::{Error, ErrorKind, Result, Timestamp};

use super::accounts::{Account, Core};
use super::failure::is_of_one_record;

/// How many accounts there may be.
const MAX_ACCOUNTS: usize = 256;
/// The record's name.
const NAME: &str = "accounts";

/// An account, and until when it is listed, in milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
struct Listed {
    account: String,
    until: u64,
}

impl Core {
    /// Lists `account` for longer than tokens that live until `needed`. Says until when.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] at 256 accounts that all have tokens.
    pub(super) async fn list(&self, account: &Account, needed: Timestamp) -> Result<u64> {
        // Longer than needed, so that not every refresh has to write here.
        let until = needed.saturating_add(self.policy.refresh.usual).as_millis();
        if self.try_list(account, until).await? {
            return Ok(until);
        }
        self.make_room().await?;
        if self.try_list(account, until).await? { Ok(until) } else { Err(full()) }
    }

    async fn try_list(&self, account: &Account, until: u64) -> Result<bool> {
        let now = self.now().as_millis();
        let mut listed = false;
        let change = |found: Option<Vec<Listed>>| {
            let mut list = found.unwrap_or_default();
            list.retain(|entry| entry.until > now || entry.account == account.name);
            let found = list.iter_mut().find(|entry| entry.account == account.name);
            listed = found.map(|entry| entry.until = entry.until.max(until)).is_some();
            if !listed && list.len() < MAX_ACCOUNTS {
                list.push(Listed { account: account.name.clone(), until });
                listed = true;
            }
            (!list.is_empty()).then_some(list)
        };
        self.index.update::<Vec<Listed>>(NAME, change).await?;
        Ok(listed)
    }

    /// Drops accounts that have nothing in the store. One that signs in at this very instant may be left out of the list, never of
    /// the store.
    async fn make_room(&self) -> Result<()> {
        let mut empty = Vec::new();
        for name in self.listed().await? {
            match self.read(&Account::parse(&name)?).await {
                Ok(record) if record.until().is_none() => empty.push(name),
                Err(error) if !is_of_one_record(&error) => return Err(error),
                _ => {}
            }
        }
        let change = |found: Option<Vec<Listed>>| {
            let mut list = found?;
            list.retain(|entry| !empty.contains(&entry.account));
            (!list.is_empty()).then_some(list)
        };
        self.index.update::<Vec<Listed>>(NAME, change).await.map(drop)
    }

    /// The names in the list, in the order they came. Some may have nothing in the store any more.
    pub(super) async fn listed(&self) -> Result<Vec<String>> {
        let list = self.index.peek::<Vec<Listed>>(NAME).await?.unwrap_or_default();
        Ok(list.into_iter().map(|entry| entry.account).collect())
    }
}

#[cold]
fn full() -> Error {
    Error::new(
        ErrorKind::Full,
        "store tokens",
        format!("{MAX_ACCOUNTS} accounts have tokens here already; sign one out first"),
    )
}
