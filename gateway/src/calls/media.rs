//! One call's media task: its RTP sockets, the 20 ms clock and the recorder around `CallMedia`.
//!
//! It runs beside the call's own task, so that nothing the call waits for (an fsync, a ringing phone) can
//! make the sound stutter.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gateway_media::{
    BridgeEvent, CallMedia, Leg, MediaConfig, Prompt, Role, Stream, StreamStats, TransmitKind,
};
use record::Uuid;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

use super::ports::PortPair;
use super::recording::Recorder;

/// Commands waiting for one call's media.
const COMMAND_QUEUE: usize = 64;
/// Events waiting for the call's task; media does not wait for it.
const EVENT_QUEUE: usize = 256;
/// Largest RTP packet that is read.
const MAX_PACKET_BYTES: usize = 2048;
/// Packets read from one socket before the clock is looked at again.
const TURN: usize = 32;

/// What the call wants done with its sound.
pub enum MediaCommand {
    /// Play to the caller instead of what plays now.
    Play {
        /// What.
        prompt: Prompt,
        /// Comes back when it has played to its end.
        id: u64,
        /// Over and over, until stopped.
        repeat: bool,
    },
    /// Be silent to the caller.
    StopPlaying,
    /// Begin the recording.
    StartRecording,
    /// End it.
    StopRecording,
    /// Count the caller's silence from now.
    Listen,
    /// The agent's leg: its sockets and stream.
    SetAgent {
        /// Our sockets towards the agent.
        ports: PortPair,
        /// The agent's RTP stream.
        stream: Box<Stream>,
    },
    /// The agent's leg is gone.
    DropAgent,
    /// Let both hear each other, or not.
    Bridge(bool),
    /// Send the caller their own sound back.
    Echo,
    /// Change a leg's stream after a re-INVITE.
    Change(Leg, StreamChange),
    /// End: goodbye by RTCP, last blocks to the recorder, then the figures.
    Finish(oneshot::Sender<Figures>),
}

/// What to do with a stream, inside the media task.
pub type StreamChange = Box<dyn FnOnce(&mut Stream, Instant) + Send>;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The caller's stream.
    pub caller: Option<StreamStats>,
    /// Ticks skipped because the process was too busy.
    pub skipped_ticks: u64,
}

/// What happened to the sound, or that the caller has been silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MediaEvent {
    /// From the bridge.
    Bridge(BridgeEvent),
    /// The caller has been silent for so long; told once a second while it lasts.
    CallerSilent(Duration),
}

/// The call's end of the media task.
pub struct MediaHandle {
    commands: mpsc::Sender<MediaCommand>,
    /// What happened.
    pub events: mpsc::Receiver<MediaEvent>,
}

impl MediaHandle {
    /// Hands a command over. A media task that ended takes none.
    pub async fn send(&self, command: MediaCommand) {
        let _ = self.commands.send(command).await;
    }

    /// Ends the media and waits for the last block to be with the recorder.
    pub async fn finish(&self) -> Figures {
        let (done, finished) = oneshot::channel();
        self.send(MediaCommand::Finish(done)).await;
        finished.await.unwrap_or_default()
    }
}

/// Starts a call's media with the caller's leg.
pub fn start(
    config: MediaConfig,
    ports: PortPair,
    stream: Stream,
    recorder: Recorder,
    record_id: Uuid,
    recording_path: PathBuf,
) -> MediaHandle {
    let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE);
    let (events, event_receiver) = mpsc::channel(EVENT_QUEUE);
    let mut media = CallMedia::new(config, Instant::now());
    // An empty room has room for the caller.
    let _ = media.set_leg(Leg::CALLER, Role::Caller, stream);
    let task = Task {
        media,
        caller: ports,
        agent: None,
        recorder,
        record_id,
        recording_path,
        events,
        listening: false,
        silence_told: Duration::ZERO,
    };
    tokio::spawn(task.run(command_receiver));
    MediaHandle { commands, events: event_receiver }
}

