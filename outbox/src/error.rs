//! What can go wrong in the store, and who can mend it.

/// Why the outbox did not do what was asked. Nothing was written unless the operation returned `Ok`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// The store cannot write or read now (disk full, input/output error); it heals by itself once the
    /// cause is gone. The reason is one of a few fixed words and carries no data.
    #[error("the store is unavailable: {reason}")]
    StoreUnavailable {
        /// `disk_low`, `disk_full`, `io`, `busy`, `read_only`, `corrupt` or `other`.
        reason: &'static str,
    },
    /// Too many operations wait for the disk already; the caller should refuse new work.
    #[error("too many operations are waiting for the store")]
    Overloaded,
    /// The revision is not the one after the newest.
    #[error("revision {got} does not follow: {expected} was expected")]
    Revision {
        /// The revision that would have been taken.
        expected: u32,
        /// The revision in the record.
        got: u32,
    },
    /// There is no draft with this record's id: it was never opened or is completed already.
    #[error("no draft with this record id")]
    UnknownDraft,
    /// The channel code is not one of the published channels.
    #[error("unknown channel code")]
    UnknownChannel,
    /// A million records of one channel on one day; the six digits are used up.
    #[error("the record numbers of this channel and day are used up")]
    NumbersExhausted,
    /// Record, raw message or job is larger than `max_item_bytes`.
    #[error("larger than the store takes: {bytes} of at most {limit} bytes")]
    TooLarge {
        /// Its size, bytes.
        bytes: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// The record has no canonical form (a number with a fraction, nested too deep).
    #[error("the record has no canonical form")]
    NotCanonical,
    /// Configuration that cannot work; the operator has to mend it.
    #[error("{0}")]
    Config(String),
    /// Another process holds this store.
    #[error("the store is in use by another process")]
    InUse,
    /// The store was made by a newer version of jiesu.
    #[error("the store has format {found}; this version knows formats up to {known}")]
    NewerFormat {
        /// The format found.
        found: i64,
        /// The newest format this version knows.
        known: i64,
    },
    /// The outbox was closed.
    #[error("the store is closed")]
    Closed,
    /// A fault of ours, kept from spreading; the log has it.
    #[error("internal fault in the store")]
    Internal,
}

impl OutboxError {
    /// Whether the store itself failed, as opposed to the request being wrong.
    pub(crate) const fn is_store_failure(&self) -> bool {
        matches!(self, Self::StoreUnavailable { .. } | Self::Internal)
    }
}

impl From<rusqlite::Error> for OutboxError {
    /// Keeps the class only: SQLite's texts may quote values.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let reason = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "disk_full",
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => "io",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "busy",
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "read_only",
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "corrupt",
            _ => "other",
        };
        Self::StoreUnavailable { reason }
    }
}
