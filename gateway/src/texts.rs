//! Texts by SIP (MESSAGE, [RFC 3428](https://www.rfc-editor.org/rfc/rfc3428)): what a citizen writes to the service number
//! through a carrier becomes a record as a message of any channel does, on disk before it is answered with 200.
//!
//! Plain text only. Agents' phones write nobody: 403. A text inside a call belongs to that call (`calls/drive/`).

use std::sync::Arc;

use gateway_sip::IncomingMessage;
use gateway_sip::identity::Uri;
use outbox::OutboxError;
use record::{Caller, Pii};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::calls::caller;

/// Texts written at one time; the store commits those together.
const AT_ONCE: usize = 64;
/// Forbidden (RFC 3261 section 21.4.4).
const FORBIDDEN: u16 = 403;
/// Service unavailable: the store takes nothing now.
const UNAVAILABLE: u16 = 503;

/// A text from a telephone number.
pub struct SipText {
    /// The trunk it came by.
    pub trunk: String,
    /// The number it was written to.
    pub account: String,
    /// What makes it this text and no other.
    pub key: String,
    /// Who wrote it, with how much the number is believed.
    pub sender: Caller,
    /// What was written.
    pub text: Pii<String>,
}

/// Takes texts until told to stop.
pub async fn work(
    calls: Arc<Calls>,
    mut texts: mpsc::Receiver<Box<IncomingMessage>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut writing = JoinSet::new();
    loop {
        tokio::select! {
            text = texts.recv(), if writing.len() < AT_ONCE => match text {
                Some(text) => drop(writing.spawn(take(calls.clone(), text))),
                None => break,
            },
            Some(_) = writing.join_next(), if !writing.is_empty() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    while writing.join_next().await.is_some() {}
}

async fn take(calls: Arc<Calls>, message: Box<IncomingMessage>) {
    let id = message.id;
    match try_take(&calls, &message).await {
        Ok(()) => calls.switch.accept_text(id).await,
        Err(status) => {
            metrics::counter!("jiesu_sip_texts_refused_total", "status" => status.to_string()).increment(1);
            calls.switch.refuse_text(id, status).await;
        }
    }
}

async fn try_take(calls: &Calls, message: &IncomingMessage) -> Result<(), u16> {
    let trunk = message.trunk.as_deref().ok_or(FORBIDDEN)?;
    let text = plain_text(&message.content_type, &message.body)?;
    let sender = {
        let live = calls.live.load();
        let (config, numbers) = live.trunk(trunk);
        caller::identify_by(&message.identity, config, &numbers)
    };
    let account = Uri::parse(&message.to).and_then(|uri| uri.user).unwrap_or_default();
    let text = SipText { trunk: trunk.to_owned(), account, key: message.key.clone(), sender, text };
    let receipt = calls.middle.text_came(&text).await.map_err(|error| {
        let full = matches!(error, OutboxError::Overloaded);
        tracing::error!(%error, trunk, full, "A text by SIP could not be written and was refused.");
        UNAVAILABLE
    })?;
    if let Some(record_id) = receipt.record_id.filter(|_| !receipt.duplicate) {
        tracing::info!(record.id = %record_id, trunk, "A text came by SIP.");
    }
    Ok(())
}

/// The text of a MESSAGE.
///
/// # Errors
/// The SIP status: 415 for anything but plain text in UTF-8, 400 for bytes that are none, or none at all.
pub fn plain_text(content_type: &str, body: &[u8]) -> Result<Pii<String>, u16> {
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let known = |charset: &str| ["utf-8", "us-ascii"].iter().any(|known| known.eq_ignore_ascii_case(charset));
    let mut charset = parts.filter_map(|parameter| parameter.split_once('='));
    let charset = charset.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if !kind.eq_ignore_ascii_case("text/plain")
        || charset.is_some_and(|(_, value)| !known(value.trim().trim_matches('"')))
    {
        return Err(415);
    }
    let text = std::str::from_utf8(body).map_err(|_| 400_u16)?;
    if text.trim().is_empty() { Err(400) } else { Ok(Pii::new(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_read_and_anything_else_is_named() {
        for content_type in ["text/plain", "Text/Plain; charset=UTF-8", "text/plain;charset=\"utf-8\";x=1"] {
            assert_eq!(plain_text(content_type, "路灯不亮".as_bytes()).unwrap().reveal(), "路灯不亮");
        }
        for content_type in
            ["text/html", "message/cpim", "application/im-iscomposing+xml", "text/plain;charset=gbk"]
        {
            assert_eq!(plain_text(content_type, b"x").unwrap_err(), 415, "{content_type}");
        }
        assert_eq!(plain_text("text/plain", &[0xff, 0xfe]).unwrap_err(), 400);
        assert_eq!(plain_text("text/plain", b" \r\n").unwrap_err(), 400);
    }
}
