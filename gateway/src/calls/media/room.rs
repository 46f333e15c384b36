//! One call's sound: its sockets, its recording and `CallMedia` between them, run once every 20 ms.
//!
//! A turn reads what arrived, lets `CallMedia` do its tick and sends what came of it. Nothing here waits, and
//! in the steady state nothing is allocated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gateway_media::{
    BridgeEvent, CallMedia, Leg, MediaConfig, Recorder, Role, Stream, StreamStats, TransmitKind,
};

use super::arrival::Moment;
use super::command::{Figures, MediaCommand, MediaEvent, Told};
use super::rhythm::Rhythm;
use super::sockets::Datagrams;
use crate::calls::ports::PortPair;
use crate::calls::recording::Track;

/// RTCP is read every so many turns (half a second): it comes every five seconds, and bears the kernel's
/// time stamp.
const TURNS_PER_REPORT: u64 = 25;

/// After so many packets sent to where the far end sends from, the socket is connected to it.
const STEADY_PACKETS: u32 = 50;
/// After so many turns without a packet it is disconnected: the far end may have moved.
const QUIET_TURNS: u32 = 10;
/// Streams that ended before the call, whose figures are kept: the last of so many transfers.
const ENDED_STREAMS: usize = 16;

/// What a room begins with.
pub struct Setup {
    /// For the whole call.
    pub config: MediaConfig,
    /// Our sockets towards the caller.
    pub ports: PortPair,
    /// The caller's RTP stream.
    pub stream: Stream,
    /// Where the recording goes.
    pub track: Track,
}

/// The room.
pub struct Room {
    media: CallMedia,
    /// By leg; a handful at most, so that looking is faster than any table.
    lines: Vec<Line>,
    track: Track,
    told: Told,
    ended: Vec<(Leg, StreamStats)>,
    turns: u64,
    listening: bool,
    silence_told: Duration,
}

/// The sockets of one leg, and when each was last read.
struct Line {
    leg: Leg,
    ports: PortPair,
    rtp_read: Instant,
    rtcp_read: Instant,
    rhythm: Rhythm,
    /// Where the last sound of use came from.
    heard_from: Option<SocketAddr>,
    /// Packets sent there in a row.
    steady: u32,
    /// Turns without a packet.
    quiet: u32,
}

impl Room {
    /// A room whose first tick is due at `first`.
    pub fn new(setup: Setup, told: Told, first: Instant) -> Self {
        let mut media = CallMedia::new(setup.config, first);
        // An empty room has room for the caller.
        let _ = media.set_leg(Leg::CALLER, Role::Caller, setup.stream);
        Self {
            media,
            lines: vec![Line::new(Leg::CALLER, setup.ports)],
            track: setup.track,
            told,
            ended: Vec::new(),
            turns: 0,
            listening: false,
            silence_told: Duration::ZERO,
        }
    }

    /// First part of a turn: takes what arrived.
    pub fn receive(&mut self, moment: Moment, datagrams: &mut Datagrams) {
        self.turns += 1;
        self.read(moment, datagrams, self.turns.is_multiple_of(TURNS_PER_REPORT));
    }

    /// Second part: hears, mixes, records and speaks.
    pub fn tick(&mut self, now: Instant) {
        self.media.handle_timeout(now);
    }

    /// Third part: what is to be sent leaves.
    pub fn send(&mut self, datagrams: &mut Datagrams) {
        while let Some(packet) = self.media.poll_transmit() {
            let Some(line) = self.lines.iter_mut().find(|line| line.leg == packet.leg) else { continue };
            match packet.kind {
                TransmitKind::Rtp => line.send(packet.remote, packet.bytes, datagrams),
                TransmitKind::Rtcp => datagrams.send(line.ports.rtcp(), packet.remote, packet.bytes),
            }
        }
    }

