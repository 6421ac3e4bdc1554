//! The workspace as cargo sees it, cut down to what the checks ask about.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Failure, command};

/// Members, and every package that any of them can pull in.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo builds; the end-to-end counterparts live below it.
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
    pub(crate) packages: Vec<Package>,
}

/// A crate of ours.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: PathBuf,
    pub(crate) is_library: bool,
    /// Its features except `default`.
    pub(crate) features: Vec<String>,
    /// Real names of what it names in its manifest, development dependencies left out.
    pub(crate) dependencies: Vec<String>,
}

/// A crate of anybody.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The licence expression of its manifest.
    pub(crate) licence: Option<String>,
}

impl Workspace {
    /// Asks `cargo metadata`.
    ///
    /// # Errors
    ///
    /// When cargo cannot read the manifests, with its own words.
    pub(crate) fn load() -> Result<Self, Failure> {
        let metadata = command::quiet(&mut command::cargo(&["metadata", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let root = PathBuf::from(text(&metadata["workspace_root"]));
        let target = PathBuf::from(text(&metadata["target_directory"]));
        let ours: Vec<&str> = list(&metadata["workspace_members"]).map(text).collect();
        let packages = || list(&metadata["packages"]);
        let mut members: Vec<Member> = packages()
            .filter(|package| ours.contains(&text(&package["id"])))
            .map(|package| Member::read(package, &root))
            .collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root, target, members, packages: packages().map(Package::read).collect() })
    }

    /// The crates under `crates/`: what we publish.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Member> {
        self.members_in("crates")
    }

    /// The crates right under the top-level folder `folder`.
    pub(crate) fn members_in(&self, folder: &str) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.folder.parent() == Some(Path::new(folder)))
    }
}

impl Member {
    fn read(package: &Value, root: &Path) -> Self {
        let manifest = Path::new(text(&package["manifest_path"]));
        let folder = manifest.parent().unwrap_or(manifest);
        let mut features: Vec<String> = package["features"]
            .as_object()
            .map(|features| features.keys().filter(|name| *name != "default").cloned().collect())
            .unwrap_or_default();
        features.sort();
        Self {
            name: text(&package["name"]).to_owned(),
            folder: folder.strip_prefix(root).unwrap_or(folder).to_owned(),
            is_library: list(&package["targets"])
                .any(|target| list(&target["kind"]).any(|kind| kind == "lib")),
            features,
            dependencies: list(&package["dependencies"])
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]).to_owned())
                .collect(),
        }
    }
}

impl Package {
    fn read(package: &Value) -> Self {
        Self {
            name: text(&package["name"]).to_owned(),
            version: text(&package["version"]).to_owned(),
            licence: package["license"].as_str().map(str::to_owned),
        }
    }
}

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // The variable of the running cargo wins: the one baked in is wrong in a checkout that was moved.
    let here =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = PathBuf::from(here);
    here.parent().map(Path::to_owned).unwrap_or(here)
}

/// A string of cargo's metadata; what is not one reads as empty.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
