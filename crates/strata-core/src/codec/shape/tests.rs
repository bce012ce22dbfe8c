//! What shapes tell apart, what they don't, and what is refused while they are traced.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI8, NonZeroU64};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize};

use super::*;
use crate::codec::Codec;
use crate::error::ErrorKind;

fn shape<'de, T: Deserialize<'de>>() -> Shape {
    Codec::Bincode.shape_of_borrowed::<T>().expect("shape")
}

fn refusal<T: Value>() -> String {
    let error = Codec::Bincode.shape_of::<T>().expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("`Codec::Json`"), "{error}");
    assert!(error.message().contains(type_name::<T>()), "{error}");
    error.message().to_owned()
}

macro_rules! types {
    ($($item:item)*) => {
        $(#[derive(Serialize, Deserialize)] #[allow(dead_code)] $item)*
    };
}

types! {
    struct User { id: String, seen: u64, tags: Vec<String>, raw: Vec<u8> }
    struct UserRef<'a> { #[serde(borrow)] id: &'a str, seen: u64, #[serde(borrow)] tags: Vec<&'a str>, raw: &'a [u8] }
    struct Renamed { id: String, seen_at: u64, tags: Vec<String>, raw: Vec<u8> }
    struct Swapped { seen: u64, id: String, tags: Vec<String>, raw: Vec<u8> }
    struct Longer { id: String, seen: u64, tags: Vec<String>, raw: Vec<u8>, more: bool }
    struct Wrapped(Box<User>);
    enum Plain { A, B, C }
    enum Reordered { A, C, B }
    enum Grown { A, B, C, D }
    enum Holding { A, B(u64), C { x: i8 } }
    enum HoldingSigned { A, B(i64), C { x: i8 } }
    enum HoldingOther { A, B(u64), C { y: i8 } }
    enum Inner { P, Q(u32) }
    enum InnerSigned { P, Q(i32) }
    enum Outer { A, B { deep: Option<Vec<Inner>> } }
    enum OuterSigned { A, B { deep: Option<Vec<InnerSigned>> } }
    struct Chain { next: Option<Box<Chain>>, value: u64 }
    struct ChainSigned { next: Option<Box<ChainSigned>>, value: i64 }
    struct Node { children: Vec<Node>, value: u64 }
    struct NodeRef { children: Vec<NodeRef>, value: u64 }
    struct NodeSigned { children: Vec<NodeSigned>, value: i64 }
    struct Forest(Vec<Forest>);
    enum Expr { Add(Box<Expr>, Box<Expr>, u64), Not(Box<Expr>), Lit(i64) }
    enum ExprSigned { Add(Box<ExprSigned>, Box<ExprSigned>, i64), Not(Box<ExprSigned>), Lit(i64) }
    struct Even { b: Option<Box<Odd>>, x: u8 }
    struct Odd { a: HashMap<String, Even>, y: u16 }
    struct Endless { me: Box<Endless>, after: u8 }
    enum Never {}
    struct Checked { before: u8, port: NonZeroU64, after: Duration, at: SystemTime, ip: IpAddr, to: SocketAddr }
    #[serde(tag = "t", content = "c")]
    enum Adjacent { A(u64), B(String) }
    struct Defaulted { a: u8, #[serde(skip)] cache: u64, b: u8 }
    struct Bare { a: u8, b: u8 }
}

#[test]
fn types_that_bincode_would_confuse_have_different_shapes() {
    let all = [
        shape::<u8>(),
        shape::<u16>(),
        shape::<u32>(),
        shape::<u64>(),
        shape::<u128>(),
        shape::<i8>(),
        shape::<i16>(),
        shape::<i32>(),
        shape::<i64>(),
        shape::<i128>(),
        shape::<f32>(),
        shape::<f64>(),
        shape::<bool>(),
        shape::<char>(),
        shape::<()>(),
        shape::<String>(),
        shape::<Vec<u8>>(),
        shape::<Vec<i8>>(),
        shape::<Vec<u64>>(),
        shape::<Option<u8>>(),
        shape::<Option<Option<u8>>>(),
        shape::<(u64, u64)>(),
        shape::<(i64, i64)>(),
        shape::<(u64, u64, u64)>(),
        shape::<((u64, u64), u64)>(),
        shape::<[u8; 4]>(),
        shape::<BTreeMap<u8, u8>>(),
        shape::<BTreeMap<u8, i8>>(),
        shape::<Vec<(u8, u8)>>(),
        shape::<Result<u8, u8>>(),
        shape::<User>(),
        shape::<Renamed>(),
        shape::<Swapped>(),
        shape::<Longer>(),
        shape::<Plain>(),
        shape::<Reordered>(),
        shape::<Grown>(),
        shape::<Holding>(),
        shape::<HoldingSigned>(),
        shape::<HoldingOther>(),
        shape::<Outer>(),
        shape::<OuterSigned>(),
        shape::<Chain>(),
        shape::<ChainSigned>(),
        shape::<Node>(),
        shape::<NodeSigned>(),
        shape::<Forest>(),
        shape::<Expr>(),
        shape::<ExprSigned>(),
        shape::<Even>(),
        shape::<Odd>(),
        shape::<Endless>(),
        shape::<Never>(),
        shape::<Bare>(),
    ];
    for (index, one) in all.iter().enumerate() {
        assert_ne!(*one, Shape::NONE);
        assert_eq!(all[index + 1..].iter().position(|other| other == one), None, "{one} at {index}");
    }
}

#[test]
fn twins_have_one_shape() {
    assert_eq!(shape::<User>(), shape::<UserRef<'_>>());
    assert_eq!(shape::<User>(), shape::<Wrapped>());
    assert_eq!(shape::<User>(), shape::<Box<User>>());
    assert_eq!(shape::<Node>(), shape::<NodeRef>());
    assert_eq!(shape::<String>(), shape::<&str>());
    assert_eq!(shape::<String>(), shape::<Cow<'_, str>>());
    assert_eq!(shape::<Vec<u8>>(), shape::<&[u8]>());
    assert_eq!(shape::<Vec<String>>(), shape::<HashSet<String>>());
    assert_eq!(shape::<HashMap<u8, char>>(), shape::<BTreeMap<u8, char>>());
    assert_eq!(shape::<u64>(), shape::<usize>());
    assert_eq!(shape::<u64>(), shape::<NonZeroU64>());
    assert_eq!(shape::<i8>(), shape::<NonZeroI8>());
    assert_eq!(shape::<Defaulted>(), shape::<Bare>());
}

#[test]
fn shapes_never_change() {
    // On disk. If one of these fails, stored values could no longer be read.
    let shapes = [shape::<u64>(), shape::<User>(), shape::<Holding>(), shape::<Expr>(), shape::<Checked>()];
    assert_eq!(
        shapes.map(Shape::get),
        [3_431_671_053, 1_215_264_217, 181_560_770, 1_159_862_857, 2_887_412_837]
    );
}

#[test]
fn a_shape_is_cached_and_the_same_everywhere() {
    let here = Codec::Bincode.shape_of::<User>().expect("shape");
    assert_eq!(Codec::Bincode.shape_of::<User>().expect("shape"), here);
    assert_eq!(shape::<User>(), here);
    let there =
        std::thread::spawn(|| Codec::Bincode.shape_of::<User>().expect("shape")).join().expect("thread");
    assert_eq!(there, here);
    assert_eq!(format!("{here} {here:?}"), format!("{:08x} Shape({:08x})", here.get(), here.get()));
}

#[test]
fn ordinary_types_are_given_back() {
    fn accepted<T: Value>() {
        Codec::Bincode.shape_of::<T>().unwrap_or_else(|error| panic!("{}: {error}", type_name::<T>()));
    }
    accepted::<User>();
    accepted::<Holding>();
    accepted::<Outer>();
    accepted::<Expr>();
    accepted::<Node>();
    accepted::<Forest>();
    accepted::<Even>();
    accepted::<Endless>();
    accepted::<Never>();
    accepted::<Checked>();
    accepted::<Defaulted>();
    accepted::<Result<Vec<Option<f64>>, char>>();
    accepted::<[u8; 32]>();
    accepted::<std::path::PathBuf>();
    accepted::<std::ops::Range<u8>>();
    accepted::<std::num::Wrapping<i16>>();
    accepted::<std::cell::RefCell<String>>();
}

/// A text that has to be in `ALLOWED`, the way many crates read dates and addresses.
#[derive(Serialize)]
struct Strict<const ALLOWED: usize>(String);

const ALLOWED: [&str; 3] = ["1970-01-01T00:00:00Z", "a@a.example", "nobody would guess this"];

impl<'de, const N: usize> Deserialize<'de> for Strict<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == ALLOWED[N] { Ok(Self(text)) } else { Err(serde::de::Error::custom("not allowed")) }
    }
}

types! {
    struct Dated { at: Strict<0>, by: Strict<1>, count: u64 }
    struct DatedSigned { at: Strict<0>, by: Strict<1>, count: i64 }
    struct Hidden { at: Strict<2>, count: u64 }
    struct HiddenRenamed { at: Strict<2>, number: u64 }
    struct Optional { at: Option<Strict<2>>, many: Vec<Strict<2>>, by: HashMap<u8, Strict<2>>, count: u64 }
    struct OptionalSigned { at: Option<Strict<2>>, many: Vec<Strict<2>>, by: HashMap<u8, Strict<2>>, count: i64 }
    enum Choice { A(Strict<2>), B(u64) }
    enum ChoiceSigned { A(Strict<2>), B(i64) }
}

#[test]
fn validation_is_passed_where_a_dummy_can_and_avoided_where_not() {
    assert_ne!(shape::<Dated>(), shape::<DatedSigned>());
    assert_ne!(shape::<Optional>(), shape::<OptionalSigned>());
    assert_ne!(shape::<Choice>(), shape::<ChoiceSigned>());
    // What comes after a value that can't be guessed is not traced, but the names are known.
    assert_eq!(shape::<Hidden>(), shape::<Hidden>());
    assert_ne!(shape::<Hidden>(), shape::<HiddenRenamed>());
}

#[derive(Deserialize)]
#[serde(try_from = "(u8, u8)")]
struct Ordered;

impl TryFrom<(u8, u8)> for Ordered {
    type Error = &'static str;

    fn try_from((low, high): (u8, u8)) -> Result<Self, &'static str> {
        if low < high { Ok(Self) } else { Err("not in order") }
    }
}

#[test]
fn validation_over_several_fields_is_passed_too() {
    assert_ne!(shape::<(Ordered, u64)>(), shape::<(Ordered, i64)>());
}

/// A format number and then what that format holds.
struct Versioned;

impl<'de> Deserialize<'de> for Versioned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Versioned;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a format and its value")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Versioned, A::Error> {
                match seq.next_element::<Plain>()? {
                    Some(Plain::A) => seq.next_element::<u64>().map(drop),
                    _ => seq.next_element::<String>().map(drop),
                }?;
                Ok(Versioned)
            }
        }
        deserializer.deserialize_tuple(2, Visitor)
    }
}

