//! Who is in the room, and who hears whom.
//!
//! A leg is a number, so that a call may have any of them; what it may hear and who hears it follows from
//! its [`Role`] alone. The one table of it is [`Role::hears`].

/// One party's connection to the call. The caller and the first agent have names, further legs begin at
/// [`Leg::FURTHER`]; the shell chooses the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leg(pub u8);

impl Leg {
    /// Who called.
    pub const CALLER: Self = Self(0);
    /// Who answers.
    pub const AGENT: Self = Self(1);
    /// The first number that means nobody in particular.
    pub const FURTHER: Self = Self(2);
}

/// What a leg is in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The citizen.
    Caller,
    /// The call-taker.
    Agent,
    /// A policy specialist whom the call-taker brings in (三方通话), or whom a call is handed to.
    Specialist,
    /// A supervisor who hears everybody and is heard by nobody.
    Listener,
    /// A supervisor who hears everybody and is heard by the call-taker alone.
    Whisperer,
    /// A supervisor in the middle of it: hears and is heard by everybody.
    Barger,
}

impl Role {
    /// Whether this role hears that one while the conversation is open.
    ///
    /// | hears ↓ / speaks → | caller | agent | specialist | listener | whisperer | barger |
    /// |---|---|---|---|---|---|---|
    /// | caller, specialist | yes | yes | yes | – | – | yes |
    /// | agent | yes | yes | yes | – | yes | yes |
    /// | listener, whisperer, barger | yes | yes | yes | – | – | yes |
    #[must_use]
    pub const fn hears(self, speaker: Self) -> bool {
        match speaker {
            Self::Caller | Self::Agent | Self::Specialist | Self::Barger => true,
            Self::Whisperer => matches!(self, Self::Agent),
            Self::Listener => false,
        }
    }

    /// Whether it watches over the conversation rather than taking part by right.
    #[must_use]
    pub const fn supervises(self) -> bool {
        matches!(self, Self::Listener | Self::Whisperer | Self::Barger)
    }

    /// Whether this role hears that one though the caller is kept apart ([`crate::CallMedia::bridge`]):
    /// all but the caller go on talking to each other, and a supervisor still hears both sides.
    #[must_use]
    pub const fn hears_apart(self, speaker: Self) -> bool {
        match (self, speaker) {
            (Self::Caller, _) => matches!(speaker, Self::Caller),
            (_, Self::Caller) => self.supervises(),
            _ => true,
        }
    }
}
