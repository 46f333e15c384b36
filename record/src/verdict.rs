//! What the lists say about a caller.

use crate::record::{ListDecision, Representative};
use crate::terms::Lane;

/// Whether the caller gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Into the queue, in the verdict's lane.
    Admit,
    /// A call is answered 603 before it is picked up; a message is kept and not passed on as a request.
    /// Either way a record with outcome `blocked` remains.
    Refuse,
}

/// The lists' answer, with the reasons as they stand in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// In or out.
    pub decision: Decision,
    /// The lane, meaningful when admitted.
    pub lane: Lane,
    /// Every entry that took part, for `lists[]` of the record.
    pub entries: Vec<ListDecision>,
    /// Set when the caller is a verified deputy or committee member.
    pub representative: Option<Representative>,
}

impl Verdict {
    /// Nothing known: admitted in the standard lane.
    pub const fn admitted() -> Self {
        Self { decision: Decision::Admit, lane: Lane::Standard, entries: Vec::new(), representative: None }
    }
}
