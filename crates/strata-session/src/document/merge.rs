//! Three-way merge: [`merge`], a pure function of what both sides agreed on, what each made of it, and the policies.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Number, Value};

use super::path::{MAX_DEPTH, Path};
use super::policy::{Policies, Policy};
use super::tree::Document;
use super::wire::Seen;

/// The three documents of a merge, and what is known of when values were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'s> {
    pub(super) base: &'s Document,
    pub(super) local: &'s Document,
    pub(super) server: &'s Document,
    /// What the author of local edits knew, where it was less than `known`.
    pub(super) edited: &'s [Seen],
    /// The count of the revision that the base is of.
    pub(super) known: u64,
    /// What the authors of the server's values knew.
    pub(super) written: &'s [Seen],
}

/// What a document becomes that was `base` when client and server last agreed, and is `local` here and `server` there by now.
///
/// What one side alone has changed or removed since the base is that side's. Where both did, the [`Policies`] say. Of equals under
/// [`Policy::Latest`] the local one is the latest, for it is the one still to come.
pub fn merge(base: &Document, local: &Document, server: &Document, policies: &Policies) -> Document {
    Sides { base, local, server, edited: &[], known: 0, written: &[] }.merged(policies)
}

impl Sides<'_> {
    /// The merged document.
    pub(super) fn merged(&self, policies: &Policies) -> Document {
        let Self { base, local, server, .. } = self;
        let walk = Walk { sides: self, policies };
        Document(walk.members(&mut Vec::new(), [Some(&base.0), Some(&local.0), Some(&server.0)]))
    }

    /// Whether the local side of a conflict is the later one.
    fn local_is_latest(&self, place: &[String]) -> bool {
        let newest = |stamps: &[Seen]| {
            let path = Path::checked(place);
            stamps.iter().filter(|stamp| stamp.path.meets(&path)).map(|stamp| stamp.count).max()
        };
        newest(self.edited).unwrap_or(self.known) >= newest(self.written).unwrap_or(0)
    }
}

/// The part of `base` that is to be compared with a server's answer: what the answer has, or says to be gone. What it is silent about
/// counts as never agreed on, so that its absence removes nothing.
pub(super) fn agreed(base: &Document, server: &Document, gone: &[Path]) -> Document {
    let gone = gone.iter().map(Path::segments).collect();
    Document(known(&mut Vec::new(), &base.0, Some(&server.0), &gone))
}

fn known(
    at: &mut Vec<String>,
    base: &Map<String, Value>,
    server: Option<&Map<String, Value>>,
    gone: &HashSet<&[String]>,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in base {
        at.push(name.clone());
        let there = server.and_then(|members| members.get(name));
        let keep = match (value, there) {
            _ if gone.contains(at.as_slice()) => Some(value.clone()),
            (Value::Object(inner), Some(Value::Object(there))) if at.len() < MAX_DEPTH => {
                Some(Value::Object(known(at, inner, Some(there), gone)))
            }
            (value, Some(_)) => Some(value.clone()),
            (Value::Object(inner), None) if at.len() < MAX_DEPTH => {
                let inner = known(at, inner, None, gone);
                (!inner.is_empty()).then_some(Value::Object(inner))
            }
            (_, None) => None,
        };
        at.pop();
        if let Some(value) = keep {
            kept.insert(name.clone(), value);
        }
    }
    kept
}

type Members = Map<String, Value>;

struct Walk<'w> {
    sides: &'w Sides<'w>,
    policies: &'w Policies,
}

/// One place in each of the three.
#[derive(Clone, Copy)]
struct Place<'v> {
    base: Option<&'v Value>,
    local: Option<&'v Value>,
    server: Option<&'v Value>,
}

