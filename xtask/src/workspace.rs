//! The workspace as cargo sees it: members, their features and examples, and every arrow between packages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{During, Failure, Result, cargo, output};

/// What `cargo metadata` says, as far as the tasks need it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
    /// Package name to the names of what it is built from, dev-dependencies left out.
    pub(crate) built_from: BTreeMap<String, BTreeSet<String>>,
}

/// A package of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Relative to the root, with `/` between.
    pub(crate) folder: String,
    pub(crate) features: Vec<String>,
    pub(crate) examples: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) published: bool,
}

/// One declared arrow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) development: bool,
    pub(crate) local: bool,
    pub(crate) default_features: bool,
    pub(crate) features: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = output(cargo(here).args(["metadata", "--format-version", "1"]))?;
        let metadata = serde_json::from_slice(&text).during("reading `cargo metadata`")?;
        Self::from_metadata(&metadata)
            .ok_or_else(|| Failure::new("`cargo metadata` has another shape than expected"))
    }

    /// The workspace described by the JSON of `cargo metadata`, format version 1. None: another shape.
    pub(crate) fn from_metadata(metadata: &Value) -> Option<Self> {
        let root = PathBuf::from(metadata["workspace_root"].as_str()?);
        let packages = metadata["packages"].as_array()?;
        let ids: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
        let is_member = |package: &&Value| package["id"].as_str().is_some_and(|id| ids.contains(id));
        let mut members: Vec<Member> =
            packages.iter().filter(is_member).map(|package| member(package, &root)).collect::<Option<_>>()?;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let target = PathBuf::from(metadata["target_directory"].as_str()?);
        Some(Self { built_from: built_from(metadata)?, root, target, members })
    }

    /// The members under `crates/`: what is shipped.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.folder.starts_with("crates/"))
    }

    /// Everything a package is built from, directly or not, dev-dependencies left out.
    pub(crate) fn reach(&self, name: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![name];
        while let Some(next) = waiting.pop() {
            for found in self.built_from.get(next).into_iter().flatten() {
                if seen.insert(found.as_str()) {
                    waiting.push(found);
                }
            }
        }
        seen
    }
}

fn member(package: &Value, root: &Path) -> Option<Member> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    let folder = manifest.parent()?.strip_prefix(root).ok()?;
    let targets = package["targets"].as_array()?;
    let examples = targets.iter().filter(|target| strings(&target["kind"]).any(|kind| kind == "example"));
    Some(Member {
        name: package["name"].as_str()?.to_owned(),
        version: package["version"].as_str()?.to_owned(),
        folder: folder.to_string_lossy().replace('\\', "/"),
        features: package["features"].as_object()?.keys().cloned().collect(),
        examples: examples.filter_map(|target| target["name"].as_str()).map(str::to_owned).collect(),
        dependencies: package["dependencies"].as_array()?.iter().map(dependency).collect::<Option<_>>()?,
        published: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
    })
}

fn dependency(dependency: &Value) -> Option<Dependency> {
    Some(Dependency {
        name: dependency["name"].as_str()?.to_owned(),
        development: dependency["kind"].as_str() == Some("dev"),
        local: dependency["path"].is_string(),
        default_features: dependency["uses_default_features"].as_bool()?,
        features: strings(&dependency["features"]).map(str::to_owned).collect(),
    })
}

fn built_from(metadata: &Value) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let pair =
        |package: &Value| Some((package["id"].as_str()?.to_owned(), package["name"].as_str()?.to_owned()));
    let names: BTreeMap<String, String> =
        metadata["packages"].as_array()?.iter().map(pair).collect::<Option<_>>()?;
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array()? {
        let from = names.get(node["id"].as_str()?)?;
        let built = node["deps"].as_array()?.iter().filter(|dep| is_built(dep));
        let to = built.map(|dep| names.get(dep["pkg"].as_str()?).cloned()).collect::<Option<Vec<_>>>()?;
        arrows.entry(from.clone()).or_default().extend(to);
    }
    Some(arrows)
}

fn is_built(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].as_str() != Some("dev")))
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata() -> Value {
        json!({
            "workspace_root": "/w", "target_directory": "/w/target", "workspace_members": ["a"],
            "packages": [
                { "id": "a", "name": "alpha", "version": "0.1.0", "manifest_path": "/w/crates/alpha/Cargo.toml",
                  "features": { "f": [] }, "publish": null,
                  "targets": [{ "name": "shown", "kind": ["example"] }, { "name": "alpha", "kind": ["lib"] }],
                  "dependencies": [{ "name": "beta", "kind": "dev", "path": null, "uses_default_features": false,
                                     "features": ["x"] }] },
                { "id": "b", "name": "beta" }, { "id": "c", "name": "gamma" }],
            "resolve": { "nodes": [
                { "id": "a", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": "dev" }] },
                                      { "pkg": "c", "dep_kinds": [{ "kind": null }] }] },
                { "id": "b", "deps": [] },
                { "id": "c", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": "build" }] }] }] }
        })
    }

    #[test]
    fn metadata_is_read() {
        let workspace = Workspace::from_metadata(&metadata()).expect("the shape cargo prints");
        let alpha = workspace.crates().next().expect("one crate");
        assert_eq!((alpha.name.as_str(), alpha.folder.as_str()), ("alpha", "crates/alpha"));
        assert_eq!(
            (&alpha.features[..], &alpha.examples[..]),
            (&["f".to_owned()][..], &["shown".to_owned()][..])
        );
        assert!(
            alpha.published && alpha.dependencies[0].development && !alpha.dependencies[0].default_features
        );
        assert_eq!(alpha.dependencies[0].features, ["x"]);
    }

    #[test]
    fn reach_goes_through_others_but_not_through_dev_dependencies() {
        let workspace = Workspace::from_metadata(&metadata()).expect("the shape cargo prints");
        assert_eq!(workspace.built_from["alpha"], BTreeSet::from(["gamma".to_owned()]));
        assert_eq!(workspace.reach("alpha"), BTreeSet::from(["beta", "gamma"]));
    }

    #[test]
    fn another_shape_is_not_guessed() {
        assert!(Workspace::from_metadata(&json!({ "packages": [] })).is_none());
    }

    #[test]
    fn this_workspace_can_be_read() {
        let workspace = Workspace::read().expect("cargo is there: it runs this test");
        assert!(workspace.crates().any(|member| member.name == "strata-core"));
        assert!(workspace.members.iter().any(|member| member.name == "xtask" && !member.published));
    }
}
