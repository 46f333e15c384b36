//! WebSocket for signalling (RFC 7118): one message of the WebSocket is one SIP message.
//!
//! Only the path `/` and the subprotocol `sip` are served; with configured origins only pages of those may connect
//! (a browser says the truth about them).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_sip::{ConnectionId, Transport};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{Arrival, tcp, tls};

/// Messages waiting to be written to one peer; a peer that reads slower is cut off.
const WRITE_QUEUE: usize = 256;
/// The largest message; the endpoint's own limit is the same.
const MAX_MESSAGE: usize = 64 * 1024;

/// Accepts connections until the switch is gone.
pub async fn listen(
    listener: TcpListener,
    origins: Arc<Vec<String>>,
    ids: Arc<AtomicU64>,
    arrivals: mpsc::Sender<Arrival>,
) {
    while !arrivals.is_closed() {
        let Ok((stream, remote)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let connection = ConnectionId(ids.fetch_add(1, Ordering::Relaxed));
        let (arrivals, origins) = (arrivals.clone(), origins.clone());
        tokio::spawn(async move {
            let Ok(local) = stream.local_addr() else { return };
            let _ = stream.set_nodelay(true);
            let ends = tcp::Ends { local, remote, transport: Transport::Ws };
            serve(stream, ends, &origins, connection, arrivals).await;
        });
    }
}

/// Does the handshake and carries messages until either side closes.
pub async fn serve<S>(
    stream: S,
    ends: tcp::Ends,
    origins: &[String],
    connection: ConnectionId,
    arrivals: mpsc::Sender<Arrival>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tcp::Ends { local, remote, transport } = ends;
    let limits =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let check = |request: &Request, response: Response| check(request, response, origins);
    let shaken = accept_hdr_async_with_config(stream, check, Some(limits));
    let Ok(Ok(socket)) = tokio::time::timeout(tls::HANDSHAKE_LIMIT, shaken).await else {
        return refused(remote);
    };
    let (mut writer, mut reader) = socket.split();
    let (sender, mut outgoing) = mpsc::channel::<Vec<u8>>(WRITE_QUEUE);
    if arrivals.send(Arrival::Opened { connection, local, remote, transport, writer: sender }).await.is_err()
    {
        return;
    }
    // Ends when the switch drops its sender: that is how a connection is closed from our side.
    let mut writing = tokio::spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            let message = match String::from_utf8(bytes) {
                Ok(text) => Message::text(text),
                Err(error) => Message::binary(error.into_bytes()),
            };
            if writer.send(message).await.is_err() {
                return;
            }
        }
        let _ = writer.close().await;
    });
    loop {
        let message = tokio::select! {
            message = reader.next() => message,
            _ = &mut writing => None,
        };
        let bytes = match message {
            Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
            Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
            // The library answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
        };
        if arrivals.send(Arrival::Bytes { connection, came: std::time::Instant::now(), bytes }).await.is_err()
        {
            break;
        }
    }
    let _ = arrivals.send(Arrival::Closed { connection }).await;
}

/// Path, subprotocol (RFC 7118 section 4.1) and origin (RFC 6455 section 10.2).
#[expect(clippy::result_large_err, reason = "the library's type")]
fn check(request: &Request, mut response: Response, origins: &[String]) -> Result<Response, ErrorResponse> {
    let refuse = |status| {
        let mut response = ErrorResponse::new(None);
        *response.status_mut() = status;
        Err(response)
    };
    if request.uri().path() != "/" {
        return refuse(StatusCode::NOT_FOUND);
    }
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if !origins.is_empty() && !origin.is_some_and(|origin| origins.iter().any(|known| known == origin)) {
        return refuse(StatusCode::FORBIDDEN);
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let sip = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("sip"));
    if !sip {
        return refuse(StatusCode::BAD_REQUEST);
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
    Ok(response)
}

fn refused(remote: SocketAddr) {
    metrics::counter!("jiesu_sip_refused_total", "rule" => "websocket-handshake").increment(1);
    tracing::debug!(peer = %remote, "A WebSocket handshake failed.");
}
