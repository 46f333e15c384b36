//! Telephone numbers under the Chinese plan, as far as a hotline needs them.
//!
//! [`normalise`] never fails: what fits no row of the plan (`PLAN`) keeps its characters and is `unknown`.
//! New ranges appear every year, so the plan is data and an 11-digit number starting with 1 that no row
//! lists is a mobile all the same ([`Number::is_unlisted_mobile`]), never refused. Sources: MIIT numbering
//! plan 〔2017〕68; URI forms of RFC 3966 and RFC 3261; withheld forms of RFC 3323.

use std::ops::RangeInclusive;

use crate::pii::Pii;
use crate::terms::PhoneKind;

/// Longest `raw` that is kept, characters; the rest is cut off.
const MAX_RAW_CHARS: usize = 64;
/// Longest input that is looked at, characters.
const MAX_INPUT_CHARS: usize = 256;
/// Longest short number behind an area code, digits.
const MAX_SHORT_DIGITS: usize = 6;

/// What the trunk knows about numbers that arrive without an area code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberContext {
    /// The trunk's area code with its leading zero, e.g. `0471`.
    pub area_code: String,
    /// Service lines answered here, e.g. `12345`: `047112345` then means the line, not a subscriber.
    pub service_lines: Vec<String>,
}

/// A normalised number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// `+` and 7 to 15 digits, where the number has an E.164 form.
    pub e164: Option<Pii<String>>,
    /// The digits as they came, without blanks and separators, at most 64 characters; of a service line
    /// of the own area (`0471-12345`) the bare line (`12345`).
    pub raw: Pii<String>,
    /// What sort of number.
    pub kind: PhoneKind,
}

/// One row of the plan: national numbers (no `0`, no `86`) with this prefix and length.
struct Range {
    prefix: &'static str,
    digits: RangeInclusive<usize>,
    kind: PhoneKind,
}

const fn range(prefix: &'static str, first: usize, last: usize, kind: PhoneKind) -> Range {
    Range { prefix, digits: first..=last, kind }
}

/// The plan; the first row that fits decides. Subscribers' lines are in [`AREAS`].
const PLAN: &[Range] = &[
    // Middle numbers that stand for a citizen's own: kept as they are.
    range("12583", 12, 20, PhoneKind::Private),
    // Machines, 13 digits.
    range("1064", 13, 13, PhoneKind::Iot),
    range("14", 13, 13, PhoneKind::Iot),
    // SMS access codes.
    range("106", 8, 20, PhoneKind::ServiceShort),
    range("800", 10, 10, PhoneKind::TollFree),
    range("400", 10, 10, PhoneKind::SharedCost),
    range("1", 11, 11, PhoneKind::Mobile),
    // 110, 119, 120, 122, 114, 121, …
    range("11", 3, 3, PhoneKind::ServiceShort),
    range("12", 3, 3, PhoneKind::ServiceShort),
    // 10086, 11185, 12345, 12119, …
    range("10", 5, 5, PhoneKind::ServiceShort),
    range("11", 5, 6, PhoneKind::ServiceShort),
    range("12", 5, 5, PhoneKind::ServiceShort),
    // Customer service; no subscriber's number starts with 9.
    range("95", 5, 8, PhoneKind::ServiceShort),
    range("96", 5, 8, PhoneKind::ServiceShort),
];

/// Mobile ranges in use (libphonenumber metadata 9.0.43), first three digits.
const MOBILE_RANGES: &[&str] = &[
    "130", "131", "132", "133", "134", "135", "136", "137", "138", "139", "145", "147", "150", "151", "152",
    "153", "155", "156", "157", "158", "159", "162", "165", "166", "167", "170", "171", "172", "173", "175",
    "176", "177", "178", "180", "181", "182", "183", "184", "185", "186", "187", "188", "189", "190", "191",
    "192", "193", "195", "196", "197", "198", "199",
];

