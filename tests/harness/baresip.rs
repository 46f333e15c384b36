//! A foreign SIP phone with real sound: baresip, driven through its control socket.
//!
//! It speaks a WAV file and writes what it hears into another. When its file is at its end it hangs up by
//! itself. Debian package `baresip-core`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::process::Process;
use crate::{PATIENCE, audio, eventually};

/// Events kept until a test looks at them; a phone in a test has some dozens.
const MAX_EVENTS: usize = 4096;
/// Longest message on the control socket.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Who a phone is.
#[derive(Clone, Debug)]
pub struct Phone<'a> {
    /// First of its [`crate::ports::PHONE_PORTS`] ports.
    pub port: u16,
    /// SIP user.
    pub user: &'a str,
    /// Digest password when it registers.
    pub password: Option<&'a str>,
    /// The gateway.
    pub server: SocketAddr,
    /// What it says, 8 kHz. It hangs up at the end.
    pub says: &'a [i16],
    /// How it reaches the gateway.
    pub line: Line<'a>,
}

/// A phone's way to the gateway: signalling and media.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line<'a> {
    /// The transport of its signalling.
    pub transport: Transport,
    /// The certificate authority it believes, PEM. Debian's baresip (1.0) takes any certificate all the same.
    pub authority: Option<&'a Path>,
    /// Whether its sound is encrypted.
    pub secrecy: Secrecy,
}

/// Whether a phone's sound is encrypted: SRTP, keys in the description (RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrecy {
    /// It is not.
    #[default]
    Plain,
    /// Where the far end has keys, too (`RTP/AVP` with keys, RFC 8643).
    Possible,
    /// No call without (`RTP/SAVP`).
    Demanded,
}

/// The transport of a phone's signalling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// One connection, opened by the phone.
    Tcp,
    /// The same, encrypted.
    Tls,
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// A running phone.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    folder: TempDir,
    control: OwnedWriteHalf,
    events: mpsc::Receiver<Value>,
}

impl Baresip {
    /// Starts it. It answers every call at once.
    pub async fn start(phone: Phone<'_>) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let path = folder.path();
        audio::write_wav(&path.join("says.wav"), phone.says);
        let control_address = SocketAddr::from((Ipv4Addr::LOCALHOST, phone.port + 4));
        let write = |name: &str, text: String| std::fs::write(path.join(name), text).expect("a file of ours");
        write("config", config(&phone, path, control_address));
        write("accounts", account(&phone));
        write("contacts", String::new());
        // Its trace is read while it runs, so each line must come at once (coreutils).
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "baresip", "-s", "-f"]).arg(path).env("HOME", path);
        let mut process = Process::start(command, "baresip-core");
        let stream = eventually("baresip's control socket", async || {
            if let Some(status) = process.has_ended() {
                panic!("baresip ended with {status}:\n{}", process.output.tail(30));
            }
            TcpStream::connect(control_address).await.ok()
        })
        .await;
        let (reader, control) = stream.into_split();
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        tokio::spawn(read_events(reader, sender));
        Self { process, folder, control, events }
    }

    /// Waits for an event of this type (`CALL_ESTABLISHED`, `CALL_CLOSED` …); earlier ones are passed over.
    pub async fn event(&mut self, kind: &str) -> Value {
        self.event_that(kind, |_| true).await
    }

    /// Waits for an event of this type that fits.
    pub async fn event_that(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let event = self.events.recv().await.expect("baresip is running");
                if event["type"] == kind && fits(&event) {
                    return event;
                }
            }
        });
        match found.await {
            Ok(event) => event,
            Err(_) => panic!("baresip had no {kind}:\n{}", self.process.output.tail(30)),
        }
    }

    /// Events that came so far and were not looked at.
    pub fn next_event(&mut self) -> Option<Value> {
        self.events.try_recv().ok()
    }

    /// Waits until it has sent so many milliseconds of sound in the present call (it counts every 5 s).
    pub async fn has_spoken_ms(&mut self, ms: u64) {
        self.event_that("CALL_RTCP", |event| event["rtcp_stats"]["tx"]["sent"].as_u64() >= Some(ms / 20))
            .await;
    }

    /// Waits until so many milliseconds of sound were sent to it in the present call, by the sender's own report.
    pub async fn was_told_ms(&mut self, ms: u64) {
        self.event_that("CALL_RTCP", |event| event["rtcp_stats"]["rx"]["sent"].as_u64() >= Some(ms / 20))
            .await;
    }

    /// Calls a number at the gateway.
    pub async fn dial(&mut self, number: &str, server: SocketAddr) {
        self.dial_over(Transport::Udp, number, server).await;
    }

    /// Calls a number at the gateway over this transport.
    pub async fn dial_over(&mut self, transport: Transport, number: &str, server: SocketAddr) {
        let transport = match transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        self.command("dial", &format!("sip:{number}@{server}{transport}")).await;
    }

    /// Hangs up.
    pub async fn hang_up(&mut self) {
        self.command("hangup", "").await;
    }

    /// Puts the call on hold: a re-INVITE with `sendonly` (RFC 3264 section 8.4).
    pub async fn hold(&mut self) {
        self.command("hold", "").await;
    }

    /// Takes it off hold.
    pub async fn resume(&mut self) {
        self.command("resume", "").await;
    }

    /// Hands the chosen call on: a REFER to this URI, as it is (RFC 3515).
    pub async fn transfer(&mut self, uri: &str) {
        self.command("transfer", uri).await;
    }

    /// Presses a key (RFC 4733).
    pub async fn press(&mut self, key: char) {
        self.command("sndcode", &key.to_string()).await;
    }

    async fn command(&mut self, command: &str, parameters: &str) {
        let message = json!({ "command": command, "params": parameters }).to_string();
        let framed = format!("{}:{message},", message.len());
        self.control.write_all(framed.as_bytes()).await.expect("baresip listens");
    }

    /// Makes this one of its calls, counted from 1, the one that further commands mean.
    pub async fn choose_call(&mut self, number: u32) {
        self.command("line", &number.to_string()).await;
    }

    /// The tags of a call this phone made and that was answered: its own, and the other side's.
    pub async fn tags(&self, call_id: &str) -> [String; 2] {
        eventually("the answer in the phone's trace", async || {
            let log = self.log();
            let is_it = |message: &&str| {
                message.contains("\nSIP/2.0 200 ")
                    && message.contains(call_id)
                    && message.contains(" INVITE\r\n")
            };
            // Each message of the trace begins with a line that ends in `#`.
            let answer = log.split("#\n").find(is_it)?;
            let tag = |name: &str| {
                let line = answer.lines().find(|line| line.starts_with(name))?;
                Some(line.split_once(";tag=")?.1.split(';').next()?.trim().to_owned())
            };
            Some([tag("From:")?, tag("To:")?])
        })
        .await
    }

    /// What it heard in its call, until it first held it: then its recording ends. Whole once the call is closed.
    pub async fn heard(&self) -> Vec<i16> {
        let path = eventually("baresip's recording", async || dump(self.folder.path())).await;
        audio::read_wav(&path).swap_remove(0)
    }

    /// Whether it has agreed on keys and encrypts.
    pub fn encrypts(&self) -> bool {
        self.log().contains("SRTP is Enabled")
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.process.output.text()
    }
}

