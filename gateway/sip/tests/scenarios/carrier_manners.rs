//! One conformance scenario a profile: what the INVITE to the carrier looks like, for our number, a withheld one
//! and a citizen's, and that each manner can be set alone.

use gateway_sip::{
    Invitation, Target, TrunkConfig,
    trunk::{CallerId, Manner, NumberFormat, Presentation, PrivacyStyle, Profile, Reliable},
};

use crate::{rig::*, trunk_rig::*};

/// What the carrier sees of one call.
struct Seen {
    uri: String,
    from: String,
    asserted: String,
    preferred: String,
    privacy: String,
    diversion: String,
}

fn call(manner: Manner, presentation: Presentation, number: &str, privacy: bool) -> Seen {
    let caller_id = CallerId { number: Some("+8647112345".into()), presentation };
    let mut rig = Rig::with(through(TrunkConfig { manner, caller_id, ..trunk() }));
    let invitation = Invitation {
        target: Target::Trunk { trunk: "carrier", number },
        caller_user: "+8613900001111",
        privacy,
        sdp: SDP,
        ..Invitation::default()
    };
    rig.endpoint.invite(rig.now, invitation).unwrap();
    let sent = rig.sent().remove(0);
    let text = String::from_utf8_lossy(&sent.bytes).into_owned();
    let allowed = presentation == Presentation::PassThrough && !privacy;
    assert!(allowed || !text.contains("1390000"), "the citizen's number got out: {text}");
    let header = |name| sent.message.value(name).unwrap_or_default().to_owned();
    Seen {
        uri: sent.message.request_uri().to_owned(),
        from: header("From").split(";tag").next().unwrap_or_default().to_owned(),
        asserted: header("P-Asserted-Identity"),
        preferred: header("P-Preferred-Identity"),
        privacy: header("Privacy"),
        diversion: header("Diversion"),
    }
}

const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

#[test]
fn generic_writes_numbers_as_given_and_the_caller_in_from() {
    let manner = Profile::Generic.manner();
    let own = call(manner, Presentation::Own, "0471 666 6666", false);
    assert_eq!(own.uri, "sip:04716666666@198.51.100.7");
    assert_eq!(own.from, "<sip:+8647112345@gw.test>");
    assert_eq!((own.asserted.as_str(), own.preferred.as_str(), own.privacy.as_str()), ("", "", ""));
    let hidden = call(manner, Presentation::Own, "110", true);
    assert_eq!((hidden.from.as_str(), hidden.privacy.as_str()), (ANONYMOUS, "id"));
    let passed = call(manner, Presentation::PassThrough, "110", false);
    assert_eq!((passed.from.as_str(), passed.diversion.as_str()), ("<sip:+8613900001111@gw.test>", ""));
}

#[test]
fn ims_writes_international_numbers_and_asserts_who_pays() {
    let manner = Profile::Ims.manner();
    let own = call(manner, Presentation::Own, "04716666666", false);
    assert_eq!(own.uri, "sip:+864716666666@198.51.100.7;user=phone");
    assert_eq!(own.from, "<sip:+8647112345@gw.test;user=phone>");
    assert_eq!(own.asserted, "<sip:+8647112345@gw.test;user=phone>");
    let service = call(manner, Presentation::Own, "110", false);
    assert_eq!(service.uri, "sip:110;phone-context=+86471@198.51.100.7;user=phone");
    let hidden = call(manner, Presentation::Restricted, "110", false);
    assert_eq!((hidden.from.as_str(), hidden.privacy.as_str()), (ANONYMOUS, "id"));
    assert_eq!(hidden.asserted, own.asserted, "the network still knows");
}

#[test]
fn telecom_writes_national_numbers_prefers_and_diverts() {
    let manner = Profile::Telecom.manner();
    let own = call(manner, Presentation::Own, "+864716666666", false);
    assert_eq!(own.uri, "sip:04716666666@198.51.100.7;user=phone");
    assert_eq!(own.preferred, "<sip:047112345@gw.test;user=phone>");
    let hidden = call(manner, Presentation::Own, "110", true);
    assert_eq!(hidden.from, "<sip:047112345@gw.test;user=phone>", "the network hides it");
    assert_eq!(hidden.privacy, "id");
    let passed = call(manner, Presentation::PassThrough, "110", false);
    assert_eq!(passed.from, "<sip:13900001111@gw.test;user=phone>");
    assert_eq!(passed.diversion, "<sip:047112345@gw.test;user=phone>;reason=unconditional;privacy=off");
}

