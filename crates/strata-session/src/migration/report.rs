//! What a migration did with each value: [`Report`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// The names of a guest's values, each under what became of it. It names values, never their content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The user had none of the name, and has the guest's now.
    pub moved: Vec<String>,
    /// The user has what a rule made of both.
    pub merged: Vec<String>,
    /// The user's stayed; the guest's is gone.
    pub kept: Vec<String>,
    /// The guest's took the place of the user's.
    pub replaced: Vec<String>,
    /// A rule dropped the guest's.
    pub dropped: Vec<String>,
}

/// What becomes of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Moved,
    Merged,
    Kept,
    Replaced,
    Dropped,
}

impl Report {
    /// How many values it names.
    pub fn len(&self) -> usize {
        self.lists().iter().map(|(_, names)| names.len()).sum()
    }

    /// Whether there was nothing to migrate.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes a value's fate, in place of one that was noted before.
    pub(super) fn note(&mut self, name: &str, fate: Fate) {
        for names in
            [&mut self.moved, &mut self.merged, &mut self.kept, &mut self.replaced, &mut self.dropped]
        {
            names.retain(|other| other != name);
        }
        let names = match fate {
            Fate::Moved => &mut self.moved,
            Fate::Merged => &mut self.merged,
            Fate::Kept => &mut self.kept,
            Fate::Replaced => &mut self.replaced,
            Fate::Dropped => &mut self.dropped,
        };
        names.push(name.to_owned());
        names.sort_unstable();
    }

    /// Takes over what `done` knows better.
    pub(super) fn correct(&mut self, done: &Self) {
        let fates = [Fate::Moved, Fate::Merged, Fate::Kept, Fate::Replaced, Fate::Dropped];
        for (fate, (_, names)) in fates.into_iter().zip(done.lists()) {
            for name in names {
                self.note(name, fate);
            }
        }
    }

    fn lists(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("moved", &self.moved),
            ("merged", &self.merged),
            ("kept", &self.kept),
            ("replaced", &self.replaced),
            ("dropped", &self.dropped),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing to migrate");
        }
        let lists = self.lists();
        let told = lists.iter().filter(|(_, names)| !names.is_empty());
        for (index, (what, names)) in told.enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{what}: {}", names.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_fate_the_last() {
        let mut report = Report::default();
        assert_eq!(report.to_string(), "nothing to migrate");
        report.note("theme", Fate::Moved);
        report.note("cart", Fate::Moved);
        report.note("cart", Fate::Merged);
        report.note("cart", Fate::Merged);
        assert_eq!((report.len(), report.to_string().as_str()), (2, "moved: theme; merged: cart"));
    }
}
