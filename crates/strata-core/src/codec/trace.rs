//! Asking a type what it would read: [`explore`], which runs its `Deserialize` on dummies until nothing new is found.
//!
//! Each run goes into one variant of every enum it meets, preferring one with something left to find. A type that occurs
//! inside itself is cut there, and a value without further recursion is made once one is known. Where the type's own code
//! refuses a dummy, others are tried; where it refuses all, the place is marked and avoided. All of this depends only on the type.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::dummy::{self, Kind};
use super::fault::Fault;
use super::tree::{Head, Place, Tree};

/// The most runs. A type that needs more is told apart by what they found.
const MAX_RUNS: usize = 1024;

/// Explores `T` and hands every value made of dummies to `check`. A fault says that bincode can't give `T` back.
pub(super) fn explore<'de, T: Deserialize<'de>>(
    mut check: impl FnMut(T) -> Result<(), Fault>,
) -> Result<Tree, Fault> {
    let mut run =
        Run { tree: Tree::new(), open: Vec::new(), levels: 0, leaf: None, settled: false, fatal: None };
    for _ in 0..MAX_RUNS {
        run.restart();
        match T::deserialize(run.at(Tree::ROOT)) {
            Ok(value) => check(value)?,
            Err(fault) => run.settle(Tree::ROOT, fault),
        }
        if let Some(fault) = run.fatal {
            return Err(fault);
        }
        if !run.tree.conclude() {
            break;
        }
    }
    Ok(run.tree)
}

/// The state of one run over the tree of all.
struct Run {
    tree: Tree,
    /// The types being read, outermost first.
    open: Vec<Open>,
    /// How many places deep the run is.
    levels: usize,
    /// The scalar fed last.
    leaf: Option<(Place, Kind)>,
    /// The failure that ends this run is understood.
    settled: bool,
    /// The type can't be read at all.
    fatal: Option<Fault>,
}

/// A type being read. Its visitor's name tells it from others; it is not part of the shape.
struct Open {
    visitor: &'static str,
    /// `None` for a newtype, which has no form of its own.
    head: Option<Head>,
    place: Place,
    levels: usize,
}

impl Run {
    fn restart(&mut self) {
        self.open.clear();
        (self.levels, self.leaf, self.settled) = (0, None, false);
    }

    fn at(&mut self, place: Place) -> Tracer<'_> {
        Tracer { run: self, place, replay: false }
    }

    /// Notes why reading at `place` failed, unless that is known from further inside.
    fn settle(&mut self, place: Place, fault: Fault) {
        if fault != Fault::Refused {
            self.fatal =
                self.fatal.or(Some(fault).filter(|fault| matches!(fault, Fault::Untyped | Fault::Ill)));
        } else if !self.settled {
            self.tree.refuse(place, self.leaf);
        }
        self.settled = true;
    }
}

/// Feeds dummies to one place.
struct Tracer<'r> {
    run: &'r mut Run,
    place: Place,
    /// Nothing new is noted: a value is made of what is known.
    replay: bool,
}

/// Feeds dummies to the parts of one compound.
struct Parts<'r> {
    run: &'r mut Run,
    replay: bool,
    next: Place,
    end: Place,
    /// Elements or keys not fed yet.
    left: usize,
}

impl Tracer<'_> {
    /// Notes a scalar and gives the dummy to feed.
    fn scalar(&mut self, kind: Kind) -> Result<usize, Fault> {
        let head = Head::Leaf(kind);
        let found = if self.replay {
            self.run.tree.find(self.place, head)
        } else {
            self.run.tree.note(self.place, head)
        };
        found.ok_or(Fault::Deep)?;
        self.run.leaf = Some((self.place, kind));
        // Another form of the place may have more dummies than this one.
        Ok(self.run.tree.dummy(self.place).min(kind.dummies() - 1))
    }

    /// If the visitor's type is open already, notes that and goes on where it began, replaying.
    fn recur(mut self, visitor: &'static str, head: Option<Head>) -> Result<Self, Fault> {
        let open = self.run.open.iter().find(|open| open.visitor == visitor && open.head == head);
        if let Some(open) = open.filter(|_| !self.replay) {
            let (place, levels) = (open.place, self.run.levels - open.levels);
            self.run.tree.note(self.place, Head::Again { place, levels });
            if !self.run.tree.is_finite(place) {
                return Err(Fault::Deep);
            }
            (self.place, self.replay) = (place, true);
        }
        Ok(self)
    }

    /// Reads a compound by `visit`, which is given its parts.
    fn compound<'de, V: Visitor<'de>>(
        self,
        head: Head,
        visitor: V,
        visit: impl FnOnce(V, Parts<'_>) -> Result<V::Value, Fault>,
    ) -> Result<V::Value, Fault> {
        let name = std::any::type_name::<V>();
        let Self { run, place, replay } = self.recur(name, Some(head))?;
        let first = if replay { run.tree.find(place, head) } else { run.tree.note(place, head) };
        let first = first.ok_or(Fault::Deep)?;
        let mark = run.open.len();
        if !replay {
            run.open.push(Open { visitor: name, head: Some(head), place, levels: run.levels });
        }
        run.levels += 1;
        let width = head.width();
        let result =
            visit(visitor, Parts { run: &mut *run, replay, next: first, end: first + width, left: width });
        run.levels -= 1;
        run.open.truncate(mark);
        result
    }
}

