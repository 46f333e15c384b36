//! The binary under test, and commands run with it.

use std::path::{Path, PathBuf};
use std::process::Output;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// `JIESU_BIN`, or built once by cargo (which does nothing when it is up to date).
pub async fn jiesu() -> &'static Path {
    static PATH: OnceCell<PathBuf> = OnceCell::const_new();
    PATH.get_or_init(async || match std::env::var_os("JIESU_BIN") {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "JIESU_BIN names {}, where there is no file", path.display());
            path
        }
        None => build().await,
    })
    .await
}

async fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--package", "gateway", "--bin", "jiesu", "--message-format", "json"])
        .current_dir(workspace())
        .output()
        .await
        .expect("cargo can be run");
    assert!(built.status.success(), "jiesu cannot be built:\n{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.expect("cargo says where the binary is")
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace")
}

/// Runs `jiesu` to its end with nothing of this process's environment that it would listen to. `folder` is
/// its working directory, so that no `jiesu.toml` of ours is found.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Output {
    let mut command = command(folder).await;
    command.args(arguments).envs(environment.iter().copied());
    let output = tokio::time::timeout(2 * crate::PATIENCE, command.kill_on_drop(true).output());
    output.await.expect("the command ends").expect("the binary can be run")
}

/// A command of the binary under test with a clean environment.
pub async fn command(folder: &Path) -> Command {
    clean(Command::new(jiesu().await), folder)
}

/// The same for a gateway whose disk may be filled: a write beyond the limit of its files fails, as on a full
/// disk, instead of ending the process by SIGXFSZ, which no full disk sends.
pub async fn serving(folder: &Path) -> Command {
    let mut command = Command::new("env");
    command.arg("--ignore-signal=XFSZ").arg(jiesu().await);
    clean(command, folder)
}

fn clean(mut command: Command, folder: &Path) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JIESU_") || name == "NO_COLOR" {
            command.env_remove(&name);
        }
    }
    command.current_dir(folder);
    command
}

/// The folder of the speech models.
pub fn models() -> PathBuf {
    let folder = std::env::var_os("JIESU_MODEL_DIR");
    let folder = folder.expect(
        "JIESU_MODEL_DIR names the folder of the speech models (asr/model/fetch-model.sh); ./test sets it",
    );
    let folder = PathBuf::from(folder);
    assert!(folder.join(MODEL).is_file(), "there is no {MODEL} in JIESU_MODEL_DIR");
    folder
}

/// The speech model's file.
pub const MODEL: &str = "ggml-base-q8_0.bin";
/// The voice activity model's file.
pub const VAD_MODEL: &str = "ggml-silero-v6.2.3.bin";
