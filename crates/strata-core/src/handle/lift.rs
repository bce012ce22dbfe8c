//! Values taken up whole, whatever their type, to be laid down elsewhere: [`Lifted`]. What moves another's data stands on it.

use std::fmt;

use super::Handle;
use super::pipe::Scratch;
use super::read::check_shape;
use super::write::Set;
use crate::codec::{Codec, Shape, Value};
use crate::error::Result;
use crate::expiry::Expiry;
use crate::key::Tags;
use crate::lifetime::Lifetime;
use crate::record::Version;

/// A living value as it was found, with its expiry and tags. Holds the value in plaintext; wiped when dropped.
pub struct Lifted {
    codec: Codec,
    shape: Shape,
    body: Scratch,
    expiry: Expiry,
    tags: Tags,
    version: Version,
}

impl Handle {
    /// The living value under `name`, whatever its type. No activity.
    pub async fn lift(&self, name: &str) -> Result<Option<Lifted>> {
        let key = self.key(name)?;
        let now = self.pipe.now();
        let Some(record) = self.pipe.live(&key, now).await? else { return Ok(None) };
        let mut scratch = Scratch::take();
        let Some(opened) = self.pipe.open(&key, &record, now, &mut scratch)? else { return Ok(None) };
        let (header, mut body) = (opened.header, Scratch::take());
        body.0.extend_from_slice(opened.body);
        Ok(Some(Lifted {
            codec: header.codec,
            shape: header.shape,
            body,
            expiry: header.effective(record.expiry),
            tags: record.tags,
            version: record.version,
        }))
    }

    /// Stores a lifted value under `name`, sealed for its new place, with the tags it had. Its life goes on: a deadline and a cap
    /// stay where they were; an idle time starts anew, for moving is activity. The builder can say otherwise.
    pub fn lay<'h>(&'h self, name: &str, lifted: &Lifted) -> Set<'h> {
        let life = Lifetime::continuing(lifted.expiry, self.pipe.now());
        let draft = self.pipe.draft_encoded(lifted.codec, lifted.shape, &lifted.body.0);
        let set = Set::of_draft(self, name, draft).lifetime(life).untagged();
        lifted.tags.iter().fold(set, |set, tag| set.tag(tag.as_str()))
    }
}

impl Lifted {
    /// Decodes it; [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) as a type of another shape.
    pub fn decode<T: Value>(&self) -> Result<T> {
        check_shape(self.shape, self.codec.shape_of::<T>()?, std::any::type_name::<T>())?;
        self.codec.decode(&self.body.0)
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.body.0
    }

    /// How they are encoded.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// When it will end, its sealed cap taken into account.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Its tags.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The version it was found in.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Lifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifted")
            .field("codec", &self.codec)
            .field("bytes", &self.body.0.len())
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}
