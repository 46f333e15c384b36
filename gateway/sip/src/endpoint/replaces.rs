//! An INVITE that takes the place of another call: whether it may, and which call that is.
//!
//! The endpoint finds the call and refuses what [RFC 3891 §3](https://www.rfc-editor.org/rfc/rfc3891#section-3)
//! refuses. The layer above answers the new call and then hangs up the one it replaces.

use super::Endpoint;
use crate::{
    dialog::{DialogKey, Phase},
    event::CallHandle,
    message::Message,
    replaces::{Replaces, escape_header},
};

impl Endpoint {
    /// The call an INVITE replaces, or the status that refuses it.
    pub(super) fn replaced_call(&self, request: &Message) -> Result<Option<CallHandle>, u16> {
        let mut values = request.values("Replaces");
        let Some(text) = values.next() else { return Ok(None) };
        if values.next().is_some() || request.value("Join").is_some() {
            return Err(400);
        }
        let replaces = Replaces::parse(text).ok_or(400_u16)?;
        let call = self.call_named(&replaces).ok_or(481_u16)?;
        let Some(state) = self.calls.get(&call) else { return Err(481) };
        match state.phase {
            _ if state.over => Err(603),
            // Only who began a call that still rings can have it replaced.
            Phase::Incoming { .. } => Err(481),
            Phase::Calling { .. } => Ok(Some(call)),
            Phase::Confirmed if replaces.early_only => Err(486),
            Phase::Confirmed => Ok(Some(call)),
            Phase::Leaving | Phase::Closing => Err(603),
        }
    }

    /// Our call with that Call-ID and those tags.
    pub(super) fn call_named(&self, replaces: &Replaces) -> Option<CallHandle> {
        let key = DialogKey { call_id: replaces.call_id.clone(), local_tag: replaces.to_tag.clone() };
        let call = *self.dialogs.get(&key)?;
        let state = self.calls.get(&call)?;
        let fits = match (&state.dialog.remote_tag, &state.phase) {
            (Some(tag), _) => *tag == replaces.from_tag,
            (None, phase) => phase.has_early(&replaces.from_tag),
        };
        fits.then_some(call)
    }

    /// The URI that makes the far end of another call take the place of `call`: for [`Endpoint::refer`] with an
    /// attended transfer. `None` before the call is answered.
    pub fn transfer_target(&self, call: CallHandle) -> Option<String> {
        let state = self.calls.get(&call).filter(|state| !state.over)?;
        let dialog = &state.dialog;
        let tag = dialog.remote_tag.as_deref()?;
        let replaces = format!("{};to-tag={tag};from-tag={}", dialog.key.call_id, dialog.key.local_tag);
        Some(format!("{}?Replaces={}", dialog.remote_target, escape_header(&replaces)))
    }
}