fn dump(folder: &Path) -> Option<PathBuf> {
    let is_ours = |path: &PathBuf| path.to_string_lossy().ends_with("-dec.wav");
    let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(is_ours)
}

fn config(phone: &Phone<'_>, folder: &Path, control: SocketAddr) -> String {
    let folder = folder.display();
    let Phone { port, .. } = phone;
    let modules: String =
        ["g711", "aufile", "sndfile", "srtp"].map(|name| format!("module {name}.so\n")).concat();
    let authority =
        phone.line.authority.map_or(String::new(), |path| format!("sip_cafile {}\n", path.display()));
    format!(
        "poll_method epoll\nsip_listen 127.0.0.1:{port}\ncall_max_calls 2\n{authority}\
         audio_source aufile,{folder}/says.wav\nausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\n\
         auplay_channels 1\nrtp_ports {}-{}\nmodule_path {}\n{modules}module_tmp account.so\nmodule_app menu.so\n\
         module_app ctrl_tcp.so\nctrl_tcp_listen {control}\nsnd_path {folder}\n",
        port + 6,
        port + 17,
        modules_path(),
    )
}

/// Where Debian puts the modules, whatever the architecture.
fn modules_path() -> &'static str {
    let places = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    places.into_iter().find(|place| Path::new(place).is_dir()).unwrap_or(places[0])
}

fn account(phone: &Phone<'_>) -> String {
    let Phone { user, server, line, .. } = phone;
    let transport = line.transport.as_str();
    let encryption = match line.secrecy {
        Secrecy::Plain => "",
        Secrecy::Possible => ";mediaenc=srtp",
        Secrecy::Demanded => ";mediaenc=srtp-mand",
    };
    match phone.password {
        Some(password) => format!(
            "<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};answermode=auto;\
             regint=60;audio_codecs=PCMA{encryption}\n"
        ),
        None => format!(
            "<sip:{user}@{server};transport={transport}>;regint=0;answermode=auto;audio_codecs=PCMA{encryption}\n"
        ),
    }
}

/// Netstrings of JSON.
async fn read_events(mut reader: tokio::net::tcp::OwnedReadHalf, sender: mpsc::Sender<Value>) {
    let mut pending = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        pending.extend_from_slice(&buffer[..read]);
        while let Some((message, rest)) = netstring(&pending) {
            let event: Option<Value> = serde_json::from_slice(message).ok();
            let rest = rest.to_vec();
            if let Some(event) = event
                && sender.send(event).await.is_err()
            {
                return;
            }
            pending = rest;
        }
        assert!(pending.len() <= MAX_MESSAGE_BYTES, "baresip's control socket speaks netstrings");
    }
}

fn netstring(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let (message, rest) = bytes[colon + 1..].split_at_checked(length)?;
    Some((message, rest.strip_prefix(b",")?))
}
