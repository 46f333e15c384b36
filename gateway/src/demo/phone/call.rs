//! One call of the phone: dialled or ringing, then talked on, then ended from either side.

use std::time::Duration;

use gateway_sip::sdp::{Capabilities, Codec, Direction, LocalDescription, SessionDescription};
use tokio::sync::{mpsc, watch};

use super::line::{CallState, Incoming, Line};
use super::sound::{Heard, Ports, Sound};
use super::wire::{Message, user_of};
use super::{PhoneError, token, within};
use crate::calls::leg;

/// Whom to call, and as whom.
#[derive(Clone, Default)]
pub struct Dial {
    to: String,
    from: Option<String>,
    headers: Vec<(String, String)>,
}

impl Dial {
    /// Calls a number, withholding one's own.
    pub fn to(number: &str) -> Self {
        Self { to: number.to_owned(), ..Self::default() }
    }

    /// As this number, asserted as a carrier does (P-Asserted-Identity, RFC 3325) and in From.
    #[must_use]
    pub fn from(self, number: &str) -> Self {
        let asserted = format!("<sip:{number}@carrier.example>");
        Self { from: Some(number.to_owned()), ..self }.header("P-Asserted-Identity", &asserted)
    }

    /// As this number in From alone, which anybody can write.
    #[must_use]
    pub fn unproven_from(self, number: &str) -> Self {
        Self { from: Some(number.to_owned()), ..self }
    }

    /// With another header of the INVITE (Diversion, History-Info, Privacy …).
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The two ends of a dialog and what is said in every request of it.
struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    cseq: u32,
}

impl Dialog {
    fn request(&self, line: &Line, method: &str, cseq: u32) -> Message {
        Message::request(method, &self.target)
            .with("Via", &format!("SIP/2.0/UDP {};rport;branch=z9hG4bK{}", line.local, token()))
            .with("Max-Forwards", "70")
            .with("From", &self.local)
            .with("To", &self.remote)
            .with("Call-ID", &self.call_id)
            .with("CSeq", &format!("{cseq} {method}"))
    }
}

/// What this phone can do: its packets are written by hand, so G.711 only.
fn capabilities() -> Capabilities {
    let codecs = vec![Codec::Pcma, Codec::Pcmu];
    Capabilities { codecs, comfort_noise: false, ..Capabilities::default() }
}

/// A call this phone makes, not answered yet.
pub struct Dialling {
    line: Line,
    dialog: Dialog,
    invite: Message,
    responses: mpsc::Receiver<Message>,
    state: watch::Receiver<CallState>,
    ports: Ports,
    description: LocalDescription,
    provisional: Option<u16>,
}

impl Dialling {
    /// Sends the INVITE.
    pub(super) async fn start(line: Line, dial: Dial) -> Result<Self, PhoneError> {
        let ports = Ports::bind(line.local.ip()).await?;
        let address = ports.address()?;
        let mut description = leg::description();
        let capabilities = capabilities();
        let offer = description.offer(address.ip(), address.port(), Direction::SendRecv, &capabilities);
        let from = match &dial.from {
            Some(number) => format!("<sip:{number}@{}>", line.local),
            None => "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
        };
        let uri = format!("sip:{}@{}", dial.to, line.server);
        let dialog = Dialog {
            call_id: format!("{}@{}", token(), line.local.ip()),
            local: format!("{from};tag={}", token()),
            remote: format!("<{uri}>"),
            target: uri,
            cseq: 1,
        };
        let mut invite = dialog.request(&line, "INVITE", 1).with("Contact", &format!("<sip:{}>", line.local));
        for (name, value) in &dial.headers {
            invite = invite.with(name, value);
        }
        let invite = invite.with("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS").with_sdp(&offer);
        let state = line.follow(&dialog.call_id).await?;
        let responses = line.request(invite.clone()).await?;
        Ok(Self { line, dialog, invite, responses, state, ports, description, provisional: None })
    }

