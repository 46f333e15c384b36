//! Header field names as numbers: a name is looked up once, when it is read or pushed, and compared as a byte
//! from then on. Names not in the table are kept as they came.
//!
//! Compact forms: [RFC 3261 §7.3.3](https://www.rfc-editor.org/rfc/rfc3261#section-7.3.3) and the
//! [IANA registry](https://www.iana.org/assignments/sip-parameters/sip-parameters.xhtml#sip-parameters-2).

/// A header field's name: its place in [`NAMES`], or [`Name::OTHER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name(u8);

/// Every name met in calls, as it is written.
const NAMES: [&str; 55] = [
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Content-Disposition",
    "Max-Forwards",
    "User-Agent",
    "Server",
    "Supported",
    "Unsupported",
    "Require",
    "Proxy-Require",
    "Allow",
    "Allow-Events",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Route",
    "Record-Route",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Privacy",
    "Diversion",
    "History-Info",
    "Reason",
    "Retry-After",
    "Warning",
    "Subject",
    "Date",
    "Timestamp",
    "Expires",
    "Min-Expires",
    "Session-Expires",
    "Min-SE",
    "Session-ID",
    "RAck",
    "RSeq",
    "Refer-To",
    "Referred-By",
    "Replaces",
    "Event",
    "Subscription-State",
    "Call-Info",
    "Alert-Info",
    "Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Path",
];

/// What the single letters stand for.
const COMPACT: [(u8, &str); 14] = [
    (b'v', "Via"),
    (b'f', "From"),
    (b't', "To"),
    (b'i', "Call-ID"),
    (b'm', "Contact"),
    (b'l', "Content-Length"),
    (b'c', "Content-Type"),
    (b'e', "Content-Encoding"),
    (b'k', "Supported"),
    (b's', "Subject"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b'x', "Session-Expires"),
    (b'b', "Referred-By"),
];

/// More than twice as many places as names, so that most are found at the first look.
const PLACES: usize = 256;
const EMPTY: u8 = u8::MAX;

/// Where each name is found: open addressing, filled when compiling.
const TABLE: [u8; PLACES] = table();

const fn table() -> [u8; PLACES] {
    let mut table = [EMPTY; PLACES];
    let mut name = 0;
    while name < NAMES.len() {
        let mut at = place(NAMES[name].as_bytes());
        while table[at] != EMPTY {
            at = (at + 1) % PLACES;
        }
        table[at] = name as u8;
        name += 1;
    }
    table
}

/// Length, first and last letter tell the names apart well; case does not count.
const fn place(name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    let (first, last) = (name[0] | 0x20, name[name.len() - 1] | 0x20);
    (name.len() * 29 + first as usize * 5 + last as usize * 11) % PLACES
}

impl Name {
    /// A name that is not in the table.
    pub(crate) const OTHER: Self = Self(EMPTY);
    /// Written by [`crate::message::Message::to_bytes`] alone.
    pub(crate) const CONTENT_LENGTH: Self = Self(6);

    /// The number of a long name, case ignored.
    pub(crate) fn of(name: &str) -> Self {
        let mut at = place(name.as_bytes());
        // The table is never full, so this ends.
        while let Some(&found) = TABLE.get(at).filter(|found| **found != EMPTY) {
            if NAMES.get(usize::from(found)).is_some_and(|known| known.eq_ignore_ascii_case(name)) {
                return Self(found);
            }
            at = (at + 1) % PLACES;
        }
        Self::OTHER
    }

    /// The same as it stands on the wire, where a single letter may be a compact form.
    pub(crate) fn of_wire(name: &str) -> Self {
        if let [letter] = name.as_bytes()
            && let Some((_, long)) = COMPACT.iter().find(|(short, _)| *short == letter.to_ascii_lowercase())
        {
            return Self::of(long);
        }
        Self::of(name)
    }

    /// The name as it is written; `None` for [`Name::OTHER`].
    pub(crate) fn text(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_whatever_its_case_and_compact_forms_mean_the_long_ones() {
        for (index, name) in NAMES.iter().enumerate() {
            for written in [(*name).to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(Name::of(&written), Name(index as u8), "{written}");
            }
        }
        for (short, long) in COMPACT {
            let upper = char::from(short).to_ascii_uppercase().to_string();
            assert_eq!(Name::of_wire(&upper).text(), Some(long));
            assert_eq!(Name::of(&upper), Name::OTHER);
        }
        assert_eq!(Name::CONTENT_LENGTH.text(), Some("Content-Length"));
        for other in ["", "V", "Viaa", "X-Carrier", "Content-Lengtj"] {
            assert_eq!(Name::of(other), Name::OTHER, "{other}");
        }
    }
}
