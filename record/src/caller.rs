//! Who is at the other end, as far as the lists need to know.

use std::net::IpAddr;

use crate::number::Number;
use crate::pii::Pii;
use crate::terms::{Presentation, Trust};

/// One person (or machine) asking for attention, on whatever channel. The lists' one door takes this.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The telephone number, normalised; `None` when withheld or on a channel without numbers.
    pub number: Option<Number>,
    /// Whether the caller let the number be shown.
    pub presentation: Presentation,
    /// How far the number may be trusted. Only `network_asserted` may be refused as a person.
    pub trust: Trust,
    /// The person on a message channel.
    pub channel_identity: Option<ChannelIdentity>,
    /// The e-mail address, lower-cased.
    pub email: Option<Pii<String>>,
    /// Where the request came from on the network.
    pub address: Option<IpAddr>,
}

/// A person's id on a platform, e.g. (`wechat_mp`, openid).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelIdentity {
    /// The channel code, e.g. `wechat_mp`.
    pub channel: String,
    /// The id on that platform.
    pub user_id: Pii<String>,
}

impl Caller {
    /// A caller of whom nothing is known.
    pub const fn unknown() -> Self {
        Self {
            number: None,
            presentation: Presentation::Unavailable,
            trust: Trust::None,
            channel_identity: None,
            email: None,
            address: None,
        }
    }
}
