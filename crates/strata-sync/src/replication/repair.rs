//! How peers find out what they hold differently: digests of all states, then of parts, then the states of a part, then the records.

use std::ops::RangeInclusive;

use strata_core::{ErrorKind, Key, Result};

use super::index::{FANOUT, NameHash};
use super::message::{Body, Item, ItemLife, MOST};
use super::peer::Peer;
use super::record::Stored;
use super::report::Refusal;
use super::stamp::Stamp;
use super::state::State;
use crate::link::Member;

/// Parts of at most this many states are listed, larger ones divided again.
const LEAF: usize = 64;
/// How many messages one digest is answered with; the next one goes on.
const ANSWERS: usize = 16;
/// How long a stored agreement may lag behind when nothing has changed, as a part of the retention.
const LAG: u32 = 64;

impl Peer {
    pub(super) fn send_digest(&mut self, to: Option<Member>, prefix: &[u8]) -> Result<()> {
        let parts = self.index.digest(prefix);
        self.send(to, Body::Digest { prefix: prefix.to_vec(), parts })
    }

    pub(super) async fn on_digest(
        &mut self,
        from: Member,
        (origin, stamp): (u64, Stamp),
        prefix: &[u8],
        parts: &[u64],
    ) -> Result<()> {
        self.on_change().await?;
        let mine = self.index.digest(prefix);
        if mine == parts {
            return if prefix.is_empty() { self.agreed(from, origin, stamp).await } else { Ok(()) };
        }
        if let Some(known) = self.members.get_mut(&from) {
            known.in_step = false;
        }
        self.answer_digest(from, prefix, &mine, parts)
    }

    fn answer_digest(&mut self, from: Member, prefix: &[u8], mine: &[u64], parts: &[u64]) -> Result<()> {
        let mut run: Option<(NameHash, NameHash)> = None;
        let mut answers = 0;
        for part in (0..FANOUT).filter(|part| mine[*part] != parts[*part]) {
            if answers >= ANSWERS {
                break;
            }
            // A part is a byte: there are 256.
            let below = [prefix, &[u8::try_from(part).unwrap_or(u8::MAX)]].concat();
            let (first, last) = NameHash::range(&below);
            if below.len() <= 2 && self.index.range(first, last).nth(LEAF).is_some() {
                self.send_digest(Some(from), &below)?;
                answers += 1;
                continue;
            }
            run = match run {
                Some((start, end)) if end.next() == Some(first) => Some((start, last)),
                Some((start, end)) => {
                    answers += self.send_keys(from, start, end)?;
                    Some((first, last))
                }
                None => Some((first, last)),
            };
        }
        if let Some((first, last)) = run {
            self.send_keys(from, first, last)?;
        }
        Ok(())
    }

    /// Lists the states from `first` to `last`, in as many messages as it takes.
    fn send_keys(&mut self, to: Member, first: NameHash, last: NameHash) -> Result<usize> {
        let page = (self.config.max_message / 128).clamp(1, MOST);
        let states: Vec<(NameHash, State)> = self
            .index
            .range(first, last)
            .map(|(hash, entry)| (hash, entry.told()))
            .filter(|(_, state)| !state.is_empty())
            .collect();
        let mut start = first;
        let pages = states.len().div_ceil(page).max(1);
        for number in 0..pages {
            let states = states.iter().skip(number * page).take(page).copied().collect::<Vec<_>>();
            let end = match states.last() {
                Some((hash, _)) if number + 1 < pages => *hash,
                _ => last,
            };
            self.send(Some(to), Body::Keys { first: start, last: end, states })?;
            start = end.next().unwrap_or(end);
        }
        Ok(pages)
    }

    async fn agreed(&mut self, from: Member, origin: u64, stamp: Stamp) -> Result<()> {
        let root = self.index.root();
        if self.contacts.agree(origin, stamp, root, self.config.retention / LAG) {
            self.write_identity().await?;
        }
        let now = self.handle.clock().now();
        if let Some(known) = self.members.get_mut(&from) {
            known.agreed = Some(now);
            known.in_step = true;
        }
        Ok(())
    }

