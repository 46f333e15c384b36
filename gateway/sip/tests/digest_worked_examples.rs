//! The worked examples of RFC 7616 and RFC 2069, verified and produced.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::auth::{Algorithm, AuthError, Challenge, Credentials, Secret, answer, ha1_hex, verify};

const CHALLENGE: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=ALG, \
    nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const MD5: &str = "8ca523f5e9506fed4657c9700eebdbec";
const SHA256: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

fn password() -> Secret {
    Secret::Plain("Circle of Life".to_owned())
}

fn credentials(algorithm: &str, response: &str) -> Credentials {
    Credentials::parse(&format!(
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm={algorithm}, \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, cnonce=\"{CNONCE}\", qop=auth, \
         response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    ))
    .unwrap()
}

#[test]
fn rfc_7616_section_3_9_1_verifies() {
    assert_eq!(verify(&credentials("MD5", MD5), "GET", &password()), Ok(()));
    assert_eq!(verify(&credentials("SHA-256", SHA256), "GET", &password()), Ok(()));
    assert_eq!(verify(&credentials("sha-256", &SHA256.to_uppercase()), "GET", &password()), Ok(()));
    assert_eq!(credentials("MD5", MD5).nonce_count(), Some(1));
}

#[test]
fn rfc_7616_section_3_9_1_is_produced() {
    for (name, expected) in [("MD5", MD5), ("SHA-256", SHA256)] {
        let challenge = Challenge::parse(&CHALLENGE.replace("ALG", name)).unwrap();
        let made = answer(&challenge, "Mufasa", &password(), "GET", "/dir/index.html", CNONCE, 1).unwrap();
        assert_eq!(made.response, expected);
        assert_eq!(Credentials::parse(&made.to_string()).unwrap(), credentials(name, expected));
    }
}

#[test]
fn anything_else_is_a_mismatch() {
    let wrong = Err(AuthError::Mismatch);
    assert_eq!(verify(&credentials("MD5", MD5), "REGISTER", &password()), wrong);
    assert_eq!(verify(&credentials("MD5", MD5), "GET", &Secret::Plain("circle of life".into())), wrong);
    assert_eq!(verify(&credentials("MD5", SHA256), "GET", &password()), wrong);
    assert_eq!(verify(&credentials("SHA-256", MD5), "GET", &password()), wrong);
    assert_eq!(verify(&credentials("MD5", ""), "GET", &password()), wrong);
    assert_eq!(verify(&credentials("MD5", &MD5[..31]), "GET", &password()), wrong);
    let mut elsewhere = credentials("MD5", MD5);
    elsewhere.uri = "/other".into();
    assert_eq!(verify(&elsewhere, "GET", &password()), wrong);
}

#[test]
fn a_stored_hash_serves_its_own_algorithm_only() {
    let sha256 = ha1_hex(Algorithm::Sha256, "Mufasa", "http-auth@example.org", "Circle of Life");
    let stored = Secret::Ha1 { md5: None, sha256: Some(sha256.to_uppercase()) };
    assert_eq!(verify(&credentials("SHA-256", SHA256), "GET", &stored), Ok(()));
    assert_eq!(verify(&credentials("MD5", MD5), "GET", &stored), Err(AuthError::NoSecret));
    let both = [CHALLENGE.replace("ALG", "MD5"), CHALLENGE.replace("ALG", "SHA-256")];
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    assert_eq!(Challenge::first_usable(&both, &stored).unwrap().algorithm, Algorithm::Sha256);
    assert_eq!(Challenge::first_usable(&both, &password()).unwrap().algorithm, Algorithm::Md5);
    assert_eq!(Challenge::first_usable(&both[..1], &stored), Err(AuthError::NoSecret));
}

/// RFC 2069 §2.4 with the response of its erratum 749: no qop, no algorithm.
#[test]
fn the_oldest_form_without_qop_verifies() {
    let old = Credentials::parse(
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
         uri=\"/dir/index.html\", response=\"1949323746fe6a43ef61f9606e7febea\"",
    )
    .unwrap();
    assert_eq!(old.nonce_count(), None);
    assert_eq!(verify(&old, "GET", &Secret::Plain("CircleOfLife".into())), Ok(()));
}

/// Computed with another implementation: quotes, backslashes and Chinese are hashed unescaped.
#[test]
fn escaped_and_chinese_text_is_hashed_as_meant() {
    let credentials = Credentials::parse(
        r#"Digest username="8\"0\\1", realm="jiesu", nonce="n1", uri="sip:gw", algorithm=SHA-256, response="0164e21d9bf7f1bd5903c27358b106fdf089d69f090908740bf8cae657f96f8c""#,
    )
    .unwrap();
    assert_eq!(verify(&credentials, "REGISTER", &Secret::Plain("密码:x".into())), Ok(()));
}
