//! What callers hear: the shipped prompts, or the operator's own files in their place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context as _;
use config::Config;
use gateway_media::{Prompt, tone};

use sha2::{Digest as _, Sha256};

/// Telephone sound.
const RATE_HZ: u32 = 8000;
/// File types tried for an operator's prompt, in this order.
const EXTENSIONS: [&str; 4] = ["wav", "ogg", "mp3", "flac"];
/// Largest prompt file that is read.
const MAX_FILE_BYTES: u64 = 32 << 20;

macro_rules! shipped {
    ($($id:literal),+ $(,)?) => {
        &[$(($id, include_bytes!(concat!("../../prompts/", $id, ".ogg")).as_slice()),)+]
    };
}

/// The shipped prompts, Mandarin and English (`prompts/manifest.toml` has text, voice and licence).
const SHIPPED: &[(&str, &[u8])] = shipped![
    "notice",
    "waiting",
    "still_waiting",
    "no_agent",
    "message_saved",
    "goodbye",
    "service_unavailable",
    "notice_en",
    "waiting_en",
    "still_waiting_en",
    "no_agent_en",
    "message_saved_en",
    "goodbye_en",
    "service_unavailable_en",
];

/// The id of the operator's own hold music.
const HOLD_MUSIC: &str = "hold_music";
/// Own prompts at most, beside those that replace shipped ones.
const MAX_OWN: usize = 256;

/// Every prompt, decoded once.
pub struct Prompts {
    prompts: HashMap<String, (Prompt, String)>,
    ring_back: Prompt,
    beep: Prompt,
    hold: Prompt,
}

impl Prompts {
    /// Decodes the shipped prompts, and those of `folder`: instead where it has a file of the same name, else
    /// beside them, for `call.notice` and the flows. A file there that cannot be read is an error: silence in
    /// place of the recording notice is none.
    pub fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut prompts = HashMap::new();
        let own = match folder {
            Some(folder) => own_ids(folder)?,
            None => BTreeSet::new(),
        };
        let mut sources: BTreeMap<&str, &[u8]> = own.iter().map(|id| (id.as_str(), [].as_slice())).collect();
        sources.extend(SHIPPED.iter().copied());
        for (id, shipped) in sources {
            let own = match folder {
                Some(folder) => own_file(folder, id)?,
                None => None,
            };
            let bytes = own.as_deref().unwrap_or(shipped);
            let samples = asr::audio::decode_mono(bytes, RATE_HZ)
                .with_context(|| format!("prompt {id} cannot be decoded"))?;
            let version = hex::encode(&Sha256::digest(bytes)[..4]);
            prompts.insert(id.to_owned(), (Prompt::new(samples), version));
        }
        let own_hold = prompts.get(HOLD_MUSIC).map(|(prompt, _): &(Prompt, String)| prompt.clone());
        let hold = own_hold.unwrap_or_else(tone::hold);
        Ok(Self { prompts, ring_back: tone::ring_back(), beep: tone::beep(), hold })
    }

    /// A prompt by its id.
    pub fn prompt(&self, id: &str) -> Option<Prompt> {
        self.prompts.get(id).map(|(prompt, _)| prompt.clone())
    }

    /// First eight hex digits of the SHA-256 of the file that is played.
    pub fn version(&self, id: &str) -> Option<&str> {
        self.prompts.get(id).map(|(_, version)| version.as_str())
    }

    /// The tone while a phone rings; to be repeated.
    pub fn ring_back(&self) -> Prompt {
        self.ring_back.clone()
    }

    /// What a held caller hears, over and over: the operator's `hold_music`, else the hold tone.
    pub fn hold(&self) -> Prompt {
        self.hold.clone()
    }

    /// "Speak now."
    pub fn beep(&self) -> Prompt {
        self.beep.clone()
    }
}

