//! What the caller hears while somebody is responsible for them: the others, the hold tone, or ring-back. It
//! follows from the state alone, so that no way through the states can leave a caller in silence.

use std::time::Instant;

use super::{Talk, Talking};
use crate::action::Action;
use crate::context::Context;
use crate::prompt::Tone;

/// Who keeps the caller on hold; either alone suffices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    /// The agent's phone, by a re-INVITE.
    pub by_phone: bool,
    /// The desk.
    pub by_desk: bool,
}

impl Hold {
    pub const fn any(self) -> bool {
        self.by_phone || self.by_desk
    }
}

/// What the caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// Whoever is in the call.
    Together,
    /// "You are on hold."
    OnHold,
    /// A phone rings.
    RingBack,
}

impl Talking {
    fn wanted_sound(&self) -> Sound {
        match &self.talk {
            Talk::Direct { .. } | Talk::Inviting { .. } | Talk::Conference { .. } if self.hold.any() => {
                Sound::OnHold
            }
            Talk::Direct { .. } | Talk::Inviting { .. } | Talk::Conference { .. } => Sound::Together,
            Talk::Consulting { .. } => Sound::OnHold,
            Talk::Transferring { .. } | Talk::Recalling { .. } => Sound::RingBack,
        }
    }

    /// Lets the caller hear what the state says, where that is something else than before.
    pub(super) fn arrange_sound(&mut self, context: &mut Context, now: Instant) {
        let wanted = self.wanted_sound();
        if wanted == self.sound {
            return;
        }
        if self.sound == Sound::Together {
            context.act(Action::Unbridge);
        }
        self.sound = wanted;
        match wanted {
            Sound::OnHold => drop(context.play_tone(now, Tone::Hold)),
            Sound::RingBack => drop(context.play_tone(now, Tone::RingBack)),
            Sound::Together => {
                context.act(Action::StopPlaying);
                if let Some(leg) = self.agent_leg() {
                    context.act(Action::Bridge { leg });
                }
            }
        }
    }
}
