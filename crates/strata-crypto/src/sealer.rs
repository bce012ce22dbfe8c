//! The seal of an open store: [`Sealer`], envelopes under a keyset that can change while it is in use.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use strata_core::{Envelope, Error, ErrorKind, Key, KeyId, Protection, Random, Result, Seal, Timestamp};

use crate::cache::CipherCache;
use crate::cipher::EpochCipher;
use crate::keyset::{KeyInfo, Keyset};
use crate::nonce::{Drawing, Epoch, Nonces};
use crate::room::{self, Room};

/// Seals and opens records under a keyset.
///
/// Sealing makes no system call, sets up no key and allocates nothing beyond the tag's 16 bytes; neither does opening what this
/// process sealed. The first record of another epoch costs a derivation (under a microsecond), which is kept. Keys can be
/// added, promoted and removed meanwhile; nobody waits.
///
/// What is bound by the tag: header (format, codec, flags, shape, cap), scheme, key id, epoch, nonce and the record's full key.
/// What is not: the idle deadline, tags, and which of two whole versions of a record is the newer.
pub struct Sealer {
    live: ArcSwap<Live>,
    others: CipherCache,
    drawing: Drawing,
    random: Arc<dyn Random>,
    protection: Protection,
}

/// The keys and current epochs, replaced as one.
struct Live {
    keyset: Keyset,
    /// At most one per key.
    epochs: Vec<Arc<Epoch>>,
}

impl Sealer {
    /// A seal over `keyset`, whose keys are guarded by `protection`. Draws the first epoch.
    pub fn new(
        keyset: Keyset,
        nonces: Nonces,
        protection: Protection,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        Self::with_drawing(keyset, Drawing::new(nonces), protection, random)
    }

    fn with_drawing(
        keyset: Keyset,
        drawing: Drawing,
        protection: Protection,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let primary = keyset.find(keyset.primary(), "open keyset")?;
        let epochs = vec![Arc::new(Epoch::draw(&drawing, primary, &*random)?)];
        let live = ArcSwap::from_pointee(Live { keyset, epochs });
        Ok(Self { live, others: CipherCache::new(), drawing, random, protection })
    }

    /// Adds a fresh key that opens records and seals none before it is promoted. Only this seal learns it:
    /// [`StoreKeys::add`](crate::StoreKeys::add) also keeps it.
    pub fn add(&self, now: Timestamp) -> Result<KeyId> {
        let mut keyset = self.keyset();
        let id = keyset.add(&*self.random, now)?;
        let entry = keyset.find(id, "add key")?.clone();
        self.change(|keyset| keyset.insert(id, (*entry.master).clone(), now))?;
        Ok(id)
    }

    /// Seals new records under `id` from now on. Records being sealed meanwhile may still come out under the old primary.
    pub fn promote(&self, id: KeyId) -> Result<()> {
        self.change(|keyset| keyset.promote(id))
    }

    /// Takes a key out: what is under it can't be read any more. The primary is refused. Walk the store first, as
    /// [`StoreKeys::retire`](crate::StoreKeys::retire) does.
    pub fn remove(&self, id: KeyId) -> Result<()> {
        self.change(|keyset| keyset.remove(id))
    }

    /// Goes on with another keyset, as read again from its source.
    pub fn replace(&self, keyset: &Keyset) -> Result<()> {
        self.change(|old| {
            *old = keyset.clone();
            Ok(())
        })
    }

    /// The keys, without their bytes.
    pub fn list(&self) -> Vec<KeyInfo> {
        self.live.load().keyset.list()
    }

    /// The keys with their bytes.
    pub(crate) fn keyset(&self) -> Keyset {
        self.live.load().keyset.clone()
    }

    /// Changes the keyset in one step that concurrent changes and drawn epochs survive.
    fn change(&self, change: impl Fn(&mut Keyset) -> Result<()>) -> Result<()> {
        loop {
            let seen = self.live.load_full();
            let mut keyset = seen.keyset.clone();
            change(&mut keyset)?;
            let kept = |epoch: &&Arc<Epoch>| keyset.contains(epoch.cipher.key);
            let epochs = seen.epochs.iter().filter(kept).map(Arc::clone).collect();
            if self.swap(&seen, Live { keyset, epochs }) {
                let live = self.live.load();
                self.others.forget(|id| !live.keyset.contains(id));
                return Ok(());
            }
        }
    }

    /// Draws an epoch of `id` in place of the one in `seen`. If somebody else was faster, theirs is as good.
    #[cold]
    fn renew(&self, seen: &Arc<Live>, id: KeyId) -> Result<()> {
        let entry = seen.keyset.find(id, "seal value")?;
        let fresh = Arc::new(Epoch::draw(&self.drawing, entry, &*self.random)?);
        let kept = seen.epochs.iter().filter(|epoch| epoch.cipher.key != id).map(Arc::clone);
        let epochs = kept.chain([fresh]).collect();
        self.swap(seen, Live { keyset: seen.keyset.clone(), epochs });
        Ok(())
    }

    fn swap(&self, seen: &Arc<Live>, next: Live) -> bool {
        let found = self.live.compare_and_swap(seen, Arc::new(next));
        Arc::ptr_eq(&found, seen)
    }