/// Area codes without their zero: prefix, digits of the area code, digits of the subscriber's number.
/// 40 and 80 are services and 86 is the country itself; in 2017's plan no area starts with them.
const AREAS: &[(&str, usize, RangeInclusive<usize>)] = &[
    ("10", 2, 8..=8),
    ("2", 2, 8..=8),
    ("3", 3, 7..=8),
    ("41", 3, 7..=8),
    ("42", 3, 7..=8),
    ("43", 3, 7..=8),
    ("44", 3, 7..=8),
    ("45", 3, 7..=8),
    ("46", 3, 7..=8),
    ("47", 3, 7..=8),
    ("48", 3, 7..=8),
    ("5", 3, 7..=8),
    ("6", 3, 7..=8),
    ("7", 3, 7..=8),
    ("81", 3, 7..=8),
    ("82", 3, 7..=8),
    ("83", 3, 7..=8),
    ("85", 3, 7..=8),
    ("87", 3, 7..=8),
    ("88", 3, 7..=8),
    ("89", 3, 7..=8),
    ("9", 3, 7..=8),
];

/// User parts that mean that the number is withheld (RFC 3323, 3GPP interworking, carriers' habits).
const WITHHELD_USERS: &[&str] = &[
    "",
    "-",
    "anonymous",
    "unavailable",
    "restricted",
    "unknown",
    "withheld",
    "private",
    "null",
    "anonymous.invalid",
];
/// Display names that ask for it although a number is there. Not `Unknown`: exchanges write that when they
/// merely have no name.
const WITHHELD_DISPLAYS: &[&str] = &["anonymous", "restricted", "withheld", "匿名"];

/// Reads a number in any of the forms that trunks, forms and people write: full-width digits, blanks,
/// dashes, dots, parentheses, `tel:` and `sip:` URIs with parameters, `+`, `00`, `86` and `0` in front.
pub fn normalise(raw: &str, context: &NumberContext) -> Number {
    match Dialled::read(raw) {
        Some(dialled) => {
            classify(&dialled, context).unwrap_or_else(|| plain(dialled.text(), PhoneKind::Unknown))
        }
        None => plain(raw.trim().chars().take(MAX_RAW_CHARS).collect(), PhoneKind::Unknown),
    }
}

/// Whether this identity is one of the forms that hide the number: `user` is the user part of the URI (or
/// the whole of it), `display` the display name.
pub fn is_withheld(user: &str, display: Option<&str>) -> bool {
    let address = user.trim().trim_matches(|c: char| matches!(c, '<' | '>' | '"'));
    let (user, host) = address.split_once('@').unwrap_or((address, ""));
    let user = strip_scheme(user).trim();
    let among = |words: &[&str], text: &str| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    let invalid_host = host.split([';', '?', ':', '>']).next().is_some_and(|h| {
        h.eq_ignore_ascii_case("anonymous.invalid") || h.eq_ignore_ascii_case("unknown.invalid")
    });
    invalid_host
        || among(WITHHELD_USERS, user)
        || user.bytes().all(|b| b == b'0')
        || display.is_some_and(|name| among(WITHHELD_DISPLAYS, name.trim().trim_matches('"').trim()))
}

impl Number {
    /// What a call-taker may see without a reason: `139****0001`, `0471***2423`. Short service numbers,
    /// which are nobody's, stay readable.
    pub fn masked(&self) -> String {
        let national = self.e164.as_ref().and_then(|n| n.reveal().strip_prefix("+86"));
        match (self.kind, national) {
            (PhoneKind::ServiceShort, _) => self.raw.reveal().clone(),
            (PhoneKind::Fixed, Some(national)) => {
                let area = area_digits(national).unwrap_or(0);
                format!("0{}", mask(national, area, 4))
            }
            (_, Some(national)) => mask(national, 3, 4),
            (PhoneKind::Foreign, None) => match &self.e164 {
                Some(e164) => mask(e164.reveal(), 3, 4),
                None => "***".to_owned(),
            },
            _ if self.raw.reveal().bytes().all(|b| b.is_ascii_digit()) => mask(self.raw.reveal(), 3, 4),
            // Free text may be a name.
            _ => "***".to_owned(),
        }
    }

