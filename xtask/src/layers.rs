//! Who may depend on whom: the layer table of `docs/architecture.md` as data, checked with cargo.

use crate::workspace::{Member, Workspace};
use crate::{Failure, command};

/// What each crate under `crates/` may name among ours, tests aside.
const LAYERS: &[(&str, &[&str])] = &[
    ("interactions-types", &[]),
    ("interactions-transport", &[]),
    ("interactions-client", &["interactions-types", "interactions-transport"]),
    ("interactions-mcp", &["interactions-types", "interactions-transport"]),
    (
        "interactions-agent",
        &[
            "interactions-types",
            "interactions-transport",
            "interactions-client",
            "interactions-mcp",
        ],
    ),
    (
        "interactions-server",
        &[
            "interactions-types",
            "interactions-transport",
            "interactions-client",
            "interactions-mcp",
            "interactions-agent",
        ],
    ),
    (
        "interactions-a2a",
        &[
            "interactions-types",
            "interactions-transport",
            "interactions-client",
            "interactions-agent",
        ],
    ),
    // The server only with the feature `store`: its trait is what that exam is about.
    (
        "interactions-testing",
        &["interactions-types", "interactions-transport", "interactions-server"],
    ),
    (
        "interactions-cli",
        &[
            "interactions-types",
            "interactions-transport",
            "interactions-client",
            "interactions-mcp",
            "interactions-agent",
            "interactions-server",
            "interactions-a2a",
            "interactions-testing",
        ],
    ),
];

/// Libraries of others that only some of our crates may name, and why. `deny.toml` says the same.
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        "reqwest",
        &["interactions-transport"],
        "everything else sends requests through the `Transport` trait",
    ),
    (
        "axum",
        &["interactions-server", "interactions-a2a", "interactions-cli"],
        "only what serves HTTP knows the HTTP framework",
    ),
];

/// What a crate must not even pull in through others, with all or none of its features on.
const OUT_OF_REACH: &[(&str, Features, &[&str])] = &[
    ("interactions-types", Features::All, &["tokio", "futures", "http", "hyper", "reqwest"]),
    ("interactions-transport", Features::None, &["tokio", "hyper", "reqwest", "rustls"]),
    ("interactions-client", Features::None, &["hyper", "reqwest", "rustls"]),
    ("interactions-client", Features::All, &["axum", "rmcp", "sqlx"]),
    ("interactions-agent", Features::None, &["axum", "rmcp", "reqwest", "sqlx"]),
    ("interactions-agent", Features::All, &["axum"]),
    ("interactions-mcp", Features::All, &["axum", "sqlx"]),
];

#[derive(Debug, Clone, Copy)]
enum Features {
    All,
    None,
}

impl Features {
    fn flag(self) -> &'static str {
        match self {
            Self::All => "--all-features",
            Self::None => "--no-default-features",
        }
    }
}

/// Checks every edge between our crates, and the edges to libraries with a reserved place.
///
/// # Errors
///
/// Names each offending edge and what the table allows instead.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let mut problems: Vec<String> = workspace.members.iter().flat_map(edges).collect();
    for (name, features, forbidden) in OUT_OF_REACH {
        if workspace.members.iter().any(|member| member.name == *name) {
            let tree = command::quiet(&mut command::cargo(&[
                "tree",
                "--package",
                name,
                features.flag(),
                "--edges",
                "normal",
                "--prefix",
                "none",
            ]))?;
            problems.extend(reached(name, *features, &tree, forbidden));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "layers: {} found\n\n{}\n\nThe table is in docs/architecture.md and xtask/src/layers.rs; \
         a new arrow is a decision for docs/decisions.md.",
        match problems.len() {
            1 => "one wrong dependency".to_owned(),
            count => format!("{count} wrong dependencies"),
        },
        problems.join("\n"),
    )
    .into())
}

