//! Whom an entry is about: the six kinds of subject, read from the `kind` and `value` columns.

use std::net::IpAddr;

use ipnet::IpNet;
use record::{Number, NumberContext, PhoneKind, channel_code, number};

/// The kind of subject; decides what proof it needs and whether it names one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubjectKind {
    Number,
    Prefix,
    Withheld,
    ChannelUser,
    Network,
    Email,
}

impl SubjectKind {
    pub const ALL: [(&'static str, Self); 6] = [
        ("number", Self::Number),
        ("prefix", Self::Prefix),
        ("withheld", Self::Withheld),
        ("channel_user", Self::ChannelUser),
        ("network", Self::Network),
        ("email", Self::Email),
    ];

    /// Names one person (or one line), as opposed to a class of callers.
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Number | Self::ChannelUser | Self::Email)
    }
}

/// A subject in the form it is looked up by.
#[derive(Debug)]
pub(crate) enum Subject {
    Number(u64),
    Prefix(u64),
    Withheld,
    ChannelUser { channel: &'static str, user_id: Box<str> },
    Network(IpNet),
    Email(Box<str>),
}

/// Reads a subject. The error says what is expected.
pub(crate) fn parse(
    kind: SubjectKind,
    value: &str,
    context: &NumberContext,
) -> Result<Subject, &'static str> {
    match kind {
        SubjectKind::Number => parse_number(value, context),
        SubjectKind::Prefix => parse_prefix(value),
        SubjectKind::Withheld if value.is_empty() => Ok(Subject::Withheld),
        SubjectKind::Withheld => Err("stays empty for kind withheld, which is a class of callers"),
        SubjectKind::ChannelUser => parse_channel_user(value),
        SubjectKind::Network => {
            let net = value.parse::<IpNet>().or_else(|_| value.parse::<IpAddr>().map(IpNet::from));
            let net = net.map_err(|_| "expected an address or a network such as 203.0.113.0/24")?;
            if net.prefix_len() == 0 {
                return Err("a network of the whole world is no entry");
            }
            Ok(Subject::Network(canonical(net)?))
        }
        SubjectKind::Email => {
            let plausible = value
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
                && !value.contains(char::is_whitespace);
            if !plausible {
                return Err("expected one e-mail address");
            }
            Ok(Subject::Email(value.to_ascii_lowercase().into()))
        }
    }
}

fn parse_number(value: &str, context: &NumberContext) -> Result<Subject, &'static str> {
    let number = number::normalise(value, context);
    if number.kind == PhoneKind::Unknown {
        return Err("not a number of the numbering plan");
    }
    let (digits, has_e164) = number_digits(&number);
    pack(digits, has_e164).map(Subject::Number).ok_or("longer than 18 digits")
}

fn parse_prefix(value: &str) -> Result<Subject, &'static str> {
    const EXPECTED: &str = "expected 2 to 15 digits, with + and country code (+86471, +86139) for subscribers, \
                            bare (1064, 95) for numbers without an E.164 form";
    let (digits, is_e164) = value.strip_prefix('+').map_or((value, false), |rest| (rest, true));
    if !(2..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EXPECTED);
    }
    let looks_national =
        digits.starts_with('0') || digits.starts_with('1') && digits.as_bytes().get(1) > Some(&b'2');
    if !is_e164 && looks_national {
        return Err("write a subscriber's prefix with its country code: +86471 for 0471, +86139 for 139");
    }
    pack(digits, is_e164).map(Subject::Prefix).ok_or(EXPECTED)
}

fn parse_channel_user(value: &str) -> Result<Subject, &'static str> {
    const EXPECTED: &str = "expected a channel code, a colon and the user's id there, such as wechat_mp:oAbc";
    let (channel, user_id) = value.split_once(':').ok_or(EXPECTED)?;
    let channel = channel_code::CHANNELS.iter().map(|(_, code, ..)| *code).find(|code| *code == channel);
    match channel {
        Some(channel) if !user_id.is_empty() => Ok(Subject::ChannelUser { channel, user_id: user_id.into() }),
        _ => Err(EXPECTED),
    }
}

/// `::ffff:203.0.113.0/120` is 203.0.113.0/24: a dual-stack socket reports IPv4 peers that way.
fn canonical(net: IpNet) -> Result<IpNet, &'static str> {
    match (net.addr().to_canonical(), net.prefix_len()) {
        (IpAddr::V4(address), length) if net.addr().is_ipv6() => {
            let length = length.checked_sub(96).filter(|l| *l > 0);
            let length = length.ok_or("a network of the whole world is no entry")?;
            IpNet::new(address.into(), length).map(|n| n.trunc()).map_err(|_| "not a network")
        }
        _ => Ok(net.trunc()),
    }
}

/// The digits a number is listed by: those of its E.164 form, else the raw ones.
pub(crate) fn number_digits(number: &Number) -> (&str, bool) {
    match &number.e164 {
        Some(e164) => (e164.reveal().trim_start_matches('+'), true),
        None => (number.raw.reveal().as_str(), false),
    }
}

/// Marks a packed key as digits of an E.164 number.
pub(crate) const E164_MARK: u64 = 1 << 63;

/// Digits as one number; a leading 1 keeps leading zeros, the top bit keeps `+95588…` and `95588` apart.
pub(crate) fn pack(digits: &str, is_e164: bool) -> Option<u64> {
    let packed = digits.bytes().try_fold(1, push)?;
    (!digits.is_empty()).then_some(if is_e164 { packed | E164_MARK } else { packed })
}

/// One digit more; `None` for what is no digit or for the nineteenth.
pub(crate) fn push(packed: u64, digit: u8) -> Option<u64> {
    const EIGHTEEN_DIGITS: u64 = 10_u64.pow(18);
    (digit.is_ascii_digit() && packed < EIGHTEEN_DIGITS).then(|| packed * 10 + u64::from(digit - b'0'))
}
