//! One endpoint on virtual time, spoken to in plain text; everything it sends is read back as messages.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use gateway_sip::{
    AgentAccount, ConnectionId, Counts, Endpoint, EndpointConfig, Event, Input, LocalAddress, Path,
    Transport, TrunkConfig, auth::Secret, message::Message,
};

pub const HERE: &str = "192.0.2.1:5060";
pub const CARRIER: &str = "198.51.100.7:5060";
pub const PHONE: &str = "203.0.113.20:40123";
pub const STRANGER: &str = "233.252.0.9:5060";
pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn config() -> EndpointConfig {
    EndpointConfig {
        user_agent: "jiesu-test".into(),
        realm: "hotline.test".into(),
        local: vec![
            LocalAddress {
                transport: Transport::Udp,
                listen: address(HERE),
                external: Some("gw.test:5060".into()),
            },
            LocalAddress {
                transport: Transport::Tcp,
                listen: address(HERE),
                external: Some("gw.test:5060".into()),
            },
        ],
        trunks: vec![TrunkConfig {
            name: "carrier".into(),
            from: vec!["198.51.100.0/24".parse().unwrap()],
            symmetric: false,
            ..TrunkConfig::default()
        }],
        agents: vec![AgentAccount::new("1001", Secret::Plain("secret".into()))],
        agent_networks: vec!["203.0.113.0/24".parse().unwrap()],
        ..EndpointConfig::default()
    }
}

pub struct Sent {
    pub at: Duration,
    pub path: Path,
    pub message: Message,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn status(&self) -> u16 {
        self.message.status().unwrap_or_default()
    }
    pub fn method(&self) -> &str {
        self.message.method().map_or("", |method| method.as_str())
    }
    pub fn header(&self, name: &'static str) -> &str {
        self.message.value(name).unwrap_or("(missing)")
    }
}

pub struct Rig {
    pub endpoint: Endpoint,
    pub start: Instant,
    pub now: Instant,
    sent: Vec<Sent>,
    events: Vec<Event>,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: EndpointConfig) -> Self {
        let start = Instant::now();
        Self {
            endpoint: Endpoint::new(config, [3; 32]),
            start,
            now: start,
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    pub fn udp(&mut self, from: &str, text: &str) {
        self.udp_bytes(from, text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
    }

    pub fn udp_bytes(&mut self, from: &str, bytes: &[u8]) {
        self.endpoint
            .handle_input(self.now, Input::Datagram { local: address(HERE), remote: address(from), bytes });
        self.collect();
    }

    pub fn open(&mut self, connection: u64, from: &str) {
        self.open_as(connection, from, Transport::Tcp);
    }

    pub fn open_as(&mut self, connection: u64, from: &str, transport: Transport) {
        let input = Input::StreamOpened {
            connection: ConnectionId(connection),
            local: address(HERE),
            remote: address(from),
            transport,
        };
        self.endpoint.handle_input(self.now, input);
        self.collect();
    }

    pub fn tcp(&mut self, connection: u64, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let input = Input::StreamBytes { connection: ConnectionId(connection), bytes: text.as_bytes() };
        self.endpoint.handle_input(self.now, input);
        self.collect();
    }

    pub fn close(&mut self, connection: u64) {
        self.endpoint.handle_input(self.now, Input::StreamClosed { connection: ConnectionId(connection) });
        self.collect();
    }

    /// Takes out what the endpoint made; called after each step, and after commands.
    pub fn collect(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let message = Message::parse(&transmit.bytes).unwrap_or_else(|_| Message::response(0));
            assert_eq!(message.defect, None, "we sent something malformed");
            self.sent.push(Sent {
                at: self.now - self.start,
                path: transmit.path,
                message,
                bytes: transmit.bytes,
            });
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }

    /// Lets time pass, firing each timer at its own moment.
    pub fn advance(&mut self, by: Duration) {
        self.collect();
        let until = self.now + by;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.collect();
        }
        self.now = until;
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    pub fn sent(&mut self) -> Vec<Sent> {
        self.collect();
        std::mem::take(&mut self.sent)
    }

    /// The statuses and methods sent since the last look.
    pub fn said(&mut self) -> Vec<String> {
        self.sent()
            .iter()
            .map(|sent| if sent.status() > 0 { sent.status().to_string() } else { sent.method().to_owned() })
            .collect()
    }

    /// The one message sent with that status.
    pub fn one(&mut self, status: u16) -> Sent {
        let mut all: Vec<Sent> = self.sent().into_iter().filter(|sent| sent.status() == status).collect();
        assert_eq!(all.len(), 1, "wanted exactly one {status}");
        all.remove(0)
    }

    /// The one request sent with that method.
    pub fn one_request(&mut self, method: &str) -> Sent {
        let mut all: Vec<Sent> = self.sent().into_iter().filter(|sent| sent.method() == method).collect();
        assert_eq!(all.len(), 1, "wanted exactly one {method}");
        all.remove(0)
    }

    pub fn events(&mut self) -> Vec<Event> {
        self.collect();
        std::mem::take(&mut self.events)
    }

    /// The events as short text.
    pub fn heard(&mut self) -> Vec<String> {
        self.events().iter().map(|event| format!("{event:?}")).collect()
    }

    /// The handle of the one new call.
    pub fn incoming(&mut self) -> gateway_sip::CallHandle {
        let calls: Vec<_> = self
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Incoming { call, .. } => Some(call),
                _ => None,
            })
            .collect();
        assert_eq!(calls.len(), 1, "wanted exactly one new call");
        calls[0]
    }

    /// After all timers nothing may be left.
    pub fn assert_nothing_left(&mut self) {
        self.seconds(700);
        assert_eq!(self.endpoint.counts(), Counts::default());
    }
}

