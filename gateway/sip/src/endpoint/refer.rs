//! REFER inside a call: theirs to us with the NOTIFYs that tell how it goes, and ours to them.
//!
//! One referral each way at a time; a second one is 491. Without `Refer-Sub: false` the other side is told by
//! NOTIFY until the layer above says it is over, the call ends, or its time does.
//! [RFC 3515](https://www.rfc-editor.org/rfc/rfc3515), [RFC 4488](https://www.rfc-editor.org/rfc/rfc4488)
//! (`Refer-Sub`), [RFC 3892](https://www.rfc-editor.org/rfc/rfc3892) (`Referred-By`).

use std::time::{Duration, Instant};

use super::Endpoint;
use crate::{
    dialog::{Phase, Referral, Watched},
    error::CommandError,
    event::{CallHandle, Event, Refer},
    fields::{self, NameAddress},
    message::{Message, Method, reason_phrase},
    path::Source,
    replaces::{self, Replaces},
    timers::Timer,
    transaction::Purpose,
};

/// How long a referral may take, until the last NOTIFY.
const SUBSCRIPTION: Duration = Duration::from_secs(180);
/// How long the layer above may think about a REFER: well before the peer's timer F.
const DECISION: Duration = Duration::from_secs(10);

impl Endpoint {
    pub(super) fn on_refer(&mut self, now: Instant, source: &Source, call: CallHandle, request: Message) {
        let Some(state) = self.calls.get(&call) else { return };
        if state.over || !matches!(state.phase, Phase::Confirmed) {
            return self.reply(source, &request, 603, &[]);
        }
        if state.referral.is_some() {
            return self.reply(source, &request, 491, &[]);
        }
        let refer = match self.read_refer(&request) {
            Ok(refer) => Box::new(refer),
            Err(status) => return self.reply(source, &request, status, &[]),
        };
        let silent = request.value("Refer-Sub").is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
        });
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(server) = self.begin_server(source, request, None) else { return };
        let timer = self.timers.set(now + DECISION, Timer::Referral(call));
        let Some(state) = self.calls.get_mut(&call) else { return };
        // RFC 3515 §2.4.6: every REFER but the first names itself in its NOTIFYs.
        let id = state.was_referred.then_some(cseq);
        state.was_referred = true;
        state.referral = Some(Box::new(Referral { server: Some(server), silent, id, status: 100, timer }));
        self.emit(Event::Referred { call, refer });
    }

    fn read_refer(&self, request: &Message) -> Result<Refer, u16> {
        let mut targets = request.values("Refer-To");
        let (Some(target), None) = (targets.next(), targets.next()) else { return Err(400) };
        // Headers of a URI belong within brackets (RFC 3261 §20.10); phones that leave them out (baresip 1.0) mean the
        // whole value all the same.
        let bracketed =
            (target.contains('?') && !target.contains('<')).then(|| format!("<{}>", target.trim()));
        let target = NameAddress::parse(bracketed.as_deref().unwrap_or(target)).ok_or(400_u16)?;
        let scheme = target.uri.split(':').next().unwrap_or_default();
        if !["sip", "sips", "tel"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return Err(416);
        }
        let (uri, replaces) = replaces::split_target(target.uri);
        let parameters = uri.split_once(';').map_or("", |(_, parameters)| parameters);
        if fields::parameter(parameters, "method").is_some_and(|method| method != "INVITE") {
            return Err(603);
        }
        let ours = replaces.as_deref().and_then(Replaces::parse).and_then(|named| self.call_named(&named));
        Ok(Refer {
            target_uri: uri.to_owned(),
            replaces: ours,
            replaces_value: replaces,
            referred_by: request
                .value("Referred-By")
                .and_then(NameAddress::parse)
                .map(|referrer| referrer.uri.to_owned()),
        })
    }

    /// Accepts [`Event::Referred`] with 202; the other side is told that it is being tried. Say how it goes with
    /// [`Endpoint::notify_refer`].
    pub fn accept_refer(&mut self, now: Instant, call: CallHandle) {
        let Some(referral) = self.calls.get_mut(&call).and_then(|state| state.referral.as_mut()) else {
            return;
        };
        let Some(server) = referral.server.take() else { return };
        let (silent, old) = (referral.silent, referral.timer);
        self.timers.cancel(Some(old));
        let mut answer = Vec::new();
        if let Some(state) = self.calls.get(&call) {
            answer.push(("Contact", state.dialog.contact.clone()));
        }
        if silent {
            answer.push(("Refer-Sub", "false".to_owned()));
        }
        self.respond_status(now, server, 202, None, &answer);
        let timer = self.timers.set(now + SUBSCRIPTION, Timer::Referral(call));
        if let Some(referral) = self.calls.get_mut(&call).and_then(|state| state.referral.as_mut()) {
            referral.timer = timer;
        }
        self.notify_refer(now, call, 100, false);
    }

    /// Refuses [`Event::Referred`]; `status` 300 to 699 (anything else becomes 603).
    pub fn refuse_refer(&mut self, now: Instant, call: CallHandle, status: u16) {
        let undecided = |referral: &mut Box<Referral>| referral.server.is_some();
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Some(referral) = state.referral.take_if(undecided) else { return };
        self.timers.cancel(Some(referral.timer));
        let status = if (300..700).contains(&status) { status } else { 603 };
        if let Some(server) = referral.server {
            self.respond_status(now, server, status, None, &[]);
        }
    }

    /// Tells the other side how its REFER goes: the status the new call has come to. The last word is
    /// `terminated`, or any final status.
    pub fn notify_refer(&mut self, now: Instant, call: CallHandle, status: u16, terminated: bool) {
        let over = terminated || status >= 200;
        self.tell_referrer(now, call, status, over.then_some("noresource"));
    }

    fn tell_referrer(&mut self, now: Instant, call: CallHandle, status: u16, ended: Option<&str>) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Some(referral) = state.referral.as_mut().filter(|referral| referral.server.is_none()) else {
            return;
        };
        referral.status = status;
        let (silent, id, timer) = (referral.silent, referral.id, referral.timer);
        let left = timer.0.saturating_duration_since(now).as_secs().max(1);
        if ended.is_some() {
            state.referral = None;
            self.timers.cancel(Some(timer));
        }
        if silent || !matches!(self.calls.get(&call).map(|state| &state.phase), Some(Phase::Confirmed)) {
            return;
        }
        let Some((mut notify, path)) = self.dialog_request(now, call, Method::Notify) else { return };
        if let Some(state) = self.calls.get(&call) {
            notify.push("Contact", state.dialog.contact.clone());
        }
        notify.push("Event", id.map_or_else(|| "refer".to_owned(), |id| format!("refer;id={id}")));
        notify.push(
            "Subscription-State",
            match ended {
                Some(reason) => format!("terminated;reason={reason}"),
                None => format!("active;expires={left}"),
            },
        );
        notify.push("Content-Type", "message/sipfrag;version=2.0");
        notify.body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes();
        self.begin_client(now, notify, path, Purpose::Notify(call));
    }

    /// The call ends, and with it what the other side is told of its REFER: an undecided one is refused, of one
    /// under way the last NOTIFY says what is known (RFC 3515 §2.4.7). To be called while the dialog stands.
    pub(super) fn end_referral(&mut self, now: Instant, call: CallHandle) {
        self.refuse_refer(now, call, 487);
        let known = self.calls.get(&call).and_then(|state| state.referral.as_ref());
        if let Some(status) = known.map(|referral| referral.status) {
            self.tell_referrer(now, call, status, Some("noresource"));
        }
    }

    /// A NOTIFY of ours was refused: nobody listens any more.
    pub(super) fn on_notify_failure(&mut self, call: CallHandle, status: u16) {
        if !matches!(status, 408 | 481 | 489) {
            return;
        }
        let Some(referral) = self.calls.get_mut(&call).and_then(|state| state.referral.as_mut()) else {
            return;
        };
        referral.silent = true;
    }

    pub(super) fn on_referral_timer(&mut self, now: Instant, call: CallHandle) {
        let Some(referral) = self.calls.get_mut(&call).and_then(|state| state.referral.as_mut()) else {
            return;
        };
        if referral.server.is_some() {
            return self.refuse_refer(now, call, 500);
        }
        let status = referral.status;
        self.tell_referrer(now, call, status, Some("timeout"));
    }

    /// SUBSCRIBE: only to the progress of a REFER that is under way (RFC 3515 §2.4.4); anything else is 489.
    pub(super) fn on_subscribe(
        &mut self,
        now: Instant,
        source: &Source,
        call: Option<CallHandle>,
        request: Message,
    ) {
        let referral = call.and_then(|call| Some((call, self.calls.get(&call)?.referral.as_ref()?)));
        let live = referral.filter(|(_, referral)| referral.server.is_none() && !referral.silent);
        let Some((call, referral)) = live.filter(|_| package(&request) == "refer") else {
            return self.reply(source, &request, 489, &[("Allow-Events", "refer".to_owned())]);
        };
        let stop = request.value("Expires").and_then(fields::seconds) == Some(0);
        let left = referral.timer.0.saturating_duration_since(now).as_secs();
        let (status, left) = (referral.status, if stop { 0 } else { left });
        let Some(server) = self.begin_server(source, request, None) else { return };
        self.respond_status(now, server, 200, None, &[("Expires", left.to_string())]);
        self.tell_referrer(now, call, status, stop.then_some("timeout"));
        // The layer above goes on and speaks into the void: what it does is wanted all the same.
    }

    /// Asks the other side to call `target_uri` (see [`Endpoint::transfer_target`] for an attended transfer).
    /// [`Event::ReferProgress`] follows until it is terminated, or [`Event::ReferRefused`].
    ///
    /// # Errors
    /// `NoSuchCall`; `WrongState` before the call is confirmed or while another REFER is under way; `BadTarget`.
    pub fn refer(&mut self, now: Instant, call: CallHandle, target_uri: &str) -> Result<(), CommandError> {
        let state = self.calls.get(&call).filter(|state| !state.over).ok_or(CommandError::NoSuchCall)?;
        if !matches!(state.phase, Phase::Confirmed) || state.watched.is_some() {
            return Err(CommandError::WrongState);
        }
        let broken = |c: char| c.is_control() || c.is_whitespace() || "<>\"".contains(c);
        if !target_uri.contains(':') || target_uri.contains(broken) {
            return Err(CommandError::BadTarget);
        }
        let contact = state.dialog.contact.clone();
        let (mut request, path) =
            self.dialog_request(now, call, Method::Refer).ok_or(CommandError::NoLocalAddress)?;
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        request.push("Contact", contact.clone());
        request.push("Supported", self.supported());
        request.push("Refer-To", format!("<{target_uri}>"));
        request.push("Referred-By", contact);
        self.begin_client(now, request, path, Purpose::Refer(call)).ok_or(CommandError::NoLocalAddress)?;
        let timer = self.timers.set(now + SUBSCRIPTION, Timer::Watched(call));
        if let Some(state) = self.calls.get_mut(&call) {
            state.watched = Some(Box::new(Watched { cseq, timer }));
        }
        Ok(())
    }

    /// The answer to our REFER.
    pub(super) fn on_refer_outcome(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        response: Option<&Message>,
    ) {
        let unwatched = response.and_then(|response| response.value("Refer-Sub")).is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
        });
        if (200..300).contains(&status) && !unwatched {
            return;
        }
        if self.calls.get(&call).is_none_or(|state| state.over) {
            return;
        }
        self.stop_watching(call);
        if (200..300).contains(&status) {
            return self.emit(Event::ReferProgress { call, status, terminated: true });
        }
        self.emit(Event::ReferRefused { call, status });
        if status == 481 {
            self.end(call, crate::event::Cause::Lost);
            self.send_bye(now, call, None);
        }
    }

    fn stop_watching(&mut self, call: CallHandle) -> bool {
        let watched = self.calls.get_mut(&call).and_then(|state| state.watched.take());
        self.timers.cancel(watched.as_ref().map(|watched| watched.timer));
        watched.is_some()
    }

    pub(super) fn on_watched_timer(&mut self, call: CallHandle) {
        if self.stop_watching(call) {
            self.emit(Event::ReferProgress { call, status: 408, terminated: true });
        }
    }

    /// A NOTIFY inside a call: how our REFER goes.
    pub(super) fn on_notify(&mut self, now: Instant, source: &Source, call: CallHandle, request: Message) {
        if package(&request) != "refer" {
            return self.reply(source, &request, 489, &[("Allow-Events", "refer".to_owned())]);
        }
        let id = request.value("Event").and_then(|event| {
            fields::parameter(event.split_once(';').map_or("", |(_, rest)| rest), "id")?.parse::<u32>().ok()
        });
        let watched = self.calls.get(&call).and_then(|state| state.watched.as_ref());
        if watched.is_none_or(|watched| id.is_some_and(|id| id != watched.cseq)) {
            return self.reply(source, &request, 481, &[]);
        }
        let state = request.value("Subscription-State").unwrap_or_default();
        let terminated =
            state.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("terminated");
        let fragment = fragment_status(&request.body);
        let Some(server) = self.begin_server(source, request, None) else { return };
        self.respond_status(now, server, 200, None, &[]);
        if terminated {
            self.stop_watching(call);
        }
        // A last word without a status says that nobody will ever know.
        if let Some(status) = fragment.or(terminated.then_some(408)) {
            self.emit(Event::ReferProgress { call, status, terminated });
        }
    }
}

/// The event package of a SUBSCRIBE or NOTIFY, in lower case.
pub(super) fn package(request: &Message) -> String {
    let event = request.value("Event").unwrap_or_default();
    event.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The status line of a `message/sipfrag`.
fn fragment_status(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body.get(..64.min(body.len()))?).ok().or_else(|| {
        // A reason phrase may be cut inside a character: the status stands before it.
        std::str::from_utf8(body.get(..12)?).ok()
    })?;
    let status: u16 = text.trim_start().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}
