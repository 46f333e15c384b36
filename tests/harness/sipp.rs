//! A foreign caller: sipp with a scenario of its own and real RTP. Debian package `sip-tester`.
//!
//! sipp has no ear for "hang up now"; the scenario waits for a MESSAGE in its own call, which
//! [`Sipp::hang_up`] sends from beside. So a test decides by events, not by times, when the caller goes.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitStatus;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::{audio, eventually};

/// How the call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Answered; the caller goes when told.
    CallerHangsUp,
    /// Answered; the gateway ends it.
    GatewayHangsUp,
    /// Refused with this status.
    Refused(u16),
}

/// What the caller sends as sound.
#[derive(Clone, Copy, Debug)]
pub enum Sound<'a> {
    /// This, once, as A-law.
    Speech(&'a [i16]),
    /// Whatever it hears.
    Echo,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Its address on this machine.
    pub host: Ipv4Addr,
    /// First of its [`crate::ports::PHONE_PORTS`] ports.
    pub port: u16,
    /// The gateway.
    pub gateway: SocketAddr,
    /// The `From` header without its tag.
    pub from: &'a str,
    /// More header lines, such as `P-Asserted-Identity: …`.
    pub headers: &'a [&'a str],
    /// The dialled number.
    pub number: &'a str,
    /// Its sound.
    pub sound: Sound<'a>,
    /// How it goes.
    pub course: Course,
}

impl<'a> Call<'a> {
    /// A caller whose number the network asserts.
    pub fn new(port: u16, gateway: SocketAddr, from: &'a str, headers: &'a [&'a str]) -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST,
            port,
            gateway,
            from,
            headers,
            number: "12345",
            sound: Sound::Echo,
            course: Course::CallerHangsUp,
        }
    }

    /// From this address.
    #[must_use]
    pub fn host(mut self, host: Ipv4Addr) -> Self {
        self.host = host;
        self
    }

    /// With this course.
    #[must_use]
    pub fn course(mut self, course: Course) -> Self {
        self.course = course;
        self
    }

    /// With this sound.
    #[must_use]
    pub fn sound(mut self, sound: Sound<'a>) -> Self {
        self.sound = sound;
        self
    }
}

/// What a socket of sipp speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Datagrams: its SIP and RTP.
    Udp,
    /// A stream: what one sipp tells another.
    Tcp,
}

/// A running sipp.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    folder: TempDir,
    host: Ipv4Addr,
    port: u16,
}

/// The Call-ID of every call: a sipp makes one.
const CALL_ID: &str = "sipp-1";

impl Sipp {
    /// Starts the call.
    pub fn start(call: &Call<'_>) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let scenario = folder.path().join("scenario.xml");
        if let Sound::Speech(samples) = call.sound {
            std::fs::write(folder.path().join("speech.al"), audio::a_law(samples)).expect("a file of ours");
        }
        std::fs::write(&scenario, scenario_of(call, &folder)).expect("a file of ours");
        let mut command = Command::new("sipp");
        command
            .arg(call.gateway.to_string())
            .arg("-sf")
            .arg(&scenario)
            .args(["-m", "1", "-i", &call.host.to_string(), "-mi", &call.host.to_string()])
            .args(["-nostdin", "-cid_str", "sipp-%u"])
            .args(["-timeout", "120", "-timeout_error", "-trace_err", "-error_file", "errors.log"])
            .args(["-p", &call.port.to_string(), "-mp", &(call.port + 2).to_string()])
            .args(["-cp", &(call.port + 1).to_string()])
            .current_dir(folder.path());
        if matches!(call.sound, Sound::Echo) {
            command.arg("-rtp_echo");
        }
        Self { process: Process::start(command, "sip-tester"), folder, host: call.host, port: call.port }
    }

    /// Lets the caller hang up. Told again until it is gone: a datagram may come before sipp listens for it.
    pub fn hang_up(&self) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("any port of this machine");
        let own = socket.local_addr().expect("bound");
        let message = format!(
            "MESSAGE sip:caller@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKhangup\r\n\
             From: <sip:test@{own}>;tag=test\r\nTo: <sip:caller@127.0.0.1>\r\nCall-ID: {CALL_ID}\r\n\
             CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(message.as_bytes(), (self.host, self.port)).expect("loopback takes a datagram");
    }

    /// Waits until it listens: a call to it comes then, and not into the void.
    pub async fn listens(&mut self, protocol: Protocol, port: u16) {
        let table = if protocol == Protocol::Udp { "/proc/net/udp" } else { "/proc/net/tcp" };
        let end = format!(":{port:04X}");
        let process = &mut self.process;
        eventually("sipp to listen", async || {
            if let Some(status) = process.has_ended() {
                panic!("sipp ended with {status}:\n{}", process.output.tail(30));
            }
            let table = std::fs::read_to_string(table).expect("Linux has a list of sockets");
            let mut own = table.lines().filter_map(|line| line.split_whitespace().nth(1));
            own.any(|address| address.ends_with(&end)).then_some(())
        })
        .await;
    }

