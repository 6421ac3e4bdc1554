//! What the server counts, for Prometheus. Nothing here names a tenant, a caller or a text.

use std::time::Duration;

use interactions_types::{Status, Usage};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

type Labels<const N: usize> = [(&'static str, String); N];

/// The bounds of times, in seconds: requests are quick, models are not.
const SECONDS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Family<Labels<2>, Histogram>,
    running: Gauge,
    runs: Family<Labels<1>, Counter>,
    run_seconds: Family<Labels<1>, Histogram>,
    taken_over: Counter,
    tokens: Family<Labels<1>, Counter>,
    tool_calls: Family<Labels<1>, Counter>,
    tool_seconds: Histogram,
    readers: Gauge,
    expired: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let new = Self {
            registry: Registry::with_prefix("interactions"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            running: Gauge::default(),
            runs: Family::default(),
            run_seconds: Family::new_with_constructor(seconds),
            taken_over: Counter::default(),
            tokens: Family::default(),
            tool_calls: Family::default(),
            tool_seconds: Histogram::new(SECONDS),
            readers: Gauge::default(),
            expired: Counter::default(),
        };
        new.registered()
    }

    fn registered(mut self) -> Self {
        let all = &mut self.registry;
        all.register(
            "build",
            "The version of this server",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        all.register(
            "http_requests",
            "Requests by method, route and status",
            self.requests.clone(),
        );
        all.register_with_unit(
            "http_request",
            "From a request to the head of its answer",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        all.register("runs_active", "Interactions that run in this process", self.running.clone());
        all.register(
            "runs",
            "Interactions that ended in this process, by status",
            self.runs.clone(),
        );
        all.register_with_unit(
            "run",
            "From the begin to the end of a run in this process",
            Unit::Seconds,
            self.run_seconds.clone(),
        );
        all.register(
            "runs_taken_over",
            "Runs that another process had left behind",
            self.taken_over.clone(),
        );
        all.register("tokens", "Tokens that models counted, by kind", self.tokens.clone());
        all.register(
            "tool_calls",
            "Calls of tools of MCP servers, by outcome",
            self.tool_calls.clone(),
        );
        all.register_with_unit(
            "tool_call",
            "How long tools of MCP servers took",
            Unit::Seconds,
            self.tool_seconds.clone(),
        );
        all.register("stream_readers", "Streams of events that are open", self.readers.clone());
        all.register(
            "expired",
            "Interactions erased because their time was over",
            self.expired.clone(),
        );
        self
    }

    /// Everything in the text format of OpenMetrics, which Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = ("method", method.to_owned());
        let route = ("route", route.to_owned());
        let labels = [method.clone(), route.clone(), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&[method, route]).observe(took.as_secs_f64());
    }

    pub(crate) fn run_began(&self) {
        self.running.inc();
    }

    /// A run of this process is over. One that was left to another process has no status.
    pub(crate) fn run_ended(&self, status: Option<&Status>, usage: Option<&Usage>, took: Duration) {
        self.running.dec();
        let status = status.map_or("left", Status::as_str);
        let labels = [("status", status.to_owned())];
        self.runs.get_or_create(&labels).inc();
        self.run_seconds.get_or_create(&labels).observe(took.as_secs_f64());
        let Some(usage) = usage else { return };
        for (kind, count) in [
            ("input", usage.total_input_tokens),
            ("cached", usage.total_cached_tokens),
            ("output", usage.total_output_tokens),
            ("thought", usage.total_thought_tokens),
            ("tool_use", usage.total_tool_use_tokens),
        ] {
            if let Some(count) = count.and_then(|count| u64::try_from(count).ok()) {
                self.tokens.get_or_create(&[("kind", kind.to_owned())]).inc_by(count);
            }
        }
    }

    pub(crate) fn run_taken_over(&self) {
        self.taken_over.inc();
    }

    pub(crate) fn tool_called(&self, succeeded: bool, took: Duration) {
        let outcome = if succeeded { "ok" } else { "error" };
        self.tool_calls.get_or_create(&[("outcome", outcome.to_owned())]).inc();
        self.tool_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn expired(&self, count: u64) {
        self.expired.inc_by(count);
    }

    /// Counts a reader of a stream until this is dropped.
    pub(crate) fn reader(&self) -> Reader {
        self.readers.inc();
        Reader(self.readers.clone())
    }
}

/// A reader of a stream of events, as long as it reads.
#[derive(Debug)]
pub(crate) struct Reader(Gauge);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.dec();
    }
}
