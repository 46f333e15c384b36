//! Our side of a dialog's session: what we last said, so that the next text is a proper successor.
//!
//! RFC 3264 §8: the version rises by one when, and only when, the text changes; media lines never disappear.

use std::net::IpAddr;

use super::negotiate::{self, Capabilities, LocalMedia, Negotiated};
use super::{Codec, Direction, KeySecret, SdpError, SessionDescription};

/// The last description we sent in one dialog.
#[derive(Debug, Clone)]
pub struct LocalDescription {
    session_id: u64,
    version: u64,
    secret: Option<KeySecret>,
    in_use: Option<Codec>,
    sent: Option<String>,
}

impl LocalDescription {
    /// A dialog that has sent nothing yet. `session_id` should be random; it is also the first version.
    /// Both stay below 2^62, as some phones read them into a signed number.
    pub fn new(session_id: u64) -> Self {
        let session_id = session_id & ((1 << 62) - 1);
        Self { session_id, version: session_id, secret: None, in_use: None, sent: None }
    }

    /// Where the dialog's SRTP keys come from; it must be random. Without it nothing is encrypted.
    #[must_use]
    pub fn with_secret(mut self, secret: KeySecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The text last sent.
    pub fn sent(&self) -> Option<&str> {
        self.sent.as_deref()
    }

    /// An offer, first or later; see [`negotiate::offer`].
    pub fn offer(
        &mut self,
        address: IpAddr,
        port: u16,
        direction: Direction,
        capabilities: &Capabilities,
    ) -> String {
        let previous = self.sent.as_deref().and_then(|text| SessionDescription::parse(text).ok());
        let in_use = self.in_use;
        let write = |local: &LocalMedia| {
            negotiate::offer_after(previous.as_ref(), in_use, local, capabilities).to_string()
        };
        let local = self.media(address, port, direction);
        let text = self.settle(write(&local), || write(&LocalMedia { version: local.version + 1, ..local }));
        text.to_owned()
    }

    /// An answer, first or later; see [`negotiate::answer`].
    ///
    /// # Errors
    /// Those of [`negotiate::answer`]; what was last sent then stays in force.
    pub fn answer(
        &mut self,
        offer: &SessionDescription,
        address: IpAddr,
        port: u16,
        direction: Direction,
        capabilities: &Capabilities,
    ) -> Result<(String, Negotiated), SdpError> {
        let local = self.media(address, port, direction);
        let (text, negotiated) = negotiate::answer(offer, &local, capabilities)?;
        let (later, _) =
            negotiate::answer(offer, &LocalMedia { version: local.version + 1, ..local }, capabilities)?;
        self.in_use = Some(negotiated.codec);
        Ok((self.settle(text, || later).to_owned(), negotiated))
    }

    /// Reads the answer to the offer last sent; see [`negotiate::accept_answer`].
    ///
    /// # Errors
    /// Those of [`negotiate::accept_answer`]; [`SdpError::AnswerMismatch`] when nothing was offered.
    pub fn accept_answer(&mut self, answer: &SessionDescription) -> Result<Negotiated, SdpError> {
        let offer = self.sent.as_deref().ok_or(SdpError::AnswerMismatch)?;
        let negotiated = negotiate::accept_answer(offer, answer, self.secret.as_ref())?;
        self.in_use = Some(negotiated.codec);
        Ok(negotiated)
    }

    fn media(&self, address: IpAddr, port: u16, direction: Direction) -> LocalMedia {
        let (session_id, version, secret) = (self.session_id, self.version, self.secret);
        LocalMedia { address, port, session_id, version, direction, secret }
    }

    /// Keeps `same_version` if it repeats what was sent (or nothing was), else moves on to the next version.
    fn settle(&mut self, same_version: String, next_version: impl FnOnce() -> String) -> &str {
        let text = match &self.sent {
            Some(sent) if *sent != same_version => {
                self.version += 1;
                next_version()
            }
            _ => same_version,
        };
        self.sent.insert(text)
    }
}
