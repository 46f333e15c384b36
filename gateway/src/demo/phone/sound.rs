//! The phone's ear and mouth: a task that sends a frame every 20 ms and keeps what it hears.
//!
//! Received sound goes through `gateway-media`'s jitter buffer. What is heard is told as figures in a
//! `watch`, so that whoever plays a part in a conversation waits for sound and not for a time to pass.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gateway_media::activity::{Activity, mean_square};
use gateway_media::{FRAME_DURATION, FRAME_SAMPLES, FrameKind, MediaConfig, Samples, Stream};
use gateway_sip::sdp;
use rand::Rng as _;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};

use super::PhoneError;
use super::rtp::{KEY_FRAMES, Packets, event_of};
use crate::calls::leg;

/// Orders that may wait.
const COMMANDS: usize = 32;
/// The longest sound kept: one hour; later sound is heard and not kept.
const KEPT_SAMPLES: usize = 3600 * 8000;
/// Sound below this, in dB of full scale, is not speech.
const SPEECH_FLOOR_DB: f32 = -40.0;
/// So much silence ends a stretch of speech.
const SPEECH_HANGOVER: Duration = Duration::from_millis(300);
/// Mean square above which a line is not dead: digital silence gives 64 in A-law, background noise 1 200.
const LINE_ENERGY: f32 = 400.0;
/// Loudness of the background noise, peak; -60 dB of full scale, below anything taken for speech.
const BACKGROUND_PEAK: i16 = 60;
/// Largest RTP packet.
const MAX_PACKET: usize = 2048;
/// Tries for a pair of ports.
const PORT_TRIES: usize = 64;

/// What was heard so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Time since the call was answered, milliseconds.
    pub elapsed_ms: u64,
    /// Time with more than digital silence on the line, milliseconds.
    pub sound_ms: u64,
    /// Whether somebody speaks now.
    pub speaking: bool,
    /// Time somebody spoke, milliseconds.
    pub speech_ms: u64,
    /// Time since the last speech, milliseconds.
    pub quiet_ms: u64,
    /// RTP packets that came.
    pub packets: u64,
}

enum Command {
    Play(Vec<i16>, oneshot::Sender<()>),
    Press(char, oneshot::Sender<()>),
    Background(bool),
}

/// The sockets of one RTP session; the RTCP port is held so that nobody else gets the reports.
pub struct Ports {
    rtp: UdpSocket,
    _rtcp: UdpSocket,
}

impl Ports {
    /// An even port and the one above, wherever two are free.
    pub async fn bind(address: std::net::IpAddr) -> std::io::Result<Self> {
        for _ in 0..PORT_TRIES {
            let rtp = UdpSocket::bind((address, 0)).await?;
            let port = rtp.local_addr()?.port();
            if port % 2 == 0
                && let Ok(rtcp) = UdpSocket::bind((address, port + 1)).await
            {
                return Ok(Self { rtp, _rtcp: rtcp });
            }
        }
        Err(std::io::Error::from(std::io::ErrorKind::AddrInUse))
    }

    /// Where RTP is received.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.rtp.local_addr()
    }
}

/// How a call speaks to the task, which ends when this is gone.
pub struct Sound {
    commands: mpsc::Sender<Command>,
    heard: watch::Receiver<Heard>,
    kept: Arc<Mutex<Vec<i16>>>,
}

impl Sound {
    /// Starts with what was agreed.
    pub fn start(ports: Ports, agreed: &sdp::Negotiated) -> Self {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (teller, heard) = watch::channel(Heard::default());
        let kept = Arc::new(Mutex::new(Vec::new()));
        let codec = leg::codec(agreed.codec);
        let keys = agreed.telephone_event.map(|types| types.send);
        let now = Instant::now();
        let task = Task {
            ports,
            remote: agreed.remote_rtp,
            stream: leg::stream(&MediaConfig::default(), agreed, None),
            packets: Packets::new(codec, agreed.payload_type.send, keys),
            doing: VecDeque::new(),
            background: false,
            now,
            activity: Activity::new(SPEECH_FLOOR_DB, SPEECH_HANGOVER, now),
            teller,
            kept: kept.clone(),
        };
        tokio::spawn(task.run(receiver));
        Self { commands, heard, kept }
    }

    /// Speaks; returns when the last frame is sent. What is played meanwhile follows after.
    pub async fn play(&self, samples: &[i16]) -> Result<(), PhoneError> {
        self.perform(|done| Command::Play(samples.to_vec(), done)).await
    }

    /// Presses a key.
    pub async fn press(&self, key: char) -> Result<(), PhoneError> {
        event_of(key).ok_or(PhoneError::Broken("no such key"))?;
        self.perform(|done| Command::Press(key, done)).await
    }

    /// The faint noise of an open microphone, or digital silence.
    pub async fn background(&self, on: bool) -> Result<(), PhoneError> {
        self.commands.send(Command::Background(on)).await.map_err(|_| PhoneError::Closed)
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        *self.heard.borrow()
    }

