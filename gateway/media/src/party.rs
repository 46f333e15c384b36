//! One leg in the room: its stream, what it plays to itself, and what it is allowed.

use std::time::Instant;

use crate::{
    Leg, MediaError, MediaEvent, Player, Prompt, Role, Stream,
    activity::Activity,
    dtmf::Digit,
    event::{BridgeEvent, Events},
    frame::{FrameKind, SILENCE, Samples},
    mixer,
    outgoing::Outgoing,
};

/// Silence between prompts, in samples (200 ms): sentences need a breath.
const PROMPT_GAP: usize = 1_600;

/// What the room needs of a leg's sound in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Samples: it is mixed, recorded, or coded anew.
    Samples,
    /// Payloads, to be passed on as they came.
    Payload,
    /// Both: passed on, and recorded.
    Both,
}

/// A leg and everything about it.
pub struct Party {
    pub leg: Leg,
    pub role: Role,
    pub stream: Stream,
    pub activity: Activity,
    /// Neither heard nor hearing: hold music instead.
    pub held: bool,
    /// Hears itself.
    pub echo: bool,
    /// Sends silence when there is nothing to hear, rather than nothing.
    pub keep_sending: bool,
    /// Bit n: it hears the room's party n. Follows from the roles; `room.rs` keeps it.
    pub hears: u8,
    /// The one leg whose payloads may go to this one untouched, this tick.
    pub passes_on: Option<usize>,
    /// What was received this tick, and whether there is anything in it. The samples count only where
    /// somebody needs them.
    pub heard: Samples,
    pub kind: FrameKind,
    pub sounds: bool,
    /// Keys pressed this tick, for those who hear it.
    pub pressed: Vec<Digit>,
    /// Played instead of the conversation. Made at first use: most legs are never played anything.
    player: Option<Box<Player>>,
    /// Played over the conversation.
    overlay: Option<Box<Player>>,
    music: usize,
}

impl Party {
    pub fn new(leg: Leg, role: Role, stream: Stream, activity: Activity) -> Self {
        Self {
            leg,
            role,
            stream,
            activity,
            held: false,
            echo: false,
            keep_sending: true,
            hears: 0,
            passes_on: None,
            heard: SILENCE,
            kind: FrameKind::NothingYet,
            sounds: false,
            pressed: Vec::new(),
            player: None,
            overlay: None,
            music: 0,
        }
    }

    pub fn play(&mut self, prompt: Prompt, id: u64, repeat: bool) -> Result<(), MediaError> {
        self.player.get_or_insert_with(new_player).play(prompt, id, repeat)
    }

    pub fn play_over(&mut self, prompt: Prompt) -> Result<(), MediaError> {
        self.overlay.get_or_insert_with(new_player).play(prompt, 0, false)
    }

    pub fn stop_playing(&mut self) {
        for player in [&mut self.player, &mut self.overlay].into_iter().flatten() {
            player.stop();
        }
    }

    pub fn hold(&mut self, held: bool) {
        if held && !self.held {
            self.music = 0;
        }
        self.held = held;
    }

    /// Takes what was received this tick and what there is to tell.
    pub fn hear(&mut self, now: Instant, wanted: Wanted, events: &mut Events) {
        self.kind = if wanted == Wanted::Samples {
            let frame = self.stream.poll_frame(now);
            self.heard = frame.samples;
            frame.kind
        } else {
            self.stream.poll_payload(now)
        };
        self.sounds = matches!(self.kind, FrameKind::Voice | FrameKind::Concealed);
        self.pressed.clear();
        while let Some(event) = self.stream.poll_event() {
            if let MediaEvent::Digit(digit) = event {
                self.pressed.push(digit);
            }
            events.tell(BridgeEvent::of(self.leg, event));
        }
    }

    /// Listens to what was heard. After its payload was passed on: decoding it uses it up.
    pub fn listen(&mut self, now: Instant, wanted: Wanted, events: &mut Events) {
        match wanted {
            // Nobody listens in: whoever sends counts as speaking.
            Wanted::Payload if self.sounds => return self.activity.restart(now),
            Wanted::Payload => return,
            Wanted::Both => self.heard = *self.stream.samples(),
            Wanted::Samples => {}
        }
        if let Some(speaking) = self.activity.hear(now, &self.heard) {
            events.tell(BridgeEvent::VoiceActivity { leg: self.leg, speaking });
        }
    }

    /// Whether something of its own is played to this leg, so that it cannot be sent another's payloads.
    pub fn is_played_to(&self) -> bool {
        [&self.player, &self.overlay].into_iter().flatten().any(|player| player.is_playing())
    }

    /// Sends what another leg received, untouched, and a report when one is due. Whoever changes over between
    /// payloads and samples hears no seam: both are the same frames.
    pub fn pass_on(&mut self, now: Instant, speaker: &mut Self, outgoing: &mut Outgoing) {
        let payload = speaker.stream.payload();
        if payload.is_none() && speaker.kind != FrameKind::Concealed {
            // Silence, or a packet that is no frame: as sound, so that the far end is never sent nothing.
            let samples = *speaker.stream.samples();
            return self.speak(now, &samples, speaker.sounds, outgoing);
        }
        let Self { leg, stream, .. } = self;
        outgoing.push_rtp(*leg, stream.remote(), |bytes| stream.forward(now, speaker.kind, payload, bytes));
        self.report(now, outgoing);
    }

    /// Puts what is played to this leg into what it hears; true when anything was.
    pub fn dub(&mut self, heard: &mut Samples, music: Option<&Prompt>, events: &mut Events) -> bool {
        let mut dubbed = false;
        let mut played = SILENCE;
        if let Some(player) = &mut self.player
            && player.next_frame(&mut played)
        {
            *heard = played;
            dubbed = true;
            while let Some(id) = player.poll_finished() {
                events.tell(BridgeEvent::PromptFinished { leg: self.leg, id });
            }
        } else if self.held
            && let Some(music) = music.filter(|music| !music.samples().is_empty())
        {
            let samples = music.samples();
            for slot in heard.iter_mut() {
                *slot = samples.get(self.music).copied().unwrap_or(0);
                self.music = (self.music + 1) % samples.len();
            }
            dubbed = true;
        }
        if let Some(overlay) = &mut self.overlay
            && overlay.next_frame(&mut played)
        {
            mixer::add(heard, &played);
            dubbed = true;
            // Nobody waits for a tone's end.
            while overlay.poll_finished().is_some() {}
        }
        dubbed
    }

    /// Sends a frame and, when due, a report. `sounds` tells whether anything is in it.
    pub fn speak(&mut self, now: Instant, samples: &Samples, sounds: bool, outgoing: &mut Outgoing) {
        let Self { leg, stream, keep_sending, .. } = self;
        if sounds || *keep_sending {
            outgoing.push_rtp(*leg, stream.remote(), |bytes| stream.send_frame(now, samples, bytes));
        } else {
            stream.send_nothing(now);
        }
        self.report(now, outgoing);
    }

    fn report(&mut self, now: Instant, outgoing: &mut Outgoing) {
        if let Some(report) = self.stream.poll_rtcp(now) {
            outgoing.push_rtcp(self.leg, self.stream.rtcp_kind(), self.stream.remote_rtcp(), &report);
        }
    }

    /// Says goodbye.
    pub fn leave(mut self, now: Instant, outgoing: &mut Outgoing) {
        outgoing.push_rtcp(
            self.leg,
            self.stream.rtcp_kind(),
            self.stream.remote_rtcp(),
            &self.stream.bye(now),
        );
    }
}

fn new_player() -> Box<Player> {
    Box::new(Player::new(PROMPT_GAP))
}