impl Parts<'_> {
    /// Feeds the next part.
    fn part<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let place = self.next;
        if place == self.end {
            return Err(Fault::Deep);
        }
        self.next += 1;
        // A scalar before this part is not to blame for a failure inside it.
        let before = self.run.leaf.take();
        let result = seed.deserialize(Tracer { run: self.run, place, replay: self.replay });
        match &result {
            Ok(_) => self.run.leaf = self.run.leaf.or(before),
            Err(fault) => self.run.settle(place, *fault),
        }
        result
    }

    /// Whether to feed an element: not while replaying, nor where none can be made.
    fn wants_element(&self) -> bool {
        !self.replay && !(self.next..self.end).any(|place| self.run.tree.is_dead(place))
    }

    /// The parts of a sequence or map: one element or none.
    fn elements(mut self) -> Self {
        self.left = usize::from(self.wants_element());
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
                let index = self.scalar(Kind::$kind)?;
                visitor.$visit(dummy::number(index))
            }
        )*
    };
}

macro_rules! scalars {
    ($($method:ident $visit:ident $kind:ident $dummy:expr;)*) => {
        $(
            fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
                let index = self.scalar(Kind::$kind)?;
                visitor.$visit($dummy(index))
            }
        )*
    };
}

macro_rules! untyped {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
                Err(Fault::Untyped)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Fault;

    numbers! {
        deserialize_i8 visit_i8 I8
        deserialize_i16 visit_i16 I16
        deserialize_i32 visit_i32 I32
        deserialize_i64 visit_i64 I64
        deserialize_i128 visit_i128 I128
        deserialize_u8 visit_u8 U8
        deserialize_u16 visit_u16 U16
        deserialize_u32 visit_u32 U32
        deserialize_u64 visit_u64 U64
        deserialize_u128 visit_u128 U128
    }

    scalars! {
        deserialize_bool visit_bool Bool |index| index == 0;
        deserialize_f32 visit_f32 F32 dummy::float;
        deserialize_f64 visit_f64 F64 |index| f64::from(dummy::float(index));
        deserialize_char visit_char Char dummy::char;
        deserialize_str visit_borrowed_str Str dummy::text;
        deserialize_string visit_borrowed_str Str dummy::text;
        deserialize_bytes visit_borrowed_bytes Bytes dummy::bytes;
        deserialize_byte_buf visit_borrowed_bytes Bytes dummy::bytes;
    }

    untyped! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        self.scalar(Kind::Unit)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let name = std::any::type_name::<V>();
        let Self { run, place, replay } = self.recur(name, None)?;
        let mark = run.open.len();
        if !replay {
            run.open.push(Open { visitor: name, head: None, place, levels: run.levels });
        }
        let result = visitor.visit_newtype_struct(Tracer { run: &mut *run, place, replay });
        run.open.truncate(mark);
        result
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.compound(Head::Option, visitor, |visitor, mut parts| {
            if parts.wants_element() { parts.part(Inner(visitor)) } else { visitor.visit_none() }
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.compound(Head::Seq, visitor, |visitor, parts| visitor.visit_seq(parts.elements()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.compound(Head::Map, visitor, |visitor, parts| visitor.visit_map(parts.elements()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.compound(Head::Tuple(len), visitor, |visitor, parts| visitor.visit_seq(parts))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.compound(Head::Struct(fields), visitor, |visitor, parts| visitor.visit_seq(parts))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.compound(Head::Enum(variants), visitor, |visitor, parts| visitor.visit_enum(parts))
    }
}

/// Hands what is inside an option to its visitor.
struct Inner<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Inner<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(deserializer)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.part(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        self.part(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de, 'r> EnumAccess<'de> for Parts<'r> {
    type Error = Fault;
    type Variant = Tracer<'r>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Tracer<'r>), Fault> {
        let Self { run, replay, next, left, .. } = self;
        let index = run.tree.variant(next, left, replay).ok_or(Fault::Deep)?;
        let place = next + index;
        run.leaf = None;
        let number = u32::try_from(index).map_err(|_| Fault::Deep)?;
        match seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(number)) {
            Ok(value) => Ok((value, Tracer { run, place, replay })),
            Err(fault) => {
                run.settle(place, fault);
                Err(fault)
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Tracer<'_> {
    type Error = Fault;

    fn unit_variant(mut self) -> Result<(), Fault> {
        self.scalar(Kind::Unit).map(drop)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let Self { run, place, replay } = self;
        seed.deserialize(Tracer { run: &mut *run, place, replay })
            .inspect_err(|&fault| run.settle(place, fault))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.compound(Head::Struct(fields), visitor, |visitor, parts| visitor.visit_seq(parts))
    }
}
