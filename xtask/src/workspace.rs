//! The workspace as cargo sees it: members, their features and examples, and every arrow between packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{During, Failure, Result, cargo, output};

/// What `cargo metadata` says, as far as the tasks need it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
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
        Some(Self { root, target, members })
    }

    /// The members under `crates/`: what is shipped.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.folder.starts_with("crates/"))
    }

    /// Everything a member is built from, directly or not, when it is built alone with all its features. The graph of
    /// `cargo metadata` would not do: in it a neighbour's wish for a feature counts for all.
    pub(crate) fn built_from(&self, name: &str) -> Result<BTreeSet<String>> {
        let arguments =
            ["tree", "--package", name, "--edges", "normal,build", "--all-features", "--target", "all"];
        let text = output(cargo(&self.root).args(arguments).args(["--prefix", "none", "--format", "{p}"]))?;
        Ok(names(&String::from_utf8_lossy(&text)).filter(|found| *found != name).map(str::to_owned).collect())
    }
}

/// The package names in what `cargo tree` prints with `--prefix none --format {p}`.
fn names(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty())
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
                                     "features": ["x"] }] }, { "id": "b", "name": "beta" }]
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
    fn names_are_read_from_a_tree() {
        let tree = "strata-core v0.1.0 (/w/crates/strata-core)\nring v0.17.14\nserde v1.0.229 (*)\n\n";
        assert_eq!(names(tree).collect::<Vec<_>>(), ["strata-core", "ring", "serde"]);
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
        assert!(workspace.built_from("strata-core").expect("it is a member").contains("serde"));
    }
}
