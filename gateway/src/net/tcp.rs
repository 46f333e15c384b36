//! TCP for signalling: accepted and asked-for connections, one reader and one writer each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gateway_sip::{ConnectionId, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Arrival;

/// Messages waiting to be written to one peer; a peer that reads slower is cut off.
const WRITE_QUEUE: usize = 4096;
/// Messages written by one system call.
const WRITE_TURN: usize = 64;

/// Accepts connections until the switch is gone.
pub async fn listen(listener: TcpListener, ids: Arc<AtomicU64>, arrivals: mpsc::Sender<Arrival>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let connection = ConnectionId(ids.fetch_add(1, Ordering::Relaxed));
                tokio::spawn(serve(stream, remote, connection, arrivals.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: the next accept waits for one to come back.
                tracing::error!(%error, "A SIP connection could not be accepted.");
                tokio::task::yield_now().await;
            }
        }
        if arrivals.is_closed() {
            return;
        }
    }
}

/// Opens a connection that the endpoint asked for.
pub async fn connect(remote: SocketAddr, connection: ConnectionId, arrivals: mpsc::Sender<Arrival>) {
    match TcpStream::connect(remote).await {
        Ok(stream) => serve(stream, remote, connection, arrivals).await,
        Err(_) => drop(arrivals.send(Arrival::Closed { connection }).await),
    }
}

async fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    connection: ConnectionId,
    arrivals: mpsc::Sender<Arrival>,
) {
    let transport = Transport::Tcp;
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    carry(reader, writer, Ends { local, remote, transport }, connection, arrivals).await;
}

/// The two ends of a stream, and what it speaks.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// Theirs.
    pub remote: SocketAddr,
    /// What it speaks.
    pub transport: Transport,
}

/// Carries a stream's bytes, whatever they are wrapped in, until either side closes it.
pub async fn carry<R, W>(
    mut reader: R,
    mut writer: W,
    ends: Ends,
    connection: ConnectionId,
    arrivals: mpsc::Sender<Arrival>,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Ends { local, remote, transport } = ends;
    let (sender, mut outgoing) = mpsc::channel::<Vec<u8>>(WRITE_QUEUE);
    if arrivals.send(Arrival::Opened { connection, local, remote, transport, writer: sender }).await.is_err()
    {
        return;
    }
    // The writer ends when the switch drops its sender: that is how a connection is closed from our side.
    let writing = tokio::spawn(async move {
        let (mut messages, mut bytes) = (Vec::with_capacity(WRITE_TURN), Vec::new());
        while outgoing.recv_many(&mut messages, WRITE_TURN).await > 0 {
            bytes.clear();
            messages.drain(..).for_each(|message| bytes.extend_from_slice(&message));
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    });
    let mut buffer = vec![0u8; 16 * 1024];
    loop {
        let length = tokio::select! {
            read = reader.read(&mut buffer) => read.unwrap_or(0),
            () = arrivals.closed() => 0,
        };
        if length == 0 || writing.is_finished() {
            break;
        }
        let bytes = buffer[..length].to_vec();
        if arrivals.send(Arrival::Bytes { connection, came: Instant::now(), bytes }).await.is_err() {
            break;
        }
    }
    let _ = arrivals.send(Arrival::Closed { connection }).await;
    // Whoever still holds the sender may flush what is queued; the task ends with it.
    drop(writing);
}
