//! The `[lists]` section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Caller lists: where they come from and how far they may go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListsConfig {
    /// The list file, `.toml` or `.csv`; without one nobody is listed. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Whether a block entry for `withheld` callers may refuse them; otherwise it only annotates.
    /// Default: `false`, for a withheld number is no person and may be in need.
    pub refuse_withheld: bool,
    /// Whether the file is watched and reloaded when it changes. Default: `true`.
    pub watch: bool,
    /// Largest list file that is read; a larger one is refused whole. Default: `"256MiB"`.
    #[serde(with = "record::units::size")]
    pub max_file: u64,
    /// Most entries a file may hold; a longer one is refused whole. Default: 2000000.
    pub max_entries: usize,
    /// Most entries that may stand in one verdict, the deciding ones first. Default: 16.
    pub max_matches: usize,
}

impl Default for ListsConfig {
    fn default() -> Self {
        Self {
            file: None,
            refuse_withheld: false,
            watch: true,
            max_file: 256 << 20,
            max_entries: 2_000_000,
            max_matches: 16,
        }
    }
}
