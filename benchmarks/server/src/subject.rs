//! The process that is measured: started, watched through `/proc`, and killed at the end.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::connection::Connection;

/// `CLK_TCK` of every Linux that this will meet: 10 ms.
const TICKS_PER_SECOND: f64 = 100.0;

pub struct Subject {
    child: Child,
    pub address: String,
    /// From the start of the process to its first answer.
    pub start: Duration,
}

impl Subject {
    /// Our server on a database in `folder`, with every model at `stub`.
    pub async fn ours(program: &Path, folder: &Path, stub: &str) -> Result<Self, Box<dyn Error>> {
        let config = folder.join("bench.toml");
        fs::write(
            &config,
            format!(
                "listen = \"127.0.0.1:0\"\n\
                 [[models]]\nmatch = \"*\"\nadapter = \"openai\"\nbase_url = \"http://{stub}/v1\"\n\
                 [limits]\nchain_depth = 2000\n"
            ),
        )?;
        let began = Instant::now();
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .arg("--data-dir")
            .arg(folder)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(out).read_line(&mut line).await?;
        let address = line
            .trim()
            .rsplit_once("http://")
            .ok_or_else(|| format!("no address in {line:?}"))?
            .1
            .to_owned();
        let mut connection = Connection::open(&address).await?;
        connection.get("/readyz").await?;
        Ok(Self { child, address, start: began.elapsed() })
    }

    /// LiteLLM's proxy, with the model `m` at `stub`.
    pub async fn litellm(
        program: &Path,
        folder: &Path,
        stub: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let config = folder.join("litellm.yaml");
        fs::write(
            &config,
            format!(
                "model_list:\n  - model_name: m\n    litellm_params:\n      model: custom_openai/m\n      api_base: http://{stub}/v1\n      api_key: none\n"
            ),
        )?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let began = Instant::now();
        let child = Command::new(program)
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            // On loopback for a minute, as ours.
            .env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true")
            .stdout(fs::File::create(folder.join("litellm.log"))?)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        while began.elapsed() < Duration::from_secs(180) {
            if let Ok(mut connection) = Connection::open(&address).await
                && connection.get("/health/liveliness").await.is_ok()
            {
                return Ok(Self { child, address, start: began.elapsed() });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("it did not answer within three minutes".into())
    }

    /// Seconds of processor time so far, all threads, to the nearest 10 ms.
    pub fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        // Fields are counted from behind the name, which may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |field: usize| fields.get(field).and_then(|f| f.parse::<f64>().ok());
        (ticks(11).unwrap_or(f64::NAN) + ticks(12).unwrap_or(f64::NAN)) / TICKS_PER_SECOND
    }

    /// Resident memory in KiB.
    pub fn resident(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
    }

    fn proc(&self, file: &str) -> String {
        let id = self.child.id().unwrap_or_default();
        fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default()
    }

    pub async fn end(mut self) -> Result<(), Box<dyn Error>> {
        self.child.kill().await?;
        Ok(())
    }
}
