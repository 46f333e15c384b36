//! Who calls, and which line: the INVITE's headers as the lists and the record need them
//! (order of trust: RFC 3325, RFC 3323; merged lines: RFC 7044, RFC 5806).

use config::TrunkConfig;
use gateway_sip::IncomingInvite;
use gateway_sip::identity::{DivertSource, IdentityHeaders, IdentityTrust, Uri, diversions, first_diverting};
use record::{
    Caller, Diversion, DiversionSource, Number, NumberContext, Presentation, Trust,
    number::{is_withheld, normalise},
};

/// The line that was dialled.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialled {
    /// As the carrier routed it to us.
    pub number: String,
    /// The old line among the merged ones, when the call came through one.
    pub legacy_line: Option<String>,
    /// Every forwarding step.
    pub diversion: Vec<Diversion>,
}

/// The caller as the lists see them.
pub fn identify(invite: &IncomingInvite, trunk: Option<&TrunkConfig>, context: &NumberContext) -> Caller {
    identify_by(&invite.identity, trunk, context)
}

/// Who a call or a text comes from, by its headers.
pub fn identify_by(
    headers: &IdentityHeaders,
    trunk: Option<&TrunkConfig>,
    context: &NumberContext,
) -> Caller {
    let trusted = trunk.is_some_and(|trunk| trunk.trust_asserted_identity);
    // No address: the one we see is the carrier's, not the caller's.
    let mut caller = Caller::unknown();
    let Some((identity, trust)) = headers.best(trusted) else {
        caller.presentation = Presentation::Restricted;
        return caller;
    };
    let user = identity.uri.user.clone().unwrap_or_default();
    // Some trunks write their own pilot number where the caller withheld theirs.
    let pilot = trunk.is_some_and(|trunk| trunk.numbers.contains_key(&user));
    if pilot || is_withheld(&user, identity.display.as_deref()) {
        caller.presentation = Presentation::Restricted;
        return caller;
    }
    caller.number = Some(with_phone_context(&identity.uri, context));
    caller.trust = match trust {
        IdentityTrust::NetworkAsserted => Trust::NetworkAsserted,
        IdentityTrust::PreferredUnverified => Trust::PreferredUnverified,
        IdentityTrust::FromOnly => Trust::FromOnly,
    };
    caller.presentation =
        if headers.presentation_restricted() { Presentation::Restricted } else { Presentation::Allowed };
    caller
}

/// RFC 3966: a local number means what its phone-context says, not what our trunk is near.
fn with_phone_context(uri: &Uri, context: &NumberContext) -> Number {
    let user = uri.user.as_deref().unwrap_or_default();
    match uri.phone_context.as_deref().and_then(|c| c.strip_prefix("+86")) {
        Some(area)
            if !area.is_empty() && area.bytes().all(|b| b.is_ascii_digit()) && !user.starts_with('+') =>
        {
            normalise(user, &NumberContext { area_code: format!("0{area}"), ..context.clone() })
        }
        _ => normalise(user, context),
    }
}

/// The dialled line: Request-URI, else To; the old line from the first diverting party, else from the
/// trunk's table of merged lines.
pub fn dialled(invite: &IncomingInvite, trunk: Option<&TrunkConfig>) -> Dialled {
    let user = |text: &str| Uri::parse(text).and_then(|uri| uri.user).filter(|user| !user.is_empty());
    let number = user(&invite.request_uri).or_else(|| user(&invite.to_uri)).unwrap_or_default();
    let line_of = |number: &str| trunk.and_then(|trunk| trunk.numbers.get(number)).cloned();
    let legacy_line = match first_diverting(&invite.history, &invite.diversion) {
        Some(first) => first.user.map(|user| line_of(&user).unwrap_or(user)),
        None => line_of(&number).or_else(|| user(&invite.to_uri).and_then(|to| line_of(&to))),
    };
    let diversion = diversions(&invite.history, &invite.diversion)
        .into_iter()
        .map(|step| Diversion {
            number: step.user.filter(|_| !step.restricted),
            reason: step.reason.as_str().to_owned(),
            counter: step.counter.map(i64::from),
            source: match step.source {
                DivertSource::HistoryInfo => DiversionSource::HistoryInfo,
                DivertSource::Diversion => DiversionSource::Diversion,
            },
        })
        .collect();
    Dialled { number, legacy_line, diversion }
}

#[cfg(test)]
mod tests {
    use gateway_sip::Transport;
    use gateway_sip::identity::{PrivacyToken, RawIdentity, read_diversion, read_history};
    use record::PhoneKind;

    use super::*;

