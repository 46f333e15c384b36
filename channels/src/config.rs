//! Reading an account's table: every fault at once, each with its key path.
//!
//! A channel asks [`AccountTable`] for its keys one by one and calls `finish`; a key nobody asked for is
//! a fault that names the nearest known one. Secrets arrive resolved (`${file:}` and `${env:}` are the
//! config crate's affair).

use std::collections::BTreeMap;

use record::units::size;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// `[channels.CODE.ACCOUNT]`: tables by channel code and account name.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelsConfig(pub BTreeMap<String, BTreeMap<String, toml::Table>>);

/// The tables hold secrets: only the names are shown.
impl std::fmt::Debug for ChannelsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter().map(|(code, accounts)| (code, accounts.keys().collect::<Vec<_>>()));
        f.debug_map().entries(names).finish()
    }
}

/// Something wrong in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ConfigFault {
    /// Key path, e.g. `channels.wechat_mp.main.token`.
    pub path: String,
    /// What is wrong and what would be right; holds no configured value of a secret.
    pub message: String,
}

/// The keys every account may set, whatever its channel.
#[derive(Clone, Debug, Default)]
pub struct CommonKeys {
    /// `path`: a further path this account is served at.
    pub path: Option<String>,
}

/// One account's table while it is being read.
pub struct AccountTable {
    prefix: String,
    account: String,
    rest: toml::Table,
    asked: Vec<&'static str>,
    faults: Vec<ConfigFault>,
}

impl AccountTable {
    /// Starts reading `channels.{code}.{account}`.
    pub fn new(code: &str, account: &str, table: toml::Table) -> Self {
        Self {
            prefix: format!("channels.{code}.{account}"),
            account: account.to_owned(),
            rest: table,
            asked: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The account's name.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Notes a fault at a key.
    pub fn fault(&mut self, key: &str, message: impl Into<String>) {
        self.faults.push(ConfigFault { path: format!("{}.{key}", self.prefix), message: message.into() });
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            toml::Value::String(text) if !text.is_empty() => Some(text),
            toml::Value::String(_) => self.wrong(key, "is empty"),
            _ => self.wrong(key, "must be a text"),
        }
    }

    /// A secret text.
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.text(key).map(Secret::new)
    }

    /// A whole number within bounds; `default` when absent.
    pub fn number(&mut self, key: &'static str, bounds: std::ops::RangeInclusive<u64>, default: u64) -> u64 {
        let value = self.take(key);
        self.bounded(key, value, bounds, default)
    }

    /// A size: a whole number of bytes, or a text such as `"20MiB"`.
    pub fn size(&mut self, key: &'static str, bounds: std::ops::RangeInclusive<u64>, default: u64) -> u64 {
        let value = match self.take(key) {
            Some(toml::Value::String(text)) => {
                match size::parse(&text).ok().and_then(|n| i64::try_from(n).ok()) {
                    Some(bytes) => Some(toml::Value::Integer(bytes)),
                    None => {
                        self.fault(key, "must be a size such as \"20MiB\" or a number of bytes");
                        return default;
                    }
                }
            }
            other => other,
        };
        self.bounded(key, value, bounds, default)
    }

    /// A list of texts; `default` when absent.
    pub fn texts(&mut self, key: &'static str, default: &[&str]) -> Vec<String> {
        let owned = || default.iter().map(|text| (*text).to_owned()).collect();
        match self.take(key) {
            None => owned(),
            Some(toml::Value::Array(values)) => {
                let texts: Option<Vec<String>> =
                    values.iter().map(|v| v.as_str().map(str::to_owned)).collect();
                texts.unwrap_or_else(|| {
                    self.fault(key, "must be a list of texts");
                    owned()
                })
            }
            Some(_) => {
                self.fault(key, "must be a list of texts");
                owned()
            }
        }
    }

    /// Demands what was read: notes a fault when it is absent and no fault was noted for it yet.
    pub fn required<T>(&mut self, key: &'static str, value: Option<T>) -> Option<T> {
        let path = format!("{}.{key}", self.prefix);
        if value.is_none() && !self.faults.iter().any(|fault| fault.path == path) {
            self.fault(key, "is required");
        }
        value
    }

    /// Ends reading: `value` when there is no fault at all.
    ///
    /// # Errors
    /// Every fault found in this table.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<(T, CommonKeys), Vec<ConfigFault>> {
        let path = self.text("path");
        if let Some(path) = &path
            && let Err(message) = check_path(path)
        {
            self.fault("path", message);
        }
        let unknown: Vec<String> = self.rest.keys().cloned().collect();
        for key in unknown {
            let message = match nearest(&key, self.asked.iter().copied()) {
                Some(known) => format!("is not a known key; did you mean `{known}`?"),
                None => format!("is not a known key; known are {}", self.asked.join(", ")),
            };
            self.fault(&key, message);
        }
        match value {
            Some(value) if self.faults.is_empty() => Ok((value, CommonKeys { path })),
            _ => Err(self.faults),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<toml::Value> {
        self.asked.push(key);
        self.rest.remove(key)
    }

    fn wrong<T>(&mut self, key: &str, message: &str) -> Option<T> {
        self.fault(key, message);
        None
    }

    fn bounded(
        &mut self,
        key: &'static str,
        value: Option<toml::Value>,
        bounds: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let Some(value) = value else { return default };
        match value.as_integer().and_then(|number| u64::try_from(number).ok()) {
            Some(number) if bounds.contains(&number) => number,
            _ => {
                self.fault(
                    key,
                    format!("must be a whole number from {} to {}", bounds.start(), bounds.end()),
                );
                default
            }
        }
    }
}

/// A further path must be plain, and must not take the gateway's own.
fn check_path(path: &str) -> Result<(), &'static str> {
    const OWN: [&str; 7] = ["in", "api", "healthz", "readyz", "metrics", "console", "assets"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if !path.starts_with('/') || path.len() < 2 || path.len() > 200 || !path.chars().all(is_plain) {
        return Err("must be a path such as \"/wechat/mp\" of letters, digits and / - _ . ~");
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) || path.contains("//") {
        return Err("must not contain empty, \".\" or \"..\" parts");
    }
    if OWN.contains(&first) {
        return Err("is one of the gateway's own paths");
    }
    Ok(())
}

/// The known word nearest to a mistyped one, if it is near at all; case and separators do not count.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let word = bare(word);
    known
        .map(|candidate| (distance(&word, &bare(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.chars().count() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance; the first word is cut at 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            let cost = usize::from(from != *to);
            let best = (diagonal + cost).min(above + 1).min(left + 1);
            (diagonal, left, *cell) = (above, best, best);
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["token", "app_id", "encoding_aes_key"];
        assert_eq!(nearest("tokn", known.into_iter()), Some("token"));
        assert_eq!(nearest("appid", known.into_iter()), Some("app_id"));
        assert_eq!(nearest("encodingAESKey", known.into_iter()), Some("encoding_aes_key"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("ab", "ab")), (3, 3, 0));
    }

    #[test]
    fn paths_that_would_shadow_the_gateway_are_refused() {
        for path in ["wechat", "/", "/in/x", "/api/v1", "/metrics", "/a/../b", "/a{b}", "/a//b", "/路"] {
            assert!(check_path(path).is_err(), "{path}");
        }
        assert_eq!(check_path("/wechat/mp"), Ok(()));
    }
}
