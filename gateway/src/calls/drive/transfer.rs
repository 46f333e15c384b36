//! Whom a further leg calls and what it is told: an agent's REFER, numbers through trunks, and the context a
//! department or 110 needs with a call that is handed over (Call-Info, RFC 3261; Diversion, RFC 5806;
//! History-Info, RFC 7044).

use std::net::IpAddr;
use std::time::Instant;

use gateway_call::{Event, LegId, Target};
use gateway_sip::CallHandle;

use super::Driver;
use crate::switch::Callee;

/// Not found (RFC 3261 section 21.4.5): the URI of a REFER names nobody we call.
const NOT_FOUND: u16 = 404;
/// Call does not exist (RFC 3261 section 21.4.19): a REFER names another call than the phone's own second one.
const NO_SUCH_CALL: u16 = 481;
/// Longest number that is dialled.
const MAX_NUMBER_CHARS: usize = 32;

impl Driver {
    /// The phone asks for a transfer (RFC 3515). Only our own agents and telephone numbers are called: a REFER
    /// must not make the gateway call any address of the internet.
    pub(super) async fn referred(&mut self, leg: LegId, target_uri: &str, replaces: Option<CallHandle>) {
        let target = self.calls.live.load().target_of(target_uri);
        let event = match (replaces, target) {
            // The phone's own second call: whoever is consulted there gets the caller.
            (Some(replaced), _) if self.refers_to_second_line(replaced) => Event::ReferredToConsulted { leg },
            (Some(_), _) => return self.refuse_refer(leg, NO_SUCH_CALL).await,
            (None, Some(target)) => Event::Referred { leg, target },
            (None, None) => return self.refuse_refer(leg, NOT_FOUND).await,
        };
        self.session.handle(Instant::now(), event);
    }

    pub(super) async fn accept_refer(&mut self, leg: LegId) {
        if let Some(handle) = self.referrer(leg) {
            self.calls.switch.accept_refer(handle).await;
        }
    }

    pub(super) async fn refuse_refer(&mut self, leg: LegId, status: u16) {
        if let Some(handle) = self.referrer(leg) {
            self.calls.switch.refuse_refer(handle, status).await;
        }
    }

    pub(super) async fn notify_refer(&mut self, leg: LegId, status: u16, last: bool) {
        if let Some(handle) = self.referrer(leg) {
            self.calls.switch.notify_refer(handle, status, last).await;
        }
    }

    /// The dialog a phone's REFER came in.
    fn referrer(&mut self, leg: LegId) -> Option<CallHandle> {
        self.referrer_on_second_line(leg).or_else(|| self.agent(leg).map(|agent| agent.handle))
    }

    pub(super) fn callee(&self, target: &Target) -> Option<Callee> {
        match target {
            Target::Agent(agent) => Some(Callee::Agent(agent.as_str().to_owned())),
            Target::Phone(uri) => Some(Callee::Phone { uri: uri.clone() }),
            Target::Trunk { trunk, number } => {
                let live = self.calls.live.load();
                let trunk = trunk.clone().or_else(|| live.trunk_out().map(str::to_owned))?;
                Some(Callee::Trunk { trunk, number: number.clone() })
            }
        }
    }

    /// What the called party needs to find the record, `host` being us as it sees us; a technical number has none.
    pub(super) fn context_headers(&self, target: &Target, host: IpAddr) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if !self.intake {
            return headers;
        }
        headers.push(("X-Record-No".to_owned(), self.record.record_no.clone()));
        if let Target::Trunk { number, .. } = target {
            let line =
                self.record.call.as_ref().and_then(|call| call.service_line.as_deref()).unwrap_or("12345");
            let number = number.reveal();
            headers
                .push(("Call-Info".to_owned(), format!("<urn:uuid:{}>;purpose=info", self.record.record_id)));
            headers.push(("Diversion".to_owned(), format!("<sip:{line}@{host}>;reason=deflection")));
            let history = format!("<sip:{line}@{host}>;index=1, <sip:{number}@{host}>;index=1.1;mp=1");
            headers.push(("History-Info".to_owned(), history));
        }
        headers
    }
}

/// Digits, with or without a leading `+`; `*` and `#` for codes of a PBX.
pub fn is_dialable(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    !digits.is_empty()
        && number.len() <= MAX_NUMBER_CHARS
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#')
}
