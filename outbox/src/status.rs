//! What an operator may ask: can the store write, where does each sink stand, what was parked.

use record::Uuid;

use crate::retry::ErrorClass;

/// Whether the store works, for `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the last attempt to write succeeded.
    pub writable: bool,
    /// Why not: the words of [`OutboxError::StoreUnavailable`](crate::OutboxError::StoreUnavailable).
    pub reason: Option<&'static str>,
    /// Operations waiting for the disk.
    pub queue_len: usize,
    /// How many may wait.
    pub queue_capacity: usize,
    /// `seq` of the newest durable record.
    pub head: u64,
}

/// Where one sink stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStatus {
    /// The sink's name.
    pub name: String,
    /// Every record up to this `seq` is delivered or parked.
    pub cursor: u64,
    /// The dense per-sink sequence of the last delivery; parked records have one too, so a gap shows.
    pub sequence: u64,
    /// `seq` of the newest record.
    pub head: u64,
    /// How many records it is behind.
    pub lag: u64,
    /// How many records it refused for good.
    pub parked: u64,
    /// The failure it is in, `None` while it works.
    pub last_error: Option<SinkFailure>,
}

/// Why a sink does not take records now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkFailure {
    /// Its class.
    pub class: ErrorClass,
    /// One of the sink's fixed words, e.g. `timeout`.
    pub reason: &'static str,
    /// Failures in a row.
    pub attempts: u32,
}

/// A record that a sink refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The record's `seq`.
    pub seq: u64,
    /// Its per-sink sequence: the gap the consumer sees.
    pub sequence: u64,
    /// `record_id`.
    pub record_id: Uuid,
    /// `revision`.
    pub revision: u32,
    /// Why, one of the sink's fixed words.
    pub reason: String,
    /// When, milliseconds since 1970.
    pub parked_at_ms: i64,
}
