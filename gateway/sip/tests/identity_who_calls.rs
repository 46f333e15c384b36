//! Who is calling: the forms carriers write, whom to believe, what never shows in a log.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::identity::{
    IdentityHeaders, IdentityTrust, PrivacyToken, RawIdentity, Scheme, Uri, UriIdentity, q850_cause,
    read_reasons,
};

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

#[test]
fn numbers_are_found_in_every_form() {
    let check = |text: &str, user: &str, context: Option<&str>| {
        let uri = uri(text);
        assert_eq!((uri.user.as_deref(), uri.phone_context.as_deref()), (Some(user), context), "{text}");
        assert!(uri.is_phone(), "{text}");
    };
    check("sip:+8613912345678@ims.example;user=phone", "+8613912345678", None);
    check("sip:4862423;phone-context=+86471@ims.example;user=phone", "4862423", Some("+86471"));
    check("sip:4862423;phone-context=nm.example:secret@ims.example", "4862423", Some("nm.example"));
    check("sip:4862423:secret@ims.example:5070", "4862423", None);
    check("sip:%2312%2345@ims.example", "#12#45", None);
    check("SIP:0471-486.24(23)@[2001:DB8::1]:5061", "0471-486.24(23)", None);
    check("tel:+86-471-4862423", "+86-471-4862423", None);
    check("tel:4862423;phone-context=+86471;isub=1", "4862423", Some("+86471"));
    check("sips:abc@x;user=phone", "abc", None);
}

