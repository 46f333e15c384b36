//! How a call can end, and what each way means in the record: who, which SIP status, which Q.850 cause.

use record::EndBy;

/// How the call ended; one per way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    CallerHungUp {
        q850: Option<u8>,
    },
    CallerLost,
    NeverConfirmed,
    AnswerFailed {
        sip_code: u16,
    },
    AgentHungUp,
    AgentLost,
    /// The desk ended it.
    Desk,
    /// A phone at a fixed address was not answered, and no message could be left.
    NobodyReached,
    /// The agent who was to make a call did not pick up.
    AgentNotReached,
    MessageDone,
    /// The number's flow has come to its end.
    FlowDone,
    TooLong,
    Shutdown,
}

impl Ending {
    pub fn is_by_caller(self) -> bool {
        matches!(self, Self::CallerHungUp { .. })
    }

    /// The word for it in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallerHungUp { .. } => "caller_hung_up",
            Self::CallerLost => "caller_lost",
            Self::NeverConfirmed => "never_confirmed",
            Self::AnswerFailed { .. } => "answer_failed",
            Self::AgentHungUp => "agent_hung_up",
            Self::AgentLost => "agent_lost",
            Self::Desk => "desk",
            Self::NobodyReached => "nobody_reached",
            Self::AgentNotReached => "agent_not_reached",
            Self::MessageDone => "message_done",
            Self::FlowDone => "flow_done",
            Self::TooLong => "too_long",
            Self::Shutdown => "shutdown",
        }
    }

    pub fn end_by(self) -> EndBy {
        match self {
            Self::CallerHungUp { .. } => EndBy::Caller,
            Self::CallerLost | Self::NeverConfirmed | Self::AgentLost => EndBy::Network,
            Self::AgentHungUp | Self::Desk => EndBy::Agent,
            Self::AnswerFailed { .. }
            | Self::NobodyReached
            | Self::AgentNotReached
            | Self::MessageDone
            | Self::FlowDone
            | Self::TooLong
            | Self::Shutdown => EndBy::Gateway,
        }
    }

    pub fn sip_code(self, confirmed: bool) -> u16 {
        match self {
            Self::AnswerFailed { sip_code } => sip_code,
            Self::CallerHungUp { .. } if !confirmed => 487,
            Self::Shutdown | Self::TooLong if !confirmed => 503,
            // A call of ours that was never answered.
            Self::AgentNotReached => 480,
            Self::NobodyReached | Self::AgentHungUp | Self::AgentLost | Self::Desk if !confirmed => 487,
            _ => 200,
        }
    }

    /// Q.850: 16 normal clearing, 19 no answer, 41 temporary failure, 102 recovery on timer expiry, 65 bearer capability
    /// not implemented (RFC 3398 §8.2.6.1 pairs it with 488), 31 normal, unspecified.
    pub fn q850(self) -> u8 {
        match self {
            Self::CallerHungUp { q850 } => q850.unwrap_or(16),
            Self::AgentHungUp | Self::Desk | Self::MessageDone | Self::FlowDone => 16,
            Self::NobodyReached | Self::AgentNotReached => 19,
            Self::CallerLost | Self::NeverConfirmed | Self::AgentLost | Self::TooLong => 102,
            Self::Shutdown => 41,
            Self::AnswerFailed { sip_code: 488 | 415 | 606 } => 65,
            Self::AnswerFailed { sip_code: 500..=599 } => 41,
            Self::AnswerFailed { .. } => 31,
        }
    }
}