    /// Waits for sipp's end; panics unless the call went as the scenario says.
    pub async fn succeeded(mut self) {
        let status: ExitStatus = self.process.ended().await;
        let errors = std::fs::read_to_string(self.folder.path().join("errors.log")).unwrap_or_default();
        assert!(status.success(), "sipp: {status}\n{errors}\n{}", self.process.output.tail(30));
    }
}

/// A run of sipp with a scenario of its own making, or one given as text.
#[derive(Clone, Debug)]
pub struct Stock<'a> {
    /// First of its [`crate::ports::PHONE_PORTS`] ports.
    pub port: u16,
    /// The gateway.
    pub gateway: SocketAddr,
    /// The name of a scenario sipp brings along (`uac`), or the XML of one.
    pub scenario: &'a str,
    /// sipp's word for the transport: `u1`, `un`, `t1`, `tn`.
    pub transport: &'a str,
    /// How many calls.
    pub calls: u32,
    /// Calls a second.
    pub rate: u32,
    /// More arguments.
    pub arguments: &'a [&'a str],
}

impl Stock<'_> {
    /// Starts it; it ends when all calls have.
    pub fn start(&self) -> Sipp {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let mut command = Command::new("sipp");
        command.arg(self.gateway.to_string());
        if self.scenario.starts_with('<') {
            std::fs::write(folder.path().join("scenario.xml"), self.scenario).expect("a file of ours");
            command.args(["-sf", "scenario.xml"]);
        } else {
            command.args(["-sn", self.scenario]);
        }
        command
            .args(["-t", self.transport, "-m", &self.calls.to_string(), "-r", &self.rate.to_string()])
            .args(["-s", "12345", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", "-max_socket", "100"])
            .args(["-timeout", "120", "-timeout_error", "-trace_err", "-error_file", "errors.log"])
            .args(["-p", &self.port.to_string(), "-cp", &(self.port + 1).to_string()])
            .args(["-mp", &(self.port + 2).to_string()])
            .args(self.arguments)
            .current_dir(folder.path());
        Sipp {
            process: Process::start(command, "sip-tester"),
            folder,
            host: Ipv4Addr::LOCALHOST,
            port: self.port,
        }
    }
}

fn scenario_of(call: &Call<'_>, folder: &TempDir) -> String {
    let headers = call.headers.iter().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{line}");
        all
    });
    let number = call.number;
    let port = if matches!(call.sound, Sound::Echo) { "[media_port]" } else { "[rtpstream_audio_port]" };
    let dialog = |method: &str, sequence: u32| {
        format!(
            "{method} sip:{number}@[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             From: {};tag=[pid]s[call_number]\nTo: [$remote]\nCall-ID: [call_id]\nCSeq: {sequence} {method}\n\
             Max-Forwards: 70\nContent-Length: 0\n\n",
            call.from
        )
    };
    let invite = format!(
        "<send retrans=\"500\"><![CDATA[\nINVITE sip:{number}@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
         From: {};tag=[pid]s[call_number]\nTo: <sip:{number}@[remote_ip]>\nCall-ID: [call_id]\nCSeq: 1 INVITE\n\
         Contact: <sip:caller@[local_ip]:[local_port]>\nMax-Forwards: 70\n{headers}Content-Type: application/sdp\n\
         Content-Length: [len]\n\nv=0\no=- 1 1 IN IP4 [media_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n\
         m=audio {port} RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n\n]]></send>\n",
        call.from
    );
    let send = |text: String, retransmit: bool| {
        let retransmit = if retransmit { " retrans=\"500\"" } else { "" };
        format!("<send{retransmit}><![CDATA[\n{text}]]></send>\n")
    };
    let mut body =
        invite + "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\" optional=\"true\"/>\n";
    let remote =
        "<action><ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"remote\"/></action>";
    if let Course::Refused(status) = call.course {
        // The ACK of a refusal belongs to the transaction: the INVITE's branch (RFC 3261 section 17.1.1.3).
        let ack = dialog("ACK", 1).replace("[branch]", "[branch-4]");
        body += &format!("<recv response=\"{status}\">{remote}</recv>\n{}", send(ack, false));
    } else {
        body += &format!("<recv response=\"200\">{remote}</recv>\n{}", send(dialog("ACK", 1), false));
        if matches!(call.sound, Sound::Speech(_)) {
            let speech = folder.path().join("speech.al");
            body += &format!(
                "<nop><action><exec rtp_stream=\"{},1,8,PCMA/8000\"/></action></nop>\n",
                speech.display()
            );
        }
        body += match call.course {
            Course::CallerHangsUp => "<recv request=\"MESSAGE\"/>\n",
            _ => "<recv request=\"BYE\"/>\n",
        };
        body += &match call.course {
            // The wish to hang up may have been told twice, and the second time be read only now.
            Course::CallerHangsUp => {
                send(dialog("BYE", 2), true)
                    + "<recv request=\"MESSAGE\" optional=\"true\"/>\n<recv response=\"200\"/>\n"
            }
            _ => send(
                "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n"
                    .into(),
                false,
            ),
        };
    }
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"caller\">\n{body}</scenario>\n")
}