    #[derive(Default)]
    struct Headers {
        asserted: &'static [&'static str],
        preferred: &'static [&'static str],
        from: &'static str,
        privacy: &'static [&'static str],
        history: &'static [&'static str],
        diversion: &'static [&'static str],
        request_uri: &'static str,
    }

    fn invite(headers: &Headers) -> IncomingInvite {
        let raw = RawIdentity {
            asserted: headers.asserted,
            preferred: headers.preferred,
            from: Some(headers.from),
            privacy: headers.privacy,
            ..RawIdentity::default()
        };
        IncomingInvite {
            call_id: "a@b".into(),
            trunk: "carrier".into(),
            remote: ([192, 0, 2, 1], 5060).into(),
            transport: Transport::Udp,
            request_uri: headers.request_uri.into(),
            to_uri: "sip:12345@city.example".into(),
            from_uri: String::new(),
            from_display: None,
            identity: IdentityHeaders::read(&raw),
            history: read_history(headers.history, &PrivacyToken::read(headers.privacy)),
            diversion: read_diversion(headers.diversion),
            session_id: None,
            user_agent: None,
            sdp: None,
            max_forwards: 70,
            agent: None,
            replaces: None,
        }
    }

    fn trunk(trusted: bool) -> TrunkConfig {
        let numbers = [("12319", "12319"), ("047112319", "12319"), ("12345", "12345")];
        TrunkConfig {
            name: "carrier".into(),
            trust_asserted_identity: trusted,
            numbers: numbers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..TrunkConfig::default()
        }
    }

    fn context() -> NumberContext {
        NumberContext { area_code: "0471".into(), service_lines: vec!["12345".into()] }
    }

    fn e164(caller: &Caller) -> Option<String> {
        caller.number.as_ref()?.e164.as_ref().map(|number| number.reveal().clone())
    }

    const ASSERTED: Headers = Headers {
        asserted: &["<sip:+8613912345678@ims.example>"],
        preferred: &[],
        from: "<sip:13800000000@x>",
        privacy: &[],
        history: &[],
        diversion: &[],
        request_uri: "sip:12345@gw.example",
    };

    #[test]
    fn an_asserted_identity_counts_only_from_a_trunk_that_is_trusted() {
        let caller = identify(&invite(&ASSERTED), Some(&trunk(true)), &context());
        assert_eq!(
            (e164(&caller).as_deref(), caller.trust),
            (Some("+8613912345678"), Trust::NetworkAsserted)
        );
        let caller = identify(&invite(&ASSERTED), Some(&trunk(false)), &context());
        assert_eq!((e164(&caller).as_deref(), caller.trust), (Some("+8613800000000"), Trust::FromOnly));
    }

    #[test]
    fn privacy_hides_the_number_and_keeps_it_for_the_lists() {
        let caller =
            identify(&invite(&Headers { privacy: &["id"], ..ASSERTED }), Some(&trunk(true)), &context());
        assert_eq!(
            (e164(&caller).as_deref(), caller.presentation),
            (Some("+8613912345678"), Presentation::Restricted)
        );
    }

    #[test]
    fn withheld_forms_and_the_trunks_own_number_are_nobodys_number() {
        for from in
            ["\"Anonymous\" <sip:anonymous@anonymous.invalid>", "<sip:12345@x>", "<sip:x>", "<sip:0@x>"]
        {
            let headers = Headers { asserted: &[], from, ..ASSERTED };
            let caller = identify(&invite(&headers), Some(&trunk(true)), &context());
            assert!(caller.number.is_none(), "{from}");
            assert_ne!(caller.presentation, Presentation::Allowed, "{from}");
        }
    }

    #[test]
    fn a_local_number_takes_its_area_from_the_phone_context_or_the_trunk() {
        let local = Headers { asserted: &["<tel:4862423>"], ..ASSERTED };
        assert_eq!(
            e164(&identify(&invite(&local), Some(&trunk(true)), &context())).unwrap(),
            "+864714862423"
        );
        let elsewhere = Headers { asserted: &["<tel:4862423;phone-context=+86472>"], ..ASSERTED };
        let caller = identify(&invite(&elsewhere), Some(&trunk(true)), &context());
        assert_eq!(
            (e164(&caller).as_deref(), caller.number.unwrap().kind),
            (Some("+864724862423"), PhoneKind::Fixed)
        );
    }

    #[test]
    fn the_old_line_is_found_in_every_place_a_carrier_writes_it() {
        let line = |headers: Headers| dialled(&invite(&headers), Some(&trunk(true))).legacy_line;
        assert_eq!(line(Headers { request_uri: "sip:047112319@gw", ..ASSERTED }).as_deref(), Some("12319"));
        let history = &["<sip:12319@x>;index=1, <sip:12345@x?Reason=SIP%3Bcause%3D302>;index=1.1"];
        assert_eq!(line(Headers { history, ..ASSERTED }).as_deref(), Some("12319"));
        let diversion = &["<sip:12328@x>;reason=unconditional"];
        assert_eq!(line(Headers { diversion, ..ASSERTED }).as_deref(), Some("12328"));
        assert_eq!(line(ASSERTED).as_deref(), Some("12345"));
    }
}
