//! The Reason header ([RFC 3326](https://www.rfc-editor.org/rfc/rfc3326)): `Q.850;cause=16;text="…"`.

use std::fmt;

use super::name_address::{find, parameters};
use super::text::entries;

/// Why a request was sent or a target left.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` …, in upper case.
    pub protocol: String,
    /// The cause: a SIP status or a Q.850 cause value.
    pub cause: Option<u16>,
}

/// The protocol is text from outside, so only the well-known ones are shown.
impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ["SIP", "Q.850"].into_iter().find(|known| *known == self.protocol);
        f.debug_struct("Reason")
            .field("protocol", &known.unwrap_or("other"))
            .field("cause", &self.cause)
            .finish()
    }
}

/// Reads the values of all `Reason` headers.
pub fn read_reasons(values: &[&str]) -> Vec<Reason> {
    entries(values)
        .map(|entry| {
            let (protocol, tail) = entry.split_once(';').unwrap_or((entry, ""));
            let cause = find(&parameters(tail), "cause").and_then(|cause| cause.trim().parse().ok());
            Reason { protocol: protocol.trim().to_ascii_uppercase(), cause }
        })
        .collect()
}

/// The first Q.850 cause in the values of all `Reason` headers.
pub fn q850_cause(values: &[&str]) -> Option<u16> {
    cause_of(&read_reasons(values), "Q.850")
}

/// The first SIP status in the values of all `Reason` headers: `SIP;cause=200` tells a phone that another one
/// answered.
pub fn sip_cause(values: &[&str]) -> Option<u16> {
    cause_of(&read_reasons(values), "SIP")
}

/// The Q.850 cause a SIP status stands for ([RFC 3398 §8.2.6.1](https://www.rfc-editor.org/rfc/rfc3398#section-8.2.6.1)).
pub fn q850_of_status(status: u16) -> u16 {
    match status {
        400 | 481 | 500 | 503 => 41,
        401..=403 | 407 | 603 => 21,
        404 | 485 | 604 => 1,
        405 | 501 => 63,
        406 | 415 | 488 | 606 => 79,
        408 | 504 => 102,
        410 => 22,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        487 => 16,
        502 => 38,
        _ => 127,
    }
}

pub(super) fn cause_of(reasons: &[Reason], protocol: &str) -> Option<u16> {
    reasons.iter().find(|reason| reason.protocol == protocol && reason.cause.is_some())?.cause
}