impl Walk<'_> {
    fn members(&self, at: &mut Vec<String>, [base, local, server]: [Option<&Members>; 3]) -> Members {
        let mut merged = Map::new();
        let names: BTreeSet<&String> = local.into_iter().chain(server).flat_map(Map::keys).collect();
        for name in names {
            at.push(name.clone());
            let [base, local, server] = [base, local, server].map(|members| members?.get(name));
            if let Some(value) = self.place(at, Place { base, local, server }) {
                merged.insert(name.clone(), value);
            }
            at.pop();
        }
        merged
    }

    fn place(&self, at: &mut Vec<String>, place: Place<'_>) -> Option<Value> {
        let Place { base, local, server } = place;
        if base == local {
            return server.cloned();
        }
        if base == server {
            return local.cloned();
        }
        let policy = self.policies.of(at);
        if let Policy::Custom(custom) = policy {
            return custom(base, local, server);
        }
        if let Some(members) = place.objects() {
            let merged = self.members(at, members);
            let both = place.local.is_some() && place.server.is_some();
            return (both || !merged.is_empty()).then_some(Value::Object(merged));
        }
        self.leaf(at, policy, place)
    }

    fn leaf(&self, at: &[String], policy: &Policy, place: Place<'_>) -> Option<Value> {
        let Place { local, server, .. } = place;
        // Two that added the same have added twice; two that wrote the same agree.
        if local == server && !matches!(policy, Policy::Sum) {
            return server.cloned();
        }
        let latest = || if self.sides.local_is_latest(at) { local.cloned() } else { server.cloned() };
        match policy {
            Policy::LocalWins => local.cloned(),
            Policy::Latest => latest(),
            Policy::Set => place.union().map_or_else(latest, Some),
            Policy::Sum => place.numbers().map_or_else(|| server.cloned(), sum),
            Policy::ServerWins | Policy::Custom(_) => server.cloned(),
        }
    }
}

impl<'v> Place<'v> {
    /// The members of all three where they are to be merged name by name. A side that removed the whole object removed each of its
    /// members.
    fn objects(self) -> Option<[Option<&'v Members>; 3]> {
        let base = self.base.and_then(Value::as_object);
        let side = |value: Option<&'v Value>| match value {
            Some(value) => value.as_object().map(Some),
            None => base.map(|_| None),
        };
        Some([base, side(self.local)?, side(self.server)?])
    }

    /// The server's items that were not removed here, and then those added here.
    fn union(self) -> Option<Value> {
        let items = |value: Option<&'v Value>| {
            value.map_or(Some(&[][..]), |value| value.as_array().map(Vec::as_slice))
        };
        let [base, local, server] =
            [items(self.base).unwrap_or_default(), items(self.local)?, items(self.server)?];
        let names = |items: &[Value]| items.iter().map(Value::to_string).collect::<HashSet<_>>();
        let (in_base, in_local, in_server) = (names(base), names(local), names(server));
        let kept = server.iter().map(|item| (item, item.to_string()));
        let kept = kept.filter(|(_, name)| in_local.contains(name) || !in_base.contains(name));
        let added = local.iter().map(|item| (item, item.to_string()));
        let added = added.filter(|(_, name)| !in_base.contains(name) && !in_server.contains(name));
        let mut told = HashSet::new();
        let all = kept.chain(added).filter(|(_, name)| told.insert(name.clone()));
        let all: Vec<Value> = all.map(|(item, _)| item.clone()).collect();
        let removed = all.is_empty() && (self.local.is_none() || self.server.is_none());
        (!removed).then_some(Value::Array(all))
    }

    /// What is there of each, if all of it is numbers.
    fn numbers(self) -> Option<[Option<&'v Number>; 3]> {
        let number = |value: Option<&'v Value>| match value {
            Some(value) => value.as_number().map(Some),
            None => Some(None),
        };
        Some([number(self.base)?, number(self.local)?, number(self.server)?])
    }
}

/// The base and both differences. A removal stands.
fn sum([base, local, server]: [Option<&Number>; 3]) -> Option<Value> {
    Some(Value::Number(added(base, local?, server?)))
}