    /// Last part: the recording and the news go where they are wanted. False when the call is gone without a
    /// goodbye and the room has ended.
    pub fn end_turn(&mut self, now: Instant, datagrams: &mut Datagrams) -> bool {
        self.tell();
        self.tell_silence(now);
        if self.turns.is_multiple_of(TURNS_PER_REPORT) && self.told.is_closed() {
            self.finish(datagrams);
            return false;
        }
        true
    }

    /// Follows a command. `Finish` is the engine's.
    pub fn perform(&mut self, command: MediaCommand, datagrams: &mut Datagrams) {
        let media = &mut self.media;
        match command {
            MediaCommand::SetLeg { leg, role, ports, stream } => self.set_leg(leg, role, ports, *stream),
            MediaCommand::DropLeg(leg) => {
                self.note_ended(leg);
                self.media.drop_leg(leg);
                self.drain(datagrams);
                self.lines.retain(|line| line.leg != leg);
            }
            // A leg may have gone while its command was on the way: there is nothing to do then.
            MediaCommand::SetRole(leg, role) => drop(media.set_role(leg, role)),
            MediaCommand::Hold(leg, held) => media.hold(leg, held),
            MediaCommand::SetHoldMusic(music) => media.set_hold_music(music),
            MediaCommand::Bridge(bridged) => media.bridge(bridged),
            MediaCommand::Echo(leg, echo) => media.echo(leg, echo),
            MediaCommand::KeepSending(leg, keep_sending) => media.keep_sending(leg, keep_sending),
            MediaCommand::Play { leg, prompt, id, repeat } => {
                media.stop_playing(leg);
                // The queue was just emptied, so one prompt always fits.
                let _ = media.play(leg, prompt, id, repeat);
            }
            MediaCommand::PlayOver { leg, tone } => drop(media.play_over(leg, tone)),
            MediaCommand::StopPlaying(leg) => media.stop_playing(leg),
            MediaCommand::StartRecording => match media.start_recording() {
                Ok(()) => self.track.begin(),
                Err(error) => tracing::error!(%error, "A recording could not be started."),
            },
            MediaCommand::PauseRecording(reason) => drop(media.pause_recording(reason)),
            MediaCommand::ResumeRecording => drop(media.resume_recording()),
            MediaCommand::StopRecording => media.stop_recording(),
            MediaCommand::Listen => {
                media.listen(Leg::CALLER, Instant::now());
                self.listening = true;
                self.silence_told = Duration::ZERO;
            }
            MediaCommand::Change(leg, change) => {
                if let Some(stream) = media.stream_mut(leg) {
                    change(stream, Instant::now());
                }
            }
            MediaCommand::Measure(done) => drop(done.send(self.figures())),
            MediaCommand::Finish(_) => {}
        }
        self.drain(datagrams);
    }

    /// Says goodbye and hands the last block to the recorder.
    pub fn finish(&mut self, datagrams: &mut Datagrams) -> Figures {
        // What came since the last turn may be a digit.
        self.read(Moment::present(), datagrams, true);
        let figures = self.figures();
        self.media.hang_up(Instant::now());
        self.drain(datagrams);
        if figures.skipped_ticks > 0 {
            metrics::counter!("jiesu_media_skipped_ticks_total").increment(figures.skipped_ticks);
        }
        figures
    }

    fn set_leg(&mut self, leg: Leg, role: Role, ports: PortPair, stream: Stream) {
        self.note_ended(leg);
        match self.media.set_leg(leg, role, stream) {
            Ok(()) => {
                self.lines.retain(|line| line.leg != leg);
                self.lines.push(Line::new(leg, ports));
            }
            Err(error) => tracing::error!(%error, "A leg could not be let into its call."),
        }
    }

    fn note_ended(&mut self, leg: Leg) {
        if let Some(stats) = self.media.stats(leg) {
            if self.ended.len() == ENDED_STREAMS {
                self.ended.remove(0);
            }
            self.ended.push((leg, stats));
        }
    }