    pub(super) async fn on_keys(
        &mut self,
        from: Member,
        origin: u64,
        (first, last): (NameHash, NameHash),
        states: &[(NameHash, State)],
    ) -> Result<()> {
        self.on_change().await?;
        let (mut wanted, mut owed, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        for (hash, theirs) in states {
            if theirs.stamps().any(|stamp| self.is_ahead(stamp)) {
                self.refuse(Refusal::Ahead);
                continue;
            }
            let entry = self.index.get(*hash);
            let mine = entry.map(|entry| entry.state).unwrap_or_default();
            let joined = mine.join(*theirs);
            let revived =
                joined.life.is_some() && mine.life == theirs.life && entry.is_none_or(|entry| !entry.held);
            if (joined != mine && self.is_news(mine, *theirs)) || revived {
                wanted.push(*hash);
            }
            let same_life = mine.life.map(|life| life.birth) == theirs.life.map(|life| life.birth);
            if joined != *theirs && self.is_news(*theirs, mine) {
                if same_life { shared.push(*hash) } else { owed.push(*hash) }
            }
        }
        let missing = self.missing_there((first..=last).clone(), states);
        owed.extend(self.part_with_stale(origin, missing).await?);
        wanted.truncate(MOST);
        if !wanted.is_empty() {
            self.send(Some(from), Body::Want(wanted))?;
        }
        self.answer(from, origin, shared, owed).await
    }

    /// Whether `told` is more to somebody who knows `known` than a removal that nobody needs to remember any more.
    fn is_news(&self, known: State, told: State) -> bool {
        let only_removal = known.join(told).life == known.life;
        !only_removal || told.removed.is_some_and(|removed| self.is_retained(removed))
    }

    /// What is told here and not at all in their list.
    fn missing_there(&self, range: RangeInclusive<NameHash>, states: &[(NameHash, State)]) -> Vec<NameHash> {
        self.index
            .range(*range.start(), *range.end())
            .filter(|(hash, entry)| {
                self.is_news(State::default(), entry.told())
                    && states.binary_search_by_key(hash, |(theirs, _)| *theirs).is_err()
            })
            .map(|(hash, _)| hash)
            .collect()
    }

    /// Of what a peer does not have: ends what it had when we last agreed, if that is so long ago that it may have forgotten a
    /// removal. Gives the others.
    async fn part_with_stale(&mut self, origin: u64, missing: Vec<NameHash>) -> Result<Vec<NameHash>> {
        let (now, after) = (self.handle.clock().now(), self.config.stale_after());
        let Some(base) = self.contacts.stale_with(origin, now, after) else { return Ok(missing) };
        if self.prevails(origin) {
            return Ok(missing);
        }
        let mut kept = Vec::new();
        for hash in missing {
            let Some(entry) = self.index.get(hash) else { continue };
            let ended = entry.state.life.is_some_and(|life| life.birth <= base);
            let key = entry.key.clone();
            if ended {
                self.bury(&key).await?;
            }
            kept.push(hash);
        }
        Ok(kept)
    }

    pub(super) async fn on_want(&mut self, from: Member, origin: u64, names: &[NameHash]) -> Result<()> {
        self.on_change().await?;
        self.answer(from, origin, Vec::new(), names.to_vec()).await
    }

    /// Answers with as many of these records as one message holds, perhaps with none: whoever asked counts answers.
    async fn answer(
        &mut self,
        to: Member,
        origin: u64,
        mut shared: Vec<NameHash>,
        mut owed: Vec<NameHash>,
    ) -> Result<()> {
        let mut room = self.config.item_room();
        // A life that they hold as well may be told however long ago it was born.
        let mut items = self.items(&mut shared, &mut room).await?;
        let others = self.items(&mut owed, &mut room).await?;
        items.extend(self.presentable(origin, others));
        items.truncate(MOST);
        self.send_items(Some(to), items, true)
    }

    /// As many as one message holds. The others have their turn later, so that some which are refused there keep none from it.
    async fn items(&mut self, names: &mut [NameHash], room: &mut usize) -> Result<Vec<Item>> {
        if names.len() > MOST / 2 {
            names.rotate_left(self.turn % names.len());
        }
        let mut items = Vec::new();
        for (place, hash) in names.iter().take(MOST).enumerate() {
            let Some(key) = self.index.get(*hash).map(|entry| entry.key.clone()) else { continue };
            let Some(item) = self.item(&key).await? else { continue };
            if item.size() > self.config.item_room() {
                self.untold += 1;
                continue;
            }
            if item.size() > *room {
                self.turn = self.turn.wrapping_add(place);
                return Ok(items);
            }
            *room -= item.size();
            items.push(item);
        }
        self.turn = self.turn.wrapping_add(names.len().min(MOST));
        Ok(items)
    }

    pub(super) async fn on_records(
        &mut self,
        from: Member,
        origin: u64,
        items: &[Item],
        answer: bool,
    ) -> Result<()> {
        let (now, after) = (self.handle.clock().now(), self.config.stale_after());
        let base = self.contacts.stale_with(origin, now, after).filter(|_| !self.defers(origin));
        let mut gained = false;
        for item in items {
            gained |= self.apply(item, base).await?;
        }
        if answer { self.answered(from, gained) } else { Ok(()) }
    }

    /// A question was answered. After the last one both compare again, if that has brought them nearer.
    fn answered(&mut self, from: Member, gained: bool) -> Result<()> {
        let Some(known) = self.members.get_mut(&from) else { return Ok(()) };
        known.gained |= gained;
        known.awaited = known.awaited.saturating_sub(1);
        if known.awaited == 0 && std::mem::take(&mut known.gained) {
            return self.send_digest(Some(from), &[]);
        }
        Ok(())
    }

    /// What this store can tell of a key; `None` for nothing. A record that cannot be read is counted, and keeps nobody from the others.
    pub(super) async fn item(&mut self, key: &Key) -> Result<Option<Item>> {
        loop {
            let local = self.settle(key).await?;
            let Stored { name, removed, life } = local.stored.clone();
            let item = |life| Some(Item { name, removed, life }).filter(|item| !item.state().is_empty());
            let Some(life) = life else { return Ok(item(None)) };
            let told = |record| ItemLife { life: life.life, latest: life.latest, record };
            if !life.held {
                return Ok(item(Some(told(None))));
            }
            match self.handle.export_plaintext(key).await {
                Ok(Some((record, version)))
                    if local.alive().is_some_and(|alive| alive.version == version) =>
                {
                    return Ok(item(Some(told(Some(record)))));
                }
                Ok(None) => {
                    // It has died: whoever asks learns so from a digest without it.
                    let ended = local.stored.clone().ended();
                    self.replace(key, &local, &ended).await?;
                    return Ok(item(ended.life.map(|_| told(None))));
                }
                // Changed since it was settled.
                Ok(Some(_)) => {}
                Err(error) if is_unreadable(error.kind()) => {
                    self.untold += 1;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_unreadable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Corrupt
            | ErrorKind::WrongKey
            | ErrorKind::MissingKey
            | ErrorKind::Downgrade
            | ErrorKind::Newer
            | ErrorKind::Foreign
    )
}