struct Task {
    media: CallMedia,
    caller: PortPair,
    agent: Option<PortPair>,
    recorder: Recorder,
    record_id: Uuid,
    recording_path: PathBuf,
    events: mpsc::Sender<MediaEvent>,
    listening: bool,
    silence_told: Duration,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<MediaCommand>) {
        let mut buffer = [0u8; MAX_PACKET_BYTES];
        loop {
            let tick = tokio::time::Instant::from_std(self.media.poll_timeout());
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(tick) => {
                    self.media.handle_timeout(Instant::now());
                    self.drain();
                    self.tell_silence();
                }
                (leg, received) = receive(&self.caller, self.agent.as_ref(), &mut buffer) => {
                    if let Ok((length, remote)) = received {
                        self.take(leg, remote, &buffer[..length]);
                    }
                    self.take_waiting(&mut buffer);
                    self.forward_events();
                }
                command = commands.recv() => match command {
                    Some(MediaCommand::Finish(done)) => return self.finish(done),
                    Some(command) => self.perform(command),
                    // The call's task is gone without a goodbye (it was aborted): end all the same.
                    None => return self.finish(oneshot::channel().0),
                },
            }
        }
    }

    fn take(&mut self, leg: Leg, remote: SocketAddr, packet: &[u8]) {
        if self.media.receive(Instant::now(), leg, remote, packet).is_err() {
            metrics::counter!("jiesu_rtp_refused_total").increment(1);
        }
    }

    /// Takes what else is waiting, so that a burst costs one wake-up.
    fn take_waiting(&mut self, buffer: &mut [u8]) {
        for _ in 0..TURN {
            let sockets = [
                (Leg::CALLER, Some(&self.caller.rtp)),
                (Leg::CALLER, Some(&self.caller.rtcp)),
                (Leg::AGENT, self.agent.as_ref().map(|pair| &pair.rtp)),
                (Leg::AGENT, self.agent.as_ref().map(|pair| &pair.rtcp)),
            ];
            let mut found = None;
            for (leg, socket) in sockets {
                if let Some(Ok((length, remote))) = socket.map(|socket| socket.try_recv_from(buffer)) {
                    found = Some((leg, length, remote));
                    break;
                }
            }
            match found {
                Some((leg, length, remote)) => self.take(leg, remote, &buffer[..length]),
                None => return,
            }
        }
    }

    fn perform(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Play { prompt, id, repeat } => {
                self.media.stop_playing(Leg::CALLER);
                // The queue was just emptied, so one prompt always fits.
                let _ = self.media.play(Leg::CALLER, prompt, id, repeat);
            }
            MediaCommand::StopPlaying => self.media.stop_playing(Leg::CALLER),
            MediaCommand::StartRecording => {
                if let Err(error) = self.media.start_recording() {
                    tracing::error!(%error, "A recording could not be started.");
                }
            }
            MediaCommand::StopRecording => self.media.stop_recording(),
            MediaCommand::Listen => {
                self.media.listen(Leg::CALLER, Instant::now());
                self.listening = true;
                self.silence_told = Duration::ZERO;
            }
            MediaCommand::SetAgent { ports, stream } => {
                // Two legs always fit.
                let _ = self.media.set_leg(Leg::AGENT, Role::Agent, *stream);
                self.agent = Some(ports);
            }
            MediaCommand::DropAgent => {
                self.media.drop_leg(Leg::AGENT);
                self.drain();
                self.agent = None;
            }
            MediaCommand::Bridge(bridged) => self.media.bridge(bridged),
            MediaCommand::Echo => self.media.echo(Leg::CALLER, true),
            MediaCommand::Change(leg, change) => {
                if let Some(stream) = self.media.stream_mut(leg) {
                    change(stream, Instant::now());
                }
            }
            MediaCommand::Finish(_) => {}
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(packet) = self.media.poll_transmit() {
            let pair = match packet.leg {
                Leg::CALLER => Some(&self.caller),
                _ => self.agent.as_ref(),
            };
            let Some(pair) = pair else { continue };
            let socket = match packet.kind {
                TransmitKind::Rtp => &pair.rtp,
                TransmitKind::Rtcp => &pair.rtcp,
            };
            // A full socket buffer or an unreachable peer loses a packet, as the network might.
            let _ = socket.try_send_to(packet.bytes, packet.remote);
        }
        while let Some(block) = self.media.poll_recording() {
            self.recorder.append(self.record_id, &self.recording_path, block);
        }
        self.forward_events();
    }

    fn forward_events(&mut self) {
        while let Some(event) = self.media.poll_event() {
            if let BridgeEvent::VoiceActivity { leg: Leg::CALLER, .. } = event {
                self.silence_told = Duration::ZERO;
            }
            // The call's task reads these between its own steps; one that does not is about to end.
            let _ = self.events.try_send(MediaEvent::Bridge(event));
        }
    }

    /// Told in whole seconds, so that the call's task can decide when silence is long enough.
    fn tell_silence(&mut self) {
        if !self.listening {
            return;
        }
        let Some(silent) = self.media.silent_for(Leg::CALLER, Instant::now()) else { return };
        if silent >= self.silence_told + Duration::from_secs(1) {
            self.silence_told = silent;
            let _ = self.events.try_send(MediaEvent::CallerSilent(silent));
        }
    }

    fn finish(mut self, done: oneshot::Sender<Figures>) {
        let figures =
            Figures { caller: self.media.stats(Leg::CALLER), skipped_ticks: self.media.skipped_ticks() };
        self.media.hang_up(Instant::now());
        self.drain();
        if figures.skipped_ticks > 0 {
            metrics::counter!("jiesu_media_skipped_ticks_total").increment(figures.skipped_ticks);
        }
        let _ = done.send(figures);
    }
}

async fn receive(
    caller: &PortPair,
    agent: Option<&PortPair>,
    buffer: &mut [u8],
) -> (Leg, std::io::Result<(usize, SocketAddr)>) {
    // Waits until one is readable, then reads that one: four readers cannot share one buffer.
    let ready = async |socket: Option<&UdpSocket>| match socket {
        Some(socket) => socket.readable().await.map(|()| socket.local_addr()),
        None => std::future::pending().await,
    };
    let (leg, socket) = tokio::select! {
        _ = ready(Some(&caller.rtp)) => (Leg::CALLER, &caller.rtp),
        _ = ready(Some(&caller.rtcp)) => (Leg::CALLER, &caller.rtcp),
        _ = ready(agent.map(|pair| &pair.rtp)) => (Leg::AGENT, agent.map_or(&caller.rtp, |pair| &pair.rtp)),
        _ = ready(agent.map(|pair| &pair.rtcp)) => (Leg::AGENT, agent.map_or(&caller.rtp, |pair| &pair.rtcp)),
    };
    (leg, socket.try_recv_from(buffer))
}
