//! Everything one call does with sound, on one clock of 20 ms ticks: a room of legs.
//!
//! Each tick takes one frame from every leg, records them, and sends one frame to every leg: what is
//! played to it, else the voices its role lets it hear, else its hold music, else silence (a peer that
//! hears nothing at all hangs up). A leg that is missing, late or lost is silence to the others and
//! nothing more. What is played is not recorded: the left channel is the caller always, the right
//! everybody the caller hears.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    Codec, FRAME_DURATION, Leg, MediaConfig, MediaError, Pause, PauseReason, Prompt, Recorder,
    RecordingBlock, Role, RtpError, Stream, StreamStats,
    activity::Activity,
    event::{BridgeEvent, Events},
    frame::{SILENCE, Samples},
    mixer::Mix,
    outgoing::{Outgoing, Transmit},
    party::{Party, Wanted},
    tone,
};

/// Legs one room may have: caller, agent, specialist and a few supervisors.
pub const MAX_LEGS: usize = 8;

/// One call's media.
pub struct CallMedia {
    config: MediaConfig,
    parties: Vec<Party>,
    bridged: bool,
    music: Option<Prompt>,
    recorder: Option<Recorder>,
    /// Bit n: party n is on the left, or on the right channel.
    left: u8,
    right: u8,
    /// Nominal time of the next tick.
    next_tick: Instant,
    skipped_ticks: u64,
    outgoing: Outgoing,
    events: Events,
}

/// Legs.
impl CallMedia {
    /// A call without legs; its first tick is due at `now`.
    #[must_use]
    pub fn new(config: MediaConfig, now: Instant) -> Self {
        Self {
            config,
            parties: Vec::with_capacity(3),
            bridged: false,
            music: None,
            recorder: None,
            left: 0,
            right: 0,
            next_tick: now,
            skipped_ticks: 0,
            outgoing: Outgoing::default(),
            events: Events::default(),
        }
    }

    /// Lets a leg in, or gives one that is there another stream and role: what is played to it goes on,
    /// the old stream says goodbye. A queue or a transfer may do this any number of times; the other legs
    /// do not notice.
    ///
    /// # Errors
    /// [`MediaError::RoomFull`] with [`MAX_LEGS`] there already; the stream is dropped.
    pub fn set_leg(&mut self, leg: Leg, role: Role, stream: Stream) -> Result<(), MediaError> {
        let now = self.next_tick;
        let activity = Activity::new(self.config.speech_floor_db, self.config.speech_hangover, now);
        let before = self.role(leg);
        if let Some(party) = self.parties.iter_mut().find(|party| party.leg == leg) {
            let mut old = std::mem::replace(&mut party.stream, stream);
            party.role = role;
            party.activity = activity;
            self.outgoing.push_rtcp(leg, old.rtcp_kind(), old.remote_rtcp(), &old.bye(now));
        } else if self.parties.len() < MAX_LEGS {
            self.parties.push(Party::new(leg, role, stream, activity));
        } else {
            return Err(MediaError::RoomFull);
        }
        self.connect();
        self.announce(leg, before, Some(role));
        Ok(())
    }

    /// A leg goes, with a goodbye by RTCP. One that is not there has gone already.
    pub fn drop_leg(&mut self, leg: Leg) {
        if let Some(at) = self.parties.iter().position(|party| party.leg == leg) {
            let gone = self.parties.remove(at);
            let before = gone.role;
            gone.leave(self.next_tick, &mut self.outgoing);
            self.connect();
            self.announce(leg, Some(before), None);
        }
    }

    /// Changes what a leg may hear and who hears it: a supervisor goes from listening to whispering, a
    /// specialist becomes the one in charge.
    ///
    /// # Errors
    /// [`MediaError::NoLeg`].
    pub fn set_role(&mut self, leg: Leg, role: Role) -> Result<(), MediaError> {
        let before = std::mem::replace(&mut self.party_mut(leg)?.role, role);
        self.connect();
        self.announce(leg, Some(before), Some(role));
        Ok(())
    }

    /// A leg's role.
    #[must_use]
    pub fn role(&self, leg: Leg) -> Option<Role> {
        self.party(leg).map(|party| party.role)
    }

    /// A leg's stream: for re-INVITE and the like.
    pub fn stream_mut(&mut self, leg: Leg) -> Option<&mut Stream> {
        self.party_mut(leg).ok().map(|party| &mut party.stream)
    }