fn added(base: Option<&Number>, local: &Number, server: &Number) -> Number {
    let whole = |number: &Number| number.as_i128();
    if let (Some(base), Some(local), Some(server)) =
        (base.map_or(Some(0), whole), whole(local), whole(server))
    {
        let sum = (server + local - base).clamp(i64::MIN.into(), i64::MAX.into());
        return i64::try_from(sum).map_or(Number::from(0), Number::from);
    }
    let part = |number: &Number| number.as_f64().unwrap_or(0.0);
    let sum = part(server) + (part(local) - base.map_or(0.0, part));
    Number::from_f64(sum.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| server.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(value: Value) -> Document {
        Document::try_from(value).expect("a document")
    }

    /// The merge of three documents.
    fn merged(policies: &Policies, base: Value, local: Value, server: Value) -> Value {
        merge(&document(base), &document(local), &document(server), policies).into()
    }

    fn path(text: &str) -> Path {
        Path::parse(text).expect("a path")
    }

    #[test]
    fn what_one_side_changed_is_its_own_under_every_policy() {
        for policy in [Policy::ServerWins, Policy::LocalWins, Policy::Latest, Policy::Set, Policy::Sum] {
            let policies = Policies::everywhere(policy);
            let of = |local, server| {
                merged(&policies, json!({"a": 1, "b": 2, "c": {"d": 3, "e": 4}}), local, server)
            };
            let local = json!({"a": 5, "c": {"d": 3, "e": 6}});
            let server = json!({"a": 1, "b": 2, "c": {"e": 4}, "f": 7});
            assert_eq!(of(local, server), json!({"a": 5, "c": {"e": 6}, "f": 7}), "{policies:?}");
        }
    }

    #[test]
    fn conflicts_go_by_the_longest_path() {
        let policies = Policies::default()
            .at("user.nick", Policy::LocalWins)
            .and_then(|policies| policies.at("hits", Policy::Sum))
            .and_then(|policies| policies.at("tags", Policy::Set))
            .expect("policies");
        let base = json!({"user": {"name": "a", "nick": "a"}, "ui": {"theme": "a"}, "authorship": "a", "hits": 10, "tags": [1, 2, 3]});
        let local = json!({"user": {"name": "l", "nick": "l"}, "ui": {"theme": "l"}, "authorship": "l", "hits": 13, "tags": [1, 3, 4]});
        let server = json!({"user": {"name": "s", "nick": "s"}, "ui": {"theme": "s"}, "authorship": "s", "hits": 15, "tags": [5, 1, 2]});
        let end = json!({"user": {"name": "s", "nick": "l"}, "ui": {"theme": "l"}, "authorship": "l", "hits": 18, "tags": [5, 1, 4]});
        assert_eq!(merged(&policies, base, local, server), end);
    }

    #[test]
    fn removals_stand_against_everything_but_a_winning_change() {
        let base = || json!({"ui": {"a": 1, "b": 2}, "user": {"a": 1, "b": 2}});
        let of = |local, server| merged(&Policies::default(), base(), local, server);
        let gone = json!({});
        assert_eq!(of(gone.clone(), base()), gone);
        assert_eq!(of(base(), gone.clone()), gone);
        let changed = json!({"ui": {"a": 1, "b": 3}, "user": {"a": 1, "b": 3}});
        assert_eq!(
            of(changed.clone(), gone.clone()),
            json!({"ui": {"b": 3}}),
            "local changed, the server removed"
        );
        assert_eq!(of(gone, changed), json!({"user": {"b": 3}}), "the other way round");
        let sums = Policies::everywhere(Policy::Sum);
        assert_eq!(merged(&sums, json!({"n": 1}), json!({}), json!({"n": 2})), json!({}));
    }

    #[test]
    fn objects_and_leaves_in_one_place() {
        let policies = Policies::everywhere(Policy::LocalWins);
        let of = |base, local, server| merged(&policies, base, local, server);
        assert_eq!(
            of(json!({}), json!({"a": {"b": 1}}), json!({"a": {"c": 2}})),
            json!({"a": {"b": 1, "c": 2}})
        );
        assert_eq!(of(json!({"a": 1}), json!({"a": {"b": 1}}), json!({"a": 2})), json!({"a": {"b": 1}}));
        assert_eq!(of(json!({"a": 1}), json!({}), json!({"a": {"b": 1}})), json!({}));
        assert_eq!(
            of(json!({"a": {"b": 1}}), json!({"a": {}}), json!({"a": {"b": 1, "c": 2}})),
            json!({"a": {"c": 2}})
        );
        assert_eq!(of(json!({"a": {"b": 1}}), json!({"a": {}}), json!({})), json!({}));
    }

    #[test]
    fn sums_end_where_integers_do() {
        let sums = Policies::everywhere(Policy::Sum);
        let of = |base: Value, local: Value, server: Value| {
            merged(&sums, json!({"n": base}), json!({"n": local}), json!({"n": server}))["n"].clone()
        };
        assert_eq!(of(json!(0), json!(i64::MAX), json!(5)), json!(i64::MAX));
        assert_eq!(of(json!(0), json!(i64::MIN), json!(-5)), json!(i64::MIN));
        assert_eq!(of(json!(0), json!(u64::MAX), json!(u64::MAX - 1)), json!(i64::MAX));
        assert_eq!(of(json!(0.5), json!(1.0), json!(2.5)), json!(3.0));
        assert_eq!(of(json!(0.0), json!(f64::MAX), json!(f64::MAX / 2.0)), json!(f64::MAX));
        assert_eq!(of(json!(1), json!("x"), json!(3)), json!(3), "no number: the server's");
        assert_eq!(merged(&sums, json!({}), json!({"n": 3}), json!({"n": 4})), json!({"n": 7}));
        assert_eq!(of(json!(1), json!(3), json!(3)), json!(5), "both added two");
    }

    #[test]
    fn the_latest_knew_the_newest_revision() {
        let (base, local, server) = (json!({"a": 0}), json!({"a": 1}), json!({"a": 2}));
        let (base, local, server) = (document(base), document(local), document(server));
        let at = |count| [Seen { path: path("a"), count }];
        let of = |edited: &[Seen], known, written: &[Seen]| {
            let sides = Sides { base: &base, local: &local, server: &server, edited, known, written };
            Value::from(sides.merged(&Policies::default()))["a"].clone()
        };
        assert_eq!(of(&[], 5, &at(9)), 2, "made when 5 was the newest, the other when 9 was");
        assert_eq!(of(&[], 9, &at(5)), 1);
        assert_eq!(of(&[], 7, &at(7)), 1, "of equals the one that comes last");
        assert_eq!(of(&at(3), 9, &at(5)), 2, "an old edit is not made newer by waiting");
    }

    #[test]
    fn closures_have_the_whole_place() {
        let longest = Policy::custom(|_, local, server| {
            let length = |value: Option<&Value>| value.and_then(Value::as_object).map_or(0, Map::len);
            if length(local) > length(server) { local.cloned() } else { server.cloned() }
        });
        let policies = Policies::default().at("cart", longest).expect("policies");
        let of = |local, server| merged(&policies, json!({"cart": {"a": 1}}), local, server);
        assert_eq!(
            of(json!({"cart": {"b": 1, "c": 1}}), json!({"cart": {"d": 1}})),
            json!({"cart": {"b": 1, "c": 1}})
        );
        assert_eq!(of(json!({"cart": {"b": 1}}), json!({})), json!({"cart": {"b": 1}}));
    }

    /// *Not again*: a field absent in an answer wipes the local one.
    #[test]
    fn silence_is_no_removal() {
        let base = document(json!({"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 4}}));
        let server = document(json!({"b": {"c": 9}}));
        let of = |gone: &[&str]| {
            let gone: Vec<Path> = gone.iter().map(|text| path(text)).collect();
            Value::from(merge(&agreed(&base, &server, &gone), &base, &server, &Policies::default()))
        };
        assert_eq!(of(&[]), json!({"a": 1, "b": {"c": 9, "d": 3}, "e": {"f": 4}}));
        assert_eq!(of(&["a", "e.f"]), json!({"b": {"c": 9, "d": 3}}));
        assert_eq!(of(&["b", "e"]), json!({"a": 1, "b": {"c": 9}}));
    }
}
