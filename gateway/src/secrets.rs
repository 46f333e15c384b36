//! Secrets made on first start, so that the gateway is safe without a hand-written configuration.
//!
//! `data_dir/secrets.toml` (mode 0600) holds the identity key, the passwords of two agents' phones and an
//! API token. What the configuration gives always wins; what it leaves out comes from here.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use config::{AgentConfig, Config, Role, Secret, TokenConfig};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};

/// The file's name in the data directory.
pub const FILE: &str = "secrets.toml";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    identity_key: String,
    api_token: String,
    agents: Vec<AgentConfig>,
}

/// Creates the data directory and fills what `config` leaves out.
pub fn complete(config: &mut Config) -> anyhow::Result<()> {
    let folder = &config.node.data_dir;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create the data directory {}", folder.display()))?;
    let needed =
        config.node.identity_key.is_none() || config.agents.is_empty() || config.api.tokens.is_empty();
    if !needed {
        return Ok(());
    }
    let secrets = read_or_make(&folder.join(FILE))?;
    if config.node.identity_key.is_none() {
        config.node.identity_key = Some(Secret::new(secrets.identity_key));
    }
    if config.agents.is_empty() {
        config.agents = secrets.agents;
    }
    if config.api.tokens.is_empty() {
        let token = Secret::new(secrets.api_token);
        config.api.tokens =
            vec![TokenConfig { name: "first-start".into(), role: Role::Admin, agent: None, token }];
    }
    Ok(())
}

fn read_or_make(path: &Path) -> anyhow::Result<Secrets> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).with_context(|| format!("{} is damaged", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(path),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn make(path: &Path) -> anyhow::Result<Secrets> {
    let agent = |user: &str| AgentConfig { user: user.into(), secret: Secret::new(random_hex(8)) };
    let secrets = Secrets {
        identity_key: random_hex(32),
        api_token: random_hex(24),
        agents: vec![agent("1001"), agent("1002")],
    };
    let text = format!(
        "# Made on first start. Keep it: without the identity key, records of one person can no longer be joined.\n{}",
        toml::to_string(&secrets)?
    );
    // Written beside and renamed: a crash leaves either no file or a whole one.
    let part = path.with_extension("toml.part");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    Ok(secrets)
}

fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0u8; bytes];
    rand::rng().fill_bytes(&mut buffer);
    hex::encode(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn made_once_kept_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.node.data_dir = folder.path().join("data");
        complete(&mut config).unwrap();
        let mode = std::fs::metadata(config.node.data_dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut again = Config::default();
        again.node.data_dir.clone_from(&config.node.data_dir);
        complete(&mut again).unwrap();
        assert_eq!(again.node.identity_key, config.node.identity_key);
        assert_eq!(again.agents[0].secret, config.agents[0].secret);
        assert_ne!(config.agents[0].secret, config.agents[1].secret);
    }

    #[test]
    fn what_is_configured_wins() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.node.data_dir = folder.path().into();
        config.node.identity_key = Some(Secret::new("0123456789abcdef"));
        complete(&mut config).unwrap();
        assert_eq!(config.node.identity_key.as_ref().unwrap().reveal(), "0123456789abcdef");
        assert_eq!(config.agents.len(), 2);
    }
}
