//! Our own registrations with carriers: made, refreshed in time, moved to another gateway, taken back at the end.
//!
//! [RFC 3261 §10.2](https://www.rfc-editor.org/rfc/rfc3261#section-10.2). One gateway of a trunk holds the
//! registration; when it fails the next one is asked. Challenges are answered in `attempt.rs`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::Endpoint;
use crate::{
    event::{ConnectionId, Event, Path},
    fields::{self, NameAddress},
    message::{Message, Method},
    timers::{Timer, TimerKey},
    transaction::Purpose,
    trunk::RegistrationConfig,
};

/// The first wait after all gateways failed; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// One registration of ours. It lives as long as its trunk asks for it.
#[derive(Debug)]
pub(super) struct Registration {
    trunk: String,
    config: RegistrationConfig,
    call_id: String,
    tag: String,
    cseq: u32,
    /// What is asked for: the configured time, or the Min-Expires of a 423.
    expires_s: u32,
    /// The gateway asked last.
    gateway: Option<u64>,
    /// Gateways not asked yet in this round, the next one last.
    left: Vec<u64>,
    /// The way of the last REGISTER: incoming calls come along it.
    path: Option<Path>,
    registered: bool,
    wait: Duration,
    timer: Option<TimerKey>,
    /// To be taken back, and then forgotten.
    ending: bool,
    asking: bool,
}

pub(super) type Registrations = BTreeMap<u64, Registration>;