#[test]
fn types_that_read_by_what_they_have_read_are_traced() {
    assert_eq!(shape::<Versioned>(), shape::<Versioned>());
    assert_ne!(shape::<Versioned>(), shape::<(Plain, u64)>());
    assert_ne!(shape::<Versioned>(), shape::<(Plain, String)>());
}

types! {
    #[serde(untagged)]
    enum Untagged { A(u8), B(String) }
    #[serde(tag = "t")]
    enum Internal { A { x: u8 }, B { x: String } }
    struct Flattened { a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    struct Dynamic { a: Option<serde_json::Value> }
    struct WriteLess { a: u8, #[serde(skip_serializing)] b: u16, c: String }
    struct ReadLess { a: u8, #[serde(skip_deserializing)] b: u16, c: String }
    enum SkippedFirst { #[serde(skip)] Hidden, Guest, Admin }
    enum SkippedLast { Guest, Admin, #[serde(skip)] Hidden }
    struct Holder { list: Vec<Option<SkippedFirst>> }
    struct Tupled(u8, #[serde(skip_serializing_if = "is_one", default)] u16);
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(number: &u16) -> bool {
    *number == 1
}

#[test]
fn what_bincode_could_not_give_back_is_refused_with_the_way_out() {
    assert!(refusal::<Untagged>().contains("untagged"));
    assert!(refusal::<Vec<Internal>>().contains("tagged"));
    refusal::<Adjacent>();
    refusal::<Flattened>();
    refusal::<Dynamic>();
    refusal::<WriteLess>();
    refusal::<ReadLess>();
    refusal::<Tupled>();
    assert!(refusal::<SkippedFirst>().contains("skipped variant"));
    refusal::<Holder>();
    Codec::Bincode.shape_of::<SkippedLast>().expect("numbers agree");
}

/// Reads maps only, though it asks for a struct.
struct MapOnly;

impl<'de> Deserialize<'de> for MapOnly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = MapOnly;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<MapOnly, A::Error> {
                Ok(MapOnly)
            }
        }
        deserializer.deserialize_struct("MapOnly", &["a"], Visitor)
    }
}

#[test]
fn a_type_that_does_not_take_what_it_asks_for_is_refused() {
    let error = Codec::Bincode.shape_of_borrowed::<MapOnly>().expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn reading_another_type_is_told_by_the_shape_though_the_bytes_would_do() {
    let mut bytes = Vec::new();
    Codec::Bincode.encode(&(1_u64, 2_u64), &mut bytes, 99).expect("encode");
    assert_eq!(Codec::Bincode.decode::<(i64, i64)>(&bytes).expect("bincode misreads"), (-1, 1));
    assert_ne!(shape::<(u64, u64)>(), shape::<(i64, i64)>());
}

#[test]
fn types_with_many_places_end() {
    type Ten<T> = (T, T, T, T, T, T, T, T, T, T);
    let wide = shape::<Ten<Ten<Ten<Ten<Plain>>>>>();
    assert_eq!(wide, shape::<Ten<Ten<Ten<Ten<Plain>>>>>());
    assert_ne!(wide, shape::<Ten<Ten<Ten<Ten<Grown>>>>>());
}
