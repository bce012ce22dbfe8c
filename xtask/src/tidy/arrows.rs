//! The strata: which crate stands on which level, and that every arrow between them goes strictly down.

use super::{Finding, House};
use crate::workspace::{Dependency, Member};

/// The level of each crate of `docs/architecture.md`. An adapter not named here is on level 1, like its siblings.
const LEVELS: [(&str, u8); 9] = [
    ("strata-core", 0),
    ("strata-crypto", 1),
    ("strata-ttl", 1),
    ("strata-sync", 1),
    ("strata-session", 2),
    ("strata-http", 3),
    ("strata-axum", 3),
    ("strata", 4),
    ("strata-cli", 5),
];

/// Beside the strata: they may use any of them, nothing may use them.
const BESIDE: [&str; 3] = ["xtask", "strata-benches", "strata-fuzz"];

/// What core must not be built from: runtimes, stores, ciphers and their kin. (`docs/architecture.md`, invariant 1)
const NOT_IN_CORE: [&str; 26] = [
    "aes-gcm",
    "async-std",
    "axum",
    "bb8",
    "chacha20poly1305",
    "chrono",
    "dashmap",
    "deadpool",
    "fjall",
    "hyper",
    "jiff",
    "keyring",
    "memmap2",
    "mio",
    "notify",
    "openssl",
    "redb",
    "redis",
    "reqwest",
    "ring",
    "rusqlite",
    "rustls",
    "sled",
    "smol",
    "tokio-postgres",
    "web-sys",
];

fn level(name: &str) -> Option<u8> {
    let named = LEVELS.iter().find(|(listed, _)| *listed == name).map(|(_, level)| *level);
    named.or_else(|| name.starts_with("strata-adapter-").then_some(1))
}

/// Every arrow between members descends, dev-dependencies included; nobody depends on what stands beside.
pub(super) fn go_down(house: &House) -> Vec<Finding> {
    house.workspace.members.iter().flat_map(arrows_of).collect()
}

fn arrows_of(member: &Member) -> Vec<Finding> {
    let beside = BESIDE.contains(&member.name.as_str());
    if !beside && level(&member.name).is_none() {
        return vec![Finding::new(
            &member.name,
            "is on no level; add it to LEVELS and to docs/architecture.md",
        )];
    }
    member.dependencies.iter().filter(|to| to.local).filter_map(|to| arrow(member, to)).collect()
}

fn arrow(member: &Member, to: &Dependency) -> Option<Finding> {
    if BESIDE.contains(&to.name.as_str()) {
        return Some(Finding::new(
            &member.name,
            format!("depends on {}, which nothing may depend on", to.name),
        ));
    }
    let (Some(from), Some(below)) = (level(&member.name), level(&to.name)) else { return None };
    (below >= from).then(|| {
        let arrow = if to.development { "dev-depends" } else { "depends" };
        let relation = if below == from { "its sibling" } else { "above it" };
        Finding::new(
            &member.name,
            format!("(level {from}) {arrow} on {} (level {below}), {relation}", to.name),
        )
    })
}

/// Core is built from no runtime, store or cipher, and takes only the `sync` part of tokio.
pub(super) fn core_is_the_ground(house: &House) -> Vec<Finding> {
    let core = "strata-core";
    let forbidden = NOT_IN_CORE.iter().filter(|name| house.below_core.contains(**name));
    let mut findings: Vec<Finding> =
        forbidden.map(|name| Finding::new(core, format!("is built from {name}"))).collect();
    let members = house.workspace.members.iter().filter(|member| member.name == core);
    let tokio =
        members.flat_map(|member| &member.dependencies).filter(|to| to.name == "tokio" && !to.development);
    let more = tokio.filter(|to| to.default_features || to.features.iter().any(|feature| feature != "sync"));
    findings
        .extend(more.map(|_| Finding::new(core, "takes more of tokio than `sync`, which needs no runtime")));
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::workspace::Workspace;

    /// The JSON cargo would print for one member with one arrow.
    fn metadata(from: &str, to: &str, kind: Option<&str>) -> Value {
        json!({
            "workspace_root": "/w", "target_directory": "/w/target", "workspace_members": ["m"],
            "packages": [{ "id": "m", "name": from, "version": "0.1.0", "features": {}, "targets": [],
                "manifest_path": "/w/crates/m/Cargo.toml",
                "dependencies": [{ "name": to, "kind": kind, "path": "/w/crates/to", "features": [],
                                   "uses_default_features": true }] }],
        })
    }

    fn findings(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let workspace = Workspace::from_metadata(&metadata(from, to, kind)).expect("the shape cargo prints");
        go_down(&House { workspace, ..House::default() }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_up_is_found() {
        let found = findings("strata-ttl", "strata-session", None);
        assert_eq!(found, ["strata-ttl: (level 1) depends on strata-session (level 2), above it"]);
    }

    #[test]
    fn an_arrow_up_in_a_dev_dependency_is_found() {
        let found = findings("strata-core", "strata-adapter-memory", Some("dev"));
        assert_eq!(
            found,
            ["strata-core: (level 0) dev-depends on strata-adapter-memory (level 1), above it"]
        );
    }

    #[test]
    fn siblings_do_not_name_each_other() {
        assert_eq!(findings("strata-adapter-sled", "strata-crypto", None).len(), 1);
        assert_eq!(findings("strata-axum", "strata-http", None).len(), 1);
    }

    #[test]
    fn arrows_down_are_fine() {
        assert!(findings("strata-cli", "strata", None).is_empty());
        assert!(findings("strata-session", "strata-core", Some("dev")).is_empty());
        assert!(findings("xtask", "strata-core", None).is_empty());
    }

    #[test]
    fn what_stands_beside_is_never_depended_on() {
        assert_eq!(findings("strata-cli", "xtask", Some("dev")).len(), 1);
        assert_eq!(findings("xtask", "strata-benches", None).len(), 1);
    }

    #[test]
    fn a_crate_without_a_level_is_found() {
        assert_eq!(findings("strata-new", "strata-core", None).len(), 1);
    }

    #[test]
    fn a_cipher_below_core_is_found() {
        let below_core = BTreeSet::from(["serde".to_owned(), "ring".to_owned()]);
        let house = House { below_core, ..House::default() };
        assert_eq!(core_is_the_ground(&house), [Finding::new("strata-core", "is built from ring")]);
    }

    #[test]
    fn a_runtime_in_core_is_found() {
        let with = |features: &[&str], development| {
            let features = features.iter().map(ToString::to_string).collect();
            let tokio = Dependency { name: "tokio".into(), development, features, ..Dependency::default() };
            let core = Member { name: "strata-core".into(), dependencies: vec![tokio], ..Member::default() };
            let workspace = Workspace { members: vec![core], ..Workspace::default() };
            core_is_the_ground(&House { workspace, ..House::default() }).len()
        };
        assert_eq!(with(&["sync"], false), 0);
        assert_eq!(with(&["sync", "rt"], false), 1);
        assert_eq!(with(&["macros", "rt"], true), 0);
    }
}