#[test]
fn mobile_writes_international_numbers_and_prefers() {
    let manner = Profile::Mobile.manner();
    let own = call(manner, Presentation::Own, "13912345678", false);
    assert_eq!(own.uri, "sip:+8613912345678@198.51.100.7;user=phone");
    assert_eq!(own.preferred, "<sip:+8647112345@gw.test;user=phone>");
    let passed = call(manner, Presentation::PassThrough, "110", false);
    assert_eq!(passed.from, "<sip:+8613900001111@gw.test;user=phone>");
    assert!(passed.diversion.starts_with("<sip:+8647112345@"), "{}", passed.diversion);
}

#[test]
fn unicom_writes_national_numbers_and_the_caller_in_from() {
    let manner = Profile::Unicom.manner();
    let own = call(manner, Presentation::Own, "+861065550000", false);
    assert_eq!(own.uri, "sip:01065550000@198.51.100.7;user=phone");
    assert_eq!(own.from, "<sip:047112345@gw.test;user=phone>");
    assert_eq!((own.asserted.as_str(), own.preferred.as_str()), ("", ""));
    assert_eq!(call(manner, Presentation::Restricted, "110", false).privacy, "id");
}

#[test]
fn a_pbx_gets_the_digits_and_no_privacy_header() {
    let manner = Profile::Pbx.manner();
    let own = call(manner, Presentation::Own, "8001", false);
    assert_eq!(own.uri, "sip:8001@198.51.100.7");
    let hidden = call(manner, Presentation::Own, "8001", true);
    assert_eq!((hidden.from.as_str(), hidden.privacy.as_str()), (ANONYMOUS, ""));
}

#[test]
fn each_manner_can_be_set_alone() {
    let manner = Manner {
        number_format: NumberFormat::Local,
        privacy: PrivacyStyle::From,
        user_phone: true,
        ..Profile::Generic.manner()
    };
    assert_eq!(
        call(manner, Presentation::Own, "+864716666666", false).uri,
        "sip:6666666@198.51.100.7;user=phone"
    );
    assert_eq!(call(manner, Presentation::Restricted, "110", false).privacy, "");
}

#[test]
fn the_carrier_sees_the_address_and_the_domain_that_are_meant_for_it() {
    let config =
        TrunkConfig { external: Some("203.0.113.99".into()), domain: Some("ims.example".into()), ..trunk() };
    let mut rig = Rig::with(through(config));
    dial(&mut rig).unwrap();
    let sent = rig.sent().remove(0);
    assert_eq!(sent.header("Contact"), "<sip:203.0.113.99:5060>");
    assert!(sent.header("Via").starts_with("SIP/2.0/UDP 203.0.113.99:5060;"), "{}", sent.header("Via"));
    assert_eq!(sent.message.request_uri(), "sip:04716666666@ims.example");
    assert!(sent.header("From").starts_with("<sip:+8647112345@ims.example>"));
    // And in answers to its own calls.
    rig.udp(FIRST, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    assert_eq!(rig.one(200).header("Contact"), "<sip:203.0.113.99:5060>");
}

#[test]
fn a_symmetric_carrier_gets_requests_where_it_was_called() {
    for (profile, expected) in [(Profile::Generic, "203.0.113.250:5099"), (Profile::Telecom, FIRST)] {
        let mut rig = Rig::with(through(TrunkConfig { manner: profile.manner(), ..trunk() }));
        let call = dial(&mut rig).unwrap();
        let invite = rig.sent().remove(0);
        let contact = "Contact: <sip:x@203.0.113.250:5099>\n";
        rig.udp(FIRST, &crate::timers::answer_to(&invite, 200, "y", contact, SDP));
        rig.sent();
        rig.endpoint.hang_up(rig.now, call, None);
        assert_eq!(went_to(&rig.sent().remove(0)), expected, "{profile:?}");
    }
}

#[test]
fn extensions_are_offered_demanded_or_kept_quiet_as_the_carrier_wants() {
    let invite = |manner| {
        let mut rig = Rig::with(through(TrunkConfig { manner, ..trunk() }));
        dial(&mut rig).unwrap();
        let sent = rig.sent().remove(0);
        let header = |name| sent.message.value(name).unwrap_or_default().to_owned();
        (header("Supported"), header("Require"), header("Session-Expires"))
    };
    let generic = Profile::Generic.manner();
    let (supported, require, session) = invite(generic);
    assert!(supported.contains("100rel") && supported.contains("timer"), "{supported}");
    assert_eq!((require.as_str(), session.as_str()), ("", "1800"));
    assert_eq!(invite(Manner { reliable: Reliable::Required, ..generic }).1, "100rel");
    let (supported, require, session) = invite(Profile::Pbx.manner());
    assert!(!supported.contains("100rel") && !supported.contains("timer"), "{supported}");
    assert_eq!((require.as_str(), session.as_str()), ("", ""));
    let (supported, _, session) = invite(Profile::Unicom.manner());
    assert!(!supported.contains("100rel") && supported.contains("timer"), "{supported}");
    assert_eq!(session, "1800");
}
