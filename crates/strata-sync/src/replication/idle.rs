//! Activity: what is used at one peer does not die of idleness at another. Slides are not told one by one; who holds a record that is about to
//! die asks the others whether it lives longer there, at most once an interval.

use std::time::Duration;

use strata_core::{ErrorKind, Expiry, Guard, Key, Record, Result, Scan, Select, Timestamp};

use super::index::NameHash;
use super::message::{Activity, Body, MOST};
use super::peer::Peer;
use crate::link::Member;

impl Peer {
    /// Asks about records that will soon die for want of activity.
    pub(super) async fn ask_for_activity(&mut self) -> Result<()> {
        if self.members.is_empty() {
            return Ok(());
        }
        let soon = self.handle.clock().now().saturating_add(self.config.horizon());
        let mut scan = Scan::new(Select::Due(soon), Scan::MAX_LIMIT);
        loop {
            let page = self.handle.store().scan(scan.clone()).await?;
            let lives: Vec<Activity> =
                page.entries.iter().filter_map(|(key, record)| self.activity(key, record)).collect();
            for lives in lives.chunks((self.config.max_message / 64).clamp(1, MOST)) {
                self.send(None, Body::Ask(lives.to_vec()))?;
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// What is to be asked about a record that can live longer.
    fn activity(&self, key: &Key, record: &Record) -> Option<Activity> {
        record.expiry.idle_time()?;
        let deadline = record.expiry.deadline()?;
        let hash = NameHash::of(key);
        let entry = self.index.get(hash).filter(|entry| entry.held && entry.key == *key)?;
        let capped = record.expiry.not_after().is_some_and(|cap| cap <= deadline);
        (!capped).then_some(Activity { hash, birth: entry.state.life?.birth, deadline: deadline.as_millis() })
    }

    /// Answers for those that live longer here.
    pub(super) async fn on_ask(&mut self, from: Member, asked: &[Activity]) -> Result<()> {
        let mut longer = Vec::new();
        for ask in asked {
            let Some((_, record)) = self.living(ask).await? else { continue };
            let deadline = record.expiry.deadline().map_or(0, Timestamp::as_millis);
            if deadline > ask.deadline {
                longer.push(Activity { deadline, ..*ask });
            }
        }
        if longer.is_empty() { Ok(()) } else { self.send(Some(from), Body::Alive(longer)) }
    }

    /// Takes up activity at a peer: a living record slides, a dead one is asked for whole.
    pub(super) async fn on_alive(&mut self, from: Member, told: &[Activity]) -> Result<()> {
        let mut wanted = Vec::new();
        for life in told {
            let to = Timestamp::from_millis(life.deadline);
            match self.living(life).await? {
                Some((key, record)) => self.slide(key, &record, to).await?,
                None if self.knows(life) => wanted.push(life.hash),
                None => {}
            }
        }
        if wanted.is_empty() { Ok(()) } else { self.send(Some(from), Body::Want(wanted)) }
    }

    fn knows(&self, life: &Activity) -> bool {
        let entry = self.index.get(life.hash);
        entry.and_then(|entry| entry.state.life).is_some_and(|known| known.birth == life.birth)
    }

    /// The record of this very life, if it lives here.
    async fn living(&self, life: &Activity) -> Result<Option<(Key, Record)>> {
        let Some(key) = self.index.get(life.hash).filter(|_| self.knows(life)).map(|entry| entry.key.clone())
        else {
            return Ok(None);
        };
        let now = self.handle.clock().now();
        let record = self.handle.store().get(&key).await?;
        Ok(record.filter(|record| !record.is_dead(now)).map(|record| (key, record)))
    }

    async fn slide(&mut self, key: Key, record: &Record, to: Timestamp) -> Result<()> {
        let mut expiry: Expiry = record.expiry;
        let to = no_later(expiry, to, self.handle.clock().now(), self.config.max_ahead);
        if !expiry.slide_to(to) {
            return Ok(());
        }
        let mut commit = self.handle.from_peer();
        commit.slide(&key, Guard::Version(record.version), to)?;
        match commit.commit().await {
            // Whoever was faster has changed it; its own news follow.
            Err(error) if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Until when activity told by a peer keeps a record alive: as activity now would, and clocks may differ. A clock that was far ahead once
/// must not keep a session alive everywhere.
pub(super) fn no_later(expiry: Expiry, to: Timestamp, now: Timestamp, ahead: Duration) -> Timestamp {
    let idle = expiry.idle_time().unwrap_or_default();
    to.min(now.saturating_add(idle.saturating_add(ahead)))
}
