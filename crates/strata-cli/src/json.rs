//! JSON that is kept as it was written or refused: [`parse`]. A number that does not fit, or a name that occurs twice in one
//! object, would otherwise be changed or dropped without a word.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why a text is no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is no JSON.
    NotJson,
    /// It is JSON that would be changed by storing it; the sentence names the way out.
    Changed(&'static str),
}

const TWICE: &str = "an object has a name twice, of which only one value would be kept; give each name once, or quote the whole as a JSON string";
const BIG: &str = "an integer beyond 64 bits would be rounded; write it as a JSON string";
const BEYOND: &str =
    "a number is too large, or lists and objects are nested over 128 deep; quote it as a JSON string";

/// Parses a value. Integers of up to 64 bits are exact; numbers with a fraction or an exponent are the nearest `f64`.
pub(crate) fn parse(text: &str) -> Result<Value, Refusal> {
    match serde_json::from_str::<Exact>(text) {
        Ok(Exact(value)) if integers_fit(text.as_bytes()) => Ok(value),
        Ok(_) => Err(Refusal::Changed(BIG)),
        // What is JSON to somebody who keeps nothing of it failed for a reason of ours.
        Err(_) if serde_json::from_str::<IgnoredAny>(text).is_err() => Err(Refusal::NotJson),
        Err(error) if error.is_data() => Err(Refusal::Changed(TWICE)),
        Err(_) => Err(Refusal::Changed(BEYOND)),
    }
}

/// Whether every integer in valid JSON fits into 64 bits, with or without a sign.
pub(crate) fn integers_fit(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(start) = rest.iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')) {
        rest = &rest[start..];
        let length = if rest[0] == b'"' { string(rest) } else { number(rest) };
        let (token, after) = rest.split_at(length);
        if !fits(token) {
            return false;
        }
        rest = after;
    }
    true
}

/// The length of the string that the text begins with, its quotes included.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// The length of the number that the text begins with.
fn number(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        .unwrap_or(text.len())
}

fn fits(token: &[u8]) -> bool {
    if token[0] == b'"' || token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return true;
    }
    let text = std::str::from_utf8(token).unwrap_or_default();
    text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok()
}

/// A value whose objects have each name once.
pub(crate) struct Exact(pub(crate) Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder).map(Self)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Exact(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((name, Exact(value))) = object.next_entry::<String, Exact>()? {
            if values.insert(name, value).is_some() {
                // The name may be a secret as much as a value.
                return Err(A::Error::custom("duplicate field in an object of the value"));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_kept_is_what_was_written() {
        for (text, value) in [
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("[0.1,1e3,-0.5,null,true]", json!([0.1, 1000.0, -0.5, null, true])),
            ("{\"a\":{\"b\":1},\"b\":{\"b\":2}}", json!({ "a": { "b": 1 }, "b": { "b": 2 } })),
            (
                "\"18446744073709551616 \\\" 99999999999999999999\"",
                json!("18446744073709551616 \" 99999999999999999999"),
            ),
            ("\"a\\\\\"", json!("a\\")),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_would_be_changed_is_refused() {
        for (text, why) in [
            ("18446744073709551616", BIG),
            ("-9223372036854775809", BIG),
            ("{\"a\":[\"x\\\"\",123456789012345678901234567890]}", BIG),
            ("{\"a\":1,\"a\":2}", TWICE),
            ("[{\"b\":{\"a\":1,\"a\":1}}]", TWICE),
            ("1e400", BEYOND),
            (&format!("{}{}", "[".repeat(200), "]".repeat(200)), BEYOND),
        ] {
            assert_eq!(parse(text), Err(Refusal::Changed(why)), "{text}");
        }
        for text in ["", "{a", "{\"a\":1,\"a\":2", "1 2", "hello"] {
            assert_eq!(parse(text), Err(Refusal::NotJson), "{text}");
        }
    }
}
