//! The configuration of one gateway under test, written as an operator would write it.

use std::path::{Path, PathBuf};

use crate::ports::{self, Ports};

/// Digest password of every agent's phone.
pub const AGENT_SECRET: &str = "agent-secret-3f9a";
/// API token with role `admin`.
pub const API_TOKEN: &str = "admin-token-81c2d7e6";
/// The key of the identity hashes.
pub const IDENTITY_KEY: &str = "identity-key-0123456789abcdef";

/// What differs from test to test. The texts are TOML.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Keys of `[call]`.
    pub call: String,
    /// Keys of `[media]`.
    pub media: String,
    /// Whether it listens on TLS, too, with a certificate of [`authority`].
    pub tls: bool,
    /// Keys of `[speech]`.
    pub speech: String,
    /// Whole sections: channels, sinks, trunks. `{phone 1}` stands for the port of the phone with that index.
    pub sections: String,
    /// Where the trunk's calls come from.
    pub trunk_from: String,
    /// Where agents' phones register from.
    pub agent_networks: String,
    /// The list file (CSV), if any.
    pub lists: Option<String>,
    /// Keys of `[lists]` beside `file`.
    pub list_keys: String,
    /// Agents' user names.
    pub agents: Vec<&'static str>,
    /// Environment of the process.
    pub environment: Vec<(String, String)>,
    /// Arguments after `serve`.
    pub arguments: Vec<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            call: "wrap_up = \"0s\"\n".into(),
            media: String::new(),
            tls: false,
            speech: "engine = \"off\"\n".into(),
            sections: String::new(),
            trunk_from: "127.0.0.0/8".into(),
            agent_networks: "127.0.0.0/8".into(),
            lists: None,
            list_keys: String::new(),
            agents: vec!["1001", "1002"],
            environment: Vec::new(),
            arguments: Vec::new(),
        }
    }
}

impl Settings {
    /// Adds keys to `[call]`.
    #[must_use]
    pub fn call(mut self, keys: &str) -> Self {
        self.call.push_str(keys);
        self.call.push('\n');
        self
    }

    /// Adds keys to `[media]`.
    #[must_use]
    pub fn media(mut self, keys: &str) -> Self {
        self.media.push_str(keys);
        self.media.push('\n');
        self
    }

    /// Listens on TLS, too.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Sets the list file: rows below the header `list,kind,value,reason,valid_until,representative_kind,level`.
    #[must_use]
    pub fn lists(mut self, rows: &str) -> Self {
        self.lists = Some(list_file(rows));
        self
    }

    /// Adds whole sections.
    #[must_use]
    pub fn sections(mut self, sections: &str) -> Self {
        self.sections.push_str(sections);
        self.sections.push('\n');
        self
    }

    /// Adds a Redis sink.
    #[must_use]
    pub fn redis(self, url: &str) -> Self {
        self.sections(&format!(
            "[[sinks]]\nname = \"stream\"\nkind = \"redis\"\nurl = \"{url}\"\nstream = \"intake\"\ntimeout = \"1s\"\n"
        ))
    }

    /// The file `jiesu.toml`.
    pub fn render(&self, ports: &Ports) -> String {
        let sections = (0..4).fold(self.sections.clone(), |sections, index| {
            sections.replace(&format!("{{phone {index}}}"), &ports.phone(index).to_string())
        });
        let Self { call, media, speech, trunk_from, agent_networks, list_keys, .. } = self;
        let file = if self.lists.is_some() { "file = \"lists.csv\"\n" } else { "" };
        let agents: String = self
            .agents
            .iter()
            .map(|user| format!("[[agents]]\nuser = \"{user}\"\nsecret = \"{AGENT_SECRET}\"\n"))
            .collect();
        let [first, last] = ports::RTP.map(|offset| ports.at(offset));
        let (sip, http) = (ports.address(ports::SIP), ports.address(ports::HTTP));
        let metrics = ports.address(ports::METRICS);
        let (tls, certificate) = if self.tls {
            let [certificate, key] = ["first.pem", "first.key"].map(certificates);
            (
                format!(", \"tls:{}\"", ports.address(ports::SIP_TLS)),
                format!(
                    "tls = {{ certificate = \"{}\", key = \"{}\" }}\n",
                    certificate.display(),
                    key.display()
                ),
            )
        } else {
            Default::default()
        };
        format!(
            r#"[node]
name = "e2e"
data_dir = "data"
identity_key = "{IDENTITY_KEY}"
[http]
listen = "{http}"
[metrics]
listen = "{metrics}"
[sip]
listen = ["udp:{sip}", "tcp:{sip}"{tls}]
{certificate}agent_networks = ["{agent_networks}"]
[media]
rtp_ports = [{first}, {last}]
{media}[call]
{call}
[lists]
{file}{list_keys}
[speech]
{speech}
[[trunks]]
name = "carrier"
from = ["{trunk_from}"]
trust_asserted_identity = true
area_code = "0471"
numbers = {{ "12345" = "12345", "12319" = "12319" }}
[[sinks]]
name = "records"
kind = "file"
path = "records.jsonl"
view = "sealed"
[[api.tokens]]
name = "e2e"
role = "admin"
token = "{API_TOKEN}"
{agents}
{sections}
"#
        )
    }
}

/// The authority whose certificate a gateway under test shows, PEM.
pub fn authority() -> PathBuf {
    certificates("ca.pem")
}

fn certificates(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/certificates").join(name)
}

/// A list file of these rows.
pub fn list_file(rows: &str) -> String {
    format!("list,kind,value,reason,valid_until,representative_kind,level\n{}\n", rows.trim_end())
}
