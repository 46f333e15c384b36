//! REGISTER from agents' phones: challenge, proof, bindings, expiry.
//!
//! [RFC 3261 §10.3](https://www.rfc-editor.org/rfc/rfc3261#section-10.3) for the steps,
//! [RFC 8760](https://www.rfc-editor.org/rfc/rfc8760) for two challenges, SHA-256 first.
//! A wrong password and an unknown user get the same answer.

use std::time::{Duration, Instant};

use super::Endpoint;
use crate::{
    auth::{self, Algorithm, Credentials, Freshness},
    event::Event,
    fields::{self, NameAddress, SipUri},
    message::{Message, Method},
    path::Source,
    registrar::Binding,
    timers::Timer,
};

/// So many contacts in one REGISTER; more is 400.
const MAX_CONTACTS: usize = 8;

/// Phones (by the start of their User-Agent) that give up at a challenge whose algorithm they do not know,
/// where RFC 3261 §22.3 has them pass on to the next: they are offered MD5 alone.
const ONE_ALGORITHM_ONLY: [&str; 2] = ["baresip v0.", "baresip v1."];

/// A status and the header fields that go with it.
type Refusal = (u16, Vec<(&'static str, String)>);

/// What one Contact asks for.
struct Wish {
    uri: String,
    expires_s: u32,
}

impl Endpoint {
    pub(super) fn on_register(&mut self, now: Instant, source: &Source, request: Message) {
        if let Some(rule) = self.too_fast(now, source, false) {
            self.refused(source, rule);
            let wait = self.config.overload_retry_after.to_string();
            return self.reply(source, &request, 503, &[("Retry-After", wait)]);
        }
        let user = match self.authenticated_user(now, source, &request, &Method::Register) {
            Ok(user) => user,
            Err(()) => return,
        };
        // Proved: from here on a transaction is kept, so that a repeat is answered alike and its nonce count,
        // used up now, is not asked for again.
        let Some(server) = self.begin_server(source, request.clone(), None) else { return };
        let stars = request.list("Contact").filter(|contact| *contact == "*").count();
        let fields = if stars > 0 {
            self.unregister_all(&user, &request)
        } else {
            self.register_contacts(now, source, &user, &request)
        };
        match fields {
            Ok(()) => {
                let contacts = self.contact_list(now, &user);
                self.respond_status(now, server, 200, None, &contacts);
            }
            Err((status, fields)) => self.respond_status(now, server, status, None, &fields),
        }
    }

    /// The account whose secret this request proves; otherwise it has been answered.
    pub(super) fn authenticated_user(
        &mut self,
        now: Instant,
        source: &Source,
        request: &Message,
        method: &Method,
    ) -> Result<String, ()> {
        let now_ms = self.clock_ms(now);
        let ours = request.values("Authorization").find(|value| {
            // Credentials for other realms may stand beside ours.
            Credentials::parse(value).is_ok_and(|credentials| credentials.realm == self.config.realm)
        });
        let Some(credentials) = ours.and_then(|value| Credentials::parse(value).ok()) else {
            self.challenge(now_ms, source, request, false);
            return Err(());
        };
        match self.registrar.nonces.check(&credentials.nonce, now_ms) {
            Freshness::Forged => {
                self.challenge(now_ms, source, request, false);
                return Err(());
            }
            Freshness::Stale => {
                self.challenge(now_ms, source, request, true);
                return Err(());
            }
            Freshness::Fresh => {}
        }
        // Who registers is named in To (RFC 3261 §10.2), who calls or writes in From.
        let named = if *method == Method::Register { request.to() } else { request.from() };
        let record_user =
            named.and_then(|named| SipUri::parse(named.uri)).and_then(|uri| uri.user).unwrap_or_default();
        let account = self.config.agents.iter().find(|account| account.user == credentials.username);
        let proved = account.is_some_and(|account| {
            account.user == record_user
                && self.config.digest.contains(&credentials.algorithm)
                && credentials.uri == request.request_uri()
                && auth::verify(&credentials, method.as_str(), &account.secret).is_ok()
        });
        if !proved {
            let register = *method == Method::Register;
            self.refused(source, if register { "register-bad-credentials" } else { "agent-bad-credentials" });
            self.reply(source, request, 403, &[]);
            return Err(());
        }
        if self.registrar.replays.accept(&credentials.nonce, credentials.nonce_count(), now_ms).is_err() {
            self.refused(source, "register-nonce-replayed");
            self.challenge(now_ms, source, request, true);
            return Err(());
        }
        Ok(credentials.username)
    }

    fn challenge(&mut self, now_ms: u64, source: &Source, request: &Message, stale: bool) {
        let nonce = self.registrar.nonces.issue(now_ms);
        let user_agent = request.value("User-Agent").unwrap_or_default();
        let one_only = ONE_ALGORITHM_ONLY.iter().any(|phone| user_agent.starts_with(phone));
        let algorithms = match self.config.digest.as_slice() {
            offered if one_only && offered.contains(&Algorithm::Md5) => &[Algorithm::Md5],
            offered => offered,
        };
        let fields: Vec<_> = auth::challenges(algorithms, &self.config.realm, &nonce, stale)
            .map(|value| ("WWW-Authenticate", value))
            .collect();
        self.reply(source, request, 401, &fields);
    }

    fn unregister_all(&mut self, user: &str, request: &Message) -> Result<(), Refusal> {
        let only = request.list("Contact").count() == 1;
        let zero = request.value("Expires").and_then(fields::seconds) == Some(0);
        if !only || !zero {
            return Err((400, Vec::new()));
        }
        self.unregister(user);
        Ok(())
    }

    fn register_contacts(
        &mut self,
        now: Instant,
        source: &Source,
        user: &str,
        request: &Message,
    ) -> Result<(), Refusal> {
        let wishes = self.wishes(request)?;
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let call_id = request.call_id().to_owned();
        let late = |binding: &Binding| binding.call_id == call_id && binding.cseq >= cseq;
        // RFC 3261 §10.3 step 7: an older request that arrives late changes nothing.
        if wishes
            .iter()
            .any(|wish| self.registrar.of(user).iter().any(|old| old.contact == wish.uri && late(old)))
        {
            return Err((500, Vec::new()));
        }
        let had_phone = !self.registrar.of(user).is_empty();
        let max = self
            .config
            .agents
            .iter()
            .find(|account| account.user == user)
            .map_or(1, |account| account.max_contacts);
        let mut granted = None;
        for wish in wishes {
            if wish.expires_s == 0 {
                if self.registrar.unbind(user, &mut self.timers, |binding| binding.contact == wish.uri) {
                    self.emit(Event::Unregistered { user: user.to_owned() });
                }
                continue;
            }
            let expires_at = now + Duration::from_secs(u64::from(wish.expires_s));
            let timer = self.timers.set(expires_at, Timer::BindingEnd(user.to_owned()));
            let binding = Binding {
                contact: wish.uri,
                path: source.path,
                call_id: call_id.clone(),
                cseq,
                expires_at,
                timer,
            };
            self.registrar.bind(user, binding, max, &mut self.timers);
            granted = Some(wish.expires_s);
        }
        if let Some(expires_s) = granted {
            self.emit(Event::Registered { user: user.to_owned(), expires_s, new: !had_phone });
        }
        Ok(())
    }

    fn wishes(&self, request: &Message) -> Result<Vec<Wish>, Refusal> {
        let common = request.value("Expires").and_then(fields::seconds);
        let mut wishes = Vec::new();
        for text in request.list("Contact") {
            let contact = NameAddress::parse(text).ok_or((400, Vec::new()))?;
            if SipUri::parse(contact.uri).is_none() || wishes.len() == MAX_CONTACTS {
                return Err((400, Vec::new()));
            }
            let own = contact.parameter("expires").and_then(fields::seconds);
            let asked = own.or(common).unwrap_or(self.config.default_expires);
            if asked != 0 && asked < self.config.min_expires {
                return Err((423, vec![("Min-Expires", self.config.min_expires.to_string())]));
            }
            wishes.push(Wish { uri: contact.uri.to_owned(), expires_s: asked.min(self.config.max_expires) });
        }
        Ok(wishes)
    }

    fn contact_list(&self, now: Instant, user: &str) -> Vec<(&'static str, String)> {
        let left = |binding: &Binding| binding.expires_at.saturating_duration_since(now).as_secs();
        self.registrar
            .of(user)
            .iter()
            .map(|binding| ("Contact", format!("<{}>;expires={}", binding.contact, left(binding))))
            .collect()
    }

    pub(super) fn on_binding_end(&mut self, now: Instant, user: &str) {
        if self.registrar.unbind(user, &mut self.timers, |binding| binding.expires_at <= now) {
            self.emit(Event::Unregistered { user: user.to_owned() });
        }
    }

    pub(super) fn unregister(&mut self, user: &str) {
        if self.registrar.unbind(user, &mut self.timers, |_| true) {
            self.emit(Event::Unregistered { user: user.to_owned() });
        }
    }

    /// Milliseconds since the first input: the nonces' clock.
    fn clock_ms(&self, now: Instant) -> u64 {
        let since = self.epoch.map_or(Duration::ZERO, |epoch| now.saturating_duration_since(epoch));
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
