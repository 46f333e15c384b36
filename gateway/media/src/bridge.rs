//! Everything one call does with sound, on one clock of 20 ms ticks.
//!
//! Each tick takes one frame from every leg, records them, and sends one frame to every leg: to the
//! caller the prompt, else the agent; to the agent the caller. A leg that is missing, late or lost is
//! silence to the others and nothing more. Prompts are not recorded: the right channel is the agent as
//! the caller hears them, so only while bridged; the left is the caller always.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    FRAME_DURATION, MediaConfig, MediaError, MediaEvent, Player, Prompt, Recorder, RtpError, Stream,
    StreamStats,
    activity::Activity,
    dtmf::Digit,
    frame::{FRAME_SAMPLES, SILENCE, Samples},
    outgoing::Outgoing,
    recorder::Channel,
};

/// Events kept until polled; beyond, new ones are dropped.
const MAX_EVENTS: usize = 128;
/// Silence between prompts, in samples (200 ms): sentences need a breath.
const PROMPT_GAP: usize = 1_600;

/// A side of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Who called.
    Caller,
    /// Who answers.
    Agent,
}

/// Which of a leg's two sockets a datagram is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransmitKind {
    /// Sound.
    Rtp,
    /// Reports; under rtcp-mux the same socket.
    Rtcp,
}

/// A datagram to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// From this leg's socket.
    pub leg: Leg,
    /// RTP or RTCP.
    pub kind: TransmitKind,
    /// To here.
    pub remote: SocketAddr,
    /// These bytes.
    pub bytes: &'a [u8],
}

/// What a call's media tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BridgeEvent {
    /// A prompt has played to its end (not told of one that was stopped).
    PromptFinished {
        /// As given to `play`.
        id: u64,
    },
    /// A key was pressed and released.
    Digit {
        /// By whom.
        leg: Leg,
        /// Which, and for how long.
        digit: Digit,
    },
    /// Nothing was received for the configured time.
    ReceiveTimeout {
        /// From whom.
        leg: Leg,
    },
    /// Something is received again.
    ReceiveResumed {
        /// From whom.
        leg: Leg,
    },
    /// Another source sends now.
    SourceChanged {
        /// On which leg.
        leg: Leg,
    },
    /// RTCP BYE; signalling should follow.
    Bye {
        /// From whom.
        leg: Leg,
    },
    /// Speech began or ended.
    VoiceActivity {
        /// Whose.
        leg: Leg,
        /// True when it began.
        speaking: bool,
    },
}

struct Party {
    leg: Leg,
    stream: Stream,
    activity: Activity,
}

/// One call's media.
pub struct CallMedia {
    config: MediaConfig,
    caller: Option<Party>,
    agent: Option<Party>,
    player: Player,
    bridged: bool,
    recording: Option<Recording>,
    /// Number and nominal time of the next tick.
    tick: u64,
    next_tick: Instant,
    skipped_ticks: u64,
    outgoing: Outgoing,
    events: VecDeque<BridgeEvent>,
}

struct Recording {
    recorder: Recorder,
    first_tick: u64,
}

impl Recording {
    fn position(&self, tick: u64) -> u64 {
        tick.saturating_sub(self.first_tick) * FRAME_SAMPLES as u64
    }
}

impl CallMedia {
    /// A call without legs; its first tick is due at `now`.
    #[must_use]
    pub fn new(config: MediaConfig, now: Instant) -> Self {
        Self {
            config,
            caller: None,
            agent: None,
            player: Player::new(PROMPT_GAP),
            bridged: false,
            recording: None,
            tick: 0,
            next_tick: now,
            skipped_ticks: 0,
            outgoing: Outgoing::default(),
            events: VecDeque::with_capacity(MAX_EVENTS),
        }
    }

    /// The caller's stream; replaces an earlier one.
    pub fn set_caller(&mut self, stream: Stream) {
        self.caller = Some(self.party(Leg::Caller, stream));
    }

    /// The agent's stream, or none; replaces an earlier one, which says goodbye. A queue or a transfer
    /// may do this any number of times; the caller's leg does not notice.
    pub fn set_agent(&mut self, stream: Option<Stream>) {
        if let Some(mut old) = self.agent.take() {
            self.outgoing.push_rtcp(Leg::Agent, old.stream.remote_rtcp(), &old.stream.bye(self.next_tick));
        }
        self.agent = stream.map(|stream| self.party(Leg::Agent, stream));
    }

