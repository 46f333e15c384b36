//! How a call went, on its own time line: what a finished [`Session`](crate::Session) hands over.
//!
//! "Answered" here and in the record means *by a person*: `wait_ms` runs from joining the queue to that
//! moment, `talk_ms` from there to the end. Picking up to play a notice answers nobody's question.

use std::time::Duration;

use record::{Call, EndBy, Lane, Outcome, Signal, Timestamp, Transfer};

use crate::command::TransferNote;
use crate::event::TurnedAway;
use crate::id::{AgentId, CallId};
use crate::prompt::PromptId;

/// A finished call. `_after` is the time since the INVITE.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Which call.
    pub call: CallId,
    /// The lane it waited in.
    pub lane: Lane,
    /// `call.service_line` of the record.
    pub service_line: String,
    /// `call.queue` of the record.
    pub queue: String,
    /// What the number does: [`Then::as_str`](crate::Then::as_str).
    pub flow: &'static str,
    /// The caller's ACK.
    pub confirmed_after: Option<Duration>,
    /// Start of the recording: 0 on the recording timeline.
    pub recording_after: Option<Duration>,
    /// Joined the queue.
    pub queued_after: Option<Duration>,
    /// A person and the caller heard each other.
    pub answered_after: Option<Duration>,
    /// The end of the call.
    pub ended_after: Duration,
    /// Milliseconds in the queue: to the answer, to the voice message, or to the end.
    pub wait_ms: Option<u64>,
    /// Milliseconds with a person.
    pub talk_ms: Option<u64>,
    /// Who ended it.
    pub end_by: EndBy,
    /// How it ended: `caller_hung_up`, `caller_lost`, `never_confirmed`, `answer_failed`, `agent_hung_up`,
    /// `agent_lost`, `desk`, `nobody_reached`, `agent_not_reached`, `message_done`, `flow_done`, `too_long` or `shutdown`.
    pub reason: &'static str,
    /// What it counts as.
    pub outcome: Outcome,
    /// The agent who talked.
    pub agent: Option<AgentId>,
    /// How many phones were rung.
    pub rings: u32,
    /// Why the hall did not keep the caller, when it did not.
    pub turned_away: Option<TurnedAway>,
    /// The recording notice, when one was to be played.
    pub notice: Option<Notice>,
    /// The voice message, when the caller had the chance to speak one.
    pub voice_message: Option<VoiceMessage>,
    /// Hand-overs and three-way calls, in order.
    pub transfers: Vec<TransferNote>,
    /// The caller's first speech, when the media layer heard any.
    pub first_speech_after: Option<Duration>,
    /// The final SIP status of the INVITE.
    pub sip_code: u16,
    /// The Q.850 cause of the end.
    pub q850: u8,
}

/// Proof that the caller was told of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which prompt.
    pub prompt: PromptId,
    /// When it began.
    pub started_after: Duration,
    /// Heard to its end.
    pub completed: bool,
}

/// Where the voice message lies on the recording timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceMessage {
    /// First millisecond, after the beep.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// Something was said. A silent message is still a record: a silent caller may be a victim.
    pub speech: bool,
}

impl Summary {
    /// Writes what the session knows into the record's `call`; `started` is the time of the INVITE.
    /// `call_id`, `dialled` and the rest of the SIP side stay as they are; so does an `agent_key` already
    /// set.
    pub fn fill(&self, call: &mut Call, started: Timestamp) {
        let at = |after: Duration| started.plus_ms(signed_ms(after));
        call.service_line.get_or_insert_with(|| self.service_line.clone());
        call.lane = Some(self.lane);
        call.invited_at = started;
        call.queue = self.queued_after.map(|_| self.queue.clone());
        call.queued_at = self.queued_after.map(at);
        call.answered_at = self.answered_after.map(at);
        call.ended_at = Some(at(self.ended_after));
        call.wait_ms = self.wait_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        call.talk_ms = self.talk_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        call.end_by = Some(self.end_by);
        call.sip_code = Some(i64::from(self.sip_code));
        call.q850 = Some(i64::from(self.q850));
        call.outcome = self.outcome;
        if let (Some(agent), None) = (&self.agent, &call.agent_key) {
            call.agent_key = Some(format!("agent:{agent}"));
        }
        let transfers: Vec<Transfer> = self
            .transfers
            .iter()
            .map(|note| Transfer {
                to: note.target.to_string(),
                at: at(note.after),
                kind: note.kind,
                result: Some(note.result.to_owned()),
            })
            .collect();
        if !transfers.is_empty() {
            call.transfers = Some(transfers);
        }
        let signals = self.signals();
        if !signals.is_empty() {
            call.signals.get_or_insert_default().extend(signals);
        }
    }

    /// Remarks for `call.signals`: `speech_caller` with the time on the recording timeline, or `silence` when
    /// somebody or something listened and the caller never spoke.
    pub fn signals(&self) -> Vec<Signal> {
        let signal = |code: &str, at_ms| vec![Signal { code: code.to_owned(), at_ms, score: None }];
        match (self.first_speech_after, self.recording_after) {
            (Some(speech), Some(recording)) => {
                signal("speech_caller", Some(signed_ms(speech.saturating_sub(recording))))
            }
            (None, _) if self.answered_after.is_some() || self.voice_message.is_some() => {
                signal("silence", None)
            }
            _ => Vec::new(),
        }
    }
}

fn signed_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
