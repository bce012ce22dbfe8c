//! Values leaving and entering whole: `export`, `import`, and `reseal` (the same value under the current key).

use serde::{Deserialize, Serialize};

use super::Handle;
use super::modify::{ATTEMPTS, contended, yield_now};
use super::pipe::Scratch;
use super::select::Selection;
use super::walk::Walk;
use crate::batch::{Batch, Guard, Keep, Op, Write};
use crate::codec::{Codec, Shape};
use crate::envelope::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, Tag, Tags};
use crate::record::{Record, Version};
use crate::seal::KeyId;
use crate::time::Timestamp;

/// One record on its way between stores.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The whole name, namespaces included: a sealed body opens only under it.
    pub key: String,
    /// The value.
    pub body: Body,
    /// When this life of it began, in milliseconds since the epoch. For people; an import starts a new life.
    pub created: u64,
    /// Its deadline in milliseconds since the epoch, its idle time in milliseconds (zero for none), its cap; `u64::MAX` for
    /// none.
    pub expiry: [u64; 3],
    /// Its tags.
    pub tags: Vec<String>,
}

/// The value of an [`Exported`] record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A whole envelope, sealed under the key the export named.
    Sealed(Vec<u8>),
    /// Encoded bytes that anybody can read, with their codec and shape.
    Plain {
        /// [`Codec::id`].
        codec: u8,
        /// [`Shape::get`].
        shape: u32,
        /// The encoded value.
        bytes: Vec<u8>,
    },
}

impl std::fmt::Debug for Exported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exported").field("key", &self.key).field("body", &self.body).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sealed(bytes) => write!(f, "Sealed({} bytes)", bytes.len()),
            Self::Plain { bytes, .. } => write!(f, "Plain({} bytes)", bytes.len()),
        }
    }
}

/// How the values of an export are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    Sealed(Option<KeyId>),
    Plaintext,
}

/// What an import did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// Stored in this version.
    Stored(Version),
    /// Left out, for it had died already.
    Expired,
}

/// What [`Handle::reseal`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resealed {
    /// Sealed anew under the primary key.
    Moved,
    /// It was under the primary key.
    Current,
    /// It is not there any more.
    Gone,
}

/// Records being exported, one by one.
#[derive(Debug)]
#[must_use = "an export does nothing until it is read"]
pub struct Export<'h> {
    handle: &'h Handle,
    walk: WalkDebug<'h>,
    wrap: Wrap,
}

struct WalkDebug<'h>(Walk<'h>);

impl std::fmt::Debug for WalkDebug<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Walk")
    }
}

impl<'h> Selection<'h> {
    /// The selected records with their values sealed under `key`, or under the primary key. Only a keyset with that key opens
    /// them. On a handle without keys: [`ErrorKind::Unsupported`]; ask for plaintext by name.
    pub fn export_sealed(self, key: Option<KeyId>) -> Export<'h> {
        Export { handle: self.handle(), walk: WalkDebug(self.walk()), wrap: Wrap::Sealed(key) }
    }

    /// The selected records with their values readable by anybody.
    pub fn export_plaintext(self) -> Export<'h> {
        Export { handle: self.handle(), walk: WalkDebug(self.walk()), wrap: Wrap::Plaintext }
    }
}

