//! Where the demonstration plays: a data directory, a loopback configuration, keys made for the occasion.
//!
//! Nothing of the machine's own configuration is read, so that it runs anywhere and cannot touch a city's
//! line. Records are marked as a drill (`test: true`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use config::Config;
use rand::RngCore as _;

/// The configuration but for what is made at run time.
const CONFIG: &str = r#"
[node]
name = "demo"
test = true

[http]
listen = "127.0.0.1:0"

[metrics]
listen = "127.0.0.1:0"

[sip]
listen = ["udp:127.0.0.1:0"]

[media]
rtp_ports = [30000, 30999]

[[trunks]]
name = "loopback"
from = ["127.0.0.0/8"]
trust_asserted_identity = true
area_code = "0471"
numbers = { "12345" = "12345", "12319" = "12319" }

[[sinks]]
name = "records"
kind = "file"
path = "records.jsonl"
view = "sealed"
"#;

/// Who calls about the heating. The numbers of the demonstration are made up.
pub const CITIZEN: &str = "13900004567";
/// Who stands on the block list.
pub const BLOCKED: &str = "13900000666";
/// The merged line that is dialled: 城建服务热线.
pub const MERGED_LINE: &str = "12319";
/// The WeChat user who stands on the list of representatives.
pub const REPRESENTATIVE: &str = "oDemo_npc_deputy_0001";
/// The list file, written into the data directory.
pub const LISTS_FILE: &str = "demo-lists.csv";

/// The model files' names, best first.
const MODELS: [&str; 2] = ["ggml-base-q8_0.bin", "ggml-base.bin"];
/// The voice activity model's name.
const VAD_MODEL: &str = "ggml-silero-v6.2.3.bin";

/// The WeChat account's keys, as its console would show them.
pub struct WechatKeys {
    /// 令牌
    pub token: String,
    /// 消息加解密密钥, 43 characters.
    pub encoding_aes_key: String,
    /// 开发者ID
    pub app_id: String,
    /// 原始ID
    pub account: String,
}

/// Everything that is set up before the gateway starts.
pub struct Stage {
    /// The data directory, absolute.
    pub data_dir: PathBuf,
    /// For `App::build`.
    pub config: Config,
    /// For the platform's side.
    pub wechat: WechatKeys,
    /// The speech model that was found.
    pub model: Option<PathBuf>,
}

impl Stage {
    /// Sets up in `data_dir`, or in a new folder below the system's folder for temporary files, which stays.
    pub fn set(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let data_dir = match data_dir {
            Some(given) => std::path::absolute(given)?,
            None => {
                let made = tempfile::Builder::new().prefix("jiesu-demo-").tempdir();
                made.context("no folder for the demonstration can be made")?.keep()
            }
        };
        std::fs::create_dir_all(&data_dir)
            .with_context(|| format!("cannot create {}", data_dir.display()))?;
        let lists = data_dir.join(LISTS_FILE);
        std::fs::write(&lists, list_file()).with_context(|| format!("cannot write {}", lists.display()))?;

        let mut config: Config = toml::from_str(CONFIG).context("the demonstration's configuration")?;
        config.node.data_dir.clone_from(&data_dir);
        config.lists.file = Some(lists);
        let wechat = wechat_keys();
        config.channels.0.insert("wechat_mp".into(), BTreeMap::from([("main".into(), wechat.table())]));
        let model = find_model(&data_dir);
        match &model {
            Some(model) => {
                config.speech.model = Some(model.clone());
                let vad = model.with_file_name(VAD_MODEL);
                config.speech.vad_model = vad.is_file().then_some(vad);
            }
            None => config.speech.engine = asr::Engine::Off,
        }
        Ok(Self { data_dir, config, wechat, model })
    }
}

impl WechatKeys {
    fn table(&self) -> toml::Table {
        let mut table = toml::Table::new();
        for (key, value) in [
            ("token", &self.token),
            ("encoding_aes_key", &self.encoding_aes_key),
            ("app_id", &self.app_id),
            ("account", &self.account),
        ] {
            table.insert(key.into(), toml::Value::String(value.clone()));
        }
        table.insert("mode".into(), toml::Value::String("safe".into()));
        table
    }
}

fn list_file() -> String {
    format!(
        "list,kind,value,reason,valid_until,representative_kind,level,ref\n\
         block,number,{BLOCKED},演示：多次恶意骚扰,2099-12-31,,,演示-黑-001\n\
         representative,channel_user,wechat_mp:{REPRESENTATIVE},,2099-12-31,npc_deputy,city,演示-代表-001\n"
    )
}

fn wechat_keys() -> WechatKeys {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let mut token = [0; 8];
    rand::rng().fill_bytes(&mut token);
    WechatKeys {
        token: hex::encode(token),
        encoding_aes_key: base64::engine::general_purpose::STANDARD_NO_PAD.encode(key),
        app_id: "wx0000000000000de0".into(),
        account: "gh_0000000000de".into(),
    }
}

/// `JIESU_MODEL_DIR`, then the data directory's `models`, then that of a gateway started here before.
fn find_model(data_dir: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("JIESU_MODEL_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let usual = config::NodeConfig::default().data_dir.join("models");
    let folders = named.into_iter().chain([data_dir.join("models"), usual]);
    let places = folders.flat_map(|folder| MODELS.map(|name| folder.join(name)));
    places.into_iter().find(|path| path.is_file()).and_then(|path| std::path::absolute(path).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_up_is_accepted_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::set(Some(folder.path())).unwrap();
        let numbers = crate::calls::number_context(&stage.config);
        let (_, report) = blacklist::Lists::open(stage.config.lists.clone(), &numbers).unwrap();
        assert!(report.warnings.is_empty(), "a warning of a list entry");
        assert!(channels::Channels::build(&stage.config.channels).is_ok());
        assert!(outbox::sinks::build(stage.config.sinks.clone()).is_ok());
        assert!(stage.config.speech.faults().is_empty());
        assert!(stage.config.node.test, "the records are a drill");
    }
}
