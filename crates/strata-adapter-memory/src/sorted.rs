//! An ordered set in blocks: [`Sorted`]. Half of what a B-tree of the standard library costs for one-word items.

use std::cmp::Ordering;

/// The most items of a block: long enough that the blocks' own cost vanishes, short enough to shift items about.
const BLOCK: usize = 256;
/// How many items a block grows by.
const STEP: usize = 16;

/// A set kept in order, as a list of non-empty sorted blocks. Looked into with closures, so that no item is made for a
/// look-up.
pub(crate) struct Sorted<T> {
    blocks: Vec<Vec<T>>,
    /// The first item of each block, side by side: finding a block is most of finding a place.
    firsts: Vec<T>,
    len: usize,
}

impl<T: Ord + Clone> Sorted<T> {
    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item; says whether it was new.
    pub(crate) fn insert(&mut self, item: T) -> bool {
        let home = self.home(|other| other.cmp(&item));
        let last = home + 1 >= self.blocks.len();
        let Some(block) = self.blocks.get_mut(home) else {
            self.append(item);
            self.len = 1;
            return true;
        };
        let Err(at) = block.binary_search(&item) else { return false };
        self.len += 1;
        if at == 0 {
            self.firsts[home] = item.clone();
        }
        if block.len() < BLOCK {
            grow(block);
            block.insert(at, item);
        } else if last && at == BLOCK {
            // Items that arrive in order leave full blocks behind.
            self.append(item);
        } else {
            let mut tail = block.split_off(BLOCK / 2);
            let half = if at <= BLOCK / 2 { &mut *block } else { &mut tail };
            grow(half);
            half.insert(if at <= BLOCK / 2 { at } else { at - BLOCK / 2 }, item);
            block.shrink_to(block.len() + STEP);
            self.firsts.insert(home + 1, tail[0].clone());
            self.blocks.insert(home + 1, tail);
        }
        true
    }

    fn append(&mut self, item: T) {
        self.firsts.push(item.clone());
        self.blocks.push(vec![item]);
    }

    /// Removes the item that `order` calls equal; says whether it was there.
    pub(crate) fn remove(&mut self, order: impl Fn(&T) -> Ordering) -> bool {
        let home = self.home(&order);
        let Some(block) = self.blocks.get_mut(home) else { return false };
        let Ok(at) = block.binary_search_by(&order) else { return false };
        block.remove(at);
        self.len -= 1;
        let Some(first) = block.first() else {
            self.blocks.remove(home);
            self.firsts.remove(home);
            return true;
        };
        if at == 0 {
            self.firsts[home] = first.clone();
        }
        if block.len() < BLOCK / 4 {
            self.tidy(home);
        }
        true
    }

    /// Whether there is an item that `order` calls equal.
    pub(crate) fn contains(&self, order: impl Fn(&T) -> Ordering) -> bool {
        self.blocks.get(self.home(&order)).is_some_and(|block| block.binary_search_by(&order).is_ok())
    }

    /// The items in order, from the first for which `before` is false. `before` holds for a beginning of the set.
    pub(crate) fn from(&self, before: impl Fn(&T) -> bool) -> impl Iterator<Item = &T> {
        let home = self.home(|item| if before(item) { Ordering::Less } else { Ordering::Greater });
        let at = self.blocks.get(home).map_or(0, |block| block.partition_point(&before));
        self.blocks.get(home..).unwrap_or_default().iter().flatten().skip(at)
    }

    /// The only block that can hold what `order` calls equal: the last one that does not begin after it.
    fn home(&self, order: impl Fn(&T) -> Ordering) -> usize {
        self.firsts.partition_point(|first| order(first).is_le()).saturating_sub(1)
    }

    /// Joins a thin block with the one after it where both fit, and gives back what it does not need.
    fn tidy(&mut self, home: usize) {
        let thin = |block: &Vec<T>| block.len() <= BLOCK / 4;
        if self.blocks.get(home + 1).is_some_and(thin) {
            self.firsts.remove(home + 1);
            let next = self.blocks.remove(home + 1);
            self.blocks[home].extend(next);
        }
        let block = &mut self.blocks[home];
        if block.capacity() > block.len() + 4 * STEP {
            block.shrink_to(block.len() + STEP);
        }
    }
}

/// Makes room for one more item, a little at a time.
fn grow<T>(block: &mut Vec<T>) {
    if block.len() == block.capacity() {
        block.reserve_exact(block.len().clamp(2, STEP));
    }
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), firsts: Vec::new(), len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn whole(set: &Sorted<u32>) -> Vec<u32> {
        assert!(set.blocks.iter().all(|block| !block.is_empty() && block.len() <= BLOCK));
        assert!(set.blocks.iter().map(|block| &block[0]).eq(&set.firsts));
        let items: Vec<u32> = set.from(|_| false).copied().collect();
        assert_eq!(items.len(), set.len());
        items
    }

    /// A full-period walk over 0..4096, so that every order is reached without a generator.
    fn scattered() -> impl Iterator<Item = u32> {
        (0..4096_u32).scan(1, |state, _| {
            *state = (*state * 1229 + 577) % 4096;
            Some(*state)
        })
    }

    #[test]
    fn it_is_what_a_tree_set_is() {
        let (mut set, mut tree) = (Sorted::default(), BTreeSet::new());
        for (step, item) in scattered().chain(scattered()).enumerate() {
            assert_eq!(set.insert(item), tree.insert(item));
            if step % 3 == 0 {
                let victim = item.wrapping_mul(7) % 4096;
                assert_eq!(set.remove(|other| other.cmp(&victim)), tree.remove(&victim));
            }
            assert!(set.contains(|other| other.cmp(&item)) == tree.contains(&item));
        }
        assert_eq!(whole(&set), tree.iter().copied().collect::<Vec<_>>());
        for start in [0, 1, 255, 256, 257, 2000, 4095, 5000] {
            let found: Vec<u32> = set.from(|&item| item < start).take(300).copied().collect();
            assert_eq!(found, tree.range(start..).take(300).copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn it_shrinks_to_nothing_and_stays_dense() {
        let mut set = Sorted::default();
        for item in 0..4096_u32 {
            assert!(set.insert(item));
        }
        assert_eq!(set.blocks.len(), 4096 / BLOCK, "items in order leave full blocks");
        for item in scattered().filter(|item| item % 16 != 0) {
            assert!(set.remove(|other| other.cmp(&item)));
        }
        assert_eq!(whole(&set), (0..4096).step_by(16).collect::<Vec<_>>());
        let room: usize = set.blocks.iter().map(Vec::capacity).sum();
        assert!(room < 256 * 6, "{room} places for 256 items");
        for item in (0..4096).step_by(16) {
            assert!(set.remove(|other| other.cmp(&item)));
        }
        assert!(set.is_empty() && set.blocks.is_empty());
    }
}