    /// Seals under `epoch`, as its message number `counter`.
    #[inline]
    fn seal_as(
        epoch: &Epoch,
        counter: u32,
        nonces: Nonces,
        key: &Key,
        envelope: &mut Vec<u8>,
        header: usize,
    ) -> Result<()> {
        let scheme = nonces.scheme();
        let (prefix, body) = envelope.split_at_mut(header + scheme.room());
        Room::write(&mut prefix[header..], scheme, epoch.cipher.key, &epoch.cipher.epoch);
        let name = key.as_bytes();
        let bound = header + Room::BEFORE_NONCE;
        let nonce = match epoch.synthetic(counter, &prefix[..bound], name, body) {
            Some(nonce) => {
                prefix[bound..].copy_from_slice(&nonce);
                nonce
            }
            None => Room::write_counter(&mut prefix[bound..], counter),
        };
        let tag = epoch.cipher.seal(nonce, prefix, name, body).ok_or_else(|| too_long(key))?;
        envelope.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// The kept cipher of another epoch, or a derived one. Says whether it was kept.
    fn other(&self, keyset: &Keyset, room: &Room) -> Result<(Arc<EpochCipher>, bool)> {
        if let Some(cipher) = self.others.find(room.key, &room.epoch) {
            return Ok((cipher, true));
        }
        let entry = keyset.find(room.key, "open value")?;
        Ok((Arc::new(EpochCipher::derive(room.key, &entry.master, room.epoch)), false))
    }
}

impl Seal for Sealer {
    fn room(&self) -> usize {
        self.drawing.nonces.scheme().room()
    }

    fn seal(&self, with: Option<KeyId>, key: &Key, envelope: &mut Vec<u8>, header: usize) -> Result<()> {
        check_sealable(envelope, header, self.room())?;
        loop {
            let live = self.live.load();
            let id = with.unwrap_or(live.keyset.primary());
            if let Some(epoch) = live.epochs.iter().find(|epoch| epoch.cipher.key == id)
                && let Some(counter) = epoch.next()
            {
                return Self::seal_as(epoch, counter, self.drawing.nonces, key, envelope, header);
            }
            self.renew(&live, id)?;
        }
    }

    fn open<'s>(
        &self,
        key: &Key,
        envelope: &[u8],
        header: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8]> {
        check_sealed(key, envelope, header)?;
        let room = Room::read(key, envelope, header)?;
        let live = self.live.load();
        live.keyset.find(room.key, "open value")?;
        let (prefix, sealed) = envelope.split_at(room.body);
        scratch.clear();
        scratch.extend_from_slice(sealed);
        let ours = live.epochs.iter().find(|epoch| epoch.cipher.is(room.key, &room.epoch));
        let opened = if let Some(epoch) = ours {
            epoch.cipher.open(room.nonce, prefix, key.as_bytes(), scratch)
        } else {
            let (cipher, kept) = self.other(&live.keyset, &room)?;
            let opened = cipher.open(room.nonce, prefix, key.as_bytes(), scratch);
            if opened.is_some() && !kept {
                self.others.keep(&cipher);
            }
            opened
        };
        match opened {
            Some(len) => Ok(&scratch[..len]),
            None => Err(room::damaged(key)),
        }
    }

    fn sealed_under(&self, envelope: &[u8], header: usize) -> Result<KeyId> {
        // Nothing is opened, so there is no record to name.
        let key = Key::system("envelope")?;
        check_sealed(&key, envelope, header)?;
        Room::read(&key, envelope, header).map(|room| room.key)
    }

    fn primary(&self) -> KeyId {
        self.live.load().keyset.primary()
    }

    fn protection(&self) -> Protection {
        self.protection
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.live.load();
        f.debug_struct("Sealer")
            .field("keys", &live.keyset)
            .field("epochs", &live.epochs)
            .field("nonces", &self.drawing.nonces)
            .finish_non_exhaustive()
    }
}

#[inline]
fn check_sealable(envelope: &[u8], header: usize, room: usize) -> Result<()> {
    let flagged = header <= Envelope::FLAGS
        || envelope.get(Envelope::FLAGS).is_some_and(|flags| flags & Envelope::SEALED != 0);
    if flagged && envelope.len() >= header + room {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Invalid,
        "seal value",
        "the envelope leaves no room for the seal or is not marked as sealed; write its header first",
    ))
}

/// Plaintext under a keyset is refused, whoever wrote it: it may have been put there to be believed.
#[inline]
fn check_sealed(key: &Key, envelope: &[u8], header: usize) -> Result<()> {
    if header > Envelope::FLAGS
        && envelope.get(Envelope::FLAGS).is_some_and(|flags| flags & Envelope::SEALED == 0)
    {
        return Err(Error::new(
            ErrorKind::Downgrade,
            "open value",
            format!("the value of `{key}` is plaintext in an encrypted store; write it again, or remove it"),
        ));
    }
    Ok(())
}

#[cold]
fn too_long(key: &Key) -> Error {
    Error::new(ErrorKind::TooLarge, "seal value", format!("the value of `{key}` is over 64 GiB; split it"))
}

#[cfg(test)]
mod tests;