impl Endpoint {
    /// Begins registrations that the configuration asks for, and takes back those it does not.
    pub(super) fn begin_registrations(&mut self, now: Instant) {
        let wanted: Vec<(String, RegistrationConfig)> = self
            .config
            .trunks
            .iter()
            .filter_map(|trunk| Some((trunk.name.clone(), trunk.registration.clone()?)))
            .collect();
        let stale: Vec<u64> = self
            .registrations
            .iter()
            .filter(|(_, known)| {
                !wanted.iter().any(|(trunk, config)| *trunk == known.trunk && *config == known.config)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in stale {
            self.take_back(now, id);
        }
        for (trunk, config) in wanted {
            let waiting = self
                .registrations
                .iter()
                .find(|(_, known)| known.trunk == trunk && !known.ending)
                .map(|(id, known)| (*id, known.registered || known.asking || known.timer.is_some()));
            match waiting {
                Some((_, true)) => {}
                Some((id, false)) => self.on_register_due(now, id),
                None => {
                    let id = self.fresh_id();
                    let (call_id, tag) = (self.tokens.next(), self.tokens.next());
                    let registration = Registration {
                        trunk,
                        expires_s: config.expires_s,
                        config,
                        call_id: format!("{call_id}@{}", self.config.realm),
                        tag,
                        cseq: 0,
                        gateway: None,
                        left: Vec::new(),
                        path: None,
                        registered: false,
                        wait: FIRST_WAIT,
                        timer: None,
                        ending: false,
                        asking: false,
                    };
                    self.registrations.insert(id, registration);
                    self.on_register_due(now, id);
                }
            }
        }
    }

    /// Takes all registrations back, at the end. `TrunkRegistration` with `registered: false` follows for each.
    pub fn unregister_trunks(&mut self, now: Instant) {
        let ids: Vec<u64> = self.registrations.keys().copied().collect();
        for id in ids {
            self.take_back(now, id);
        }
    }

    fn take_back(&mut self, now: Instant, id: u64) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.ending = true;
        let timer = registration.timer.take();
        let (registered, gateway) = (registration.registered, registration.gateway);
        self.timers.cancel(timer);
        match gateway.filter(|_| registered) {
            Some(gateway) => self.ask(now, id, gateway),
            None => drop(self.registrations.remove(&id)),
        }
    }

    /// It is time to register, or to do it again.
    pub(super) fn on_register_due(&mut self, now: Instant, id: u64) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.timer = None;
        let (trunk, holder) = (registration.trunk.clone(), registration.gateway);
        // The gateway that holds it is asked again, as long as it is in use.
        let mut order = self.gateway_order(now, &trunk);
        if let Some(at) = holder.and_then(|holder| order.iter().position(|id| *id == holder)) {
            let holder = order.remove(at);
            order.insert(0, holder);
        }
        order.reverse();
        let next = order.pop();
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.left = order;
        }
        match next {
            Some(gateway) => self.ask(now, id, gateway),
            None => self.register_later(now, id),
        }
    }

    /// Sends REGISTER to that gateway.
    fn ask(&mut self, now: Instant, id: u64, gateway: u64) {
        let asked = self.register_request(now, id, gateway).and_then(|(request, path)| {
            let client = self.begin_client(now, request, path, Purpose::Register(id))?;
            let trunk = self.registrations.get(&id)?.trunk.clone();
            let limit = self.trunk_named(&trunk)?.health.answer_limit;
            self.limit_client(now, client, limit.max(self.config.timers.t1 * 8));
            let registration = self.registrations.get_mut(&id)?;
            registration.gateway = Some(gateway);
            registration.path = Some(path);
            registration.asking = true;
            Some(())
        });
        if asked.is_none() {
            self.ask_next(now, id);
        }
    }

    fn register_request(&mut self, now: Instant, id: u64, gateway: u64) -> Option<(Message, Path)> {
        let host = self.gateway_host(gateway)?;
        let (mut path, _) = self.way_to_gateway(now, gateway)?;
        let cnonce = self.tokens.next();
        let registration = self.registrations.get_mut(&id)?;
        registration.cseq += 1;
        let user = format!("{}@", fields::escape_user(&registration.config.user));
        let expires = if registration.ending { 0 } else { registration.expires_s };
        let (cseq, call_id, tag) =
            (registration.cseq, registration.call_id.clone(), registration.tag.clone());
        let uri = format!("sip:{host}");
        let mut request = self.request_outside(Method::Register, &uri, path, &user, cseq)?;
        let record = format!("<sip:{user}{host}>");
        request.set("From", format!("{record};tag={tag}"));
        request.set("To", record);
        request.set("Call-ID", call_id);
        request.push("Expires", expires.to_string());
        self.prove(gateway, &mut request, &cnonce);
        let size = request.to_bytes().len();
        if let Some(connection) = self.connection_for_large(now, path, size) {
            path = connection;
            let via = self.new_via(path)?;
            request.set("Via", via);
        }
        Some((request, path))
    }

    /// What a REGISTER came to.
    pub(super) fn on_register_outcome(
        &mut self,
        now: Instant,
        id: u64,
        status: u16,
        response: Option<&Message>,
    ) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        registration.asking = false;
        // Challenges are answered with the next number.
        if let Some(cseq) = response.and_then(Message::cseq) {
            registration.cseq = registration.cseq.max(cseq.number);
        }
        let Some(gateway) = registration.gateway else { return };
        let ending = registration.ending;
        self.judge_gateway(now, gateway, response, false);
        match status {
            _ if ending => {
                self.tell_registration(id, false, status);
                self.registrations.remove(&id);
            }
            200..300 => self.registered(now, id, response),
            423 => {
                let least =
                    response.and_then(|response| response.value("Min-Expires")).and_then(fields::seconds);
                match (self.registrations.get_mut(&id), least) {
                    (Some(registration), Some(least)) if least > registration.expires_s => {
                        registration.expires_s = least;
                        self.ask(now, id, gateway);
                    }
                    _ => self.ask_next(now, id),
                }
            }
            _ => {
                self.lost_registration(id, status);
                self.ask_next(now, id);
            }
        }
    }

    fn registered(&mut self, now: Instant, id: u64, response: Option<&Message>) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let user = fields::escape_user(&registration.config.user);
        let granted = response.map_or(registration.expires_s, |response| {
            let of_contact = response.list("Contact").filter_map(NameAddress::parse).find_map(|contact| {
                let ours = contact.uri.contains(&format!(":{user}@"));
                contact.parameter("expires").filter(|_| ours).and_then(fields::seconds)
            });
            let common = response.value("Expires").and_then(fields::seconds);
            of_contact.or(common).unwrap_or(registration.expires_s)
        });
        let new = !std::mem::replace(&mut registration.registered, true);
        registration.wait = FIRST_WAIT;
        let granted = Duration::from_secs(u64::from(granted.max(1)));
        // Early enough for another gateway to be asked, never in a hurry.
        let refresh = granted.mul_f64(0.8).max(Duration::from_secs(1));
        let timer = self.timers.set(now + refresh, Timer::Register(id));
        let old = self.registrations.get_mut(&id).and_then(|registration| registration.timer.replace(timer));
        self.timers.cancel(old);
        if new {
            self.tell_registration(id, true, 200);
        }
    }

    fn ask_next(&mut self, now: Instant, id: u64) {
        let next = self.registrations.get_mut(&id).and_then(|registration| registration.left.pop());
        match next {
            Some(gateway) => self.ask(now, id, gateway),
            None => self.register_later(now, id),
        }
    }

    /// Nobody took it: again after a wait that grows.
    fn register_later(&mut self, now: Instant, id: u64) {
        let jitter = self.tokens.below(500);
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        if registration.ending {
            self.registrations.remove(&id);
            return;
        }
        let wait = registration.wait.mul_f64(1.0 + f64::from(jitter) / 1_000.0);
        registration.wait = (registration.wait * 2).min(LONGEST_WAIT);
        let timer = self.timers.set(now + wait, Timer::Register(id));
        let old = registration.timer.replace(timer);
        self.timers.cancel(old);
    }

    fn lost_registration(&mut self, id: u64, status: u16) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        // The first failure is told as well: an operator wants to see why nobody can call.
        let first = registration.wait == FIRST_WAIT;
        if std::mem::replace(&mut registration.registered, false) || first {
            self.tell_registration(id, false, status);
        }
    }

    fn tell_registration(&mut self, id: u64, registered: bool, status: u16) {
        let Some(registration) = self.registrations.get(&id) else { return };
        let gateway = registration.gateway.and_then(|id| self.gateways.get(&id));
        let gateway = gateway.map(|gateway| gateway.config.address.clone()).unwrap_or_default();
        let trunk = registration.trunk.clone();
        self.emit(Event::TrunkRegistration { trunk, gateway, registered, status });
    }

    /// The connection over which we registered is gone: calls could not reach us any more.
    pub(super) fn on_flow_lost(&mut self, now: Instant, connection: ConnectionId) {
        let lost = Some(Path::Stream { connection });
        let ids: Vec<u64> = self
            .registrations
            .iter()
            .filter(|(_, known)| known.path == lost && known.registered && !known.asking && !known.ending)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.lost_registration(id, 503);
            let wait = Duration::from_millis(u64::from(self.tokens.below(1_000)));
            let timer = self.timers.set(now + wait, Timer::Register(id));
            let old = self.registrations.get_mut(&id).and_then(|known| known.timer.replace(timer));
            self.timers.cancel(old);
        }
    }

    pub(super) fn is_registered_over(&self, connection: ConnectionId) -> bool {
        let path = Some(Path::Stream { connection });
        self.registrations.values().any(|known| known.registered && known.path == path)
    }

    pub(super) fn registration_gateway(&self, id: u64) -> Option<u64> {
        self.registrations.get(&id)?.gateway
    }

    /// Whether that gateway holds the trunk's registration; `None` for a trunk that registers nowhere.
    pub(super) fn is_registered(&self, trunk: &str, gateway: u64) -> Option<bool> {
        let registration = self.registrations.values().find(|known| known.trunk == trunk)?;
        Some(registration.registered && registration.gateway == Some(gateway))
    }
}