#[test]
fn hosts_ports_and_parameters_are_taken_apart() {
    let read = uri("sip:alice;day=tue@[2001:DB8::1]:5061;transport=tcp;x=a:b;lr?Subject=a%20b&X=%E5%91%BC");
    assert_eq!(read.user.as_deref(), Some("alice;day=tue"));
    assert_eq!((read.host.as_deref(), read.port), (Some("[2001:db8::1]"), Some(5061)));
    assert_eq!(
        (read.parameter("X"), read.parameter("lr"), read.parameter("y")),
        (Some("a:b"), Some(""), None)
    );
    assert_eq!(read.headers_named("subject").collect::<Vec<_>>(), ["a b"]);
    assert_eq!(read.headers_named("x").collect::<Vec<_>>(), ["呼"]);
    assert!(!read.is_phone());
    assert_eq!(uri("sip:GW.example").host.as_deref(), Some("gw.example"));
    assert_eq!(uri("sip:@gw").user, None);
    assert_eq!(uri("urn:service:sos").scheme, Scheme::Other);
    for bad in ["", "sip:", "12345", ":x", "sip:a@", "sip:[::1", "s p:x"] {
        assert!(Uri::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn asserted_identities_come_in_one_header_or_many() {
    let headers = IdentityHeaders::read(&RawIdentity {
        asserted: &[
            "\"Wang, \\\"Lao\\\" <x>\" <sip:anna@ims.example>, <tel:+8613912345678>",
            "broken, <sip:2@ims.example>;a=\",\"",
        ],
        ..RawIdentity::default()
    });
    let users: Vec<_> = headers.asserted.iter().map(|identity| identity.user()).collect();
    assert_eq!(users, [Some("anna"), Some("+8613912345678"), Some("2")]);
    assert_eq!(headers.asserted[0].display.as_deref(), Some("Wang, \"Lao\" <x>"));
    let (best, trust) = headers.best(true).unwrap();
    assert_eq!((best.user(), trust), (Some("+8613912345678"), IdentityTrust::NetworkAsserted));
}

#[test]
fn an_assertion_counts_only_from_a_trusted_peer() {
    let headers = IdentityHeaders::read(&RawIdentity {
        asserted: &["<tel:+861>"],
        preferred: &["<tel:+862>"],
        from: Some("Li <sip:3@x>;tag=a:b"),
        ..RawIdentity::default()
    });
    let best = |headers: &IdentityHeaders, trusted| {
        headers.best(trusted).map(|(identity, trust)| (identity.user().unwrap().to_owned(), trust))
    };
    assert_eq!(best(&headers, true), Some(("+861".into(), IdentityTrust::NetworkAsserted)));
    assert_eq!(best(&headers, false), Some(("+862".into(), IdentityTrust::PreferredUnverified)));
    assert_eq!(headers.from.as_ref().unwrap().parameter("tag"), Some("a:b"));
    let stripped = headers.without_assertions();
    assert!(stripped.asserted.is_empty());
    assert_eq!(best(&stripped, true), Some(("+862".into(), IdentityTrust::PreferredUnverified)));
    let bare = IdentityHeaders::read(&RawIdentity { from: Some("sip:3@x;tag=9"), ..RawIdentity::default() });
    assert_eq!(best(&bare, true), Some(("3".into(), IdentityTrust::FromOnly)));
    assert_eq!(bare.from.unwrap().parameter("tag"), Some("9"));
}

#[test]
fn withheld_identities_are_recognised() {
    for text in [
        "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
        "<sip:unavailable@unknown.invalid>",
        "<sip:13912345678@anonymous.invalid>",
        "<sip:restricted@gw.example>",
        "Unknown <sip:Unknown@gw.example>",
        "<sip:0@gw.example>",
        "<sip:gw.example>",
        "<sip:@gw.example>",
    ] {
        let identity = UriIdentity::parse(text).unwrap();
        assert!(identity.is_withheld(), "{text}");
        let headers = IdentityHeaders { from: Some(identity), ..IdentityHeaders::default() };
        assert!(headers.best(true).is_none(), "{text}");
    }
    assert!(!UriIdentity::parse("<sip:0471@gw.example>").unwrap().is_withheld());
}

#[test]
fn privacy_restricts_presentation_only() {
    let restricted = |privacy: &[&str]| {
        let headers = IdentityHeaders::read(&RawIdentity {
            asserted: &["<tel:+861>"],
            privacy,
            ..RawIdentity::default()
        });
        assert!(headers.best(true).is_some());
        headers.presentation_restricted()
    };
    for tokens in ["id", "user;critical", "HEADER", "none, id", "session ; critical"] {
        assert!(restricted(&[tokens]), "{tokens}");
    }
    for tokens in ["none", "session", "history", "", "idle"] {
        assert!(!restricted(&[tokens]), "{tokens}");
    }
    assert!(restricted(&["none", "id"]));
    assert_eq!(PrivacyToken::read(&["id;user;header;critical;none;history;session;foo"]).len(), 8);
}

#[test]
fn remote_party_is_an_extra() {
    let headers = IdentityHeaders::read(&RawIdentity {
        remote_party: &["\"L\" <sip:139@x>;party=calling;screen=yes;privacy=full"],
        ..RawIdentity::default()
    });
    assert!(headers.remote_party[0].screened && headers.presentation_restricted());
    assert!(headers.best(true).is_none());
}

#[test]
fn reasons_are_read() {
    let values = ["SIP ;cause=200 ;text=\"Call; completed, elsewhere\", q.850;cause=16", "Q.850;cause=x"];
    let reasons = read_reasons(&values);
    assert_eq!(reasons.iter().map(|reason| reason.cause).collect::<Vec<_>>(), [Some(200), Some(16), None]);
    assert_eq!(q850_cause(&values), Some(16));
    assert_eq!(q850_cause(&["SIP;cause=487"]), None);
}

#[test]
fn debug_shows_no_number_and_no_name() {
    let headers = IdentityHeaders::read(&RawIdentity {
        asserted: &["\"Wang\" <sip:+8613912345678@x;13912345678;p=13912345678?h=13912345678>;13912345678"],
        from: Some("<sip:13912345678>"),
        preferred: &["<foo:13912345678>", "<tel:13912345678;phone-context=13912345678>"],
        remote_party: &["<sip:a@13912345678.example>"],
        ..RawIdentity::default()
    });
    let identity = &headers.asserted[0];
    let shown = format!(
        "{headers:?} {:?} {:?} {:?}",
        identity.parameters,
        identity.uri.parameters,
        read_reasons(&["13912345678;cause=1"])
    );
    assert!(!shown.contains("139") && !shown.contains("Wang"), "{shown}");
}
