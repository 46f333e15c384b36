//! Who goes first: one small rule per lane, as data, so that a new lane is a line and not a branch.

use record::Lane;
use serde::{Deserialize, Serialize};

/// How a lane stands against the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneRule {
    /// Higher goes first; 0 is ordinary. Lanes with the same precedence share one line, first come first
    /// served.
    pub precedence: u8,
    /// Never yields to an ordinary caller (a life may depend on it). Other lanes above 0 yield every
    /// `priority_burst`-th assignment. Default: false.
    #[serde(default)]
    pub absolute: bool,
}

impl LaneRule {
    /// The rule a lane has unless the configuration says otherwise.
    pub const fn default_for(lane: Lane) -> Self {
        match lane {
            Lane::Crisis => Self { precedence: 3, absolute: true },
            Lane::Transfer110 => Self { precedence: 2, absolute: true },
            Lane::PriorityRep => Self { precedence: 1, absolute: false },
            Lane::Standard | Lane::Enterprise | Lane::Elderly | Lane::Language | Lane::LeaderDay => {
                Self { precedence: 0, absolute: false }
            }
        }
    }

    /// Waits in the ordinary line.
    pub const fn is_ordinary(self) -> bool {
        self.precedence == 0 && !self.absolute
    }
}
