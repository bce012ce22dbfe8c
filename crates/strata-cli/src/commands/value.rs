//! `get`, `set` and `rm`: one value.

use std::io::Read as _;

use serde_json::{Value, json};
use strata::{Codec, Lifetime, Strata};

use super::list::codec;
use super::missing;
use crate::args::{Life, Set};
use crate::failure::Failure;
use crate::json::{self, Refusal};
use crate::output::Out;

/// The longest value read from standard input, in bytes; the handle's own limit is lower and says so.
const MAX_INPUT: u64 = 4 << 20;

/// Prints a value: strings as they are, other JSON as JSON, bincode as what it is.
pub(crate) async fn get(db: &Strata, key: &str, out: &mut Out) -> Result<(), Failure> {
    let info = db.info(key).await?.ok_or_else(|| missing(key))?;
    if info.codec != Codec::Json {
        let value = json!({ "codec": codec(info.codec), "size": info.size });
        let text =
            format!("<{} value, {} bytes stored; read it with its type>", codec(info.codec), info.size);
        return out.either(&value, text);
    }
    let value: Value = db.peek(key).await?.ok_or_else(|| missing(key))?;
    match &value {
        Value::String(text) if !out.json => out.line(text),
        value => out.object(value),
    }
}

/// Stores a value and says its version.
pub(crate) async fn set(db: &Strata, set: &Set, out: &mut Out) -> Result<(), Failure> {
    let value = parse(input(&set.value)?)?;
    let mut save = db.set_as(Codec::Json, &set.key, &value);
    if let Some(life) = lifetime(&set.life) {
        save = save.lifetime(life);
    }
    for tag in &set.tags {
        save = save.tag(tag);
    }
    if set.if_absent {
        save = save.if_absent();
    }
    if let Some(version) = set.if_version {
        save = save.if_version(version);
    }
    let version = save.await?;
    let object = json!({ "key": set.key, "version": version.get() });
    out.either(&object, format!("set {} (version {version})", set.key))
}

/// Removes values and says which were there.
pub(crate) async fn rm(db: &Strata, keys: &[String], out: &mut Out) -> Result<(), Failure> {
    let mut gone = Vec::new();
    for key in keys {
        let removed = db.remove(key).await?;
        if !removed {
            gone.push(format!("`{key}`"));
        }
        let text = if removed { format!("removed {key}") } else { format!("not there {key}") };
        // A reader that leaves now leaves keys that are not removed.
        out.either(&json!({ "key": key, "removed": removed }), text).map_err(Failure::amid)?;
    }
    match gone.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::NotFound(format!("{one} is not there"))),
        many => Err(Failure::NotFound(format!("{} are not there", many.join(", ")))),
    }
}

/// The life that was asked for, if any was.
pub(crate) fn lifetime(life: &Life) -> Option<Lifetime> {
    let mut lifetime = match (life.ttl, life.sliding) {
        (None, _) if life.expire_at.is_none() => return None,
        (None, _) => Lifetime::FOREVER,
        (Some(ttl), false) => Lifetime::ttl(ttl),
        (Some(idle), true) => Lifetime::idle(idle),
    };
    if let Some(instant) = life.expire_at {
        lifetime = lifetime.with_until(instant);
    }
    Some(lifetime)
}

/// The text itself, or standard input for `-`.
fn input(value: &str) -> Result<String, Failure> {
    if value != "-" {
        return Ok(value.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_INPUT)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Io("can't read the value from standard input", error))?;
    Ok(text)
}

/// Valid JSON is that; other text is a string. JSON that would be changed is refused.
fn parse(text: String) -> Result<Value, Failure> {
    match json::parse(&text) {
        Ok(value) => Ok(value),
        Err(Refusal::NotJson) => Ok(Value::String(text)),
        Err(Refusal::Changed(why)) => Err(Failure::Usage(format!("the value can't be kept as it is: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_json_and_other_text_a_string() {
        for (text, value) in [
            ("7", json!(7)),
            ("{\"a\":[1]}", json!({ "a": [1] })),
            ("\"7\"", json!("7")),
            ("hello", json!("hello")),
            ("{a", json!("{a")),
            ("", json!("")),
        ] {
            assert_eq!(parse(text.to_owned()).expect(text), value, "{text}");
        }
    }

    #[test]
    fn a_life_is_fixed_sliding_or_unmentioned() {
        let hour = std::time::Duration::from_hours(1);
        let until = strata::Timestamp::MAX;
        let life = |ttl, sliding, expire_at| lifetime(&Life { ttl, sliding, expire_at });
        assert_eq!(life(None, false, None), None);
        assert_eq!(life(Some(hour), false, None), Some(Lifetime::ttl(hour)));
        assert_eq!(life(Some(hour), true, None), Some(Lifetime::idle(hour)));
        assert_eq!(life(Some(hour), true, Some(until)), Some(Lifetime::idle(hour).with_until(until)));
        assert_eq!(life(None, false, Some(until)), Some(Lifetime::until(until)));
    }
}