    /// A leg's quality.
    #[must_use]
    pub fn stats(&self, leg: Leg) -> Option<StreamStats> {
        self.party(leg).map(|party| party.stream.stats())
    }

    /// Tells those who take part that a supervisor is heard from now on, or no longer.
    fn announce(&mut self, leg: Leg, before: Option<Role>, after: Option<Role>) {
        let is_barger = |role| role == Some(Role::Barger);
        if !self.config.barge_tone || is_barger(before) == is_barger(after) {
            return;
        }
        let tone = tone::barge();
        for party in self.parties.iter_mut().filter(|party| party.leg != leg && !party.role.supervises()) {
            // Not worth an error where dozens of tones wait already.
            let _ = party.play_over(tone.clone());
        }
    }

    fn party(&self, leg: Leg) -> Option<&Party> {
        self.parties.iter().find(|party| party.leg == leg)
    }

    fn party_mut(&mut self, leg: Leg) -> Result<&mut Party, MediaError> {
        self.parties.iter_mut().find(|party| party.leg == leg).ok_or(MediaError::NoLeg)
    }
}

/// Who hears what.
impl CallMedia {
    /// Lets the caller and the others hear each other, or keeps the caller apart (waiting, consultation):
    /// the others then go on among themselves.
    pub fn bridge(&mut self, bridged: bool) {
        self.bridged = bridged;
        self.connect();
    }

    /// Holds a leg: it hears the hold music and nobody hears it. A leg that is not there cannot be held.
    pub fn hold(&mut self, leg: Leg, held: bool) {
        if let Ok(party) = self.party_mut(leg) {
            party.hold(held);
            self.connect();
        }
    }

    /// What held legs hear, from its beginning and over and over; nothing means silence.
    pub fn set_hold_music(&mut self, music: Option<Prompt>) {
        self.music = music;
    }

    /// Lets a leg hear itself, for a line test.
    pub fn echo(&mut self, leg: Leg, echo: bool) {
        if let Ok(party) = self.party_mut(leg) {
            party.echo = echo;
            self.connect();
        }
    }

    /// Whether a leg is sent silence while there is nothing for it to hear. True at first: many a peer
    /// takes five seconds without a packet for a dead call (livekit/sip #812).
    pub fn keep_sending(&mut self, leg: Leg, keep_sending: bool) {
        if let Ok(party) = self.party_mut(leg) {
            party.keep_sending = keep_sending;
        }
    }

    /// Queues a prompt to a leg. While one plays the leg hears nothing else.
    ///
    /// # Errors
    /// [`MediaError::NoLeg`], [`MediaError::PromptQueueFull`].
    pub fn play(&mut self, leg: Leg, prompt: Prompt, id: u64, repeat: bool) -> Result<(), MediaError> {
        self.party_mut(leg)?.play(prompt, id, repeat)
    }

    /// Plays a tone once over what a leg hears (call waiting, somebody enters). Its end is not told.
    ///
    /// # Errors
    /// [`MediaError::NoLeg`], [`MediaError::PromptQueueFull`].
    pub fn play_over(&mut self, leg: Leg, tone: Prompt) -> Result<(), MediaError> {
        self.party_mut(leg)?.play_over(tone)
    }

    /// Cuts off what plays to a leg and what waits.
    pub fn stop_playing(&mut self, leg: Leg) {
        if let Ok(party) = self.party_mut(leg) {
            party.stop_playing();
        }
    }

    /// How long a leg has said nothing, counted from the last speech or [`Self::listen`].
    #[must_use]
    pub fn silent_for(&self, leg: Leg, now: Instant) -> Option<Duration> {
        self.party(leg).map(|party| party.activity.silent_for(now))
    }

    /// Counts a leg's silence from now: a voice message begins.
    pub fn listen(&mut self, leg: Leg, now: Instant) {
        if let Ok(party) = self.party_mut(leg) {
            party.activity.restart(now);
        }
    }

    /// Works out who hears whom, after any change of it.
    fn connect(&mut self) {
        for listener in 0..self.parties.len() {
            let hears = self.heard_by(listener);
            if let Some(party) = self.parties.get_mut(listener) {
                party.hears = hears;
            }
        }
        let mask = |wanted: &dyn Fn(&Party) -> bool| {
            (0..)
                .zip(&self.parties)
                .filter(|(_, party)| wanted(party))
                .fold(0, |mask, (at, _)| mask | 1 << at)
        };
        let is_caller = |party: &Party| party.role == Role::Caller;
        let caller_hears = self.bridged && !self.parties.iter().any(|party| is_caller(party) && party.held);
        let on_right = |party: &Party| {
            caller_hears && !is_caller(party) && !party.held && Role::Caller.hears(party.role)
        };
        (self.left, self.right) = (mask(&is_caller), mask(&on_right));
    }

