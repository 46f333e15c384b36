//! What each timer does. The table of timers is `timers.rs`.

use std::time::Instant;

use super::{Endpoint, commands::REFRESH};
use crate::{
    dialog::Phase,
    event::{CallHandle, Cause, Event},
    timers::Timer,
};

impl Endpoint {
    pub(super) fn on_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::ServerRetransmit(id) => self.on_server_retransmit(now, id),
            Timer::ServerEnd(id) => self.end_server(id),
            Timer::ClientRetransmit(id) => self.on_client_retransmit(now, id),
            Timer::ClientGiveUp(id) => self.give_up_client(now, id, 408),
            Timer::ClientEnd(id) => self.end_client(id),
            Timer::AnswerRetransmit(call) => self.on_answer_retransmit(now, call),
            Timer::AnswerGiveUp(call) => self.on_answer_give_up(now, call),
            Timer::SetupLimit(call) => self.on_setup_limit(now, call),
            Timer::Refresh(call) => self.on_refresh(now, call),
            Timer::OfferLimit(call) => self.close_offer(now, call, 500),
            Timer::Session(call) => self.on_session_timer(now, call),
            Timer::Reliable(call) => self.on_reliable_timer(now, call),
            Timer::Referral(call) => self.on_referral_timer(now, call),
            Timer::Watched(call) => self.on_watched_timer(call),
            Timer::Text(server) => self.on_text_timer(now, server),
            Timer::OfferRetry(call) => self.on_offer_retry(now, call),
            Timer::Orphan(call) => {
                self.end(call, Cause::ConnectionLost);
                self.send_bye(now, call, None);
            }
            Timer::BindingEnd(user) => self.on_binding_end(now, &user),
            Timer::ConnectGiveUp(connection) => self.on_connect_give_up(now, connection),
            Timer::KeepAlive(connection) => self.on_keep_alive(now, connection),
            Timer::Attempt(call) => self.on_attempt_limit(now, call),
            Timer::Probe(gateway) => self.on_probe(now, gateway),
            Timer::GatewayResume(gateway) => self.on_gateway_resume(now, gateway),
            Timer::Resolve => self.on_resolve(now),
            Timer::Register(id) => self.on_register_due(now, id),
        }
    }

    fn on_setup_limit(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.limit = None;
        match state.phase {
            Phase::Calling { .. } => {
                self.finish(call, Event::Failed { call, status: 408, q850: None, retry_after_s: None });
                self.try_cancel(now, call);
            }
            _ => self.leave(now, call, None, Cause::SetupLimit),
        }
    }

    fn on_refresh(&mut self, now: Instant, call: CallHandle) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        let Phase::Incoming { server, ringing, refresh } = &mut state.phase else { return };
        let Some((status, sdp)) = ringing.clone() else { return };
        let server = *server;
        *refresh = Some(self.timers.set(now + REFRESH, Timer::Refresh(call)));
        self.send_ringing(now, call, server, status, sdp.as_deref());
    }
}
