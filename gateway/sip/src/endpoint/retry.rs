//! The same INVITE once more, in the same call, with what the refusal asked for: a longer session (422).
//!
//! A new branch and the next CSeq; the Call-ID and our tag stay ([RFC 4028 §7.3](https://www.rfc-editor.org/rfc/rfc4028#section-7.3)).

use std::time::Instant;

use super::Endpoint;
use crate::{dialog::Phase, event::CallHandle, message::Message, session};

impl Endpoint {
    /// Answers a 422 with a longer interval. False if it said nothing new, or nobody wants the call any more.
    pub(super) fn retry_with_longer_session(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        response: Option<&Message>,
    ) -> bool {
        let Some(asked) = response.filter(|_| status == 422).map(session::min_se) else { return false };
        let Some(state) = self.calls.get_mut(&call).filter(|state| !state.over) else { return false };
        if Some(asked) <= state.min_se {
            return false;
        }
        state.min_se = Some(asked);
        let path = state.dialog.path;
        let wanted = matches!(state.phase, Phase::Calling { cancel_wanted: false, .. });
        let wish = self.session_wish(None, Some(asked));
        let attempt = self.calls.get_mut(&call).and_then(|state| state.attempt.as_mut());
        let Some(attempt) = attempt.filter(|_| wanted) else { return false };
        for (name, value) in wish {
            attempt.invite.set(name, value);
        }
        self.try_along(now, call, path)
    }
}