    fn heard_by(&self, listener: usize) -> u8 {
        let Some(party) = self.parties.get(listener) else { return 0 };
        let hears = |at: usize, speaker: &Party| {
            if at == listener {
                return party.echo;
            }
            let roles = party.role.hears(speaker.role);
            roles && !party.held && !speaker.held && (self.bridged || party.role.hears_apart(speaker.role))
        };
        (0..)
            .zip(&self.parties)
            .filter(|(at, other)| hears(*at, other))
            .fold(0, |mask, (at, _)| mask | 1 << at)
    }
}

/// Recording.
impl CallMedia {
    /// Begins a recording with the next tick.
    ///
    /// # Errors
    /// [`MediaError::RecordingBusy`] while one runs or has blocks left.
    pub fn start_recording(&mut self) -> Result<(), MediaError> {
        if self.recorder.as_ref().is_some_and(|recorder| !recorder.is_drained()) {
            return Err(MediaError::RecordingBusy);
        }
        self.recorder = Some(Recorder::new());
        Ok(())
    }

    /// Keeps nothing of what is said from now on, while the recording's time goes on. False when there is no
    /// recording or it is paused already.
    pub fn pause_recording(&mut self, reason: PauseReason) -> bool {
        let Some(recorder) = &mut self.recorder else { return false };
        let paused = recorder.pause(reason);
        if paused {
            self.events.tell(BridgeEvent::RecordingPaused { at: recorder.duration(), reason });
        }
        paused
    }

    /// Goes on after a pause. False when there was none.
    pub fn resume_recording(&mut self) -> bool {
        let pause = self.recorder.as_mut().and_then(Recorder::resume);
        self.tell_resumed(pause)
    }

    /// Ends the recording with the last tick. `poll_recording` then yields what is left; its next `None`
    /// means that the file is complete.
    pub fn stop_recording(&mut self) {
        let pause = self.recorder.as_mut().and_then(Recorder::finish);
        self.tell_resumed(pause);
    }

    /// The running recording, or the last one: for its length, its pauses and what it had to drop.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// The next block of the recording. To be polled after every tick: what is left lying for two seconds is
    /// lost, and a gap.
    pub fn poll_recording(&mut self) -> Option<RecordingBlock<'_>> {
        self.recorder.as_mut()?.poll_block()
    }

    fn tell_resumed(&mut self, pause: Option<Pause>) -> bool {
        let Some(Pause { from, until: Some(until), reason }) = pause else { return false };
        self.events.tell(BridgeEvent::RecordingResumed { from, until, reason });
        true
    }
}

