//! Where the store lies and how much it may take.

use std::path::PathBuf;

use crate::error::OutboxError;

/// How to open the store. Made by the gateway from `[node]`; not a section of its own.
#[derive(Clone, Debug)]
pub struct OutboxConfig {
    /// The database file, `DATA_DIR/outbox.db`. Missing folders are made.
    pub path: PathBuf,
    /// The node's name: 1 to 63 of `a-z 0-9 . -`. It stands in every record and belongs to the chain,
    /// so a store cannot be opened under another name.
    pub node: String,
    /// Division code of the city, six digits: the head of every `record_no`.
    pub jurisdiction: String,
    /// Most operations that may wait for the disk; beyond it [`OutboxError::Overloaded`]. Default 1024.
    pub queue_capacity: usize,
    /// Largest record, raw message or job payload, bytes. Default 4 MiB.
    pub max_item_bytes: usize,
    /// Limits that may change while running.
    pub limits: Limits,
}

/// What the store may take of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// New intake is refused while the disk has less than this free, bytes. What completes calls that were
    /// taken already may use the reserve. Default 64 MiB.
    pub min_free_bytes: u64,
    /// Largest size of the database file, bytes; `None` is without limit. Default `None`.
    pub max_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { min_free_bytes: 64 << 20, max_bytes: None }
    }
}

impl OutboxConfig {
    /// The defaults for a store at `path`.
    pub fn new(path: impl Into<PathBuf>, node: impl Into<String>, jurisdiction: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            node: node.into(),
            jurisdiction: jurisdiction.into(),
            queue_capacity: 1024,
            max_item_bytes: 4 << 20,
            limits: Limits::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), OutboxError> {
        let node_is_good = (1..=63).contains(&self.node.len())
            && self
                .node
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
        if !node_is_good {
            return Err(OutboxError::Config("node.name: 1 to 63 of a-z, 0-9, dot and hyphen".into()));
        }
        if self.jurisdiction.len() != 6 || !self.jurisdiction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(OutboxError::Config("node.jurisdiction: six digits are expected".into()));
        }
        if self.queue_capacity == 0 || self.max_item_bytes == 0 {
            return Err(OutboxError::Config(
                "outbox: queue_capacity and max_item_bytes must be above 0".into(),
            ));
        }
        Ok(())
    }
}
