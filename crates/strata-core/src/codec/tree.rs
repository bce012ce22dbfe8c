//! What tracing a type has found so far: [`Tree`], its places and their forms, what to try in the next run, and the hash of it all.
//!
//! A *place* is a position in the type, such as the second field of the third variant. A *form* is what was asked for
//! there. Almost every place has one form; a hand-written `Deserialize` may ask for different ones depending on values read
//! before.

use super::dummy::Kind;

/// The most places that are looked at. A type with more is told apart by the first ones only.
const MAX_PLACES: usize = 4096;

/// The index of a place in the tree.
pub(super) type Place = usize;

/// What a type asks for. Names of types are not part of it: a borrowed twin has another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Leaf(Kind),
    Option,
    Seq,
    Map,
    Tuple(usize),
    Struct(&'static [&'static str]),
    Enum(&'static [&'static str]),
    /// The form at that place, this many levels up, once more.
    Again {
        place: Place,
        levels: usize,
    },
}

impl Head {
    /// How many places it opens.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Leaf(_) | Self::Again { .. } => 0,
            Self::Option | Self::Seq => 1,
            Self::Map => 2,
            Self::Tuple(len) => len,
            Self::Struct(names) | Self::Enum(names) => names.len(),
        }
    }
}

/// One form of a place. Its parts are `width` places from `first` on.
struct Form {
    head: Head,
    first: Place,
    width: usize,
}

