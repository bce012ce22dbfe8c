//! Names by tag: [`TagIndex`]. Touched only when the tags of a record change.

use std::cmp::Ordering;

use parking_lot::RwLock;
use strata_core::{Tag, Tags};

use super::{Names, seen};
use crate::name::Name;
use crate::sorted::Sorted;

/// Every pair of a tag and a name that carries it. A tag is here as its hash: that halves an entry, and finding a place
/// among a million costs no look at any tag's text. Two tags with one hash only make a walk look at records it then
/// passes over.
#[derive(Default)]
pub(crate) struct TagIndex {
    pairs: RwLock<Sorted<Tagged>>,
    hasher: ahash::RandomState,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Tagged {
    tag: u64,
    name: Name,
}

impl Tagged {
    fn order(&self, tag: u64, name: &Name) -> Ordering {
        self.tag.cmp(&tag).then_with(|| self.name.cmp(name))
    }
}

impl TagIndex {
    /// Files a name that carried `old` under `new` instead. Tags that stay are not touched.
    #[inline]
    pub(crate) fn change(&self, name: &Name, old: &Tags, new: &Tags) {
        if old != new {
            self.refile(name, old, new);
        }
    }

    fn refile(&self, name: &Name, old: &Tags, new: &Tags) {
        let hashes = |tags: &Tags| tags.iter().map(|tag| self.hash(tag)).collect::<Vec<_>>();
        let (old, new) = (hashes(old), hashes(new));
        let mut pairs = self.pairs.write();
        for &tag in old.iter().filter(|tag| !new.contains(tag)) {
            pairs.remove(|other| other.order(tag, name));
        }
        for &tag in new.iter().filter(|tag| !old.contains(tag)) {
            pairs.insert(Tagged { tag, name: name.clone() });
        }
    }

    /// The number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.pairs.read().len()
    }

    /// Whether a name is filed under a tag.
    pub(crate) fn contains(&self, tag: &Tag, name: &Name) -> bool {
        let tag = self.hash(tag);
        self.pairs.read().contains(|other| other.order(tag, name))
    }

    /// Names that may have a tag, behind `after`: their records have to be looked at.
    pub(crate) fn page(&self, tag: &Tag, after: Option<&[u8]>, limit: usize) -> Names {
        let tag = self.hash(tag);
        let pairs = self.pairs.read();
        let before = |pair: &Tagged| match pair.tag.cmp(&tag) {
            Ordering::Less => true,
            Ordering::Equal => seen(&pair.name, after),
            Ordering::Greater => false,
        };
        let names = pairs.from(before).take_while(|pair| pair.tag == tag).map(|pair| &pair.name);
        Names::take(names, limit)
    }

    fn hash(&self, tag: &Tag) -> u64 {
        self.hasher.hash_one(tag.as_str())
    }
}
