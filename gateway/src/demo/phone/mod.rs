//! A small SIP phone over real sockets: it registers, calls, rings, speaks, listens and hangs up.
//!
//! It is the other end for the demonstration and for end-to-end tests, and so shares with the gateway only
//! digest, SDP and the jitter buffer: its messages and RTP packets are its own. UDP only; the server is its
//! next hop for everything, so Record-Route is not followed; a re-INVITE is answered 488.
//! All waiting is for events, with a limit.

mod call;
mod line;
mod rtp;
mod sound;
mod wire;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use gateway_sip::auth::{self, Challenge, Secret};
use rand::Rng as _;
use tokio::net::UdpSocket;
use tokio::sync::{Mutex, mpsc};

pub use call::{Dial, Dialling, PhoneCall, Ringing};
pub use sound::Heard;

use line::{Incoming, Line};
use wire::Message;

/// How long a registration is asked for, seconds.
const EXPIRES_S: u32 = 600;

/// Why the phone could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// No socket.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// Nothing came back, however often it was sent.
    #[error("the server does not answer")]
    NoAnswer,
    /// The final answer was not a 2xx.
    #[error("refused with {0}")]
    Refused(u16),
    /// What was waited for did not happen in time.
    #[error("waited in vain for {0}")]
    Late(&'static str),
    /// The other side hung up or gave up.
    #[error("the other side ended the call")]
    Ended,
    /// The other side sent something that cannot be used.
    #[error("cannot be used: {0}")]
    Broken(&'static str),
    /// The phone's own task is gone.
    #[error("the phone is closed")]
    Closed,
}

/// A phone. It works until it and its calls are dropped.
pub struct Phone {
    line: Line,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    account: Option<Account>,
}

struct Account {
    user: String,
    secret: Secret,
    call_id: String,
    cseq: u32,
}

impl Phone {
    /// A phone without an account, as a carrier's gateway is one.
    ///
    /// # Errors
    /// [`PhoneError::Socket`].
    pub async fn open(server: SocketAddr) -> Result<Self, PhoneError> {
        let address: IpAddr = match server.ip() {
            ip if ip.is_loopback() => ip,
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((address, 0)).await?;
        if address.is_unspecified() {
            // Connecting finds the address the server sees us under; it is what Via and SDP must say.
            let probe = UdpSocket::bind((address, 0)).await?;
            probe.connect(server).await?;
            drop(socket);
            let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0)).await?;
            return Self::start(socket, server);
        }
        Self::start(socket, server)
    }

    /// An agent's phone: opens and registers with digest. A plain secret answers the server's first choice;
    /// [`Secret::Ha1`] with one hash only forces that algorithm.
    ///
    /// # Errors
    /// [`PhoneError::Refused`] with the status for a wrong secret.
    pub async fn register(server: SocketAddr, user: &str, secret: Secret) -> Result<Self, PhoneError> {
        let mut phone = Self::open(server).await?;
        let call_id = format!("{}@{}", token(), phone.line.local.ip());
        phone.account = Some(Account { user: user.to_owned(), secret, call_id, cseq: 0 });
        phone.bind(EXPIRES_S).await?;
        Ok(phone)
    }

    /// Registers again.
    pub async fn refresh(&mut self) -> Result<(), PhoneError> {
        self.bind(EXPIRES_S).await
    }

    /// Takes the registration back; the phone can still call.
    pub async fn unregister(&mut self) -> Result<(), PhoneError> {
        self.bind(0).await
    }

    /// Where the phone listens for SIP.
    pub fn address(&self) -> SocketAddr {
        self.line.local
    }

    /// Dials, and returns as soon as the INVITE is sent.
    pub async fn dial(&self, dial: Dial) -> Result<Dialling, PhoneError> {
        Dialling::start(self.line.clone(), dial).await
    }

    /// Dials and waits for the answer.
    ///
    /// # Errors
    /// [`PhoneError::Refused`] with the status.
    pub async fn call(&self, dial: Dial, limit: Duration) -> Result<PhoneCall, PhoneError> {
        self.dial(dial).await?.answered(limit).await
    }

    /// Waits until a call rings here.
    pub async fn ringing(&self, limit: Duration) -> Result<Ringing, PhoneError> {
        let incoming = async { self.incoming.lock().await.recv().await };
        let incoming = within(limit, "a call to ring", incoming).await?.ok_or(PhoneError::Closed)?;
        Ok(Ringing::new(self.line.clone(), incoming))
    }

    fn start(socket: UdpSocket, server: SocketAddr) -> Result<Self, PhoneError> {
        let (line, incoming) = Line::start(socket, server)?;
        Ok(Self { line, incoming: Mutex::new(incoming), account: None })
    }

    async fn bind(&mut self, expires_s: u32) -> Result<(), PhoneError> {
        let line = self.line.clone();
        let account = self.account.as_mut().ok_or(PhoneError::Broken("a phone without an account"))?;
        let answer = line.transact(account.register(&line, expires_s, None)).await?;
        let answer = match answer.status() {
            Some(401) => {
                let offered: Vec<&str> = answer.values("WWW-Authenticate").collect();
                let challenge = Challenge::first_usable(&offered, &account.secret);
                let challenge = challenge.map_err(|_| PhoneError::Broken("the challenge"))?;
                line.transact(account.register(&line, expires_s, Some(&challenge))).await?
            }
            _ => answer,
        };
        match answer.status() {
            Some(200) => Ok(()),
            status => Err(PhoneError::Refused(status.unwrap_or_default())),
        }
    }
}

impl Account {
    fn register(&mut self, line: &Line, expires_s: u32, challenge: Option<&Challenge>) -> Message {
        self.cseq += 1;
        let uri = format!("sip:{}", line.server);
        let of_record = format!("<sip:{}@{}>", self.user, line.server);
        let request = Message::request("REGISTER", &uri)
            .with("Via", &format!("SIP/2.0/UDP {};rport;branch=z9hG4bK{}", line.local, token()))
            .with("Max-Forwards", "70")
            .with("From", &format!("{of_record};tag={}", line.tag))
            .with("To", &of_record)
            .with("Call-ID", &self.call_id)
            .with("CSeq", &format!("{} REGISTER", self.cseq))
            .with("Contact", &format!("<sip:{}@{}>", self.user, line.local))
            .with("Expires", &expires_s.to_string());
        let proof = challenge.and_then(|challenge| {
            auth::answer(challenge, &self.user, &self.secret, "REGISTER", &uri, &token(), 1).ok()
        });
        match proof {
            Some(proof) => request.with("Authorization", &proof.to_string()),
            None => request,
        }
    }
}

/// A random name for a branch, tag or Call-ID.
fn token() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}

async fn within<T>(
    limit: Duration,
    what: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, PhoneError> {
    tokio::time::timeout(limit, future).await.map_err(|_| PhoneError::Late(what))
}

#[cfg(test)]
mod tests;
