use super::*;
use gateway_sip::auth::{Algorithm, Credentials, challenges, verify};

const LIMIT: Duration = Duration::from_secs(20);

/// Two phones, each the other's server.
async fn pair() -> (Phone, Phone) {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let (left, right) = (bind().await.unwrap(), bind().await.unwrap());
    let (left_at, right_at) = (left.local_addr().unwrap(), right.local_addr().unwrap());
    (Phone::start(left, right_at).unwrap(), Phone::start(right, left_at).unwrap())
}

/// A second of a tone that no silence could be taken for.
fn tone() -> Vec<i16> {
    (0..8000).map(|i| if i / 10 % 2 == 0 { 8000 } else { -8000 }).collect()
}

#[tokio::test]
async fn two_phones_talk_and_either_side_ends_the_call() {
    let (left, right) = pair().await;
    for left_hangs_up in [true, false] {
        let mut dialling = left.dial(Dial::to("12345").from("13900000001")).await.unwrap();
        let ringing = right.ringing(LIMIT).await.unwrap();
        assert_eq!(dialling.progress(LIMIT).await.unwrap(), 180);
        assert_eq!(ringing.from_user(), "13900000001");
        assert_eq!(ringing.header("P-Asserted-Identity"), Some("<sip:13900000001@carrier.example>"));
        let (mut a, b) = tokio::join!(dialling.answered(LIMIT), ringing.answer());
        let mut b = b.unwrap();
        let a = a.as_mut().unwrap();
        assert_eq!(a.call_id(), b.call_id());

        a.background(true).await.unwrap();
        let open = b.until("an open line", LIMIT, |heard| heard.sound_ms >= 60).await.unwrap();
        assert_eq!(open.speech_ms, 0, "background noise is no speech");
        let tone = tone();
        let spoken = async { tokio::try_join!(a.play(&tone), b.play(&tone)) };
        spoken.await.unwrap();
        for call in [&*a, &b] {
            let heard =
                call.until("the tone and its end", LIMIT, |h| h.speech_ms >= 700 && h.quiet_ms >= 400);
            assert!(heard.await.unwrap().packets > 40);
            assert!(call.samples().iter().filter(|sample| sample.abs() > 6000).count() > 6000);
        }
        if left_hangs_up {
            a.hang_up().await.unwrap();
            b.ended(LIMIT).await.unwrap();
        } else {
            b.hang_up().await.unwrap();
            a.ended(LIMIT).await.unwrap();
            assert!(matches!(a.hang_up().await, Err(PhoneError::Ended)));
        }
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_caller_with_its_status() {
    let (left, right) = pair().await;
    let dialling = left.dial(Dial::to("12345")).await.unwrap();
    let ringing = right.ringing(LIMIT).await.unwrap();
    assert_eq!(ringing.from_user(), "anonymous");
    ringing.refuse(603).await.unwrap();
    assert!(matches!(dialling.answered(LIMIT).await, Err(PhoneError::Refused(603))));
}

#[tokio::test]
async fn a_caller_who_gives_up_silences_the_phone() {
    let (left, right) = pair().await;
    let dialling = left.dial(Dial::to("12345")).await.unwrap();
    let mut ringing = right.ringing(LIMIT).await.unwrap();
    assert_eq!(dialling.cancel(LIMIT).await.unwrap(), 487);
    ringing.cancelled(LIMIT).await.unwrap();
    assert!(matches!(ringing.answer().await, Err(PhoneError::Ended)));
}

/// A registrar that loses the first datagram, challenges, and checks the proof with `verify`.
async fn registrar(socket: UdpSocket, password: &str) -> Message {
    let mut buffer = [0; 4096];
    let mut next = async |socket: &UdpSocket| {
        let (length, remote) = socket.recv_from(&mut buffer).await.unwrap();
        (Message::parse(&buffer[..length]).unwrap(), remote)
    };
    let (lost, _) = next(&socket).await;
    let (first, remote) = next(&socket).await;
    assert!(lost == first, "a repeat is the same message");
    let mut challenge = Message::response(&first, 401, "Unauthorized", "t");
    for value in challenges(&[Algorithm::Sha256, Algorithm::Md5], "jiesu", "n0nce", false) {
        challenge = challenge.with("WWW-Authenticate", &value);
    }
    socket.send_to(&challenge.to_bytes(), remote).await.unwrap();
    let (second, remote) = next(&socket).await;
    let proof = Credentials::parse(second.value("Authorization").unwrap()).unwrap();
    let proved = verify(&proof, "REGISTER", &Secret::Plain(password.to_owned()));
    let (status, reason) = if proved.is_ok() { (200, "OK") } else { (403, "Forbidden") };
    socket.send_to(&Message::response(&second, status, reason, "t").to_bytes(), remote).await.unwrap();
    second
}

#[tokio::test]
async fn a_lost_registration_is_repeated_and_proved_with_either_hash() {
    let md5 = auth::ha1_hex(auth::Algorithm::Md5, "1001", "jiesu", "right");
    let only_md5 = Secret::Ha1 { md5: Some(md5), sha256: None };
    for (secret, algorithm) in [(Secret::Plain("right".into()), "SHA-256"), (only_md5, "MD5")] {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = socket.local_addr().unwrap();
        let (phone, request) =
            tokio::join!(Phone::register(server, "1001", secret), registrar(socket, "right"));
        let contact = format!("<sip:1001@{}>", phone.unwrap().address());
        assert_eq!(request.value("Contact"), Some(contact.as_str()));
        let proof = request.value("Authorization").unwrap();
        assert!(proof.contains(&format!("algorithm={algorithm}")), "{algorithm}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = socket.local_addr().unwrap();
    let secret = Secret::Plain("wrong".into());
    let (phone, _) = tokio::join!(Phone::register(server, "1001", secret), registrar(socket, "right"));
    assert!(matches!(phone.err(), Some(PhoneError::Refused(403))));
}
