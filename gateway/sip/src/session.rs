//! Session timers: what the two sides of a call agree on, as plain arithmetic. What is then done at which moment
//! is in `endpoint/session_timer.rs`. [RFC 4028](https://www.rfc-editor.org/rfc/rfc4028), §9 for the side that
//! answers a request, §7.2 for the side that sent it.

use std::time::{Duration, Instant};

use crate::{fields, message::Message, timers::TimerKey};

/// RFC 4028 §4: nobody may ask for less than 90 s.
const LOWEST_MIN_SE_S: u32 = 90;

/// What we ask for and what we accept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) expires_s: u32,
    pub(crate) min_s: u32,
}

/// Which side of *one* INVITE or UPDATE refreshes from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresher {
    Uac,
    Uas,
}

impl Refresher {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

/// The timer of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionTimer {
    pub(crate) interval_s: u32,
    /// We refresh; else the other side must.
    pub(crate) ours: bool,
    pub(crate) expires_at: Instant,
    /// The refresh, or the end.
    pub(crate) timer: TimerKey,
}

impl SessionTimer {
    /// RFC 4028 §10: the BYE goes out so long before the end.
    pub(crate) fn margin(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval_s) / 3).min(Duration::from_secs(32))
    }
}

/// A Session-Expires, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) expires_s: u32,
    pub(crate) refresher: Option<Refresher>,
}

impl Asked {
    pub(crate) fn read(message: &Message) -> Option<Self> {
        let text = message.value("Session-Expires")?;
        let (seconds, parameters) = text.split_once(';').unwrap_or((text, ""));
        let refresher = match fields::parameter(parameters, "refresher") {
            Some(word) if word.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(word) if word.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self { expires_s: fields::seconds(seconds)?, refresher })
    }
}

/// The Min-SE of a message; the RFC's 90 s where there is none.
pub(crate) fn min_se(message: &Message) -> u32 {
    let written = message.value("Min-SE").map(|text| text.split(';').next().unwrap_or_default());
    written.and_then(fields::seconds).unwrap_or(LOWEST_MIN_SE_S).max(LOWEST_MIN_SE_S)
}

/// How to answer an INVITE or UPDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No timer for this call.
    None,
    /// 422 with our Min-SE.
    TooShort,
    Agreed {
        interval_s: u32,
        refresher: Refresher,
        /// The 2xx says `Require: timer`: the other side refreshes.
        require: bool,
    },
}

/// RFC 4028 §9 and its table 2. `current` is what holds already: the interval, and whether we refresh.
pub(crate) fn decide(
    rules: Rules,
    request: &Message,
    supports: bool,
    current: Option<(u32, bool)>,
) -> Verdict {
    let floor = rules.min_s.max(min_se(request));
    let asked = Asked::read(request);
    let interval_s = match (asked, current) {
        (Some(asked), _) if asked.expires_s < rules.min_s && supports => return Verdict::TooShort,
        // An interval may be made shorter in the answer, but not below Min-SE.
        (Some(asked), _) => asked.expires_s.min(rules.expires_s.max(floor)).max(rules.min_s),
        (None, _) if supports => rules.expires_s.max(floor),
        // The other side knows nothing of timers; ours goes on.
        (None, Some((interval_s, true))) => interval_s,
        (None, _) => return Verdict::None,
    };
    let refresher = match (supports, asked.and_then(|asked| asked.refresher), current) {
        (false, _, _) => Refresher::Uas,
        (true, Some(refresher), _) => refresher,
        (true, None, Some((_, true))) => Refresher::Uas,
        (true, None, _) => Refresher::Uac,
    };
    Verdict::Agreed { interval_s, refresher, require: refresher == Refresher::Uac }
}

/// RFC 4028 §7.2: what a 2xx to our request says: the interval, and whether we refresh.
pub(crate) fn accepted(response: &Message) -> Option<(u32, bool)> {
    let asked = Asked::read(response)?;
    // A peer that forgets to say who refreshes gets refreshed.
    Some((asked.expires_s.max(LOWEST_MIN_SE_S), asked.refresher != Some(Refresher::Uas)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn request(fields: &[(&'static str, &str)]) -> Message {
        let mut request = Message::request(Method::Invite, "sip:a");
        for (name, value) in fields {
            request.push(*name, *value);
        }
        request
    }

    const RULES: Rules = Rules { expires_s: 1800, min_s: 120 };

    fn agreed(interval_s: u32, refresher: Refresher) -> Verdict {
        Verdict::Agreed { interval_s, refresher, require: refresher == Refresher::Uac }
    }

    #[test]
    fn table_2_of_the_rfc() {
        let asks = |value| request(&[("Session-Expires", value)]);
        assert_eq!(decide(RULES, &asks("600"), false, None), agreed(600, Refresher::Uas));
        assert_eq!(decide(RULES, &asks("600;refresher=uas"), false, None), agreed(600, Refresher::Uas));
        assert_eq!(decide(RULES, &asks("600"), true, None), agreed(600, Refresher::Uac));
        assert_eq!(decide(RULES, &asks("600;refresher=uac"), true, None), agreed(600, Refresher::Uac));
        assert_eq!(decide(RULES, &asks("600;refresher=UAS"), true, None), agreed(600, Refresher::Uas));
    }

    #[test]
    fn too_short_is_refused_only_where_the_peer_understands_it() {
        let short = request(&[("Session-Expires", "100")]);
        assert_eq!(decide(RULES, &short, true, None), Verdict::TooShort);
        assert_eq!(decide(RULES, &short, false, None), agreed(120, Refresher::Uas));
    }

    #[test]
    fn a_long_interval_is_cut_but_not_below_the_peers_minimum() {
        let long = request(&[("Session-Expires", "7200")]);
        assert_eq!(decide(RULES, &long, true, None), agreed(1800, Refresher::Uac));
        let floor = request(&[("Session-Expires", "7200"), ("Min-SE", "3600")]);
        assert_eq!(decide(RULES, &floor, true, None), agreed(3600, Refresher::Uac));
    }

    #[test]
    fn without_a_wish_the_roles_stay() {
        let silent = request(&[]);
        assert_eq!(decide(RULES, &silent, false, None), Verdict::None);
        assert_eq!(decide(RULES, &silent, true, Some((600, true))), agreed(1800, Refresher::Uas));
        assert_eq!(decide(RULES, &silent, true, Some((600, false))), agreed(1800, Refresher::Uac));
        assert_eq!(decide(RULES, &silent, false, Some((600, true))), agreed(600, Refresher::Uas));
    }
}
