//! Who a call through a trunk says is calling: From, the identity headers, Privacy and Diversion.
//!
//! The citizen's number leaves the house only where the trunk is told to pass numbers through; what the call asks
//! (`privacy`) is stronger than what the trunk allows. Sources:
//! [RFC 3323](https://www.rfc-editor.org/rfc/rfc3323), [RFC 3325](https://www.rfc-editor.org/rfc/rfc3325),
//! [RFC 5806](https://www.rfc-editor.org/rfc/rfc5806).

use super::{
    Presentation, TrunkConfig,
    number::user_part,
    profile::{CallerIdentity, PrivacyStyle},
};
use crate::fields;

/// From without its tag, and the header fields beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CallerHeaders {
    pub(crate) from: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// The caller of a call through `trunk`: `given` is the number the call would show, empty for none; `host` is
/// ours as the carrier knows it.
pub(crate) fn caller_headers(
    trunk: &TrunkConfig,
    given: &str,
    display: Option<&str>,
    privacy: bool,
    host: &str,
) -> CallerHeaders {
    let own = trunk.caller_id.number.as_deref().filter(|number| !number.is_empty());
    let given = Some(given).filter(|given| !given.is_empty() && !given.eq_ignore_ascii_case("anonymous"));
    let restricted = privacy || trunk.caller_id.presentation == Presentation::Restricted;
    let passed = given.filter(|_| trunk.caller_id.presentation == Presentation::PassThrough && !restricted);
    let shown = passed.or(own);
    let manner = &trunk.manner;
    let uri = |number: &str| {
        let (user, parameters) = user_part(number, manner, &trunk.area_code);
        format!("<sip:{user}@{host}{parameters}>")
    };
    let hide_from = restricted && (manner.privacy != PrivacyStyle::Header || own.is_none());
    let from = match shown.filter(|_| !hide_from) {
        // A name goes only with the number it belongs to.
        Some(number) => {
            let name = display.filter(|_| passed.is_some()).map(|name| format!("{} ", fields::quote(name)));
            format!("{}{}", name.unwrap_or_default(), uri(number))
        }
        None => ANONYMOUS.to_owned(),
    };
    let mut fields = Vec::new();
    if let Some(own) = own {
        match manner.caller_identity {
            CallerIdentity::From => {}
            CallerIdentity::Asserted => fields.push(("P-Asserted-Identity", uri(own))),
            CallerIdentity::Preferred => fields.push(("P-Preferred-Identity", uri(own))),
        }
        if manner.diversion && passed.is_some_and(|number| number != own) {
            fields.push(("Diversion", format!("{};reason=unconditional;privacy=off", uri(own))));
        }
    }
    if restricted && manner.privacy != PrivacyStyle::From {
        fields.push(("Privacy", "id".to_owned()));
    }
    CallerHeaders { from, fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunk::{CallerId, Profile};

    fn headers(profile: Profile, presentation: Presentation, given: &str, privacy: bool) -> CallerHeaders {
        let trunk = TrunkConfig {
            manner: profile.manner(),
            area_code: "0471".into(),
            caller_id: CallerId { number: Some("+8647112345".into()), presentation },
            ..TrunkConfig::default()
        };
        caller_headers(&trunk, given, Some("张三"), privacy, "gw.test")
    }

    #[test]
    fn the_citizens_number_leaves_only_where_that_is_allowed() {
        for (presentation, privacy) in [
            (Presentation::Own, false),
            (Presentation::Own, true),
            (Presentation::Restricted, false),
            (Presentation::PassThrough, true),
        ] {
            for profile in [Profile::Generic, Profile::Ims, Profile::Telecom, Profile::Unicom, Profile::Pbx] {
                let text = format!("{:?}", headers(profile, presentation, "13900001111", privacy));
                assert!(!text.contains("1390000") && !text.contains("张三"), "{profile:?}: {text}");
            }
        }
        let passed = headers(Profile::Telecom, Presentation::PassThrough, "+8613900001111", false);
        assert_eq!(passed.from, "\"张三\" <sip:13900001111@gw.test;user=phone>");
        assert!(passed.fields.iter().any(|(name, _)| *name == "Diversion"), "{passed:?}");
    }

    #[test]
    fn a_withheld_number_is_withheld_in_the_carriers_style() {
        let both = headers(Profile::Ims, Presentation::Restricted, "", false);
        assert_eq!(both.from, ANONYMOUS);
        assert!(both.fields.contains(&("Privacy", "id".into())));
        assert_eq!(both.fields[0].0, "P-Asserted-Identity", "the network still knows whose bill it is");
        let header = headers(Profile::Unicom, Presentation::Restricted, "", false);
        assert!(
            header.from.starts_with("<sip:04712345@gw.test") || header.from.contains("12345"),
            "{header:?}"
        );
        assert!(header.fields.contains(&("Privacy", "id".into())));
        let from = headers(Profile::Pbx, Presentation::Restricted, "", false);
        assert_eq!((from.from.as_str(), from.fields.len()), (ANONYMOUS, 0));
    }

    #[test]
    fn without_a_number_of_our_own_the_call_is_anonymous() {
        let trunk = TrunkConfig::default();
        assert_eq!(caller_headers(&trunk, "13900001111", None, false, "h").from, ANONYMOUS);
    }
}
