//! Where rows come from: one file, as TOML or CSV. Here its bytes become text; the forms are below.

mod csv;
mod file;
mod toml;

use std::path::Path;

use crate::error::ListsError;
use crate::import::Importer;

pub(crate) use file::read;

/// The form of a list file. Both have the same columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, RFC 4180, with a header line.
    Csv,
    /// TOML with `format = 1` and one `[[entry]]` per entry.
    Toml,
}

impl Format {
    /// By the file's extension.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        if extension.eq_ignore_ascii_case("csv") {
            Some(Self::Csv)
        } else if extension.eq_ignore_ascii_case("toml") {
            Some(Self::Toml)
        } else {
            None
        }
    }
}

/// Feeds every row of `text` to the importer.
pub(crate) fn rows(text: &str, format: Format, importer: &mut Importer<'_>) {
    match format {
        Format::Csv => csv::rows(text, importer),
        Format::Toml => toml::rows(text, importer),
    }
}

/// The text without a byte order mark. Spreadsheets in Chinese offices save GBK by default, so the
/// message names it.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, ListsError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        ListsError::Encoding { line: line_number(good) }
    })
}

/// The line after this many bytes of text, counted from 1.
fn line_number(before: &[u8]) -> u32 {
    let breaks = before.iter().filter(|b| **b == b'\n').count();
    u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1)
}
