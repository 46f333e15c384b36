//! What the desk may want of a running call: the API's words for it. The gateway knows what they lead to.

use record::Uuid;
use serde::Deserialize;

/// A wish about a call, as a request's path and body say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallWish {
    /// Keep the caller apart.
    Hold,
    /// The caller back; also calls off a consultation, an invitation or a transfer in progress.
    Resume,
    /// Ring someone while the caller is kept apart.
    Consult(CallTarget),
    /// Three-way, with who is consulted or with someone rung now.
    Conference(Option<CallTarget>),
    /// Hand the caller over, to who is consulted or to someone rung now.
    Transfer(Option<CallTarget>),
    /// Let a supervisor in, or change how one takes part.
    Supervise(CallTarget, CallWatch),
    /// End the call.
    HangUp,
}

/// Whom to ring.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum CallTarget {
    /// An agent, by account.
    Agent {
        /// The account.
        agent: String,
    },
    /// A telephone number.
    Number {
        /// Digits.
        number: String,
        /// Through this trunk; the first that can call out when absent.
        trunk: Option<String>,
    },
    /// A phone at a fixed SIP address.
    Phone {
        /// Its address.
        phone: String,
    },
}

impl std::fmt::Debug for CallTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Agent { .. } => "agent",
            Self::Number { .. } => "number",
            Self::Phone { .. } => "phone",
        })
    }
}

/// A call to be made.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallOut {
    /// The account of the agent whose phone rings first.
    pub agent: String,
    /// The number to call.
    pub number: String,
    /// Through this trunk; the first that can call out when absent.
    pub trunk: Option<String>,
    /// The record it is about.
    pub record_id: Option<Uuid>,
}

impl std::fmt::Debug for CallOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOut").field("record_id", &self.record_id).finish_non_exhaustive()
    }
}

/// How a supervisor takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallWatch {
    /// Hears everybody.
    Listen,
    /// Is heard by the agent alone.
    Whisper,
    /// Is heard by everybody.
    Barge,
}

/// Why a wish was not granted; the call goes on as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRefusal {
    /// No such call, or it ended.
    NoSuchCall,
    /// The target cannot be called: no such agent, no digits, no trunk that calls out.
    BadTarget,
    /// The record a call is to be about does not exist.
    NoSuchRecord,
    /// Not in this state of the call; a word for it.
    NotNow(&'static str),
    /// The call does not answer now.
    Busy,
    /// So many calls are in progress that the rest is kept for those who go first.
    Crowded,
}
