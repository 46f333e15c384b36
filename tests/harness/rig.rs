//! One gateway under test: its folder, its process, what it publishes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;

use serde_json::Value;
use tempfile::TempDir;

use crate::ports::{self, Ports};
use crate::process::{Output, Process};
use crate::settings::{API_TOKEN, Settings};
use crate::{PATIENCE, binary, eventually, records};

/// A gateway under test.
#[derive(Debug)]
pub struct Rig {
    folder: TempDir,
    /// Its ports and those of its peers.
    pub ports: Ports,
    settings: Settings,
    process: Option<Process>,
    output: Output,
    http: reqwest::Client,
}

impl Rig {
    /// Starts one and waits until it is ready.
    pub async fn start(settings: Settings) -> Self {
        let mut rig = Self::prepare(settings);
        rig.launch().await;
        rig.ready().await;
        rig
    }

    /// Writes its files only.
    pub fn prepare(settings: Settings) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a plain client");
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let rig =
            Self { folder, ports: Ports::lease(), settings, process: None, output: Output::default(), http };
        std::fs::create_dir_all(rig.data()).expect("a folder of ours can be made");
        rig.write("jiesu.toml", &rig.settings.render(&rig.ports));
        if let Some(lists) = &rig.settings.lists {
            rig.write("lists.csv", lists);
        }
        rig
    }

    /// Starts the process without waiting.
    pub async fn launch(&mut self) {
        let mut command = binary::serving(self.folder.path()).await;
        command.args(["serve", "--config", "jiesu.toml"]).args(&self.settings.arguments);
        command.envs(self.settings.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::start_into(command, "the workspace's own binary", self.output.clone()));
    }

    /// Waits until `/readyz` says yes.
    pub async fn ready(&mut self) {
        let url = self.http_url("/readyz");
        let (http, process, output) = (self.http.clone(), &mut self.process, &self.output);
        eventually("/readyz to answer 200", async || {
            let process = process.as_mut().expect("the gateway was started");
            if let Some(status) = process.has_ended() {
                panic!("the gateway ended with {status}:\n{}", output.tail(40));
            }
            let answer = http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// SIGKILL: no goodbye.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the gateway is running");
        process.signal("TERM").await;
        process.ended().await
    }

    /// Starts again on the same data and ports, and waits until it is ready.
    pub async fn restart(&mut self) {
        self.launch().await;
        self.ready().await;
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the gateway is running")
    }

    /// Whether the process is still there.
    pub fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.has_ended().is_none())
    }

    // === what it publishes ===

    /// Where it takes SIP.
    pub fn sip(&self) -> SocketAddr {
        self.ports.address(ports::SIP)
    }

    /// Where it takes SIP over TLS, if it does.
    pub fn sips(&self) -> SocketAddr {
        self.ports.address(ports::SIP_TLS)
    }

    /// An address of its HTTP listener.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ports.address(ports::HTTP))
    }

    /// A plain HTTP client.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// `/readyz`: status and report.
    pub async fn readiness(&self) -> (u16, Value) {
        let answer = self.http.get(self.http_url("/readyz")).send().await.expect("the gateway answers");
        (answer.status().as_u16(), answer.json().await.expect("a JSON report"))
    }

    /// The API with the admin token.
    pub async fn api(&self, path: &str) -> Value {
        let answer = self.http.get(self.http_url(path)).bearer_auth(API_TOKEN).send().await;
        let answer = answer.expect("the gateway answers");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.expect("JSON from the API")
    }

    /// Posts to the API with the admin token; the status.
    pub async fn post(&self, path: &str, body: &Value) -> u16 {
        let request = self.http.post(self.http_url(path)).bearer_auth(API_TOKEN).body(body.to_string());
        request.send().await.expect("the gateway answers").status().as_u16()
    }

    /// `/metrics`.
    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.ports.address(ports::METRICS));
        let answer = self.http.get(url).send().await.expect("the gateway answers");
        answer.text().await.expect("metrics are text")
    }

    /// The sum of a metric over all label sets that hold `labels` (`reason="x"`); 0 when it is not there.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics().await;
        let value = |line: &str| {
            let (head, value) = line.rsplit_once(' ')?;
            let bare = head.split('{').next()?;
            (bare == name && head.contains(labels)).then(|| value.parse::<f64>().ok())?
        };
        text.lines().filter_map(value).sum()
    }

    /// Waits until so many agents are free.
    pub async fn agents_free(&self, count: u64) {
        eventually("the agents to be free", async || {
            (self.api("/api/v1/queues").await["agents"]["free"] == count).then_some(())
        })
        .await;
    }

    /// Everything in the file sink, each line checked against the published schema and its digest.
    pub fn records(&self) -> Vec<Value> {
        records::read(&self.data().join("records.jsonl"))
    }

    /// Waits for a record in the file sink.
    pub async fn record(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || self.records().into_iter().find(|record| is_it(record))).await
    }

    /// Waits until there are at least so many records in the file sink.
    pub async fn records_at_least(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} records"), async || {
            Some(self.records()).filter(|all| all.len() >= count)
        })
        .await
    }

    /// Log of all its runs.
    pub fn log(&self) -> String {
        self.output.text()
    }

    // === its files ===

    /// The working directory.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file of the working directory, whole: beside and renamed.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let part = path.with_extension("part");
        std::fs::write(&part, text)
            .and_then(|()| std::fs::rename(&part, &path))
            .expect("a file of ours can be written");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Into the failed test's captured output.
            #[allow(clippy::print_stderr, reason = "the log of the gateway explains the failure")]
            {
                eprintln!("--- log of the gateway, last lines ---\n{}", self.output.tail(60));
            }
        }
    }
}
