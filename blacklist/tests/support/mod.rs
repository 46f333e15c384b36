//! What the tests of this crate share: a city, callers, and lists from a text.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use blacklist::{Format, Lists, ListsConfig, ListsError, LoadReport};
use record::{Caller, ChannelIdentity, NumberContext, Pii, Presentation, Timestamp, Trust, number};

pub const HEADER: &str =
    "list,kind,value,reason,effect,valid_from,valid_until,representative_kind,level,ref,note\n";

pub fn hohhot() -> NumberContext {
    NumberContext { area_code: "0471".to_owned(), service_lines: vec!["12345".to_owned()] }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    at("2026-11-23T10:00:00+08:00")
}

pub fn csv(rows: &str) -> Lists {
    load(&format!("{HEADER}{rows}")).unwrap().0
}

pub fn load(text: &str) -> Result<(Lists, LoadReport), ListsError> {
    Lists::from_text(text, Format::Csv, ListsConfig::default(), &hohhot())
}

/// A caller whose number the network vouches for.
pub fn caller(number: &str) -> Caller {
    Caller {
        number: Some(number::normalise(number, &hohhot())),
        presentation: Presentation::Allowed,
        trust: Trust::NetworkAsserted,
        ..Caller::unknown()
    }
}

/// A person on a message channel.
pub fn user(channel: &str, user_id: &str) -> Caller {
    let identity = ChannelIdentity { channel: channel.to_owned(), user_id: Pii::new(user_id.to_owned()) };
    Caller { channel_identity: Some(identity), ..Caller::unknown() }
}
