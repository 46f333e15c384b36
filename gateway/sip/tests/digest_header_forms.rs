//! Digest headers as phones write them, and those that must be refused cleanly.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::auth::{Algorithm, AuthError, Challenge, Credentials, Secret, answer, challenges};
use proptest::prelude::*;

const PLAIN: &str =
    "Digest username=\"8001\", realm=\"jiesu\", nonce=\"abc\", uri=\"sip:gw\", response=\"00\"";

#[test]
fn spaces_case_commas_and_escapes_are_read() {
    let read = Credentials::parse(
        "  dIGEST\tUserName = \"a, \\\"b\\\" = c\" ,, REALM=jiesu,nonce=\"abc\",uri=\"sip:gw;x=1,2\" , \
         response=00,algorithm=\"md5\",qop=\"auth\",nc=\"0000000A\",cnonce=\"\",unknown=\"x\",",
    )
    .unwrap();
    assert_eq!(read.username, "a, \"b\" = c");
    assert_eq!((read.realm.as_str(), read.uri.as_str()), ("jiesu", "sip:gw;x=1,2"));
    assert_eq!((read.algorithm, read.nonce_count()), (Algorithm::Md5, Some(10)));
}

#[test]
fn other_variants_are_refused_by_name() {
    let check = |tail: &str, expected: AuthError| {
        assert_eq!(Credentials::parse(&format!("{PLAIN}, {tail}")).unwrap_err(), expected, "{tail}");
    };
    check("algorithm=MD5-sess", AuthError::Unsupported("a -sess algorithm"));
    check("algorithm=SHA-256-SESS", AuthError::Unsupported("a -sess algorithm"));
    check("algorithm=SHA-512-256", AuthError::Unsupported("algorithm"));
    check("qop=auth-int, nc=00000001, cnonce=x", AuthError::Unsupported("qop other than auth"));
    check("userhash=true", AuthError::Unsupported("userhash"));
    check("qop=auth, cnonce=x", AuthError::Missing("nc"));
    check("qop=auth, nc=00000001", AuthError::Missing("cnonce"));
    check("qop=auth, nc=1, cnonce=x", AuthError::Malformed("nc is not eight hex digits"));
    check("qop=auth, nc=+0000001, cnonce=x", AuthError::Malformed("nc is not eight hex digits"));
    check("username=\"9999\"", AuthError::Malformed("repeated parameter"));
    check("opaque=\"x", AuthError::Malformed("unclosed quote"));
    check("opaque=\"x\\", AuthError::Malformed("unclosed quote"));
    check("opaque=\"x\" y", AuthError::Malformed("text after a closing quote"));
    check("opaque", AuthError::Malformed("expected name=value"));
    check("opaque=\"a\rb\"", AuthError::Malformed("control character"));
}

/// Found by the mutation below: a tab is part of a quoted string and was lost in writing.
#[test]
fn what_was_read_is_written_back() {
    let read = Credentials::parse(&PLAIN.replace("8001", "80\t\u{85}01")).unwrap();
    assert_eq!(Credentials::parse(&read.to_string()), Ok(read));
}

#[test]
fn foreign_empty_and_endless_headers_are_refused() {
    assert_eq!(Credentials::parse("Basic abc").unwrap_err(), AuthError::NotDigest);
    assert_eq!(Credentials::parse("").unwrap_err(), AuthError::NotDigest);
    assert_eq!(Credentials::parse("Digest").unwrap_err(), AuthError::Missing("username"));
    let long = format!("{PLAIN}, opaque=\"{}\"", "x".repeat(8 * 1024));
    assert_eq!(Credentials::parse(&long).unwrap_err(), AuthError::Malformed("too long"));
    let many: String = (0..40).map(|number| format!(", p{number}=1")).collect();
    assert_eq!(
        Credentials::parse(&format!("{PLAIN}{many}")).unwrap_err(),
        AuthError::Malformed("too many parameters")
    );
}

#[test]
fn our_challenges_offer_the_stronger_hash_first() {
    let both = [Algorithm::Sha256, Algorithm::Md5];
    let [first, second] = challenges(&both, "ji\"esu", "abc", true).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        first,
        "Digest realm=\"ji\\\"esu\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth\", stale=true"
    );
    assert_eq!(second, "Digest realm=\"ji\\\"esu\", nonce=\"abc\", algorithm=MD5, qop=\"auth\", stale=true");
    let read = Challenge::parse(&first).unwrap();
    assert_eq!((read.realm.as_str(), read.qop_auth, read.stale), ("ji\"esu", true, true));
    assert!(challenges(&both, "r", "n", false).all(|value| !value.contains("stale")));
}

#[test]
fn a_challenge_without_qop_is_answered_the_old_way() {
    let challenge = Challenge::parse("Digest realm=r, nonce=n, opaque=\"\"").unwrap();
    let made = answer(&challenge, "u", &Secret::Plain("p".into()), "REGISTER", "sip:gw", "c", 1).unwrap();
    let text = made.to_string();
    assert!(!text.contains("qop") && !text.contains("nc=") && text.contains("opaque=\"\""), "{text}");
    assert_eq!(
        Challenge::parse("Digest realm=r, nonce=n, qop=auth-int"),
        Err(AuthError::Unsupported("qop other than auth"))
    );
}

#[test]
fn debug_shows_neither_name_nor_secret() {
    let shown = format!(
        "{:?} {:?} {:?}",
        Credentials::parse(&PLAIN.replace("8001", "13912345678")).unwrap(),
        Secret::Plain("hunter2".into()),
        Secret::Ha1 { md5: Some("feed".into()), sha256: None },
    );
    assert!(!shown.contains("139") && !shown.contains("hunter2") && !shown.contains("feed"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_headers_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..6),
    ) {
        let mut bytes = format!("{PLAIN}, qop=auth, nc=00000001, cnonce=\"a\\\"b\", stale=true").into_bytes();
        for (place, byte, insert) in edits {
            let at = place.index(bytes.len());
            if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(read) = Credentials::parse(&text) {
            prop_assert_eq!(Credentials::parse(&read.to_string()), Ok(read));
        }
        if let Ok(read) = Challenge::parse(&text) {
            prop_assert_eq!(Challenge::parse(&read.to_string()), Ok(read));
        }
    }
}
