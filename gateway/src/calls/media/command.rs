//! What a call wants of its sound, and what its sound tells the call: the border between the call driver and
//! the media engine.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use gateway_media::{BridgeEvent, Leg, Pause, PauseReason, Prompt, Role, Stream, StreamStats};
use tokio::sync::{mpsc, oneshot};

use super::engine::Link;
use crate::calls::ports::PortPair;

/// Events waiting for the call's task; media does not wait for it.
const EVENT_QUEUE: usize = 64;
/// Events kept in the room while that queue is full.
const BACKLOG: usize = 256;

/// What the call wants done with its sound.
pub enum MediaCommand {
    /// Let a leg in, or give one that is there other sockets, stream and role.
    SetLeg {
        /// Which.
        leg: Leg,
        /// What it is in the conversation.
        role: Role,
        /// Our sockets towards it.
        ports: PortPair,
        /// Its RTP stream.
        stream: Box<Stream>,
    },
    /// A leg is gone.
    DropLeg(Leg),
    /// Who hears a leg and whom it hears.
    SetRole(Leg, Role),
    /// Hold a leg, or let it back.
    Hold(Leg, bool),
    /// What held legs hear.
    SetHoldMusic(Option<Prompt>),
    /// Let the caller and the others hear each other, or not.
    Bridge(bool),
    /// Let a leg hear itself, or not.
    Echo(Leg, bool),
    /// Whether a leg is sent silence while there is nothing for it to hear.
    KeepSending(Leg, bool),
    /// Play to a leg instead of what plays to it now.
    Play {
        /// To whom.
        leg: Leg,
        /// What.
        prompt: Prompt,
        /// Comes back when it has played to its end.
        id: u64,
        /// Over and over, until stopped.
        repeat: bool,
    },
    /// Sound a tone over what a leg hears.
    PlayOver {
        /// To whom.
        leg: Leg,
        /// What.
        tone: Prompt,
    },
    /// Play nothing to a leg any more.
    StopPlaying(Leg),
    /// Begin the recording.
    StartRecording,
    /// Silence on it from now: a bank card is read out, a law forbids.
    PauseRecording(PauseReason),
    /// Sound again.
    ResumeRecording,
    /// End it.
    StopRecording,
    /// Count the caller's silence from now.
    Listen,
    /// Change a leg's stream after a re-INVITE.
    Change(Leg, StreamChange),
    /// The figures so far.
    Measure(oneshot::Sender<Figures>),
    /// End: goodbye by RTCP, last blocks to the recorder, then the figures.
    Finish(oneshot::Sender<Figures>),
}

/// What to do with a stream, inside the media thread.
pub type StreamChange = Box<dyn FnOnce(&mut Stream, Instant) + Send>;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Every stream of the call, those that ended first.
    pub streams: Vec<(Leg, StreamStats)>,
    /// How long the last recording is, if there was one.
    pub recorded: Option<Duration>,
    /// Its pauses.
    pub pauses: Vec<Pause>,
    /// Ticks skipped because the process was too busy.
    pub skipped_ticks: u64,
}

impl Figures {
    /// The last stream of a leg.
    pub fn of(&self, leg: Leg) -> Option<&StreamStats> {
        self.streams.iter().rev().find(|(other, _)| *other == leg).map(|(_, stats)| stats)
    }
}

/// What happened to the sound, or that the caller has been silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MediaEvent {
    /// From the bridge.
    Bridge(BridgeEvent),
    /// The caller has been silent for so long; told once a second while it lasts.
    CallerSilent(Duration),
}

impl MediaEvent {
    /// Whether the next such event tells the same or better, so that this one may be left out.
    fn is_passing(&self) -> bool {
        matches!(self, Self::CallerSilent(_) | Self::Bridge(BridgeEvent::VoiceActivity { .. }))
    }
}

/// The call's end of its room. Dropped, the room ends.
pub struct MediaHandle {
    link: Link,
    room: u64,
    /// What happened.
    pub events: mpsc::Receiver<MediaEvent>,
}

impl MediaHandle {
    pub(super) fn new(link: Link, room: u64) -> (Self, Told) {
        let (sender, events) = mpsc::channel(EVENT_QUEUE);
        (Self { link, room, events }, Told { sender, backlog: VecDeque::new() })
    }

    /// Hands a command over. A room that ended takes none.
    pub async fn send(&self, command: MediaCommand) {
        self.link.command(self.room, command).await;
    }

    /// What was measured so far; none when the room has ended.
    pub async fn figures(&self) -> Option<Figures> {
        let (done, measured) = oneshot::channel();
        self.send(MediaCommand::Measure(done)).await;
        measured.await.ok()
    }

    /// Ends the media and waits for the last block to be with the recorder.
    pub async fn finish(&self) -> Figures {
        let (done, finished) = oneshot::channel();
        self.send(MediaCommand::Finish(done)).await;
        finished.await.unwrap_or_default()
    }
}

/// The room's end: never waits. Digits, ends of prompts and time-outs outlast a call's task that is slow to
/// read; silence and speech, which are told again, are left out then. What not even the backlog holds is
/// counted.
pub struct Told {
    sender: mpsc::Sender<MediaEvent>,
    backlog: VecDeque<MediaEvent>,
}

impl Told {
    /// Tells one event.
    pub fn tell(&mut self, event: MediaEvent) {
        self.retry();
        let kept = if self.backlog.is_empty() {
            match self.sender.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(event)) => event,
            }
        } else {
            event
        };
        if !kept.is_passing() {
            if self.backlog.len() < BACKLOG {
                self.backlog.push_back(kept);
            } else {
                metrics::counter!("jiesu_media_events_lost_total").increment(1);
            }
        }
    }

    /// Hands over what had to wait.
    pub fn retry(&mut self) {
        while let Some(&event) = self.backlog.front() {
            if self.sender.try_send(event).is_err() {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// Whether the call's task is gone.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt_end(id: u64) -> MediaEvent {
        MediaEvent::Bridge(BridgeEvent::PromptFinished { leg: Leg::CALLER, id })
    }

    #[test]
    fn a_slow_reader_misses_no_prompt_end_and_no_order_is_changed() {
        let (sender, mut events) = mpsc::channel(4);
        let mut told = Told { sender, backlog: VecDeque::new() };
        for id in 0..50 {
            told.tell(prompt_end(id));
            told.tell(MediaEvent::CallerSilent(Duration::from_secs(id)));
        }
        let mut seen = Vec::new();
        loop {
            told.retry();
            let before = seen.len();
            seen.extend(std::iter::from_fn(|| events.try_recv().ok()));
            if seen.len() == before {
                break;
            }
        }
        let ends: Vec<_> = seen.iter().copied().filter(|event| !event.is_passing()).collect();
        assert_eq!(ends, (0..50).map(prompt_end).collect::<Vec<_>>());
        // Two fitted between the first ends; the rest was told to nobody.
        assert_eq!(seen.len(), 52);
    }

    #[test]
    fn what_the_room_keeps_is_bounded() {
        let (sender, _events) = mpsc::channel(1);
        let mut told = Told { sender, backlog: VecDeque::new() };
        for id in 0..10_000 {
            told.tell(prompt_end(id));
        }
        assert_eq!(told.backlog.len(), BACKLOG);
    }
}
