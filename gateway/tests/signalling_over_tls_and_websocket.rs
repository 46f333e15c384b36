//! TLS and WebSocket through real sockets: a certificate renewed under a connection, names that must fit, browsers'
//! handshakes.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Listen, SipTlsConfig, TrunkConfig};
use futures_util::{SinkExt as _, StreamExt as _};
use gateway::net::Arrival;
use gateway::net::tls::{self, Tls};
use gateway::settings;
use gateway::switch::{self, Secured, Sockets, Switch};
use gateway_sip::ConnectionId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

/// A gateway's switch on loopback, with certificates in a folder of its own.
struct Running {
    folder: tempfile::TempDir,
    config: Config,
    tls: Tls,
    addresses: Vec<Listen>,
    _switch: Switch,
}

impl Running {
    async fn start(origins: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::default();
        config.sip.listen = vec![Listen::Tls(any), Listen::Ws(any), Listen::Wss(any)];
        config.sip.tls = Some(SipTlsConfig {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
            client_ca: None,
            require_client: false,
        });
        config.trunks = vec![TrunkConfig {
            name: "loopback".into(),
            from: vec!["127.0.0.0/8".parse().unwrap()],
            ..TrunkConfig::default()
        }];
        install(folder.path(), "first");
        let tls = Tls::load(&config).unwrap();
        let sockets = Sockets::bind(&config.sip.listen).await.unwrap();
        let addresses = sockets.addresses();
        let endpoint = settings::endpoint_config(&config, &sockets);
        let origins = Arc::new(origins.iter().map(|origin| (*origin).to_owned()).collect());
        let secured = Secured { tls: tls.clone(), origins };
        let switch = switch::start(sockets, secured, endpoint, [7; 32]).unwrap().switch;
        Self { folder, config, tls, addresses, _switch: switch }
    }

    fn at(&self, index: usize) -> SocketAddr {
        self.addresses[index].address()
    }
}

fn install(folder: &Path, name: &str) {
    std::fs::copy(fixture(&format!("{name}.pem")), folder.join("certificate.pem")).unwrap();
    std::fs::copy(fixture(&format!("{name}.key")), folder.join("key.pem")).unwrap();
}

async fn tls_to(address: SocketAddr) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("gateway.example").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn certificate(name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap().to_vec()
}

fn options(transport: &str, branch: &str) -> String {
    format!(
        "OPTIONS sip:gateway.example SIP/2.0\r\nVia: SIP/2.0/{transport} df7jal23ls0d.invalid;branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:test@df7jal23ls0d.invalid>;tag=1\r\nTo: <sip:gateway.example>\r\nCall-ID: {branch}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Asks over a stream and reads until the answer's head is whole.
async fn ask(stream: &mut TlsStream<TcpStream>, branch: &str) -> String {
    stream.write_all(options("TLS", branch).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 4_096];
        let length =
            tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "closed before the answer");
        answer.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_the_next_and_cuts_nobody_off() {
    let running = Running::start(&[]).await;
    let mut before = tls_to(running.at(0)).await;
    assert_eq!(shown(&before), certificate("first"));
    let answer = ask(&mut before, "one").await;
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert!(answer.contains("transport=tls"), "{answer}");
    assert!(!running.tls.is_outdated());
    // The key that does not fit is not taken over.
    std::fs::copy(fixture("other.key"), running.folder.path().join("key.pem")).unwrap();
    assert!(running.tls.reload(&running.config).is_err());
    install(running.folder.path(), "renewed");
    running.tls.reload(&running.config).unwrap();
    assert!(ask(&mut before, "two").await.starts_with("SIP/2.0 200 "), "the old connection lives on");
    let mut after = tls_to(running.at(0)).await;
    assert_eq!(shown(&after), certificate("renewed"));
    assert!(ask(&mut after, "three").await.starts_with("SIP/2.0 200 "));
}

#[tokio::test]
async fn the_far_ends_name_must_stand_in_its_certificate() {
    let running = Running::start(&[]).await;
    let mut config = running.config.clone();
    config.trunks[0].tls.ca = Some(fixture("ca.pem"));
    let trusting = Tls::load(&config).unwrap();
    let strangers = Tls::load(&running.config).unwrap();
    for (tls, name, good) in [
        (&trusting, Some("gateway.example"), true),
        (&trusting, None, true), // its address stands there too
        (&trusting, Some("other.example"), false),
        (&strangers, Some("gateway.example"), false), // of no public authority
    ] {
        let (sender, mut arrivals) = mpsc::channel(8);
        let (name, trunk) = (name.map(str::to_owned), Some("loopback".to_owned()));
        let connection = ConnectionId(1 << 63);
        tokio::spawn(tls::connect(running.at(0), name.clone(), trunk, tls.clone(), connection, sender));
        let first = arrivals.recv().await.unwrap();
        assert_eq!(matches!(first, Arrival::Opened { .. }), good, "{name:?}: {first:?}");
        assert_eq!(matches!(first, Arrival::Closed { .. }), !good, "{name:?}: {first:?}");
    }
}

#[tokio::test]
async fn a_peer_that_is_no_tls_at_all_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SIP/2.0 200 OK\r\n\r\n").await.unwrap();
    });
    let tls = Tls::load(&Config::default()).unwrap();
    let (sender, mut arrivals) = mpsc::channel(8);
    tls::connect(address, None, None, tls, ConnectionId(1 << 63), sender).await;
    assert!(matches!(arrivals.recv().await, Some(Arrival::Closed { .. })));
}

async fn websocket<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    path: &str,
    protocol: Option<&str>,
    origin: Option<&str>,
) -> Result<WebSocketStream<S>, Error> {
    let mut request = format!("ws://gateway.example{path}").into_client_request().unwrap();
    for (name, value) in [("sec-websocket-protocol", protocol), ("origin", origin)] {
        if let Some(value) = value {
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
    }
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn asked<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    transport: &str,
) -> String {
    socket.send(Message::text(options(transport, "ws"))).await.unwrap();
    loop {
        match tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap().unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            other => assert!(other.is_ping() || other.is_pong(), "{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_browser_speaks_sip_over_websocket_with_and_without_tls() {
    let running = Running::start(&[]).await;
    let plain = TcpStream::connect(running.at(1)).await.unwrap();
    let mut socket = websocket(plain, "/", Some("sip"), None).await.unwrap();
    let answer = asked(&mut socket, "WS").await;
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("transport=ws"), "{answer}");
    // The keep-alive of RFC 5626 in a message of its own.
    socket.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("\r\n"));
    let mut socket = websocket(tls_to(running.at(2)).await, "/", Some("sip"), None).await.unwrap();
    assert!(asked(&mut socket, "WSS").await.starts_with("SIP/2.0 200 "));
}

#[tokio::test]
async fn other_paths_protocols_and_pages_are_refused() {
    let running = Running::start(&["https://desk.example"]).await;
    for (path, protocol, origin, status) in [
        ("/", Some("sip"), Some("https://desk.example"), None),
        ("/sip", Some("sip"), Some("https://desk.example"), Some(404)),
        ("/", None, Some("https://desk.example"), Some(400)),
        ("/", Some("xmpp"), Some("https://desk.example"), Some(400)),
        ("/", Some("sip"), Some("https://evil.example"), Some(403)),
        ("/", Some("sip"), None, Some(403)),
    ] {
        let stream = TcpStream::connect(running.at(1)).await.unwrap();
        let got = match websocket(stream, path, protocol, origin).await {
            Ok(_) => None,
            Err(Error::Http(response)) => Some(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(got, status, "{path} {protocol:?} {origin:?}");
    }
}