/// A request from the carrier. `call` names the dialog, `branch` the transaction.
pub struct Ask<'a> {
    pub method: &'a str,
    pub branch: &'a str,
    pub call: &'a str,
    pub cseq: u32,
    pub to_tag: &'a str,
    pub extra: &'a str,
    pub body: &'a str,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self { method: "INVITE", branch: "b1", call: "c1", cseq: 1, to_tag: "", extra: "", body: "" }
    }
}

impl Ask<'_> {
    pub fn text(&self) -> String {
        self.over("UDP")
    }

    pub fn over(&self, transport: &str) -> String {
        let Self { method, branch, call, cseq, to_tag, extra, body } = self;
        let cseq_method = method;
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
        let contact = if *method == "INVITE" || *method == "UPDATE" {
            "Contact: <sip:198.51.100.7:5060>\n"
        } else {
            ""
        };
        let length = body.len();
        format!(
            "{method} sip:12345@gw.test SIP/2.0\nVia: SIP/2.0/{transport} 198.51.100.7:5060;branch=z9hG4bK{branch}\nMax-Forwards: 70\n\
             From: <sip:13900000000@carrier.test>;tag=f{call}\nTo: <sip:12345@gw.test>{tag}\nCall-ID: {call}@carrier.test\n\
             CSeq: {cseq} {cseq_method}\n{contact}{extra}{kind}Content-Length: {length}\n\n{body}"
        )
    }
}

/// The tag in a To header.
pub fn to_tag(sent: &Sent) -> String {
    sent.message.to_tag().unwrap_or_default().to_owned()
}

/// A call answered and acknowledged; gives its handle and our tag.
pub fn confirmed(rig: &mut Rig) -> (gateway_sip::CallHandle, String) {
    rig.udp(CARRIER, &Ask { body: SDP, ..Ask::default() }.text());
    let call = rig.incoming();
    rig.endpoint.answer(rig.now, call, SDP).unwrap();
    let tag = to_tag(&rig.one(200));
    rig.udp(CARRIER, &Ask { method: "ACK", branch: "ack1", to_tag: &tag, ..Ask::default() }.text());
    assert_eq!(rig.heard(), [format!("Confirmed({}, sdp: false)", call.as_u64())]);
    assert!(rig.sent().is_empty());
    (call, tag)
}

/// A REGISTER with credentials for what `challenge` (a 401) asked.
pub fn register(challenge: Option<&Sent>, cseq: u32, nonce_count: u32, extra: &str) -> String {
    let authorization = challenge.map_or(String::new(), |sent| {
        let values: Vec<&str> = sent.message.values("WWW-Authenticate").collect();
        let secret = Secret::Plain("secret".into());
        let asked = gateway_sip::auth::Challenge::first_usable(&values, &secret).unwrap();
        let answer = gateway_sip::auth::answer(
            &asked,
            "1001",
            &secret,
            "REGISTER",
            "sip:hotline.test",
            "c0ffee",
            nonce_count,
        )
        .unwrap();
        format!("Authorization: {answer}\n")
    });
    format!(
        "REGISTER sip:hotline.test SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKr{cseq};rport\nMax-Forwards: 70\n\
         From: <sip:1001@hotline.test>;tag=reg\nTo: <sip:1001@hotline.test>\nCall-ID: reg1\nCSeq: {cseq} REGISTER\n\
         {authorization}{extra}Content-Length: 0\n\n"
    )
}

pub const CONTACT: &str = "Contact: <sip:1001@10.0.0.5:5060>\n";

/// A rig with agent 1001's phone registered.
pub fn with_phone() -> Rig {
    let mut rig = Rig::new();
    rig.udp(PHONE, &register(None, 1, 0, CONTACT));
    let challenge = rig.one(401);
    rig.udp(PHONE, &register(Some(&challenge), 2, 1, CONTACT));
    assert_eq!(rig.said(), ["200"]);
    assert_eq!(rig.heard(), ["Registered(300 s, new: true)"]);
    rig
}