    /// A leg's stream: for hold, re-INVITE and the like.
    pub fn stream_mut(&mut self, leg: Leg) -> Option<&mut Stream> {
        self.party_mut(leg).map(|party| &mut party.stream)
    }

    /// Queues a prompt to the caller. While one plays the caller does not hear the agent.
    ///
    /// # Errors
    /// [`MediaError::PromptQueueFull`].
    pub fn play(&mut self, prompt: Prompt, id: u64, repeat: bool) -> Result<(), MediaError> {
        self.player.play(prompt, id, repeat)
    }

    /// Cuts off what plays and what waits.
    pub fn stop_playing(&mut self) {
        self.player.stop();
    }

    /// Lets sound flow between caller and agent, or not (hold, consultation).
    pub fn bridge(&mut self, bridged: bool) {
        self.bridged = bridged;
    }

    /// Begins a recording with the next tick.
    ///
    /// # Errors
    /// [`MediaError::RecordingBusy`] while one runs or has blocks left.
    pub fn start_recording(&mut self) -> Result<(), MediaError> {
        if self.recording.as_ref().is_some_and(|recording| !recording.recorder.is_drained()) {
            return Err(MediaError::RecordingBusy);
        }
        let recorder = Recorder::new(self.next_tick);
        self.recording = Some(Recording { recorder, first_tick: self.tick });
        Ok(())
    }

    /// Ends the recording with the last tick. `poll_recording` then yields what is left; its next `None`
    /// means the file is complete.
    pub fn stop_recording(&mut self) {
        if let Some(recording) = &mut self.recording {
            let end = recording.position(self.tick);
            recording.recorder.finish(end);
        }
    }

