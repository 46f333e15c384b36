//! What can be wrong with the lists. No message repeats a cell: cells hold citizens' numbers.

use std::fmt;
use std::path::PathBuf;

/// Why the lists could not be read; the ones in force stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// No `lists.file` is configured, so there is nothing to reload.
    #[error("no list file is configured (lists.file)")]
    NoFile,
    /// The name ends neither in `.toml` nor in `.csv`.
    #[error("{path}: a list file ends in .toml or .csv", path = .path.display())]
    UnknownFormat {
        /// The configured file.
        path: PathBuf,
    },
    /// It could not be read; the operator has to look at path and permissions.
    #[error("{path}: {source}", path = .path.display())]
    Read {
        /// The configured file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Longer than `lists.max_file`.
    #[error("the list file is larger than {max_bytes} bytes (lists.max_file)")]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
    /// Not UTF-8.
    #[error("line {line}: not UTF-8; save the file as UTF-8 (GBK, GB18030 and UTF-16 are not read)")]
    Encoding {
        /// The first line that is not.
        line: u32,
    },
    /// Bad lines; nothing of the file took effect.
    #[error("{total} faults in the list file, first {first}", first = First(.faults))]
    Import {
        /// The first hundred faults, in the order of the file.
        faults: Vec<ImportError>,
        /// How many there are.
        total: usize,
    },
    /// The file cannot be watched; explicit reloads still work.
    #[error("cannot watch the list file: {0}")]
    Watch(#[from] notify::Error),
    /// No thread for the watcher.
    #[error("cannot start the watcher: {0}")]
    Thread(std::io::Error),
}

/// One fault of a list file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {column}: {message}")]
pub struct ImportError {
    /// Counted from 1.
    pub line: u32,
    /// The name of the column or key; `-` when the whole line is meant.
    pub column: &'static str,
    /// What is wrong and what is expected; never the content of the cell.
    pub message: String,
}

struct First<'a>(&'a [ImportError]);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first() {
            Some(fault) => fault.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}
