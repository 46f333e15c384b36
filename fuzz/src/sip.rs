//! Everything a carrier, a phone or a scanner may send on the signalling side.

use std::time::{Duration, Instant};

use gateway_sip::{
    AgentAccount, ConnectionId, Counts, Endpoint, EndpointConfig, Event, Input, LocalAddress, Transport,
    TrunkConfig,
    auth::{Challenge, Credentials, Secret},
    fields,
    framing::{Frame, Framer},
    identity::{self, IdentityHeaders, RawIdentity},
    message::Message,
    sdp::{Capabilities, Direction, LocalDescription, SdpError, SessionDescription},
};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// What was read, written and read again is written alike.
pub fn sip_message(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let written = message.to_bytes();
    let again = Message::parse(&written).expect("what we wrote is SIP");
    assert_eq!(again.to_bytes(), written);
    let _ =
        (message.via(), message.cseq(), message.from(), message.to(), message.to_tag(), message.call_id());
    for name in ["Via", "Contact", "Route", "Record-Route"] {
        assert!(message.list(name).count() <= fields::MAX_LIST * gateway_sip::message::MAX_FIELDS);
    }
}

/// The first byte says how long the pieces are; the frames must not depend on it.
pub fn sip_stream(bytes: &[u8]) {
    let Some((&piece, bytes)) = bytes.split_first() else { return };
    let frames = |piece: usize| {
        let mut framer = Framer::new(4_096);
        let mut out = Vec::new();
        for chunk in bytes.chunks(piece.max(1)) {
            framer.push(chunk);
            while let Some(frame) = framer.next() {
                if let Frame::Message(message) = &frame {
                    assert!(message.len() <= 4_096);
                }
                out.push(frame);
            }
        }
        out
    };
    assert_eq!(frames(usize::from(piece)), frames(bytes.len()));
}

/// A carrier, a phone, a stranger and a stream say it; the call that may come of it is answered, and after the
/// longest timer nothing is left.
pub fn sip_endpoint(bytes: &[u8]) {
    let mut endpoint = Endpoint::new(endpoint_config(), [7; 32]);
    let start = Instant::now();
    let local = "192.0.2.1:5060".parse().expect("an address");
    let mut now = start;
    for (step, remote) in ["198.51.100.7:5060", "203.0.113.20:5060", "233.252.0.9:5060"].iter().enumerate() {
        let remote = remote.parse().expect("an address");
        endpoint.handle_input(now, Input::Datagram { local, remote, bytes });
        let sent = serve(&mut endpoint, now);
        assert!(step < 2 || !sent, "a stranger is not answered");
    }
    let connection = ConnectionId(1);
    let remote = "198.51.100.7:40000".parse().expect("an address");
    let transport = Transport::Tcp;
    endpoint.handle_input(now, Input::StreamOpened { connection, transport, local, remote });
    for chunk in bytes.chunks(97) {
        endpoint.handle_input(now, Input::StreamBytes { connection, bytes: chunk });
    }
    serve(&mut endpoint, now);
    endpoint.handle_input(now, Input::StreamClosed { connection });
    let end = start + Duration::from_secs(4_000);
    while let Some(at) = endpoint.poll_timeout().filter(|at| *at <= end) {
        now = now.max(at);
        endpoint.handle_timeout(now);
        serve(&mut endpoint, now);
    }
    assert_eq!(endpoint.counts(), Counts::default());
}

/// Answers what rings; gives whether anything was sent. All we send is SIP without a fault.
fn serve(endpoint: &mut Endpoint, now: Instant) -> bool {
    let mut sent = false;
    loop {
        while let Some(transmit) = endpoint.poll_transmit() {
            sent = true;
            if transmit.bytes != b"\r\n" {
                let message = Message::parse(&transmit.bytes).expect("what we send is SIP");
                assert_eq!(message.defect, None);
            }
        }
        let Some(event) = endpoint.poll_event() else { return sent };
        if let Event::Incoming { call, .. } = event {
            endpoint.answer(now, call, SDP).expect("a call that has just come can be answered");
        }
        // No number, no name: `Debug` of an event is what the log may hold.
        let _ = format!("{event:?}");
    }
}

fn endpoint_config() -> EndpointConfig {
    let listen = "192.0.2.1:5060".parse().expect("an address");
    let local = |transport| LocalAddress { transport, listen, external: None };
    EndpointConfig {
        realm: "hotline.test".into(),
        local: vec![local(Transport::Udp), local(Transport::Tcp)],
        trunks: vec![TrunkConfig {
            name: "carrier".into(),
            from: vec!["198.51.100.0/24".parse().expect("a network")],
            ..TrunkConfig::default()
        }],
        agents: vec![AgentAccount::new("1001", Secret::Plain("secret".into()))],
        agent_networks: vec!["203.0.113.0/24".parse().expect("a network")],
        ..EndpointConfig::default()
    }
}

