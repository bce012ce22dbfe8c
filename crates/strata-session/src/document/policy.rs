//! Who wins where: [`Policy`], chosen for a place by the longest path that leads to it, [`Policies`].

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use strata_core::Result;

use super::path::Path;

/// What a closure makes of the base, the local and the server's value of a place; `None` stands for nothing there.
pub type MergeFn = dyn Fn(Option<&Value>, Option<&Value>, Option<&Value>) -> Option<Value> + Send + Sync;

/// What becomes of a value that was changed on both sides since they last agreed.
///
/// What only one side changed is that side's under every policy, and objects are merged name by name, so a conflict is always about a leaf,
/// such as a text, a number or an array, or about a removal and a change of the same leaf.
#[derive(Clone)]
#[non_exhaustive]
pub enum Policy {
    /// The server's.
    ServerWins,
    /// The local one.
    LocalWins,
    /// The one whose author knew the newer revision of the server when making it; of equals the one that reaches the server last, which
    /// is the local one. Of several local edits the last. No clock is asked.
    Latest,
    /// An array without order and repetition: what either side added is in, what either removed is out. Other values as
    /// [`Latest`](Self::Latest).
    Set,
    /// A number: the base and what each side added to it, no further than a 64-bit integer goes, or the largest finite number if it has
    /// fractions. A removal on either side stands. Other values as [`ServerWins`](Self::ServerWins).
    Sum,
    /// What a closure says, of the place as a whole, objects too. It must be pure, and the same at every client of the document.
    Custom(Arc<MergeFn>),
}

impl Policy {
    /// A closure, given base, local and server.
    pub fn custom(
        merge: impl Fn(Option<&Value>, Option<&Value>, Option<&Value>) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom(Arc::new(merge))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerWins => "ServerWins",
            Self::LocalWins => "LocalWins",
            Self::Latest => "Latest",
            Self::Set => "Set",
            Self::Sum => "Sum",
            Self::Custom(_) => "Custom",
        })
    }
}

/// A policy for each place: that of the longest path which leads to it.
///
/// The default: the server wins at `auth`, `user` and `permissions`; local wins at `ui` and `preferences`; elsewhere the latest.
#[derive(Clone, Debug)]
#[must_use = "policies do nothing until they are given to a builder"]
pub struct Policies {
    rules: Vec<(Path, Policy)>,
    otherwise: Policy,
}

impl Policies {
    /// One policy everywhere.
    pub fn everywhere(policy: Policy) -> Self {
        Self { rules: Vec::new(), otherwise: policy }
    }

    /// Another policy at `path` and below.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn at(mut self, path: &str, policy: Policy) -> Result<Self> {
        let path = Path::parse(path)?;
        self.rules.retain(|(known, _)| *known != path);
        self.rules.push((path, policy));
        Ok(self)
    }

    /// The policy of a place.
    pub(super) fn of(&self, place: &[String]) -> &Policy {
        let leading = self.rules.iter().filter(|(path, _)| place.starts_with(path.segments()));
        leading.max_by_key(|(path, _)| path.segments().len()).map_or(&self.otherwise, |(_, policy)| policy)
    }
}

impl Default for Policies {
    fn default() -> Self {
        let rule = |name: &str, policy| (Path::checked(&[name.to_owned()]), policy);
        let server = ["auth", "user", "permissions"].map(|name| rule(name, Policy::ServerWins));
        let local = ["ui", "preferences"].map(|name| rule(name, Policy::LocalWins));
        Self { rules: server.into_iter().chain(local).collect(), otherwise: Policy::Latest }
    }
}
