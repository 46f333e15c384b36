//! The configuration: read, merged, resolved and checked, with every fault at once.
//!
//! Order: a file (`--config`, `JIESU_CONFIG`, `./jiesu.toml`, or the embedded default when there is none),
//! `conf.d/*.toml` beside it, then `JIESU__SECTION__KEY`. The types of a component's section stand beside
//! that component; this crate only composes them. Nothing here opens a socket.

mod check;
mod fault;
mod layers;
mod origin;
mod read;
mod secret;
mod sections;
mod trunks;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use fault::Fault;
pub use origin::Origin;
pub use sections::*;
pub use trunks::*;

/// The commented default file: it is the documentation and the default at once.
pub const DEFAULT_FILE: &str = include_str!("../jiesu.toml");

/// Everything that can be configured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This machine.
    pub node: NodeConfig,
    /// Webhooks, API, console.
    pub http: HttpConfig,
    /// Prometheus listener.
    pub metrics: MetricsConfig,
    /// Signalling.
    pub sip: SipConfig,
    /// RTP.
    pub media: gateway_media::MediaConfig,
    /// What callers hear.
    pub prompts: PromptsConfig,
    /// Carriers.
    pub trunks: Vec<TrunkConfig>,
    /// Call-takers' phones.
    pub agents: Vec<AgentConfig>,
    /// What a call does.
    pub call: gateway_call::CallConfig,
    /// Caller lists.
    pub lists: blacklist::ListsConfig,
    /// Speech to text.
    pub speech: asr::SpeechConfig,
    /// Message channels: code → account → keys.
    pub channels: channels::ChannelsConfig,
    /// Where records go.
    pub sinks: Vec<outbox::SinkConfig>,
    /// API tokens.
    pub api: ApiConfig,
}

/// Where to read from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `--config`; when absent `JIESU_CONFIG`, then `./jiesu.toml`, then the embedded default.
    pub file: Option<PathBuf>,
    /// `--data`, above everything else.
    pub data_dir: Option<PathBuf>,
    /// Where `jiesu.toml` is looked for when no file is named; nowhere when absent.
    pub folder: Option<PathBuf>,
    /// The environment; the process's own through [`LoadOptions::from_process`].
    pub environment: Vec<(String, String)>,
}

impl LoadOptions {
    /// The process's environment and the given flags.
    pub fn from_process(file: Option<PathBuf>, data_dir: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        Self { file, data_dir, folder: Some(PathBuf::from(".")), environment }
    }

    /// The file that will be read; `None` means the embedded default.
    pub fn chosen_file(&self) -> Option<PathBuf> {
        let named =
            self.environment.iter().find(|(name, _)| name == "JIESU_CONFIG").map(|(_, v)| PathBuf::from(v));
        self.file.clone().or(named).or_else(|| {
            let local = self.folder.as_ref()?.join("jiesu.toml");
            local.is_file().then_some(local)
        })
    }
}

/// A configuration that holds, with what is worth a warning.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file it came from; `None` for the embedded default.
    pub file: Option<PathBuf>,
    /// Allowed, but probably not meant.
    pub warnings: Vec<Fault>,
}

/// Reads and checks everything; on faults, all of them.
pub fn load(options: &LoadOptions) -> Result<Loaded, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut layers = layers::Layers::default();
    let file = options.chosen_file();
    match &file {
        Some(path) => add_file(&mut layers, path, &mut faults),
        None => layers.add_text(DEFAULT_FILE, None, &mut faults),
    }
    for path in drop_ins(file.as_deref(), &mut faults) {
        add_file(&mut layers, &path, &mut faults);
    }
    layers.add_environment(options.environment.iter().cloned());
    secret::resolve(&mut layers, &mut faults);
    let config = read::read::<Config>(&layers, &mut faults);
    let Some(mut config) = config else { return Err(faults) };
    if let Some(data_dir) = &options.data_dir {
        config.node.data_dir.clone_from(data_dir);
    }
    let mut warnings = Vec::new();
    check::check(&config, &layers, &mut faults, &mut warnings);
    if faults.is_empty() { Ok(Loaded { config, file, warnings }) } else { Err(faults) }
}

fn add_file(layers: &mut layers::Layers, path: &Path, faults: &mut Vec<Fault>) {
    match std::fs::read_to_string(path) {
        Ok(text) => layers.add_text(&text, Some(path), faults),
        Err(error) => faults.push(Fault::new(
            Some(Origin::File(path.to_path_buf(), 1)),
            "",
            format!("cannot read the configuration: {error}"),
        )),
    }
}

fn drop_ins(file: Option<&Path>, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let Some(file) = file else { return Vec::new() };
    let folder = file.parent().unwrap_or(Path::new("")).join("conf.d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            faults.push(Fault::new(
                Some(Origin::File(folder, 1)),
                "",
                format!("cannot read conf.d: {error}"),
            ));
            return Vec::new();
        }
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    paths
}
