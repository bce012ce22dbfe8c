//! Reading: `get`, `examine`, `peek`, `inspect`, `view`, `contains`, `info`.

use super::Handle;
use super::pipe::{Opened, Scratch};
use crate::codec::{Codec, Shape, Value};
use crate::envelope::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::expiry::Expiry;
use crate::key::{Key, Tags};
use crate::record::{Record, Version};
use crate::seal::KeyId;
use crate::time::Timestamp;

/// What is known of a record without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Its version.
    pub version: Version,
    /// When this life of it began.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// When it dies, the sealed cap taken into account.
    pub expiry: Expiry,
    /// Its tags.
    pub tags: Tags,
    /// The bytes it takes in the store, sealed.
    pub size: usize,
    /// How it is encoded.
    pub codec: Codec,
    /// The key it is sealed under, if it is.
    pub sealed_under: Option<KeyId>,
}

/// An opened value before it is decoded, borrowed for the length of a closure.
#[derive(Clone, Copy)]
pub struct View<'v> {
    pub(super) body: &'v [u8],
    pub(super) codec: Codec,
    pub(super) shape: Shape,
    pub(super) version: Version,
}

impl<'v> View<'v> {
    /// The encoded bytes.
    pub fn bytes(&self) -> &'v [u8] {
        self.body
    }

    /// How they are encoded.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The version of the record.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Decodes into a type that may borrow, such as one with `&str` fields in place of `String`. Its shape is worked out
    /// anew at each call, which costs about as much as the decoding; [`View::bytes`] costs nothing.
    pub fn decode<U: serde::Deserialize<'v>>(&self) -> Result<U> {
        let expected = self.codec.shape_of_borrowed::<U>()?;
        check_shape(self.shape, expected, std::any::type_name::<U>())?;
        self.codec.decode_borrowed(self.body)
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("codec", &self.codec)
            .field("bytes", &self.body.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// The value under `name`, if it lives. Reading a value stored with an idle time counts as activity: its deadline moves
    /// when that gains at least the touch interval, and a failure to write that down does not fail the read.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] for a value of another shape, [`ErrorKind::Corrupt`], [`ErrorKind::MissingKey`],
    /// [`ErrorKind::Downgrade`], and what the store reports.
    pub fn get<'a, T: Value>(&'a self, name: &'a str) -> impl Future<Output = Result<Option<T>>> + 'a {
        self.consider(name, |opened, _| decode(opened))
    }

    /// The value and its version, as [`Handle::get`].
    pub fn get_versioned<'a, T: Value>(
        &'a self,
        name: &'a str,
    ) -> impl Future<Output = Result<Option<(T, Version)>>> + 'a {
        self.consider(name, |opened, record| Ok((decode(opened)?, record.version)))
    }

    /// What `judge` makes of the value under `name`, if it lives. Counts as activity, as `get` does, only when `judge` accepts
    /// it: whoever is refused, such as the bearer of a wrong secret, does not keep the record alive. The refusal is returned.
    pub fn examine<'a, T: Value, R: 'a, E: From<Error> + 'a>(
        &'a self,
        name: &'a str,
        judge: impl FnOnce(T, Version) -> Result<R, E> + 'a,
    ) -> impl Future<Output = Result<Option<R>, E>> + 'a {
        self.consider(name, |opened, record| judge(decode(opened)?, record.version))
    }

    /// As [`Handle::examine`], for whoever is about to change what was read: `judge` is also told when the record dies, before this
    /// reading moves that.
    pub fn examine_expiring<'a, T: Value, R: 'a, E: From<Error> + 'a>(
        &'a self,
        name: &'a str,
        judge: impl FnOnce(T, Version, Expiry) -> Result<R, E> + 'a,
    ) -> impl Future<Output = Result<Option<R>, E>> + 'a {
        self.consider(name, |opened, record| {
            judge(decode(opened)?, record.version, opened.header.effective(record.expiry))
        })
    }

    /// The value under `name` without counting as activity.
    pub async fn peek<T: Value>(&self, name: &str) -> Result<Option<T>> {
        let key = self.key(name)?;
        let now = self.pipe.now();
        match self.pipe.live(&key, now).await? {
            Some(record) => Ok(self.read(&key, &record, now)?),
            None => Ok(None),
        }
    }

    /// The value and its version without counting as activity.
    pub async fn peek_versioned<T: Value>(&self, name: &str) -> Result<Option<(T, Version)>> {
        let key = self.key(name)?;
        let now = self.pipe.now();
        match self.pipe.live(&key, now).await? {
            Some(record) => Ok(self.read(&key, &record, now)?.map(|value| (value, record.version))),
            None => Ok(None),
        }
    }

    /// The value and what is known of its record, from one read. No activity.
    pub async fn inspect<T: Value>(&self, name: &str) -> Result<Option<(T, Info)>> {
        let key = self.key(name)?;
        let now = self.pipe.now();
        match self.pipe.live(&key, now).await? {
            Some(record) => self.inspected(&key, &record, now),
            None => Ok(None),
        }
    }

    /// The value of a living record and what is known of it; `None` if its sealed cap has passed.
    pub(super) fn inspected<T: Value>(
        &self,
        key: &Key,
        record: &Record,
        now: Timestamp,
    ) -> Result<Option<(T, Info)>> {
        let Some(value) = self.read(key, record, now)? else { return Ok(None) };
        Ok(self.describe(key, record, now)?.map(|info| (value, info)))
    }

    /// Looks at the opened value without decoding it into an owned one: several times cheaper than [`Handle::get`] for
    /// records of many small parts. Counts as activity, as `get` does.
    pub fn view<'a, R: 'a>(
        &'a self,
        name: &'a str,
        look: impl FnOnce(View<'_>) -> R + 'a,
    ) -> impl Future<Output = Result<Option<R>>> + 'a {
        self.consider(name, |opened, record| {
            let Header { codec, shape, .. } = opened.header;
            Ok(look(View { body: opened.body, codec, shape, version: record.version }))
        })
    }

    /// Every read that counts as activity: one future, flat and small, for it is the hottest path there is.
    async fn consider<R, E: From<Error>>(
        &self,
        name: &str,
        look: impl FnOnce(&Opened<'_>, &Record) -> Result<R, E>,
    ) -> Result<Option<R>, E> {
        let key = self.key(name)?;
        let now = self.pipe.now();
        let Some(record) = self.pipe.engine().get(&key).await? else { return Ok(None) };
        if record.is_dead(now) {
            return Ok(None);
        }
        let (seen, slide) = {
            let mut scratch = Scratch::take();
            let Some(opened) = self.pipe.open(&key, &record, now, &mut scratch)? else { return Ok(None) };
            (look(&opened, &record)?, self.pipe.slide_due(&opened.header, record.expiry, now))
        };
        if let Some(target) = slide {
            // Boxed, for it is rare and would make every read's future several times as large.
            Box::pin(self.pipe.slide(key, record.version, now, target)).await;
        }
        Ok(Some(seen))
    }

    /// Whether a living value is there. Does not open it and is no activity.
    pub async fn contains(&self, name: &str) -> Result<bool> {
        Ok(self.info(name).await?.is_some())
    }

    /// What is known of a living record without opening it. No activity.
    pub async fn info(&self, name: &str) -> Result<Option<Info>> {
        let key = self.key(name)?;
        let now = self.pipe.now();
        match self.pipe.live(&key, now).await? {
            Some(record) => self.describe(&key, &record, now),
            None => Ok(None),
        }
    }

    /// What is known of `record`, or `None` if its sealed cap has passed.
    pub(super) fn describe(&self, key: &Key, record: &Record, now: Timestamp) -> Result<Option<Info>> {
        let envelope = record.payload.as_bytes();
        let header = Header::read(key, envelope)?;
        let expiry = header.effective(record.expiry);
        let sealed_under = match (&self.pipe.seal, header.sealed) {
            (Some(seal), true) => Some(seal.sealed_under(envelope, Header::LEN)?),
            _ => None,
        };
        Ok((!expiry.is_dead(now)).then(|| Info {
            version: record.version,
            created: record.created,
            updated: record.updated,
            expiry,
            tags: record.tags.clone(),
            size: envelope.len(),
            codec: header.codec,
            sealed_under,
        }))
    }

    /// Opens and decodes a living record; `None` if its sealed cap has passed.
    pub(super) fn read<T: Value>(&self, key: &Key, record: &Record, now: Timestamp) -> Result<Option<T>> {
        let mut scratch = Scratch::take();
        self.pipe.open(key, record, now, &mut scratch)?.map(|opened| decode(&opened)).transpose()
    }
}

/// Decodes an opened value, refusing another shape.
#[inline]
pub(super) fn decode<T: Value>(opened: &Opened<'_>) -> Result<T> {
    let Header { codec, shape, .. } = opened.header;
    check_shape(shape, codec.shape_of::<T>()?, std::any::type_name::<T>())?;
    codec.decode(opened.body)
}

#[inline]
pub(super) fn check_shape(found: Shape, expected: Shape, name: &str) -> Result<()> {
    if found == expected { Ok(()) } else { Err(mismatch(name)) }
}

#[cold]
fn mismatch(name: &str) -> Error {
    Error::new(
        ErrorKind::Mismatch,
        "open value",
        format!(
            "the value was stored as a type of another shape than `{name}`; read it as the type it was stored as, \
             and store types that change over time with `Codec::Json`"
        ),
    )
}
