//! One leg in the room: its stream, what it plays to itself, and what it is allowed.

use std::time::Instant;

use crate::{
    Leg, MediaError, Player, Prompt, Role, Stream,
    activity::Activity,
    event::{BridgeEvent, Events},
    frame::{FrameKind, SILENCE, Samples},
    mixer,
    outgoing::Outgoing,
};

/// Silence between prompts, in samples (200 ms): sentences need a breath.
const PROMPT_GAP: usize = 1_600;

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
    /// What was received this tick, and whether there is anything in it.
    pub heard: Samples,
    pub sounds: bool,
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
            heard: SILENCE,
            sounds: false,
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
    pub fn hear(&mut self, now: Instant, events: &mut Events) {
        let frame = self.stream.poll_frame(now);
        self.heard = frame.samples;
        self.sounds = matches!(frame.kind, FrameKind::Voice | FrameKind::Concealed);
        if let Some(speaking) = self.activity.hear(now, &self.heard) {
            events.tell(BridgeEvent::VoiceActivity { leg: self.leg, speaking });
        }
        while let Some(event) = self.stream.poll_event() {
            events.tell(BridgeEvent::of(self.leg, event));
        }
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
        if let Some(report) = stream.poll_rtcp(now) {
            outgoing.push_rtcp(*leg, stream.rtcp_kind(), stream.remote_rtcp(), &report);
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