/// Time, packets, events.
impl CallMedia {
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
        self.party_mut(leg).map_err(|_| RtpError::NoLeg)?.stream.receive(now, remote, datagram)
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
        self.events.poll()
    }

    /// The call ends: recording stops and every leg is told goodbye by RTCP. Poll once more.
    pub fn hang_up(&mut self, now: Instant) {
        self.stop_recording();
        for party in self.parties.drain(..) {
            party.leave(now, &mut self.outgoing);
        }
        self.connect();
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
        let wanted = self.find_passing();
        for (party, wanted) in self.parties.iter_mut().zip(wanted) {
            party.hear(now, wanted, &mut self.events);
        }
        if self.config.forward_digits {
            self.forward_digits();
        }
        for listener in 0..self.parties.len() {
            self.pass_on(now, listener);
        }
        for (party, wanted) in self.parties.iter_mut().zip(wanted) {
            party.listen(now, wanted, &mut self.events);
        }
        let mut to_caller = SILENCE;
        for listener in 0..self.parties.len() {
            let mut heard = SILENCE;
            let Some(Party { hears, passes_on: None, .. }) = self.parties.get(listener) else { continue };
            let voices = mix(&self.parties, *hears, &mut heard);
            if let Some(party) = self.parties.get_mut(listener) {
                let dubbed = party.dub(&mut heard, self.music.as_ref(), &mut self.events);
                party.speak(now, &heard, voices || dubbed, &mut self.outgoing);
                if party.role == Role::Caller {
                    to_caller = heard;
                }
            }
        }
        self.record(&to_caller);
    }

    /// Whose payloads may go to whom untouched: where a leg hears exactly one other, in the same codec, and
    /// that codec loses by coding twice. G.711 does not, and a copy of samples costs less than finding out.
    fn find_passing(&mut self) -> [Wanted; MAX_LEGS] {
        let records_prompts = self.config.recording.prompts && self.is_recording();
        for listener in 0..self.parties.len() {
            let Some(party) = self.parties.get(listener) else { continue };
            let speaker = party.hears.trailing_zeros() as usize;
            let alone = party.hears.is_power_of_two() && speaker != listener;
            let plain = alone
                && matches!(party.stream.codec(), Codec::G722 | Codec::Opus)
                && !party.is_played_to()
                && !(records_prompts && party.role == Role::Caller);
            let fits = |from: &Party| party.stream.can_forward(&from.stream);
            let found = (plain && self.parties.get(speaker).is_some_and(fits)).then_some(speaker);
            if let Some(party) = self.parties.get_mut(listener) {
                party.passes_on = found;
            }
        }
        let passed =
            self.parties.iter().filter_map(|party| party.passes_on).fold(0, |mask, at| mask | 1 << at);
        let needed = if passed == 0 { u8::MAX } else { self.needed() };
        std::array::from_fn(|at| match (passed >> at & 1 == 1, needed >> at & 1 == 1) {
            (false, _) => Wanted::Samples,
            (true, false) => Wanted::Payload,
            (true, true) => Wanted::Both,
        })
    }

    /// Bit n: somebody needs party n as samples.
    fn needed(&self) -> u8 {
        let recorded = if self.is_recording() { self.left | self.right } else { 0 };
        let mixed = self.parties.iter().filter(|party| party.passes_on.is_none()).map(|party| party.hears);
        mixed.fold(recorded, |mask, hears| mask | hears)
    }

    fn is_recording(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| !recorder.is_finished())
    }

    /// Sends a leg another's payload, if that is its case this tick.
    fn pass_on(&mut self, now: Instant, listener: usize) {
        let Some(speaker) = self.parties.get(listener).and_then(|party| party.passes_on) else { return };
        if let Ok([party, speaker]) = self.parties.get_disjoint_mut([listener, speaker]) {
            party.pass_on(now, speaker, &mut self.outgoing);
        }
    }

    /// Keys one leg pressed are pressed towards those who hear it.
    fn forward_digits(&mut self) {
        for speaker in 0..self.parties.len() {
            for listener in 0..self.parties.len() {
                let Ok([party, speaking]) = self.parties.get_disjoint_mut([listener, speaker]) else {
                    continue;
                };
                if party.hears >> speaker & 1 == 1 {
                    for digit in &speaking.pressed {
                        // More keys than anybody presses: the rest is lost.
                        let _ = party.stream.press(digit.digit, digit.duration_ms);
                    }
                }
            }
        }
    }

    /// `to_caller` is what the caller was sent, prompts and all.
    fn record(&mut self, to_caller: &Samples) {
        let Some(recorder) = &mut self.recorder else { return };
        let (mut left, mut right) = (SILENCE, SILENCE);
        mix(&self.parties, self.left, &mut left);
        if self.config.recording.prompts {
            right = *to_caller;
        } else {
            mix(&self.parties, self.right, &mut right);
        }
        recorder.push(&left, &right);
    }

    fn skip(&mut self, ticks: u32) {
        if ticks == 0 {
            return;
        }
        for party in &mut self.parties {
            party.stream.skip_frames(self.next_tick, ticks);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.skip(ticks);
        }
        self.next_tick += FRAME_DURATION * ticks;
        self.skipped_ticks += u64::from(ticks);
    }
}

/// What the parties named by `mask` say together; false, and `out` untouched, when they say nothing. One
/// alone is copied.
fn mix(parties: &[Party], mask: u8, out: &mut Samples) -> bool {
    let mut speaking = (0..)
        .zip(parties)
        .filter(|(at, party)| mask >> at & 1 == 1 && party.sounds)
        .map(|(_, party)| &party.heard);
    let Some(first) = speaking.next() else { return false };
    let Some(second) = speaking.next() else {
        *out = *first;
        return true;
    };
    let mut mix = Mix::of(first);
    mix.add(second);
    speaking.for_each(|voice| mix.add(voice));
    mix.write(out);
    true
}