/// Prompts that the configuration names and nobody has: key and id.
pub fn unknown(config: &Config) -> Vec<(String, String)> {
    let folder = config.prompts.folder.as_deref();
    let own = folder.and_then(|folder| own_ids(folder).ok()).unwrap_or_default();
    let known = |id: &str| own.contains(id) || SHIPPED.iter().any(|(shipped, _)| *shipped == id);
    let named = config.call.named_prompts().into_iter();
    named
        .filter(|(_, id)| !id.as_str().is_empty() && !known(id.as_str()))
        .map(|(key, id)| (format!("call.{key}"), id.as_str().to_owned()))
        .collect()
}

/// The ids of the operator's own prompts: file names without their extension.
fn own_ids(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let fault = || format!("cannot read {}", folder.display());
    let mut ids = BTreeSet::new();
    for entry in std::fs::read_dir(folder).with_context(fault)? {
        let path = entry.with_context(fault)?.path();
        let is_sound = path.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known));
        if let (true, Some(id)) = (is_sound, path.file_stem().and_then(|stem| stem.to_str())) {
            ids.insert(id.to_owned());
        }
    }
    anyhow::ensure!(ids.len() <= MAX_OWN, "{} holds more than {MAX_OWN} prompts", folder.display());
    Ok(ids)
}

fn own_file(folder: &Path, id: &str) -> anyhow::Result<Option<Vec<u8>>> {
    for extension in EXTENSIONS {
        let path = folder.join(format!("{id}.{extension}"));
        match std::fs::metadata(&path) {
            Ok(meta) if meta.len() > MAX_FILE_BYTES => {
                anyhow::bail!("{} is larger than 32 MiB", path.display())
            }
            Ok(_) => {
                return Ok(Some(
                    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
                ));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_prompt_is_speech_of_a_bearable_length() {
        let prompts = Prompts::load(None).unwrap();
        for (id, _) in SHIPPED {
            let seconds = prompts.prompt(id).unwrap().duration().as_secs_f32();
            assert!((1.0..20.0).contains(&seconds), "{id}: {seconds} s");
        }
        assert!(prompts.prompt("no_such_prompt").is_none());
    }

    #[test]
    fn the_operators_own_file_replaces_the_shipped_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut wav = gateway_media::wav::wav_header(32_000).to_vec();
        wav.extend([0u8; 32_000]);
        std::fs::write(folder.path().join("notice.wav"), wav).unwrap();
        let (shipped, own) = (Prompts::load(None).unwrap(), Prompts::load(Some(folder.path())).unwrap());
        assert_ne!(own.version("notice"), shipped.version("notice"));
        assert_eq!(own.version("waiting"), shipped.version("waiting"));
        assert_eq!(own.prompt("notice").unwrap().duration().as_millis(), 1_000);
    }

    #[test]
    fn a_flow_may_name_any_file_of_the_folder_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut wav = gateway_media::wav::wav_header(32_000).to_vec();
        wav.extend([0u8; 32_000]);
        std::fs::write(folder.path().join("line_moved.wav"), wav).unwrap();
        let prompts = Prompts::load(Some(folder.path())).unwrap();
        assert_eq!(prompts.prompt("line_moved").unwrap().duration().as_millis(), 1_000);

        let mut config = Config::default();
        config.prompts.folder = Some(folder.path().to_owned());
        config.call = serde_json::from_value(serde_json::json!({ "notice": "notice_en", "flows": [
            { "numbers": ["1"], "prompt": "line_moved" }, { "numbers": ["2"], "prompt": "line_mvoed" },
        ] }))
        .unwrap();
        assert_eq!(unknown(&config), [("call.flows[1].prompt".to_owned(), "line_mvoed".to_owned())]);
    }

    #[test]
    fn a_file_that_is_no_sound_is_a_fault_and_not_silence() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notice.ogg"), "not a sound").unwrap();
        assert!(Prompts::load(Some(folder.path())).is_err());
    }
}