    /// Waits until something was heard.
    pub async fn until(&self, wanted: impl FnMut(&Heard) -> bool) -> Result<Heard, PhoneError> {
        self.heard.clone().wait_for(wanted).await.map(|heard| *heard).map_err(|_| PhoneError::Closed)
    }

    /// Every sample heard, 8 kHz, from the answer on.
    pub fn samples(&self) -> Vec<i16> {
        lock(&self.kept).clone()
    }

    async fn perform(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) -> Result<(), PhoneError> {
        let (done, played) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| PhoneError::Closed)?;
        played.await.map_err(|_| PhoneError::Closed)
    }
}

enum Doing {
    Talking { samples: Vec<i16>, at: usize, done: oneshot::Sender<()> },
    Pressing { key: char, frame: u16, done: oneshot::Sender<()> },
}

struct Task {
    ports: Ports,
    remote: SocketAddr,
    stream: Stream,
    packets: Packets,
    doing: VecDeque<Doing>,
    background: bool,
    /// Nominal time of the frame, 20 ms after the one before.
    now: Instant,
    activity: Activity,
    teller: watch::Sender<Heard>,
    kept: Arc<Mutex<Vec<i16>>>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        // A late tick is made up for: sound has a rate, and the clip must not become longer under load.
        let mut clock = tokio::time::interval(FRAME_DURATION);
        let mut buffer = [0; MAX_PACKET];
        loop {
            tokio::select! {
                _ = clock.tick() => {
                    self.hear();
                    self.speak();
                    self.now += FRAME_DURATION;
                }
                received = self.ports.rtp.recv_from(&mut buffer) => {
                    let Ok((length, remote)) = received else { continue };
                    let packet = buffer.get(..length).unwrap_or_default();
                    let used = self.stream.receive(Instant::now(), remote, packet).is_ok();
                    self.teller.send_if_modified(|heard| {
                        heard.packets += u64::from(used);
                        false
                    });
                }
                command = commands.recv() => match command {
                    Some(Command::Play(samples, done)) => {
                        self.doing.push_back(Doing::Talking { samples, at: 0, done });
                    }
                    Some(Command::Press(key, done)) => {
                        self.doing.push_back(Doing::Pressing { key, frame: 0, done });
                    }
                    Some(Command::Background(on)) => self.background = on,
                    None => return,
                },
            }
        }
    }

    fn hear(&mut self) {
        let frame = self.stream.poll_frame(self.now);
        {
            let mut kept = lock(&self.kept);
            if kept.len() < KEPT_SAMPLES {
                kept.extend_from_slice(&frame.samples);
            }
        }
        let change = self.activity.hear(self.now, &frame.samples);
        let quiet = self.activity.silent_for(self.now);
        let sounds = frame.kind == FrameKind::Voice && mean_square(&frame.samples) > LINE_ENERGY;
        let frame_ms = millis(FRAME_DURATION);
        self.teller.send_modify(|heard| {
            heard.elapsed_ms += frame_ms;
            heard.speaking = change.unwrap_or(heard.speaking);
            heard.speech_ms += if heard.speaking { frame_ms } else { 0 };
            heard.sound_ms += if sounds { frame_ms } else { 0 };
            heard.quiet_ms = millis(quiet);
        });
    }

    fn speak(&mut self) {
        let packets = match self.doing.front_mut() {
            Some(Doing::Pressing { key, frame, .. }) => {
                let packets = self.packets.key(*key, *frame);
                *frame += 1;
                packets
            }
            Some(Doing::Talking { samples, at, .. }) => {
                let mut out = background(self.background);
                let rest = samples.get(*at..).unwrap_or_default();
                for (to, from) in out.iter_mut().zip(rest) {
                    *to = to.saturating_add(*from);
                }
                *at += FRAME_SAMPLES;
                vec![self.packets.sound(&out)]
            }
            None => vec![self.packets.sound(&background(self.background))],
        };
        for packet in packets {
            // A packet the system does not take is a packet lost.
            let _ = self.ports.rtp.try_send_to(&packet, self.remote);
        }
        let over = self.doing.front().is_some_and(|doing| match doing {
            Doing::Talking { samples, at, .. } => *at >= samples.len(),
            Doing::Pressing { frame, .. } => *frame >= KEY_FRAMES,
        });
        if over
            && let Some(Doing::Talking { done, .. } | Doing::Pressing { done, .. }) = self.doing.pop_front()
        {
            let _ = done.send(());
        }
    }
}

fn background(on: bool) -> Samples {
    let mut samples = [0; FRAME_SAMPLES];
    if on {
        let mut random = rand::rng();
        samples.fill_with(|| random.random_range(-BACKGROUND_PEAK..=BACKGROUND_PEAK));
    }
    samples
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock(kept: &Mutex<Vec<i16>>) -> MutexGuard<'_, Vec<i16>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