impl Export<'_> {
    /// The next record. One that cannot be opened yields its error; the export goes on.
    pub async fn next(&mut self) -> Option<Result<Exported>> {
        loop {
            let (key, record) = match self.walk.0.next().await? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            match self.handle.wrap(&key, &record, self.wrap) {
                Ok(None) => {}
                Ok(Some(exported)) => return Some(Ok(exported)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Handle {
    /// The living record under `key`, a whole name, with its value readable by anybody, and the version it was found in. No activity.
    pub async fn export_plaintext(&self, key: &Key) -> Result<Option<(Exported, Version)>> {
        let Some(record) = self.pipe.live(key, self.pipe.now()).await? else { return Ok(None) };
        Ok(self.wrap(key, &record, Wrap::Plaintext)?.map(|exported| (exported, record.version)))
    }

    fn wrap(&self, key: &Key, record: &Record, wrap: Wrap) -> Result<Option<Exported>> {
        let mut scratch = Scratch::take();
        let Some(opened) = self.pipe.open(key, record, self.pipe.now(), &mut scratch)? else {
            return Ok(None);
        };
        let Header { codec, shape, not_after, .. } = opened.header;
        let body = match wrap {
            Wrap::Plaintext => {
                Body::Plain { codec: codec.id(), shape: shape.get(), bytes: opened.body.to_vec() }
            }
            Wrap::Sealed(_) if self.pipe.seal.is_none() => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "export",
                    "this handle has no keys to seal the export with; ask for a plaintext export by name",
                ));
            }
            Wrap::Sealed(with) => {
                let draft = self.pipe.draft_encoded(codec, shape, opened.body)?;
                Body::Sealed(self.pipe.seal(with, key, draft, not_after)?.as_bytes().to_vec())
            }
        };
        Ok(Some(Exported {
            key: key.as_str().to_owned(),
            body,
            created: record.created.as_millis(),
            expiry: opened.header.effective(record.expiry).to_words(),
            tags: record.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        }))
    }

    /// Stores an exported record under its own name, with its expiry and tags, sealed as this handle seals. Under
    /// [`Guard::Any`] it replaces what is there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] or [`ErrorKind::Gone`] when `guard` does not hold; what opening a sealed body reports;
    /// [`ErrorKind::Invalid`] for names, tags or codecs that cannot be; [`ErrorKind::Invalid`] for a name outside this
    /// namespace.
    pub async fn import(&self, record: &Exported, guard: Guard) -> Result<Imported> {
        let name = record.key.strip_prefix(&*self.prefix).ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "import",
                format!(
                    "`{}` is not of the namespace `{}`; import it through the root handle",
                    record.key, self.prefix
                ),
            )
        })?;
        let key = self.key(name)?;
        let now = self.pipe.now();
        let Some(op) = self.import_op(key, record, guard, now)? else { return Ok(Imported::Expired) };
        let committed = self.pipe.commit(Batch::one(now, self.pipe.durability, op)).await?;
        Ok(Imported::Stored(committed.outcomes[0].after.expect("a put has a version")))
    }

    /// What stores an exported record, sealed as this handle seals; `None` if it has died.
    pub(super) fn import_op(
        &self,
        key: Key,
        record: &Exported,
        guard: Guard,
        now: Timestamp,
    ) -> Result<Option<Op>> {
        let tags = record.tags.iter().map(|tag| Tag::new(tag)).collect::<Result<Vec<_>>>()?;
        let mut scratch = Scratch::take();
        let (header, body) = self.unwrap(&key, &record.body, &mut scratch)?;
        // The cap in a sealed body is authenticated; the words beside it are not.
        let expiry = header.effective(Expiry::from_foreign(record.expiry)?);
        if expiry.is_dead(now) {
            return Ok(None);
        }
        let draft = self.pipe.draft_encoded(header.codec, header.shape, body)?;
        let payload = self.pipe.seal(None, &key, draft, expiry.not_after())?;
        let write = Write::Put { payload, expiry: Keep::Set(expiry), tags: Keep::Set(Tags::new(tags)?) };
        Ok(Some(Op { key, guard, write }))
    }

    fn unwrap<'s>(&self, key: &Key, body: &'s Body, scratch: &'s mut Scratch) -> Result<(Header, &'s [u8])> {
        match body {
            Body::Plain { codec, shape, bytes } => {
                let header = Header {
                    codec: Codec::from_id(*codec)?,
                    sealed: false,
                    shape: Shape::new(*shape),
                    not_after: None,
                };
                if (header.codec == Codec::Json) != (header.shape == Shape::NONE) {
                    return Err(Error::new(
                        ErrorKind::Invalid,
                        "import",
                        "JSON has no shape and every other codec has one; nobody could read this value again",
                    ));
                }
                Ok((header, bytes))
            }
            Body::Sealed(envelope) => {
                let header = Header::read(key, envelope)?;
                let seal = self.pipe.seal.as_ref().ok_or_else(|| {
                    Error::new(
                        ErrorKind::MissingKey,
                        "import",
                        "the record is sealed and this handle has no keys; open the store with the keyset of the export",
                    )
                })?;
                Ok((header, seal.open(key, envelope, Header::LEN, &mut scratch.0)?))
            }
        }
    }

    /// Seals the value under `key` (a whole name) anew under the primary key, if it is under another. Value, expiry and
    /// tags stay; nothing is announced. For rekeying, which walks the store. A dead record counts as gone.
    pub async fn reseal(&self, key: &Key) -> Result<Resealed> {
        let Some(seal) = &self.pipe.seal else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "reseal",
                "this handle has no keys; open the store with them",
            ));
        };
        for _ in 0..ATTEMPTS {
            let now: Timestamp = self.pipe.now();
            let Some(record) = self.pipe.live(key, now).await? else { return Ok(Resealed::Gone) };
            let envelope = record.payload.as_bytes();
            let header = Header::read(key, envelope)?;
            if header.sealed && seal.sealed_under(envelope, Header::LEN)? == seal.primary() {
                return Ok(Resealed::Current);
            }
            let payload = {
                let mut scratch = Scratch::take();
                let Some(opened) = self.pipe.open(key, &record, now, &mut scratch)? else {
                    return Ok(Resealed::Gone);
                };
                let draft = self.pipe.draft_encoded(header.codec, header.shape, opened.body)?;
                self.pipe.seal(None, key, draft, header.not_after)?
            };
            let write = Write::Put { payload, expiry: Keep::Keep, tags: Keep::Keep };
            let op = Op { key: key.clone(), guard: Guard::Version(record.version), write };
            match self.pipe.engine().commit(Batch::one(now, self.pipe.durability, op)).await {
                Ok(_) => return Ok(Resealed::Moved),
                Err(error) if error.kind() == ErrorKind::Gone => return Ok(Resealed::Gone),
                // Whoever changed it sealed it under the primary key; look again.
                Err(error) if error.kind() == ErrorKind::Conflict => yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Err(contended("reseal", key))
    }
}