    fn figures(&self) -> Figures {
        let running = self.lines.iter().filter_map(|line| Some((line.leg, self.media.stats(line.leg)?)));
        Figures {
            streams: self.ended.iter().copied().chain(running).collect(),
            recorded: self.media.recorder().map(Recorder::duration),
            pauses: self.media.recorder().map(|recorder| recorder.pauses().to_vec()).unwrap_or_default(),
            skipped_ticks: self.media.skipped_ticks(),
        }
    }

    fn read(&mut self, moment: Moment, datagrams: &mut Datagrams, with_reports: bool) {
        for line in &mut self.lines {
            line.receive(moment, &mut self.media, datagrams, with_reports);
        }
    }

    fn drain(&mut self, datagrams: &mut Datagrams) {
        self.send(datagrams);
        self.tell();
    }

    fn tell(&mut self) {
        while let Some(block) = self.media.poll_recording() {
            self.track.append(block);
        }
        if let Some(recorder) = self.media.recorder().filter(|recorder| recorder.is_finished()) {
            self.track.reach(recorder.position());
        }
        self.told.retry();
        while let Some(event) = self.media.poll_event() {
            if let BridgeEvent::VoiceActivity { leg: Leg::CALLER, .. } = event {
                self.silence_told = Duration::ZERO;
            }
            self.told.tell(MediaEvent::Bridge(event));
        }
    }

    /// Told in whole seconds, so that the call's task can decide when silence is long enough.
    fn tell_silence(&mut self, now: Instant) {
        if !self.listening {
            return;
        }
        let Some(silent) = self.media.silent_for(Leg::CALLER, now) else { return };
        if silent >= self.silence_told + Duration::from_secs(1) {
            self.silence_told = silent;
            self.told.tell(MediaEvent::CallerSilent(silent));
        }
    }
}

impl Line {
    fn new(leg: Leg, ports: PortPair) -> Self {
        let now = Instant::now();
        Self {
            leg,
            ports,
            rtp_read: now,
            rtcp_read: now,
            rhythm: Rhythm::new(now),
            heard_from: None,
            steady: 0,
            quiet: 0,
        }
    }

    fn receive(
        &mut self,
        moment: Moment,
        media: &mut CallMedia,
        datagrams: &mut Datagrams,
        with_reports: bool,
    ) {
        let Self { leg, ports, rhythm, heard_from, quiet, .. } = self;
        let (rtp, rtcp, guard) = ports.listening();
        *quiet += 1;
        datagrams.receive(rtp, moment, self.rtp_read, rhythm, |traffic, arrived, source, packet| {
            *quiet = 0;
            if !guard.admits(arrived, source, packet) {
                traffic.stale += 1;
            } else if media.receive(arrived, *leg, source, packet).is_err() {
                traffic.refused += 1;
            } else {
                *heard_from = Some(source);
            }
        });
        self.rtp_read = moment.now;
        if with_reports {
            let rhythm = &mut Rhythm::new(moment.now);
            datagrams.receive(rtcp, moment, self.rtcp_read, rhythm, |traffic, arrived, source, packet| {
                traffic.refused += u64::from(media.receive(arrived, *leg, source, packet).is_err());
            });
            self.rtcp_read = moment.now;
        }
        if *quiet >= QUIET_TURNS && ports.connected().is_some() {
            ports.disconnect();
            (self.heard_from, self.steady) = (None, 0);
        }
    }

    /// Sends sound. To a far end that sends from where it listens, as nearly all do, through a connected socket:
    /// a fifth cheaper.
    fn send(&mut self, remote: SocketAddr, bytes: &[u8], datagrams: &mut Datagrams) {
        match self.ports.connected() {
            Some(connected) if connected == remote => {
                return datagrams.send_connected(self.ports.rtp(), bytes);
            }
            Some(_) => self.ports.disconnect(),
            None => {}
        }
        datagrams.send(self.ports.rtp(), remote, bytes);
        self.steady = if self.heard_from == Some(remote) { self.steady.saturating_add(1) } else { 0 };
        if self.steady == STEADY_PACKETS {
            self.ports.connect(remote);
        }
    }
}
