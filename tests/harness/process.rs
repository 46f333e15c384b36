//! Child processes whose output is kept.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Most that is kept of one process's output.
const MAX_OUTPUT_BYTES: usize = 64 << 20;

/// What a process wrote, both streams as they came.
#[derive(Clone, Debug, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// As text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
            .into_owned()
    }

    /// Its last lines, for a failed test.
    pub fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn append(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// A running child. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it wrote so far.
    pub output: Output,
}

impl Process {
    /// Starts it. `package` is the Debian package that holds it.
    pub fn start(command: Command, package: &str) -> Self {
        Self::start_into(command, package, Output::default())
    }

    /// The same, appending to the output of an earlier run.
    pub fn start_into(mut command: Command, package: &str, output: Output) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| {
            let name = command.as_std().get_program().to_string_lossy().into_owned();
            panic!("{name} cannot be started ({error}); it comes with the Debian package `{package}`")
        });
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(copy(stdout, output.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(copy(stderr, output.clone()));
        }
        Self { child, output }
    }

    /// Its exit status, once it ended within the usual patience.
    pub async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(crate::PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("a child of ours can be waited for"),
            Err(_) => panic!("a process does not end; it wrote:\n{}", self.output.tail(40)),
        }
    }

    /// Its exit status if it ended already.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be asked")
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }

    /// Sends a signal by name.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name} failed");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process is running")
    }
}

async fn copy(mut stream: impl AsyncRead + Unpin, output: Output) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        output.append(&buffer[..read]);
    }
}
