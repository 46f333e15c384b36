//! Agents' phones: challenge, proof, refresh, expiry, replay.

use gateway_sip::{
    AgentAccount, EndpointConfig, Path,
    auth::{Algorithm, Secret},
};

use crate::rig::*;

#[test]
fn two_challenges_sha256_first_and_no_memory_for_the_asker() {
    let mut rig = Rig::new();
    for cseq in 1..200 {
        rig.udp(PHONE, &register(None, cseq, 0, CONTACT));
    }
    let sent = rig.sent();
    let asked: Vec<&str> = sent[0].message.values("WWW-Authenticate").collect();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].contains("algorithm=SHA-256") && asked[1].contains("algorithm=MD5"), "{asked:?}");
    assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
}

#[test]
fn a_phone_that_stumbles_over_a_second_algorithm_is_offered_md5_alone() {
    let mut rig = Rig::new();
    let agent = format!("{CONTACT}User-Agent: baresip v1.0.0 (x86_64/linux)\n");
    rig.udp(PHONE, &register(None, 1, 0, &agent));
    let challenge = rig.one(401);
    let asked: Vec<&str> = challenge.message.values("WWW-Authenticate").collect();
    assert!(asked.len() == 1 && asked[0].contains("algorithm=MD5"), "{asked:?}");
    rig.udp(PHONE, &register(Some(&challenge), 2, 1, &agent));
    assert_eq!(rig.said(), ["200"]);
}

#[test]
fn an_algorithm_the_configuration_leaves_out_is_neither_offered_nor_accepted() {
    let mut lenient = Rig::new();
    lenient.udp(PHONE, &register(None, 1, 0, &format!("{CONTACT}User-Agent: baresip v1.0.0\n")));
    let md5 = lenient.one(401);
    let mut strict = Rig::with(EndpointConfig { digest: vec![Algorithm::Sha256], ..config() });
    strict.udp(PHONE, &register(None, 1, 0, CONTACT));
    let asked = strict.one(401);
    assert_eq!(asked.message.values("WWW-Authenticate").count(), 1);
    // The same nonce key, so only the algorithm is wrong.
    strict.udp(PHONE, &register(Some(&md5), 2, 1, CONTACT));
    assert_eq!(strict.said(), ["403"]);
    strict.udp(PHONE, &register(Some(&asked), 3, 1, CONTACT));
    assert_eq!(strict.said(), ["200"]);
}

#[test]
fn a_phone_registers_is_seen_where_it_is_and_expires() {
    let mut rig = with_phone();
    let binding =
        rig.endpoint.bindings().next().map(|binding| (binding.user.to_owned(), binding.path)).unwrap();
    assert_eq!(binding, ("1001".to_owned(), Path::Udp { local: address(HERE), remote: address(PHONE) }));
    rig.seconds(299);
    assert_eq!(rig.endpoint.bindings().count(), 1);
    rig.seconds(2);
    assert_eq!(rig.heard(), ["Unregistered"]);
    assert_eq!(rig.endpoint.bindings().count(), 0);
    rig.assert_nothing_left();
}

fn challenged(rig: &mut Rig, cseq: u32) -> Sent {
    rig.udp(PHONE, &register(None, cseq, 0, CONTACT));
    rig.one(401)
}

#[test]
fn a_refresh_moves_the_expiry_and_counts_up() {
    let mut rig = Rig::new();
    let challenge = challenged(&mut rig, 1);
    for (cseq, count) in [(2, 1), (3, 2), (4, 3)] {
        rig.udp(PHONE, &register(Some(&challenge), cseq, count, CONTACT));
        let sent = rig.one(200);
        assert_eq!(sent.header("Contact"), "<sip:1001@10.0.0.5:5060>;expires=300");
        rig.seconds(60);
    }
    assert_eq!(
        rig.heard(),
        ["Registered(300 s, new: true)", "Registered(300 s, new: false)", "Registered(300 s, new: false)"]
    );
    rig.seconds(235);
    assert_eq!(rig.endpoint.bindings().count(), 1);
}

#[test]
fn a_count_used_twice_is_challenged_as_stale() {
    let mut rig = with_phone();
    rig.udp(PHONE, &register(None, 3, 0, CONTACT));
    let challenge = rig.one(401);
    rig.udp(PHONE, &register(Some(&challenge), 4, 1, CONTACT));
    assert_eq!(rig.said(), ["200"]);
    rig.udp(PHONE, &register(Some(&challenge), 5, 1, CONTACT));
    assert!(rig.one(401).header("WWW-Authenticate").contains("stale=true"));
    // A repeat of the REGISTER itself is no replay: the transaction answers it.
    rig.udp(PHONE, &register(Some(&challenge), 4, 1, CONTACT));
    assert_eq!(rig.said(), ["200"]);
}

