//! All names in key order, for prefix walks: [`KeyIndex`]. Touched when a record begins or ends, not when it changes.

use parking_lot::RwLock;

use super::{Names, seen};
use crate::name::Name;
use crate::sorted::Sorted;

/// Every name of the store, in order.
#[derive(Default)]
pub(crate) struct KeyIndex(RwLock<Sorted<Name>>);

impl KeyIndex {
    /// Files a name.
    pub(crate) fn add(&self, name: &Name) {
        self.0.write().insert(name.clone());
    }

    /// Takes a name out.
    pub(crate) fn remove(&self, name: &Name) {
        self.0.write().remove(|other| other.cmp(name));
    }

    /// The number of names.
    pub(crate) fn len(&self) -> usize {
        self.0.read().len()
    }

    /// Whether a name is filed.
    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.0.read().contains(|other| other.cmp(name))
    }

    /// Names with a prefix, behind `after`.
    pub(crate) fn page(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Names {
        let set = self.0.read();
        let names = set
            .from(|name| name.as_bytes() < prefix || seen(name, after))
            .take_while(|name| name.as_bytes().starts_with(prefix));
        Names::take(names, limit)
    }
}
