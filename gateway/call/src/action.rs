//! What a call wants done: the whole vocabulary out of a [`Session`](crate::Session).
//!
//! Perform them in the order they come. None waits for another: what matters is reported back as an
//! [`Event`](crate::Event).

use crate::hall::HallEvent;
use crate::id::{AgentId, LegId, PlayId};
use crate::prompt::{PromptId, Tone};
use crate::summary::Summary;

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send 200 to the caller.
    Answer,
    /// Play a prompt to the caller, once, instead of whatever plays now.
    /// Ends with `PlayFinished` or `PlayFailed`.
    Play {
        /// Comes back in the event.
        play: PlayId,
        /// Which.
        prompt: PromptId,
    },
    /// Play a tone to the caller instead of whatever plays now.
    PlayTone {
        /// Comes back in the event, where the tone ends by itself.
        play: PlayId,
        /// Which.
        tone: Tone,
    },
    /// Be silent to the caller.
    StopPlaying,
    /// Start writing both channels. This moment is 0 on the recording timeline.
    StartRecording,
    /// Close the recording.
    StopRecording,
    /// Tell the hall.
    Hall(HallEvent),
    /// Ring this agent's phone.
    RingAgent {
        /// The agent.
        agent: AgentId,
        /// The number of this attempt, in every event about it.
        leg: LegId,
    },
    /// Stop ringing (CANCEL). Report `AgentFailed` (487) or, when the 200 won the race, `AgentAnswered`.
    CancelAgent {
        /// The attempt.
        leg: LegId,
    },
    /// Let caller and agent hear each other.
    Bridge {
        /// The agent's leg.
        leg: LegId,
    },
    /// End that.
    Unbridge,
    /// End the agent's leg (ACK and BYE).
    HangUpAgent {
        /// The leg.
        leg: LegId,
    },
    /// End the caller's leg: BYE, or a final refusal while it is not answered yet.
    HangUpCaller {
        /// Q.850 cause for the `Reason` header.
        q850: u8,
    },
    /// The last action: the session may be dropped. Legs the shell still holds for this call are to be hung
    /// up.
    Finished(Box<Summary>),
}