    /// The Call-ID, which stands in the record.
    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }

    /// Waits for a provisional answer (100, 180, 183) and gives its status.
    pub async fn progress(&mut self, limit: Duration) -> Result<u16, PhoneError> {
        let response = within(limit, "a provisional answer", self.responses.recv()).await?;
        let status = response.and_then(|response| response.status()).ok_or(PhoneError::NoAnswer)?;
        if status >= 200 {
            return Err(PhoneError::Refused(status));
        }
        self.provisional = Some(status);
        Ok(status)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// [`PhoneError::Refused`] with the status; [`PhoneError::NoAnswer`], [`PhoneError::Late`].
    pub async fn answered(mut self, limit: Duration) -> Result<PhoneCall, PhoneError> {
        let response = within(limit, "the answer", self.final_response()).await??;
        self.confirm(&response).await
    }

    /// Gives the call up with CANCEL (RFC 3261 §9.1); the status the INVITE then ended with, 487 as a rule.
    ///
    /// # Errors
    /// [`PhoneError::Broken`] when it was answered at that moment; it is then hung up.
    pub async fn cancel(mut self, limit: Duration) -> Result<u16, PhoneError> {
        if self.provisional.is_none() {
            self.progress(limit).await?;
        }
        let invite = &self.invite;
        let cancel = Message::request("CANCEL", invite.uri())
            .with("Via", invite.value("Via").unwrap_or_default())
            .with("Max-Forwards", "70")
            .with("From", &self.dialog.local)
            .with("To", &self.dialog.remote)
            .with("Call-ID", &self.dialog.call_id)
            .with("CSeq", "1 CANCEL");
        self.line.cancel(cancel).await?;
        let response = within(limit, "the end of the cancelled call", self.final_response()).await??;
        match response.status() {
            Some(status) if status >= 300 => Ok(status),
            _ => {
                self.confirm(&response).await?.hang_up().await?;
                Err(PhoneError::Broken("the call was answered while it was given up"))
            }
        }
    }

    async fn final_response(&mut self) -> Result<Message, PhoneError> {
        while let Some(response) = self.responses.recv().await {
            if response.status().is_some_and(|status| status >= 200) {
                return Ok(response);
            }
        }
        Err(PhoneError::NoAnswer)
    }

    async fn confirm(mut self, response: &Message) -> Result<PhoneCall, PhoneError> {
        let status = response.status().unwrap_or_default();
        if status >= 300 {
            return Err(PhoneError::Refused(status));
        }
        self.dialog.remote = response.value("To").unwrap_or_default().to_owned();
        self.dialog.target = response.address("Contact").unwrap_or(&self.dialog.target).to_owned();
        self.line.acknowledge(self.dialog.request(&self.line, "ACK", 1)).await?;
        let answer =
            SessionDescription::parse(&response.body).map_err(|_| PhoneError::Broken("the SDP answer"))?;
        let agreed =
            self.description.accept_answer(&answer).map_err(|_| PhoneError::Broken("the SDP answer"))?;
        let sound = Sound::start(self.ports, &agreed);
        Ok(PhoneCall { line: self.line, dialog: self.dialog, state: self.state, sound })
    }
}

/// A call that rings at this phone; 180 is sent already.
pub struct Ringing {
    line: Line,
    invite: Message,
    state: watch::Receiver<CallState>,
}

impl Ringing {
    pub(super) fn new(line: Line, incoming: Incoming) -> Self {
        Self { line, invite: incoming.invite, state: incoming.state }
    }

    /// The user part of From: what the phone's display shows.
    pub fn from_user(&self) -> &str {
        self.invite.address("From").map(user_of).unwrap_or_default()
    }

