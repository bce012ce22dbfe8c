//! Globs over keys: [`Pattern`].

use std::fmt;

use crate::error::Result;
use crate::key::{Key, KeyPrefix};

/// A glob: `*` is any text, `?` one character, `\` takes the next character as it is. It matches whole keys.
///
/// What stands before the first wildcard is a literal prefix that stores answer by their index; the rest is filtered at
/// the handle, so a walk costs what the prefix selects, not what the glob does. Matching takes time proportional to
/// pattern times key at worst, never more.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
    prefix: KeyPrefix,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Token {
    Text,
    One,
    Exactly(char),
}

impl Pattern {
    /// Parses a glob. Control characters and more than 512 bytes are [`ErrorKind::Invalid`](crate::ErrorKind::Invalid).
    pub fn new(glob: &str) -> Result<Self> {
        KeyPrefix::new(glob)?;
        let mut tokens = Vec::with_capacity(glob.len());
        let mut characters = glob.chars();
        while let Some(character) = characters.next() {
            let token = match character {
                '*' => Token::Text,
                '?' => Token::One,
                '\\' => Token::Exactly(characters.next().unwrap_or('\\')),
                other => Token::Exactly(other),
            };
            // Two stars in a row are one.
            if token != Token::Text || tokens.last() != Some(&Token::Text) {
                tokens.push(token);
            }
        }
        let literal: String = tokens
            .iter()
            .map_while(|token| if let Token::Exactly(character) = token { Some(*character) } else { None })
            .collect();
        Ok(Self { text: glob.to_owned(), tokens, prefix: KeyPrefix::new(&literal)? })
    }

    /// The pattern of every key.
    pub fn all() -> Self {
        Self { text: "*".to_owned(), tokens: vec![Token::Text], prefix: KeyPrefix::all() }
    }

    /// The literal text before the first wildcard.
    pub fn literal_prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// Whether `key` matches.
    pub fn matches(&self, key: &Key) -> bool {
        self.prefix.matches(key) && self.matches_text(key.as_str())
    }

    /// Whether `text` matches: one pass, returning to the last star on a mismatch.
    pub(crate) fn matches_text(&self, text: &str) -> bool {
        let (mut token, mut rest) = (0, text);
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let next = rest.chars().next();
            match (self.tokens.get(token), next) {
                (Some(Token::Text), _) => {
                    retry = Some((token, rest));
                    token += 1;
                }
                (Some(Token::One), Some(character)) => {
                    token += 1;
                    rest = &rest[character.len_utf8()..];
                }
                (Some(Token::Exactly(wanted)), Some(character)) if *wanted == character => {
                    token += 1;
                    rest = &rest[character.len_utf8()..];
                }
                (None, None) => return true,
                _ => {
                    // The last star takes one character more.
                    let Some((star, from)) = retry else { return false };
                    let Some(character) = from.chars().next() else { return false };
                    rest = &from[character.len_utf8()..];
                    retry = Some((star, rest));
                    token = star + 1;
                }
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_keys() {
        for (glob, yes, no) in [
            ("*", vec!["a", "a:b"], vec![]),
            ("cart:*", vec!["cart:ada", "cart::"], vec!["cart", "carts:a", "xcart:a"]),
            ("a?c", vec!["abc", "aéc"], vec!["ac", "abbc"]),
            ("*ab*ab", vec!["abab", "xababab"], vec!["ab", "ababa"]),
            ("a\\*b", vec!["a*b"], vec!["axb"]),
            ("user:*:cart", vec!["user:1:cart", "user:a:b:cart"], vec!["user:cart"]),
            ("plain", vec!["plain"], vec!["plain2"]),
        ] {
            let pattern = Pattern::new(glob).expect(glob);
            for key in yes {
                assert!(pattern.matches(&Key::new(key).expect("key")), "{glob} should match {key}");
            }
            for key in no {
                assert!(!pattern.matches(&Key::new(key).expect("key")), "{glob} should not match {key}");
            }
        }
        assert_eq!(Pattern::new("user:*:x").expect("glob").literal_prefix().as_str(), "user:");
        assert!(Pattern::new("a\nb").is_err());
    }

    #[test]
    fn s38_a_hostile_glob_costs_no_more_than_pattern_times_key() {
        let pattern = Pattern::new(&"*a".repeat(100)).expect("glob");
        assert!(!pattern.matches_text(&"a".repeat(99)));
        assert!(pattern.matches_text(&"a".repeat(511)));
        assert!(!pattern.matches_text(&format!("{}b", "a".repeat(500))));
    }
}
