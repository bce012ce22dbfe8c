//! The lines of exports and imports, one record in JSON each: [`Line`], either what `export` writes and `import` brings back
//! whole, or a value as people write it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use strata::{Body, Codec, Durability, Error, ErrorKind, Exported, Lifetime, Result, Shape};

use crate::json::{Exact, integers_fit};
use crate::words;

/// What an import line may hold. Exactly one of `value`, `sealed` and `bincode` says what is stored.
#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Line {
    pub(crate) key: String,
    /// JSON.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
    /// A sealed envelope, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// A value in bincode, in base64, with the shape of its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    bincode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<u32>,
    /// Absent in a line of a person's: tags stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<Vec<String>>,
    /// Expiry as `export` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    /// Expiry as a person writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durability: Option<String>,
    /// `true`: the key is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    remove: Option<bool>,
    /// Lines that are committed together or not at all.
    #[serde(deserialize_with = "members", skip_serializing_if = "Option::is_none")]
    batch: Option<Vec<Line>>,
}

/// The words of an expiry, in milliseconds; instants since 1970. What is not there is none.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Words {
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
}

/// `null` is a value, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Exact::deserialize(deserializer).map(|Exact(value)| Some(value))
}

/// The lines of a batch: objects, as lines are.
fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Line>>, D::Error> {
    struct Member(Line);
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Line;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, words: A) -> Result<Line, A::Error> {
            Line::deserialize(MapAccessDeserializer::new(words))
        }
    }

    impl<'de> Deserialize<'de> for Member {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Object).map(Self)
        }
    }

    let members = Vec::<Member>::deserialize(deserializer)?;
    Ok(Some(members.into_iter().map(|Member(line)| line).collect()))
}

/// What one line asks for, in one commit.
pub(crate) enum Job {
    /// A change of one key.
    One(String, Record),
    /// Changes of several.
    Batch(Vec<(String, Record)>),
}

impl Job {
    /// The keys that are changed.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::One(key, _) => vec![key.clone()],
            Self::Batch(members) => members.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}

/// What a line asks for.
pub(crate) enum Record {
    /// A value to be stored like any other.
    Value { value: Value, life: Option<Lifetime>, tags: Option<Vec<String>>, durability: Option<Durability> },
    /// A record to be brought back as it was.
    Exported(Exported),
    /// Nothing is to be there.
    Remove,
}

impl Line {
    /// The line that brings `record` back.
    pub(crate) fn of(record: Exported) -> Result<Self> {
        let [deadline, idle, not_after] = record.expiry;
        let some = |word: u64, none: u64| (word != none).then_some(word);
        let expiry = Words {
            deadline: some(deadline, u64::MAX),
            idle: some(idle, 0),
            not_after: some(not_after, u64::MAX),
        };
        let mut line = Self {
            key: record.key,
            tags: Some(record.tags),
            expiry: Some(expiry),
            created: Some(record.created),
            ..Self::default()
        };
        match record.body {
            Body::Sealed(envelope) => line.sealed = Some(STANDARD.encode(envelope)),
            Body::Plain { codec, bytes, .. } if codec == Codec::Json.id() => {
                line.value = Some(Codec::Json.decode(&bytes)?);
            }
            Body::Plain { codec, shape, bytes } if codec == Codec::Bincode.id() => {
                line.bincode = Some(STANDARD.encode(bytes));
                line.shape = Some(shape);
            }
            Body::Plain { codec, .. } => {
                return Err(Codec::from_id(codec).err().unwrap_or_else(|| unknown(codec)));
            }
        }
        Ok(line)
    }