#[test]
fn an_old_nonce_is_stale_and_a_forged_one_is_not() {
    let mut rig = Rig::new();
    let challenge = challenged(&mut rig, 1);
    rig.seconds(301);
    rig.udp(PHONE, &register(Some(&challenge), 2, 1, CONTACT));
    assert!(rig.one(401).header("WWW-Authenticate").contains("stale=true"));
    let challenge = challenged(&mut rig, 3);
    let nonce = challenge
        .header("WWW-Authenticate")
        .split("nonce=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    rig.udp(
        PHONE,
        &register(Some(&challenge), 4, 1, CONTACT).replace(&nonce, &nonce.replace(['1', '2', '3'], "4")),
    );
    assert!(!rig.one(401).header("WWW-Authenticate").contains("stale"));
}

#[test]
fn a_wrong_secret_and_an_unknown_user_get_the_same_403() {
    let mut settings = config();
    settings.agents = vec![AgentAccount::new("1001", Secret::Plain("other".into()))];
    let mut rig = Rig::with(settings);
    let challenge = challenged(&mut rig, 1);
    rig.udp(PHONE, &register(Some(&challenge), 2, 1, CONTACT));
    assert_eq!(rig.said(), ["403"]);
    rig.endpoint.set_agents(Vec::new());
    rig.udp(PHONE, &register(Some(&challenge), 3, 1, CONTACT));
    assert_eq!(rig.said(), ["403"]);
    assert_eq!(rig.heard(), vec![format!("Refused({PHONE}, register-bad-credentials)"); 2]);
    assert_eq!(rig.endpoint.counts(), gateway_sip::Counts::default());
}

#[test]
fn nobody_registers_for_someone_else() {
    let mut rig = Rig::new();
    let challenge = challenged(&mut rig, 1);
    let text = register(Some(&challenge), 2, 1, CONTACT).replace("To: <sip:1001@", "To: <sip:1002@");
    rig.udp(PHONE, &text);
    assert_eq!(rig.said(), ["403"]);
}

#[test]
fn expiry_too_short_is_423_and_too_long_is_cut() {
    let mut rig = Rig::new();
    let challenge = challenged(&mut rig, 1);
    rig.udp(PHONE, &register(Some(&challenge), 2, 1, "Contact: <sip:1001@10.0.0.5>;expires=5\n"));
    assert_eq!(rig.one(423).header("Min-Expires"), "30");
    rig.udp(
        PHONE,
        &register(Some(&challenge), 3, 2, "Contact: <sip:1001@10.0.0.5>\nExpires: 999999999999\n"),
    );
    assert_eq!(rig.one(200).header("Contact"), "<sip:1001@10.0.0.5>;expires=3600");
}

#[test]
fn leaving_by_star_by_zero_and_by_a_new_configuration() {
    for farewell in ["Contact: *\nExpires: 0\n", "Contact: <sip:1001@10.0.0.5:5060>;expires=0\n"] {
        let mut rig = with_phone();
        let challenge = challenged(&mut rig, 3);
        rig.udp(PHONE, &register(Some(&challenge), 4, 1, farewell));
        assert_eq!(rig.one(200).header("Contact"), "(missing)");
        assert_eq!(rig.heard(), ["Unregistered"]);
        rig.assert_nothing_left();
    }
    let mut rig = with_phone();
    let challenge = challenged(&mut rig, 3);
    rig.udp(PHONE, &register(Some(&challenge), 4, 1, "Contact: *\n"));
    assert_eq!(rig.said(), ["400"]);
    rig.endpoint.set_agents(config().agents);
    assert!(rig.heard().is_empty(), "the same account stays");
    rig.endpoint.set_agents(vec![AgentAccount::new("1001", Secret::Plain("changed".into()))]);
    assert_eq!(rig.heard(), ["Unregistered"]);
}

#[test]
fn the_newest_phone_wins_and_a_late_register_changes_nothing() {
    let mut rig = with_phone();
    let challenge = challenged(&mut rig, 3);
    rig.udp("203.0.113.21:5062", &register(Some(&challenge), 4, 1, "Contact: <sip:1001@10.0.0.6:5062>\n"));
    assert_eq!(rig.one(200).header("Contact"), "<sip:1001@10.0.0.6:5062>;expires=300");
    crate::timers::invite(&mut rig);
    let request = rig.sent().remove(0);
    assert_eq!(request.path, Path::Udp { local: address(HERE), remote: address("203.0.113.21:5062") });
    rig.udp(
        PHONE,
        &register(Some(&challenge), 3, 2, "Contact: <sip:1001@10.0.0.6:5062>\n").replace("bKr3", "bKlate"),
    );
    assert!(rig.said().contains(&"500".to_owned()), "RFC 3261 §10.3 step 7");
}
