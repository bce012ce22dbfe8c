//! Telling the server of refresh tokens that are not used any more: the queue in the accounts' records is drained here.

use strata_core::Result;

use super::accounts::{Account, Act, Core};
use super::failure::is_of_one_record;
use super::text::Text;
use super::transport::{RefreshFailure, RevokeRequest};

/// What a drain of the queue came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocations {
    /// How many refresh tokens the server does not accept any more.
    pub revoked: usize,
    /// How many are left, to be tried again: after half a minute, twice that after each further failure, at most six hours,
    /// or when the server said.
    pub left: usize,
}

impl Core {
    /// Drains what is due of all accounts; ends early when the server cannot be reached.
    pub(super) async fn drain(&self) -> Result<Revocations> {
        for name in self.unsaved_accounts() {
            let account = Account::parse(&name)?;
            if let Some(unsaved) = self.unsaved(&account) {
                // Into the store or into the queue; a failure leaves it where it is.
                let _ = self.place(&account, &unsaved).await;
            }
        }
        let (mut done, mut offline, mut unreadable) = (Revocations::default(), false, None);
        for name in self.listed().await? {
            match self.drain_account(&Account::parse(&name)?, &mut done, &mut offline).await {
                Err(error) if is_of_one_record(&error) => unreadable = unreadable.or(Some(error)),
                drained => drained?,
            }
        }
        unreadable.map_or(Ok(done), Err)
    }

    async fn drain_account(
        &self,
        account: &Account,
        done: &mut Revocations,
        offline: &mut bool,
    ) -> Result<()> {
        while !*offline {
            let Some(text) = self.claim(account).await? else { break };
            match self.revoke(account, &text).await? {
                Some(true) => done.revoked += 1,
                Some(false) => {}
                None => *offline = true,
            }
        }
        done.left += self.read(account).await?.waiting();
        Ok(())
    }

    /// The next revocation that is due. It is counted and put off before it is sent, so that of several processes one sends it, and a crash
    /// repeats it later.
    async fn claim(&self, account: &Account) -> Result<Option<Text>> {
        self.edit(account, |record| match record.claim(self.now()) {
            Some(text) => Act::Write(Some(text)),
            None => Act::Leave(None),
        })
        .await
    }

    /// Sends one. `None` if the server cannot be reached.
    async fn revoke(&self, account: &Account, text: &Text) -> Result<Option<bool>> {
        let request = RevokeRequest { account: &account.name, token: text.as_str() };
        match self.in_time(self.transport.revoke(request)).await {
            Ok(()) | Err(RefreshFailure::Invalid) => {
                self.edit(
                    account,
                    |record| if record.settle(text) { Act::Write(()) } else { Act::Leave(()) },
                )
                .await?;
                Ok(Some(true))
            }
            Err(RefreshFailure::Offline { retry_after }) => {
                if let Some(wait) = retry_after {
                    let until = self.now().saturating_add(wait);
                    self.edit(account, |record| {
                        if record.put_off(text, until) { Act::Write(()) } else { Act::Leave(()) }
                    })
                    .await?;
                }
                Ok(None)
            }
            Err(RefreshFailure::Unanswered) => Ok(None),
            Err(RefreshFailure::Protocol(_)) => Ok(Some(false)),
        }
    }
}