    /// The running recording, or the last one: for its length and what it had to drop.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recording.as_ref().map(|recording| &recording.recorder)
    }

    /// Takes a datagram from a leg's RTP or RTCP socket.
    ///
    /// # Errors
    /// [`RtpError`] when it was not used: worth counting, nothing else to do.
    pub fn receive(
        &mut self,
        now: Instant,
        leg: Leg,
        remote: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), RtpError> {
        self.party_mut(leg).ok_or(RtpError::NoLeg)?.stream.receive(now, remote, datagram)
    }

    /// Runs every tick that is due. After a stall only the last few are run, the others are skipped and
    /// counted: a burst of old sound would help nobody.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.next_tick {
            return;
        }
        let due = (now - self.next_tick).as_nanos() / FRAME_DURATION.as_nanos() + 1;
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        let run = due.min(self.config.catch_up_ticks.max(1));
        self.skip(due - run);
        for _ in 0..run {
            self.run_tick(self.next_tick);
            self.tick += 1;
            self.next_tick += FRAME_DURATION;
        }
    }

    /// When the next tick is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_tick
    }

    /// The next datagram to send. Its bytes live until the next call; unpolled ones are dropped from the
    /// oldest on.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.outgoing.pop()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<BridgeEvent> {
        self.events.pop_front()
    }

    /// The next block to append to the recording file. At least one must be polled every two seconds.
    pub fn poll_recording(&mut self) -> Option<&[u8]> {
        self.recording.as_mut()?.recorder.poll_block()
    }

    /// How long the caller has said nothing, counted from the last speech or [`Self::listen`].
    #[must_use]
    pub fn caller_silent_for(&self, now: Instant) -> Option<Duration> {
        self.caller.as_ref().map(|party| party.activity.silent_for(now))
    }

    /// Counts the caller's silence from now: a voice message begins.
    pub fn listen(&mut self, now: Instant) {
        if let Some(party) = &mut self.caller {
            party.activity.restart(now);
        }
    }

    /// The call ends: recording stops and every leg is told goodbye by RTCP. Poll once more.
    pub fn hang_up(&mut self, now: Instant) {
        self.stop_recording();
        self.player.stop();
        for party in [self.caller.take(), self.agent.take()].into_iter().flatten() {
            let mut stream = party.stream;
            self.outgoing.push_rtcp(party.leg, stream.remote_rtcp(), &stream.bye(now));
        }
    }

    /// A leg's quality.
    #[must_use]
    pub fn stats(&self, leg: Leg) -> Option<StreamStats> {
        let party = match leg {
            Leg::Caller => &self.caller,
            Leg::Agent => &self.agent,
        };
        party.as_ref().map(|party| party.stream.stats())
    }

    /// Ticks skipped after stalls: each is 20 ms the process was too busy for.
    #[must_use]
    pub fn skipped_ticks(&self) -> u64 {
        self.skipped_ticks
    }

    /// Datagrams dropped because nobody polled them.
    #[must_use]
    pub fn dropped_transmits(&self) -> u64 {
        self.outgoing.dropped()
    }

    fn run_tick(&mut self, now: Instant) {
        let from_caller = hear(&mut self.caller, now, &mut self.events);
        let from_agent = hear(&mut self.agent, now, &mut self.events);
        if let Some(recording) = &mut self.recording {
            let at = recording.position(self.tick);
            recording.recorder.push(Channel::Caller, at, &from_caller);
            if self.bridged {
                recording.recorder.push(Channel::Agent, at, &from_agent);
            }
        }
        let mut to_caller = SILENCE;
        if !self.player.next_frame(&mut to_caller) && self.bridged {
            to_caller = from_agent;
        }
        let to_agent = if self.bridged { from_caller } else { SILENCE };
        speak(&mut self.caller, now, &to_caller, &mut self.outgoing);
        speak(&mut self.agent, now, &to_agent, &mut self.outgoing);
        while let Some(id) = self.player.poll_finished() {
            tell(&mut self.events, BridgeEvent::PromptFinished { id });
        }
    }

    fn skip(&mut self, ticks: u32) {
        if ticks == 0 {
            return;
        }
        for party in [&mut self.caller, &mut self.agent].into_iter().flatten() {
            party.stream.skip_frames(self.next_tick, ticks);
        }
        self.tick += u64::from(ticks);
        self.next_tick += FRAME_DURATION * ticks;
        self.skipped_ticks += u64::from(ticks);
    }

    fn party(&self, leg: Leg, stream: Stream) -> Party {
        let activity =
            Activity::new(self.config.speech_floor_db, self.config.speech_hangover, self.next_tick);
        Party { leg, stream, activity }
    }

    fn party_mut(&mut self, leg: Leg) -> Option<&mut Party> {
        match leg {
            Leg::Caller => self.caller.as_mut(),
            Leg::Agent => self.agent.as_mut(),
        }
    }
}

/// Takes a leg's frame and what it has to tell; a missing leg is silent.
fn hear(party: &mut Option<Party>, now: Instant, events: &mut VecDeque<BridgeEvent>) -> Samples {
    let Some(party) = party else { return SILENCE };
    let leg = party.leg;
    let frame = party.stream.poll_frame(now);
    if let Some(speaking) = party.activity.hear(now, &frame.samples) {
        tell(events, BridgeEvent::VoiceActivity { leg, speaking });
    }
    while let Some(event) = party.stream.poll_event() {
        let event = match event {
            MediaEvent::Digit(digit) => BridgeEvent::Digit { leg, digit },
            MediaEvent::ReceiveTimeout => BridgeEvent::ReceiveTimeout { leg },
            MediaEvent::ReceiveResumed => BridgeEvent::ReceiveResumed { leg },
            MediaEvent::SourceChanged => BridgeEvent::SourceChanged { leg },
            MediaEvent::Bye => BridgeEvent::Bye { leg },
        };
        tell(events, event);
    }
    frame.samples
}

/// Sends a leg its frame and, when due, its report.
fn speak(party: &mut Option<Party>, now: Instant, samples: &Samples, outgoing: &mut Outgoing) {
    let Some(Party { leg, stream, .. }) = party else { return };
    outgoing.push_rtp(*leg, stream.remote(), |bytes| stream.send_frame(now, samples, bytes));
    if let Some(report) = stream.poll_rtcp(now) {
        outgoing.push_rtcp(*leg, stream.remote_rtcp(), &report);
    }
}

fn tell(events: &mut VecDeque<BridgeEvent>, event: BridgeEvent) {
    if events.len() < MAX_EVENTS {
        events.push_back(event);
    }
}