/// What is wrong with the dependencies that `member` names itself.
fn edges(member: &Member) -> Vec<String> {
    let Member { name, .. } = member;
    let mut problems = Vec::new();
    let ours = |dependency: &&String| dependency.starts_with("interactions-");
    if member.folder.starts_with("crates") {
        match LAYERS.iter().find(|(layer, _)| layer == name) {
            None => problems.push(format!("{name} has no row in the table: say what it may use")),
            Some((_, allowed)) => {
                let wrong = member.dependencies.iter().filter(ours);
                for dependency in wrong.filter(|dependency| !allowed.contains(&dependency.as_str()))
                {
                    problems.push(format!(
                        "{name} -> {dependency}: {name} may use {}",
                        listed(allowed)
                    ));
                }
            }
        }
    } else if name == "xtask" {
        for dependency in member.dependencies.iter().filter(ours) {
            problems
                .push(format!("{name} -> {dependency}: xtask must build while our crates do not"));
        }
    }
    for (library, allowed, why) in RESERVED {
        if member.dependencies.iter().any(|dependency| dependency == library)
            && !allowed.contains(&name.as_str())
        {
            problems
                .push(format!("{name} -> {library}: only {} may name it; {why}", listed(allowed)));
        }
    }
    problems
}

/// What of `forbidden` stands in `tree`, the lines of `cargo tree --prefix none`.
fn reached(name: &str, features: Features, tree: &str, forbidden: &[&str]) -> Vec<String> {
    forbidden
        .iter()
        .filter(|library| tree.lines().any(|line| line.split(' ').next() == Some(**library)))
        .map(|library| {
            let flag = features.flag();
            format!(
                "{name} pulls in {library} with {flag}; see `cargo tree -p {name} {flag} -e normal -i {library}`"
            )
        })
        .collect()
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none of our crates".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{Features, LAYERS, edges, reached};
    use crate::workspace::Member;

    fn member(name: &str, folder: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            folder: folder.into(),
            is_library: true,
            features: Vec::new(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn allowed_edges_pass() {
        let client = ["interactions-types", "interactions-transport", "serde"];
        assert!(
            edges(&member("interactions-client", "crates/interactions-client", &client)).is_empty()
        );
        let example = ["interactions-server", "interactions-agent", "tokio"];
        assert!(edges(&member("hello", "examples/hello", &example)).is_empty());
    }

    #[test]
    fn wrong_edges_are_named_with_what_is_allowed() {
        let transport = member(
            "interactions-transport",
            "crates/interactions-transport",
            &["interactions-types"],
        );
        assert_eq!(
            edges(&transport),
            ["interactions-transport -> interactions-types: \
              interactions-transport may use none of our crates"]
        );
        let agent = member("interactions-agent", "crates/interactions-agent", &["reqwest"]);
        assert_eq!(
            edges(&agent),
            ["interactions-agent -> reqwest: only interactions-transport may name it; \
              everything else sends requests through the `Transport` trait"]
        );
    }

    #[test]
    fn a_crate_without_a_row_is_a_problem() {
        let stranger = member("interactions-extra", "crates/interactions-extra", &[]);
        assert_eq!(edges(&stranger).len(), 1);
    }

    #[test]
    fn reach_is_by_whole_name() {
        let tree = "interactions-client v0.1.0\nhttp-body v1.0.0\nhyper-util v0.1.0\nreqwest v0.13.5 (*)\n";
        let found =
            reached("interactions-client", Features::None, tree, &["http", "hyper", "reqwest"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("pulls in reqwest"), "{found:?}");
    }

    #[test]
    fn the_table_has_no_circle() {
        // Rows stand in an order in which each may use only rows above it, agents before servers.
        let place = |name: &str| LAYERS.iter().position(|(layer, _)| *layer == name);
        for (name, allowed) in LAYERS.iter().filter(|(name, _)| *name != "interactions-cli") {
            for dependency in *allowed {
                assert!(place(dependency) < place(name), "{name} -> {dependency}");
            }
        }
    }
}