    /// Reads a line.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        // serde would take a list for the words in their order.
        if text.trim_ascii_start().first() == Some(&b'[') {
            return Err(invalid("the line is a list; write an object such as {\"key\":\"k\",\"value\":1}"));
        }
        // The place of a mistake helps; the text around it, which may be a value, is not shown.
        let line: Self = serde_json::from_slice(text).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => format!("{}", Shown(&error)),
                _ => format!("no JSON at column {}", error.column()),
            };
            invalid(format!("the line is no record ({what})"))
        })?;
        if !integers_fit(text) {
            return Err(invalid(
                "the line has an integer beyond 64 bits, which would be rounded; write it as a string",
            ));
        }
        Ok(line)
    }

    /// What it asks for.
    pub(crate) fn job(mut self) -> Result<Job> {
        let Some(members) = self.batch.take() else {
            return self.read().map(|(key, record)| Job::One(key, record));
        };
        if self.says_more() || self.remove.is_some() || !self.key.is_empty() {
            return Err(invalid("a batch has no other words beside it; write them into its lines"));
        }
        let members = members.into_iter().map(|line| match line.read()? {
            (_, Record::Exported(_)) => {
                Err(invalid("an exported record can't be part of a batch; give it a line of its own"))
            }
            member => Ok(member),
        });
        members.collect::<Result<_>>().map(Job::Batch)
    }

    /// Whether there is any word but `key`, `remove` and `batch`.
    fn says_more(&self) -> bool {
        let texts = [
            &self.sealed,
            &self.bincode,
            &self.ttl,
            &self.idle,
            &self.at_most,
            &self.expire_at,
            &self.durability,
        ];
        let others = self.value.is_some() || self.shape.is_some() || self.tags.is_some();
        others || self.expiry.is_some() || self.created.is_some() || texts.iter().any(|word| word.is_some())
    }

    /// What a line of one key asks for, and of which.
    fn read(self) -> Result<(String, Record)> {
        if self.batch.is_some() {
            return Err(invalid("a batch can't be part of a batch; write its lines into the outer one"));
        }
        match self.remove {
            Some(true) if !self.says_more() => return Ok((self.key, Record::Remove)),
            Some(_) => return Err(invalid("a removal is `{\"key\":\"k\",\"remove\":true}` and no more")),
            None => {}
        }
        let bodies = [self.value.is_some(), self.sealed.is_some(), self.bincode.is_some()];
        if bodies.iter().filter(|there| **there).count() != 1 {
            return Err(invalid("the line needs exactly one of `value`, `sealed` and `bincode`"));
        }
        if self.sealed.is_some() || self.bincode.is_some() || self.expiry.is_some() {
            return self.exported();
        }
        let life = self.life()?;
        let durability = self.durability.as_deref().map(durability).transpose()?;
        // One of the three is there, and it is neither of the other two.
        let value = self.value.unwrap_or_default();
        Ok((self.key, Record::Value { value, life, tags: self.tags, durability }))
    }

    fn exported(self) -> Result<(String, Record)> {
        if [&self.ttl, &self.idle, &self.at_most, &self.expire_at, &self.durability]
            .iter()
            .any(|word| word.is_some())
        {
            return Err(invalid(
                "an exported record has its life in `expiry`; remove the other words about it",
            ));
        }
        let Words { deadline, idle, not_after } =
            self.expiry.ok_or_else(|| invalid("an exported record needs its `expiry`; `{}` is none"))?;
        let body = match (self.value, self.sealed, self.bincode) {
            (Some(value), _, _) => {
                Body::Plain { codec: Codec::Json.id(), shape: Shape::NONE.get(), bytes: encode(&value)? }
            }
            (_, Some(envelope), _) => Body::Sealed(bytes("sealed", &envelope)?),
            (_, _, bincode) => Body::Plain {
                codec: Codec::Bincode.id(),
                shape: self.shape.ok_or_else(|| invalid("a value in bincode needs its `shape`"))?,
                bytes: bytes("bincode", &bincode.unwrap_or_default())?,
            },
        };
        let exported = Exported {
            key: self.key.clone(),
            body,
            created: self.created.unwrap_or_default(),
            expiry: [deadline.unwrap_or(u64::MAX), idle.unwrap_or(0), not_after.unwrap_or(u64::MAX)],
            tags: self.tags.unwrap_or_default(),
        };
        Ok((self.key, Record::Exported(exported)))
    }

    fn life(&self) -> Result<Option<Lifetime>> {
        let span = |word: &Option<String>| {
            word.as_deref().map(|text| words::duration(text).map_err(invalid)).transpose()
        };
        let (ttl, idle, at_most) = (span(&self.ttl)?, span(&self.idle)?, span(&self.at_most)?);
        let until =
            self.expire_at.as_deref().map(|text| words::instant(text).map_err(invalid)).transpose()?;
        if ttl.is_none() && idle.is_none() && at_most.is_none() && until.is_none() {
            return Ok(None);
        }
        let mut life = Lifetime::FOREVER;
        life = ttl.map_or(life, |ttl| life.with_ttl(ttl));
        life = idle.map_or(life, |idle| life.with_idle(idle));
        life = at_most.map_or(life, |cap| life.at_most(cap));
        life = until.map_or(life, |until| life.with_until(until));
        Ok(Some(life))
    }
}

/// A mistake in a line without the value it may quote: serde quotes texts and numbers it did not expect.
struct Shown<'e>(&'e serde_json::Error);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        let what = if text.starts_with("unknown field") || text.starts_with("duplicate field") {
            text.split(',').next().unwrap_or_default().to_owned()
        } else {
            format!("a word of the wrong type at column {}", self.0.column())
        };
        f.write_str(&what)
    }
}

fn encode(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Codec::Json.encode(value, &mut bytes, usize::MAX)?;
    Ok(bytes)
}

fn bytes(word: &str, text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| invalid(format!("`{word}` is not base64")))
}

fn durability(text: &str) -> Result<Durability> {
    match text {
        "relaxed" => Ok(Durability::Relaxed),
        "process" => Ok(Durability::Process),
        "power" => Ok(Durability::Power),
        _ => Err(invalid("`durability` is `relaxed`, `process` or `power`")),
    }
}

fn unknown(codec: u8) -> Error {
    Error::new(ErrorKind::Newer, "export", format!("codec {codec} has no form here; upgrade this program"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "read line", message)
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