    /// A header of the INVITE.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.invite.value(name)
    }

    /// Picks up.
    ///
    /// # Errors
    /// [`PhoneError::Ended`] when the caller gave up before.
    pub async fn answer(self) -> Result<PhoneCall, PhoneError> {
        let ports = Ports::bind(self.line.local.ip()).await?;
        let address = ports.address()?;
        let offer =
            SessionDescription::parse(&self.invite.body).map_err(|_| PhoneError::Broken("the SDP offer"))?;
        let mut description = leg::description();
        let (sdp, agreed) = description
            .answer(&offer, address.ip(), address.port(), Direction::SendRecv, &capabilities())
            .map_err(|_| PhoneError::Broken("the SDP offer"))?;
        let response = Message::response(&self.invite, 200, "OK", &self.line.tag)
            .with("Contact", &format!("<sip:{}>", self.line.local))
            .with_sdp(&sdp);
        let dialog = Dialog {
            call_id: self.invite.call_id().to_owned(),
            local: response.value("To").unwrap_or_default().to_owned(),
            remote: self.invite.value("From").unwrap_or_default().to_owned(),
            target: self.invite.address("Contact").unwrap_or_default().to_owned(),
            cseq: 0,
        };
        if !self.line.respond(&dialog.call_id, response).await? {
            return Err(PhoneError::Ended);
        }
        Ok(PhoneCall { line: self.line, dialog, state: self.state, sound: Sound::start(ports, &agreed) })
    }

    /// Refuses, e.g. with 486 or 603.
    ///
    /// # Errors
    /// [`PhoneError::Ended`] when the caller gave up before.
    pub async fn refuse(self, status: u16) -> Result<(), PhoneError> {
        let response = Message::response(&self.invite, status, "Refused", &self.line.tag);
        let rang = self.line.respond(self.invite.call_id(), response).await?;
        if rang { Ok(()) } else { Err(PhoneError::Ended) }
    }

    /// Waits until the other side gives up.
    pub async fn cancelled(&mut self, limit: Duration) -> Result<(), PhoneError> {
        let gone = self.state.wait_for(|state| *state == CallState::Cancelled);
        within(limit, "the caller to give up", gone).await?.map(drop).map_err(|_| PhoneError::Closed)
    }
}

/// A call that was answered.
pub struct PhoneCall {
    line: Line,
    dialog: Dialog,
    state: watch::Receiver<CallState>,
    sound: Sound,
}

impl PhoneCall {
    /// The Call-ID, which stands in the record.
    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }

    /// Speaks (8 kHz mono); returns when the last frame is sent.
    pub async fn play(&self, samples: &[i16]) -> Result<(), PhoneError> {
        self.sound.play(samples).await
    }

    /// Presses a key (RFC 4733), 100 ms long.
    pub async fn press(&self, key: char) -> Result<(), PhoneError> {
        self.sound.press(key).await
    }

    /// Turns the faint noise of an open microphone on or off. With it the other end hears when the line opens,
    /// before anybody speaks.
    pub async fn background(&self, on: bool) -> Result<(), PhoneError> {
        self.sound.background(on).await
    }

    /// What was heard so far, in figures.
    pub fn heard(&self) -> Heard {
        self.sound.heard()
    }

    /// Waits until what was heard is as wanted; `what` names it in the error.
    ///
    /// # Errors
    /// [`PhoneError::Late`] after `limit`; [`PhoneError::Ended`] when the other side hangs up before.
    pub async fn until(
        &self,
        what: &'static str,
        limit: Duration,
        wanted: impl FnMut(&Heard) -> bool,
    ) -> Result<Heard, PhoneError> {
        let mut state = self.state.clone();
        let heard = async {
            tokio::select! {
                biased;
                heard = self.sound.until(wanted) => heard,
                _ = state.wait_for(|state| *state == CallState::Ended) => Err(PhoneError::Ended),
            }
        };
        within(limit, what, heard).await?
    }

    /// Every sample heard since the answer, 8 kHz mono.
    pub fn samples(&self) -> Vec<i16> {
        self.sound.samples()
    }

    /// Hangs up. The call stays readable (`heard`, `samples`).
    ///
    /// # Errors
    /// [`PhoneError::Ended`] when the other side was first.
    pub async fn hang_up(&mut self) -> Result<(), PhoneError> {
        if *self.state.borrow() == CallState::Ended {
            return Err(PhoneError::Ended);
        }
        self.dialog.cseq += 1;
        let bye = self.dialog.request(&self.line, "BYE", self.dialog.cseq);
        match self.line.transact(bye).await?.status() {
            Some(200..=299) => Ok(()),
            // Both hung up at the same moment.
            Some(481) => Err(PhoneError::Ended),
            status => Err(PhoneError::Refused(status.unwrap_or_default())),
        }
    }

    /// Waits until the other side hangs up.
    pub async fn ended(&self, limit: Duration) -> Result<(), PhoneError> {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| *state == CallState::Ended);
        within(limit, "the other side to hang up", ended).await?.map(drop).map_err(|_| PhoneError::Closed)
    }
}