    /// Whether the gateway may ring this number of its own accord: subscribers and mobiles of this country.
    /// Not machines, services and middle numbers; not foreign numbers either, whose ring-back price a
    /// stranger sets, so a person decides there.
    pub const fn may_be_called_back(&self) -> bool {
        self.e164.is_some() && matches!(self.kind, PhoneKind::Mobile | PhoneKind::Fixed)
    }

    /// A mobile in a range that the plan here does not list yet.
    pub fn is_unlisted_mobile(&self) -> bool {
        let national = self.e164.as_ref().and_then(|n| n.reveal().strip_prefix("+86"));
        self.kind == PhoneKind::Mobile
            && national.is_some_and(|n| !MOBILE_RANGES.iter().any(|listed| n.starts_with(listed)))
    }

    /// The service line answered here that this number is, e.g. `12345` for `0471-12345`.
    pub fn service_line<'a>(&self, context: &'a NumberContext) -> Option<&'a str> {
        let same = |line: &str| match &self.e164 {
            None => self.kind == PhoneKind::ServiceShort && self.raw.reveal() == line,
            // An old line with a subscriber's number of its own.
            Some(_) => normalise(line, context).e164 == self.e164,
        };
        context.service_lines.iter().map(String::as_str).find(|line| same(line))
    }
}

/// Digits with or without a plus in front, nothing else.
struct Dialled {
    plus: bool,
    digits: String,
}

impl Dialled {
    fn read(raw: &str) -> Option<Self> {
        let trimmed = raw.trim_matches(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\''));
        let uri = strip_scheme(trimmed);
        let mut parts = uri.split([';', '?', '@', '>']);
        let mut text = parts.next().unwrap_or_default().replace("%2B", "+").replace("%2b", "+");
        // RFC 3966 section 5.1.5: a local number counts within its global context.
        let context = parts.find_map(|part| part.strip_prefix("phone-context="));
        if let Some(global) = context.filter(|c| c.starts_with('+') && !text.starts_with('+')) {
            text.insert_str(0, global);
        }
        let (mut plus, mut digits) = (false, String::new());
        for (i, c) in text.chars().enumerate() {
            match c {
                _ if i >= MAX_INPUT_CHARS || digits.len() >= MAX_RAW_CHARS - 1 => return None,
                '0'..='9' => digits.push(c),
                '０'..='９' => digits.push(char::from(b'0' + (c as u32 - '０' as u32) as u8)),
                '+' | '＋' if digits.is_empty() && !plus => plus = true,
                _ if is_separator(c) => {}
                _ => return None,
            }
        }
        (!digits.is_empty()).then_some(Self { plus, digits })
    }

    fn text(&self) -> String {
        format!("{}{}", if self.plus { "+" } else { "" }, self.digits)
    }
}

fn strip_scheme(text: &str) -> &str {
    ["tel:", "sips:", "sip:"]
        .iter()
        .find_map(|scheme| {
            let head = text.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| text.get(scheme.len()..)).flatten()
        })
        .unwrap_or(text)
}

/// What people put between digits, with the invisible marks that address books add.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '.' | '(' | ')' | '/' | '_' | '~' | '·')
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '－' | '．' | '（' | '）' | '／')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}

/// How the national digits were reached: it decides what a number without any prefix may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As dialled inside the area.
    Bare,
    /// After a trunk `0` or the country code.
    Prefixed,
}

fn classify(dialled: &Dialled, context: &NumberContext) -> Option<Number> {
    let digits = dialled.digits.as_str();
    if let Some(line) =
        context.service_lines.iter().find(|l| l.as_str() == digits && l.len() <= MAX_SHORT_DIGITS)
    {
        return Some(plain(line.clone(), PhoneKind::ServiceShort));
    }
    let international = digits.strip_prefix("00").or(dialled.plus.then_some(digits));
    if let Some(international) = international {
        return match international.strip_prefix("86") {
            Some(rest) => national(rest.strip_prefix('0').unwrap_or(rest), Form::Prefixed, dialled, context),
            None => foreign(international, dialled),
        };
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return national(rest, Form::Prefixed, dialled, context)
            .or_else(|| national(rest.strip_prefix("86")?, Form::Prefixed, dialled, context));
    }
    national(digits, Form::Bare, dialled, context)
        .or_else(|| national(digits.strip_prefix("86")?, Form::Prefixed, dialled, context))
}