/// Both readers of URIs.
pub fn sip_uri(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(uri) = fields::SipUri::parse(&text) {
        let _ = (uri.parameter("transport"), uri.socket_address());
        assert!(!uri.host.is_empty());
    }
    if let Some(uri) = identity::Uri::parse(&text) {
        let _ = (uri.parameter("user"), uri.is_phone(), uri.headers_named("Reason").count());
    }
    let _ = (fields::host_and_port(&text), fields::Via::parse(&text), fields::CSeq::parse(&text));
    let _ = fields::escape_user(&text);
}

/// Both readers of addresses, and lists of them.
pub fn name_address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for member in fields::split_list(&text) {
        if let Some(address) = fields::NameAddress::parse(member) {
            let _ = (address.display_name(), address.parameter("tag"));
        }
        let _ = identity::UriIdentity::parse(member);
    }
    let quoted = fields::quote(&text);
    assert!(!quoted.contains(['\r', '\n']));
    if let Some(address) = fields::NameAddress::parse(&format!("{quoted} <sip:a@b>;tag=x")) {
        assert_eq!(address.parameter("tag"), Some("x"), "a quoted name hides nothing behind it");
    }
}

/// Challenges and credentials; what was read is written as it was.
pub fn digest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(read) = Credentials::parse(&text) {
        assert_eq!(Credentials::parse(&read.to_string()).as_ref(), Ok(&read));
        let _ = gateway_sip::auth::verify(&read, "REGISTER", &Secret::Plain("secret".into()));
    }
    if let Ok(read) = Challenge::parse(&text) {
        let secret = Secret::Plain("secret".into());
        let _ = gateway_sip::auth::answer(&read, "1001", &secret, "REGISTER", "sip:x", "c0ffee", 1);
    }
}

/// Who calls, over which line, why it was diverted.
pub fn identity(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let values: Vec<&str> = text.split('\n').take(8).collect();
    let headers = IdentityHeaders::read(&RawIdentity {
        asserted: &values,
        preferred: &values,
        from: values.first().copied(),
        privacy: &values,
        remote_party: &values,
    });
    let _ = (headers.best(true), headers.best(false), headers.presentation_restricted());
    let history = identity::read_history(&values, &headers.privacy);
    let diversion = identity::read_diversion(&values);
    assert!(history.len() <= identity::MAX_ENTRIES && diversion.len() <= identity::MAX_ENTRIES);
    let all = identity::diversions(&history, &diversion);
    assert_eq!(identity::first_diverting(&history, &diversion).as_ref(), all.first());
    let _ = (identity::q850_cause(&values), identity::read_reasons(&values));
}

/// A description is read, answered, offered after, and read as an answer to an offer of ours.
pub fn sdp(bytes: &[u8]) {
    let Ok(remote) = SessionDescription::parse(&String::from_utf8_lossy(bytes)) else { return };
    let written = remote.to_string();
    match SessionDescription::parse(&written) {
        Ok(again) => assert_eq!(again, remote),
        // Written with CRLF, what was read with LF may be longer than we read.
        Err(fault) => assert!(fault == SdpError::TooLong && written.len() > bytes.len(), "{fault:?}"),
    }
    for media in &remote.media {
        let _ = (remote.address_of(media), remote.direction_of(media));
    }
    let (address, capabilities) = ([192, 0, 2, 1].into(), Capabilities::default());
    let mut dialog = LocalDescription::new(4);
    if let Ok((text, agreed)) = dialog.answer(&remote, address, 20_000, Direction::SendRecv, &capabilities) {
        let ours = SessionDescription::parse(&text).expect("our own answer is readable");
        assert_eq!(ours.media.len(), remote.media.len());
        assert_eq!(ours.media.iter().filter(|line| line.port != 0).count(), 1);
        assert!(!(agreed.direction.sends() && agreed.remote_rtp.ip().is_unspecified()));
        let later = dialog.offer(address, 20_000, Direction::SendOnly, &capabilities);
        let later = SessionDescription::parse(&later).expect("our own offer is readable");
        assert_eq!(later.media.len(), remote.media.len());
    }
    let mut offering = LocalDescription::new(5);
    offering.offer(address, 20_000, Direction::SendRecv, &capabilities);
    let _ = offering.accept_answer(&remote);
}
