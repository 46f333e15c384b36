//! Whom a leg of ours rings. Only an agent has a place in the hall; the others belong to nobody's books.

use record::Pii;

use crate::id::AgentId;

/// Police, fire, ambulance, traffic police.
const EMERGENCY: [&str; 4] = ["110", "119", "120", "122"];

/// Whom to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The phone an agent registered.
    Agent(AgentId),
    /// A phone at a fixed SIP address, without registration.
    Phone(String),
    /// A number of the telephone network.
    Trunk {
        /// The trunk to take; `None` leaves the choice to the shell.
        trunk: Option<String>,
        /// The number, as the trunk wants it dialled.
        number: Pii<String>,
    },
}

impl Target {
    /// One of the national emergency numbers, through a trunk.
    pub fn is_emergency(&self) -> bool {
        matches!(self, Self::Trunk { number, .. } if EMERGENCY.contains(&number.reveal().as_str()))
    }

    /// The agent, when it is one.
    pub const fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(agent) => Some(agent),
            Self::Phone(_) | Self::Trunk { .. } => None,
        }
    }
}

impl std::fmt::Display for Target {
    /// As the sealed record has it: `agent:1001`, `sip:…`, `tel:110`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent(agent) => write!(f, "agent:{agent}"),
            Self::Phone(address) => f.write_str(address),
            Self::Trunk { number, .. } => write!(f, "tel:{}", number.reveal()),
        }
    }
}

impl From<AgentId> for Target {
    fn from(agent: AgentId) -> Self {
        Self::Agent(agent)
    }
}