impl Form {
    fn parts(&self) -> std::ops::Range<Place> {
        self.first..self.first + self.width
    }
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a place")]
struct Node {
    forms: Vec<Form>,
    /// Which dummy a leaf is given.
    dummy: usize,
    /// All dummies were tried in vain.
    exhausted: bool,
    /// The type's own code refuses whatever it is given here.
    refused: bool,
    /// A value can be made without recursion.
    finite: bool,
    /// No value can be made.
    dead: bool,
    /// Nothing is left to find.
    done: bool,
}

/// What is known of a type.
pub(super) struct Tree {
    nodes: Vec<Node>,
    progress: bool,
}

impl Tree {
    /// The whole type.
    pub(super) const ROOT: Place = 0;

    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()], progress: false }
    }

    /// Notes that `head` was asked for at `place` and gives the first of its parts' places; `None` where the tree is full.
    pub(super) fn note(&mut self, place: Place, head: Head) -> Option<Place> {
        if let Some(first) = self.find(place, head) {
            return Some(first);
        }
        let (first, width) = (self.nodes.len(), head.width());
        if first + width > MAX_PLACES {
            return None;
        }
        self.nodes.resize_with(first + width, Node::default);
        self.nodes[place].forms.push(Form { head, first, width });
        self.progress = true;
        Some(first)
    }

    /// The first part's place of the form `head` at `place`, if it is known.
    pub(super) fn find(&self, place: Place, head: Head) -> Option<Place> {
        self.nodes[place].forms.iter().find(|form| form.head == head).map(|form| form.first)
    }

    /// Which dummy to feed at `place`.
    pub(super) fn dummy(&self, place: Place) -> usize {
        self.nodes[place].dummy
    }

    /// Notes that the value at `place` was refused, the last thing fed there being a leaf of `kind` at `leaf`.
    pub(super) fn refuse(&mut self, place: Place, leaf: Option<(Place, Kind)>) {
        self.progress = true;
        let Some((leaf, kind)) = leaf.filter(|&(leaf, _)| !self.nodes[leaf].exhausted) else {
            self.nodes[place].refused = true;
            return;
        };
        let node = &mut self.nodes[leaf];
        node.dummy += 1;
        if node.dummy == kind.dummies() {
            (node.dummy, node.exhausted) = (0, true);
        }
    }

    /// Whether a value can be made at `place` without recursion.
    pub(super) fn is_finite(&self, place: Place) -> bool {
        self.nodes[place].finite
    }

    /// Whether no value can be made at `place`.
    pub(super) fn is_dead(&self, place: Place) -> bool {
        self.nodes[place].dead
    }

    /// The variant to go into, of an enum whose variants' places are `first` and the `count - 1` after it: one with something left to
    /// find, else one that a value can be made of. Replaying, one that needs no recursion.
    pub(super) fn variant(&self, first: Place, count: usize, replay: bool) -> Option<usize> {
        let nodes = &self.nodes[first..first + count];
        if replay {
            return nodes.iter().position(|node| node.finite);
        }
        nodes.iter().position(|node| !node.done).or_else(|| nodes.iter().position(|node| !node.dead))
    }

    /// Draws the conclusions of a run. Whether another may find more.
    pub(super) fn conclude(&mut self) -> bool {
        // Parts come after their wholes, so that one pass from the end is enough.
        for place in (0..self.nodes.len()).rev() {
            self.nodes[place].finite = self.finite(place);
        }
        for place in (0..self.nodes.len()).rev() {
            self.nodes[place].dead = self.dead(place);
            self.nodes[place].done = self.done(place);
        }
        std::mem::take(&mut self.progress) && !self.nodes[Self::ROOT].done
    }

    fn finite(&self, place: Place) -> bool {
        let node = &self.nodes[place];
        !node.refused
            && node.forms.iter().any(|form| match form.head {
                Head::Again { .. } => false,
                Head::Tuple(_) | Head::Struct(_) => form.parts().all(|part| self.nodes[part].finite),
                Head::Enum(_) => form.parts().any(|part| self.nodes[part].finite),
                _ => true,
            })
    }

    fn dead(&self, place: Place) -> bool {
        let node = &self.nodes[place];
        let dead = |form: &Form| match form.head {
            Head::Again { place, .. } => !self.nodes[place].finite,
            Head::Tuple(_) | Head::Struct(_) => form.parts().any(|part| self.nodes[part].dead),
            Head::Enum(_) => form.parts().all(|part| self.nodes[part].dead),
            _ => false,
        };
        node.refused || (!node.forms.is_empty() && node.forms.iter().all(dead))
    }

    fn done(&self, place: Place) -> bool {
        let node = &self.nodes[place];
        let done = |form: &Form| form.parts().all(|part| self.nodes[part].done);
        node.dead || (!node.forms.is_empty() && node.forms.iter().all(done))
    }

    /// A hash of all that was found, the same on every platform and in every release.
    pub(super) fn hash(&self) -> u64 {
        let mut hash = Fnv::new();
        self.feed(Self::ROOT, &mut hash);
        hash.0
    }

    fn feed(&self, place: Place, hash: &mut Fnv) {
        let node = &self.nodes[place];
        hash.number(node.forms.len());
        hash.byte(u8::from(node.refused));
        for form in &node.forms {
            if form.head == Head::Seq && self.is_byte(form.first) {
                // bincode writes both alike, so that `&[u8]` can be the twin of `Vec<u8>`.
                hash.head(Head::Leaf(Kind::Bytes));
                continue;
            }
            hash.head(form.head);
            form.parts().for_each(|part| self.feed(part, hash));
        }
    }

    fn is_byte(&self, place: Place) -> bool {
        let node = &self.nodes[place];
        !node.refused && matches!(node.forms.as_slice(), [Form { head: Head::Leaf(Kind::U8), .. }])
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn number(&mut self, number: usize) {
        (number as u64).to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    /// The numbers are on disk, inside every shape. They never change.
    fn head(&mut self, head: Head) {
        match head {
            Head::Leaf(kind) => self.byte(kind.number()),
            Head::Option => self.byte(32),
            Head::Seq => self.byte(33),
            Head::Map => self.byte(34),
            Head::Tuple(len) => {
                self.byte(35);
                self.number(len);
            }
            Head::Struct(names) => self.names(36, names),
            Head::Enum(names) => self.names(37, names),
            Head::Again { levels, .. } => {
                self.byte(38);
                self.number(levels);
            }
        }
    }

    fn names(&mut self, tag: u8, names: &[&str]) {
        self.byte(tag);
        self.number(names.len());
        for name in names {
            self.number(name.len());
            name.bytes().for_each(|byte| self.byte(byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_is_fnv_1a() {
        let mut hash = Fnv::new();
        b"foobar".iter().for_each(|&byte| hash.byte(byte));
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_refused_leaf_tries_every_dummy_once_and_then_its_place_is_dead() {
        let mut tree = Tree::new();
        tree.note(Tree::ROOT, Head::Leaf(Kind::Bool));
        let leaf = Some((Tree::ROOT, Kind::Bool));
        for tried in 0..Kind::Bool.dummies() {
            assert_eq!(tree.dummy(Tree::ROOT), tried);
            assert!(!tree.is_dead(Tree::ROOT));
            tree.refuse(Tree::ROOT, leaf);
            tree.conclude();
        }
        tree.refuse(Tree::ROOT, leaf);
        assert!(!tree.conclude(), "a dead root ends the search");
        assert!(tree.is_dead(Tree::ROOT));
    }
}
