//! Early dialogs of a call of ours: each phone behind a fork rings with its own tag, and each reliable ringing is
//! confirmed by a PRACK of its own.
//!
//! Reliable ringing is taken in order: a repeat and what comes too early are not confirmed, so the other side
//! sends them again ([RFC 3262 §4](https://www.rfc-editor.org/rfc/rfc3262#section-4)). The first 2xx decides which
//! dialog the call goes on in.

use std::time::Instant;

use super::{Endpoint, outgoing::routes_of_response};
use crate::{
    body,
    config::Reliability,
    dialog::{Early, Phase},
    event::{CallHandle, Event, Path},
    message::{Message, Method},
    transaction::{MAX_FORKS, Purpose},
};

impl Endpoint {
    /// A 101 to 199 to our INVITE.
    pub(super) fn on_early(&mut self, now: Instant, call: CallHandle, response: &Message) {
        if self.calls.get(&call).is_none_or(|state| state.over) {
            return;
        }
        let status = response.status().unwrap_or_default();
        let deaf = self.manner_of(call).is_some_and(|manner| !manner.early_media);
        let sdp = body::session_description(response).ok().flatten();
        let heard = sdp.clone().filter(|_| !deaf);
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Some(tag) = response.to_tag() else {
            return self.emit(Event::Ringing { call, status, sdp: heard, fork: 0 });
        };
        state.abilities.learn(response);
        let Phase::Calling { early, .. } = &mut state.phase else { return };
        let known = early.iter().position(|early| early.dialog.remote_tag.as_deref() == Some(tag));
        let fork = match known {
            Some(fork) => fork,
            None if early.len() < MAX_FORKS => {
                let mut dialog = state.dialog.clone();
                dialog.remote_tag = Some(tag.to_owned());
                dialog.remote = response.value("To").unwrap_or_default().to_owned();
                dialog.routes = routes_of_response(response);
                dialog.remote_cseq = None;
                early.push(Early { dialog, rseq: None, settled: false });
                early.len() - 1
            }
            None => return,
        };
        let Some(entry) = early.get_mut(fork) else { return };
        entry.dialog.refresh_target(response);
        let reliable = response.list("Require").any(|tag| tag.eq_ignore_ascii_case("100rel"));
        let rseq = response.value("RSeq").and_then(|number| number.trim().parse::<u32>().ok());
        if let Some(rseq) = rseq.filter(|_| reliable && self.config.reliability != Reliability::Off) {
            if entry.rseq.is_some_and(|last| last.wrapping_add(1) != rseq) {
                return;
            }
            entry.rseq = Some(rseq);
            entry.settled |= sdp.is_some();
            let invite = response.cseq().map_or(0, |cseq| cseq.number);
            if let Some((mut prack, path)) = self.early_request(now, call, fork, Method::Prack) {
                prack.push("RAck", format!("{rseq} {invite} INVITE"));
                self.begin_client(now, prack, path, Purpose::Prack(call));
            }
        }
        let fork = u8::try_from(fork).unwrap_or(u8::MAX);
        self.emit(Event::Ringing { call, status, sdp: heard, fork });
    }

    /// A request inside an early dialog, with the next CSeq of that dialog.
    pub(super) fn early_request(
        &mut self,
        now: Instant,
        call: CallHandle,
        fork: usize,
        method: Method,
    ) -> Option<(Message, Path)> {
        let Phase::Calling { early, .. } = &self.calls.get(&call)?.phase else { return None };
        let way = early.get(fork)?.dialog.way();
        let path = self.path_along(now, call, way)?;
        let via = self.new_via(path)?;
        let user_agent = self.config.user_agent.clone();
        let Phase::Calling { early, .. } = &mut self.calls.get_mut(&call)?.phase else { return None };
        let dialog = &mut early.get_mut(fork)?.dialog;
        dialog.local_cseq = dialog.local_cseq.wrapping_add(1);
        Some((dialog.request(method, dialog.local_cseq, via, &user_agent), path))
    }

    /// The newest early dialog whose offer and answer are through: where an UPDATE may go.
    pub(super) fn settled_fork(&self, call: CallHandle) -> Option<usize> {
        let Phase::Calling { early, .. } = &self.calls.get(&call)?.phase else { return None };
        early.iter().rposition(|early| early.settled)
    }

    /// The 2xx came from `tag`: the call goes on in that dialog, the others are forgotten.
    pub(super) fn choose_fork(&mut self, call: CallHandle, tag: &str) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Phase::Calling { early, .. } = &mut state.phase else { return };
        let found = early.iter().position(|early| early.dialog.remote_tag.as_deref() == Some(tag));
        let highest = early.iter().map(|early| early.dialog.local_cseq).max().unwrap_or_default();
        if let Some(found) = found {
            let chosen = early.swap_remove(found).dialog;
            // The way may have moved with the call.
            let (path, transport) = (state.dialog.path, state.dialog.transport);
            state.dialog = chosen;
            (state.dialog.path, state.dialog.transport) = (path, transport);
        }
        state.dialog.local_cseq = state.dialog.local_cseq.max(highest);
        if let Phase::Calling { early, .. } = &mut state.phase {
            early.clear();
        }
    }
}