fn foreign(international: &str, dialled: &Dialled) -> Option<Number> {
    let fits = (7..=15).contains(&international.len()) && !international.starts_with('0');
    fits.then(|| with_e164(format!("+{international}"), dialled, PhoneKind::Foreign))
}

fn national(digits: &str, form: Form, dialled: &Dialled, context: &NumberContext) -> Option<Number> {
    let subscriber = |national: &str| {
        is_subscriber(national).then(|| with_e164(format!("+86{national}"), dialled, PhoneKind::Fixed))
    };
    // 010-6980 0955 is a subscriber in Beijing, 1069800955 an SMS access code.
    if form == Form::Prefixed
        && let Some(number) = subscriber(digits)
    {
        return Some(number);
    }
    let row = PLAN.iter().find(|row| digits.starts_with(row.prefix) && row.digits.contains(&digits.len()));
    if let Some(row) = row {
        return Some(match row.kind {
            PhoneKind::ServiceShort | PhoneKind::Private => plain(digits.to_owned(), row.kind),
            kind => with_e164(format!("+86{digits}"), dialled, kind),
        });
    }
    match form {
        Form::Prefixed => short_in_area(digits, context),
        Form::Bare => subscriber(digits).or_else(|| {
            let area = context.area_code.strip_prefix('0').unwrap_or(&context.area_code);
            (7..=8).contains(&digits.len()).then(|| subscriber(&format!("{area}{digits}"))).flatten()
        }),
    }
}

/// `471` and `12345`: the line of that area. Another area's line keeps its area code, for it is not ours.
fn short_in_area(digits: &str, context: &NumberContext) -> Option<Number> {
    let (area, line) = digits.split_at_checked(area_digits(digits)?)?;
    let is_line = context.service_lines.iter().any(|l| l == line) && line.len() <= MAX_SHORT_DIGITS
        || line.len() <= MAX_SHORT_DIGITS
            && PLAN.iter().any(|row| {
                row.kind == PhoneKind::ServiceShort
                    && line.starts_with(row.prefix)
                    && row.digits.contains(&line.len())
            });
    let own = context.area_code.strip_prefix('0') == Some(area);
    let raw = if own { line.to_owned() } else { format!("0{area}{line}") };
    is_line.then(|| plain(raw, PhoneKind::ServiceShort))
}

/// How many digits of a national number are its area code.
fn area_digits(national: &str) -> Option<usize> {
    AREAS.iter().find(|(prefix, ..)| national.starts_with(prefix)).map(|(_, digits, _)| *digits)
}

fn is_subscriber(national: &str) -> bool {
    AREAS.iter().find(|(prefix, ..)| national.starts_with(prefix)).is_some_and(|(_, area, lengths)| {
        let subscriber = national.get(*area..).unwrap_or_default();
        lengths.contains(&subscriber.len()) && subscriber.starts_with(['2', '3', '4', '5', '6', '7', '8'])
    })
}

fn with_e164(e164: String, dialled: &Dialled, kind: PhoneKind) -> Number {
    Number { e164: Some(Pii::new(e164)), raw: Pii::new(dialled.text()), kind }
}

fn plain(raw: String, kind: PhoneKind) -> Number {
    Number { e164: None, raw: Pii::new(raw), kind }
}

/// Keeps `head` and `tail` characters and hides at least three between; of a short text a quarter at each end.
fn mask(text: &str, head: usize, tail: usize) -> String {
    let length = text.chars().count();
    let (head, tail) =
        if length >= head + tail + 3 { (head, tail) } else { (head.min(length / 4), tail.min(length / 4)) };
    text.chars().enumerate().map(|(i, c)| if i >= head && i + tail < length { '*' } else { c }).collect()
}
