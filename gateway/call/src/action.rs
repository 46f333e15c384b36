//! What a call wants done: the whole vocabulary out of a [`Session`](crate::Session).
//!
//! Perform them in the order they come. None waits for another: what matters is reported back as an
//! [`Event`](crate::Event).

use crate::hall::HallEvent;
use crate::id::{LegId, PlayId};
use crate::prompt::{PromptId, Tone};
use crate::role::Role;
use crate::summary::Summary;
use crate::target::Target;

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
    /// Ring this phone.
    Ring {
        /// Whose.
        target: Target,
        /// The number of this attempt, in every event about it.
        leg: LegId,
    },
    /// Call the other side of a call that begins here; this leg's party is there and is to hear how it rings.
    /// Report `Confirmed`, or `AnswerFailed`.
    Dial {
        /// The party.
        leg: LegId,
    },
    /// Stop ringing (CANCEL). Report `LegFailed` (487) or, when the 200 won the race, `LegAnswered`.
    Cancel {
        /// The attempt.
        leg: LegId,
    },
    /// Let the caller and this leg's party, who is in charge from now on, hear each other.
    Bridge {
        /// The leg.
        leg: LegId,
    },
    /// Keep the caller apart from the others, who go on among themselves.
    Unbridge,
    /// Let this leg's party into the conversation with this role, or give the one who is there another role.
    Enter {
        /// The leg.
        leg: LegId,
        /// Its part.
        role: Role,
    },
    /// The phone's REFER is granted (202).
    AcceptRefer {
        /// Whose.
        leg: LegId,
    },
    /// The phone's REFER is refused.
    RefuseRefer {
        /// Whose.
        leg: LegId,
        /// The SIP status.
        status: u16,
    },
    /// Tell the phone how the transfer it asked for goes (NOTIFY, RFC 3515).
    NotifyRefer {
        /// Whose.
        leg: LegId,
        /// The status of the new call so far.
        status: u16,
        /// Nothing more will be told.
        last: bool,
    },
    /// Send the caller's own sound back.
    Echo,
    /// End a leg of ours (ACK and BYE).
    HangUp {
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
