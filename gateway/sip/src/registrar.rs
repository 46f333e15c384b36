//! Where the agents' phones are: bindings, newest last, with the flow each registered over.
//!
//! A request to a phone goes back the way its REGISTER came (NAT), never to the address the phone claims.
//! Nothing is kept for a source that has not proved a secret: nonces carry their own proof.
//! [RFC 3261 §10.3](https://www.rfc-editor.org/rfc/rfc3261#section-10.3).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    auth::{NonceKey, ReplayGuard},
    event::{BindingView, ConnectionId, Path},
    timers::{TimerKey, Timers},
    token::Tokens,
};

/// Nonces whose counts are remembered; above it the oldest must authenticate anew.
const MAX_NONCES: usize = 10_000;

/// One phone.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The Contact URI: the Request-URI of our INVITE.
    pub(crate) contact: String,
    pub(crate) path: Path,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) expires_at: Instant,
    pub(crate) timer: TimerKey,
}

#[derive(Debug)]
pub(crate) struct Registrar {
    users: BTreeMap<String, Vec<Binding>>,
    /// Who registered over which connection.
    connections: BTreeMap<ConnectionId, BTreeSet<String>>,
    pub(crate) nonces: NonceKey,
    pub(crate) replays: ReplayGuard,
}

impl Registrar {
    pub(crate) fn new(tokens: &Tokens) -> Self {
        let nonces = NonceKey::new(tokens.key("nonce"));
        let replays = ReplayGuard::new(MAX_NONCES, nonces.lifetime_ms());
        Self { users: BTreeMap::new(), connections: BTreeMap::new(), nonces, replays }
    }

    pub(crate) fn of(&self, user: &str) -> &[Binding] {
        self.users.get(user).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn newest(&self, user: &str) -> Option<&Binding> {
        self.of(user).last()
    }

    pub(crate) fn bindings(&self) -> impl Iterator<Item = BindingView<'_>> {
        self.users.iter().flat_map(|(user, bindings)| {
            bindings.iter().map(move |binding| BindingView {
                user,
                path: binding.path,
                expires_at: binding.expires_at,
            })
        })
    }

    /// Puts a binding at the end, in place of the one with the same Contact; beyond `max` the oldest go.
    pub(crate) fn bind(&mut self, user: &str, binding: Binding, max: usize, timers: &mut Timers) {
        if let Path::Stream { connection } = binding.path {
            self.connections.entry(connection).or_default().insert(user.to_owned());
        }
        let bindings = self.users.entry(user.to_owned()).or_default();
        let surplus = bindings.len().saturating_sub(max.max(1).saturating_sub(1));
        let mut removed: Vec<Binding> =
            bindings.extract_if(.., |old| old.contact == binding.contact).collect();
        let still = surplus.saturating_sub(removed.len()).min(bindings.len());
        removed.extend(bindings.drain(..still));
        bindings.push(binding);
        self.drop_all(user, removed, timers);
    }

    /// Removes what `gone` says; true if the agent had a phone and now has none.
    pub(crate) fn unbind(
        &mut self,
        user: &str,
        timers: &mut Timers,
        gone: impl Fn(&Binding) -> bool,
    ) -> bool {
        let Some(bindings) = self.users.get_mut(user) else { return false };
        let removed: Vec<Binding> = bindings.extract_if(.., |binding| gone(binding)).collect();
        let empty = bindings.is_empty();
        if empty {
            self.users.remove(user);
        }
        self.drop_all(user, removed, timers);
        empty
    }

    fn drop_all(&mut self, user: &str, removed: Vec<Binding>, timers: &mut Timers) {
        for binding in removed {
            timers.cancel(Some(binding.timer));
            let Path::Stream { connection } = binding.path else { continue };
            let used = self.of(user).iter().any(|other| other.path == binding.path);
            if let Some(users) = self.connections.get_mut(&connection).filter(|_| !used) {
                users.remove(user);
                if users.is_empty() {
                    self.connections.remove(&connection);
                }
            }
        }
    }

    /// Forgets every phone of a lost connection; gives the agents who have none left.
    pub(crate) fn drop_connection(&mut self, connection: ConnectionId, timers: &mut Timers) -> Vec<String> {
        let users = self.connections.remove(&connection).unwrap_or_default();
        let lost = Path::Stream { connection };
        users.into_iter().filter(|user| self.unbind(user, timers, |binding| binding.path == lost)).collect()
    }
}
