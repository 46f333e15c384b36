//! One leg's bidirectional RTP: datagrams in and out, one frame each way every 20 ms.
//!
//! The stream decides which packets belong to it (keys, address, payload type, source, sequence) and hands
//! sound to `jitter.rs`, digits to `dtmf.rs`, reports to `report.rs`. It owns no timer: whoever calls
//! [`Stream::poll_frame`] or [`Stream::poll_payload`] every 20 ms thereby also runs its timeouts.
//!
//! Two legs of one codec that nobody mixes need no transcoding: `poll_payload` on one, [`Stream::forward`] on
//! the other; whoever records besides asks for [`Stream::samples`].

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::{
    Codec, JitterConfig, LatchPolicy, MediaConfig, RtpError, StreamStats,
    codec::opus,
    config::InBandDigits,
    dtmf::{Digit, DigitFilter, DigitReceiver, DigitSource},
    frame::{Frame, FrameKind, SILENCE, Samples, duration_of},
    inband::ToneDetector,
    jitter::{Arrived, JitterBuffer},
    keys::{KeyFrame, KeySender},
    latch::Latch,
    noise,
    outgoing::TransmitKind,
    quality::{self, Impairments},
    reception::{Arrival, Reception},
    report::Reports,
    rtcp::{self, Rtcp},
    rtp::{self, Packet},
    sender::Sender,
    srtp::{Srtp, SrtpKeys},
};

/// Comfort noise ([RFC 3389](https://www.rfc-editor.org/rfc/rfc3389)).
const COMFORT_NOISE: u8 = 13;
/// Events kept for the caller; beyond, new ones are dropped.
const MAX_EVENTS: usize = 64;
/// After this many samples of a running digit without news, sound is let through again.
const DIGIT_GUARD: u32 = 1_200;

/// What a stream must know: negotiated by SDP, chosen at random, or configured.
#[derive(Debug, Clone)]
pub struct StreamConfig {
    /// Codec of what we send, and of `payload_type_receive`.
    pub codec: Codec,
    /// Payload type the far end expects for it.
    pub payload_type_send: u8,
    /// Payload type we expect. The static types 0 and 8 are understood besides, because a far end may
    /// change between offered codecs at any packet.
    pub payload_type_receive: u8,
    /// Payload type of RFC 4733 events towards us, if negotiated.
    pub telephone_event_receive: Option<u8>,
    /// Payload type of RFC 4733 events from us, if negotiated.
    pub telephone_event_send: Option<u8>,
    /// Ticks per second in which events tell their length.
    pub telephone_event_clock: u32,
    /// Both ends know comfort noise (payload type 13). It is understood in any case, sent only then.
    pub comfort_noise: bool,
    /// Length of packets we send, in milliseconds; 20 to 60.
    pub packet_length_ms: u32,
    /// What the far end asks of our Opus.
    pub opus: opus::Wishes,
    /// Keys, if both legs' sound is encrypted.
    pub srtp: Option<SrtpKeys>,
    /// RTP and RTCP share one port.
    pub rtcp_mux: bool,
    /// Where SDP says the far end listens.
    pub remote: SocketAddr,
    /// Where it listens for RTCP: `a=rtcp`, or the same port under `a=rtcp-mux`; none means the next port.
    pub remote_rtcp: Option<SocketAddr>,
    /// The host the far end's signalling comes from. Its packets are welcome as well: a phone with several
    /// addresses may name one in its SDP and send from another.
    pub signalling: Option<IpAddr>,
    /// Random name of our sending.
    pub ssrc: u32,
    /// Random.
    pub first_sequence: u16,
    /// Random.
    pub first_timestamp: u32,
    /// Canonical name for RTCP: random, never a citizen's number.
    pub cname: String,
    /// Time since 1970 when the stream is made, for sender reports.
    pub wall_clock: Duration,
    /// From [`MediaConfig`].
    pub jitter: JitterConfig,
    /// From [`MediaConfig`].
    pub latch: LatchPolicy,
    /// From [`MediaConfig`].
    pub receive_timeout: Duration,
    /// From [`MediaConfig`].
    pub initial_timeout: Duration,
    /// From [`MediaConfig`].
    pub in_band_digits: InBandDigits,
    /// From [`MediaConfig`].
    pub rtcp_interval: Duration,
}

impl StreamConfig {
    /// A configuration with static payload types, no telephone events and all random values zero; the
    /// caller fills in the rest.
    #[must_use]
    pub fn new(media: &MediaConfig, codec: Codec, remote: SocketAddr) -> Self {
        Self {
            codec,
            payload_type_send: codec.usual_payload_type(),
            payload_type_receive: codec.usual_payload_type(),
            telephone_event_receive: None,
            telephone_event_send: None,
            telephone_event_clock: 8_000 * codec.ticks_per_sample(),
            comfort_noise: false,
            packet_length_ms: 20,
            opus: opus::Wishes::default(),
            srtp: None,
            rtcp_mux: false,
            remote,
            remote_rtcp: None,
            signalling: None,
            ssrc: 0,
            first_sequence: 0,
            first_timestamp: 0,
            cname: String::new(),
            wall_clock: Duration::ZERO,
            jitter: media.jitter.clone(),
            latch: media.latch,
            receive_timeout: media.receive_timeout,
            initial_timeout: media.initial_timeout,
            in_band_digits: media.in_band_digits,
            rtcp_interval: media.rtcp_interval,
        }
    }
}

/// The direction of a media line, from our side ([RFC 3264](https://www.rfc-editor.org/rfc/rfc3264) 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A conversation.
    SendReceive,
    /// We hold the far end.
    SendOnly,
    /// The far end holds us.
    ReceiveOnly,
    /// Both hold.
    Inactive,
}

impl Direction {
    fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }
}

/// What one tick received, as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// How it is coded.
    pub codec: Codec,
    /// Exactly 20 ms of sound.
    pub bytes: &'a [u8],
}

impl std::fmt::Debug for Payload<'_> {
    /// It is somebody's voice: only how much.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Payload")
            .field("codec", &self.codec)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// What a re-INVITE may change about a running stream.
#[derive(Debug, Clone)]
pub struct StreamFormat {
    /// As in [`StreamConfig`].
    pub codec: Codec,
    /// As in [`StreamConfig`].
    pub payload_type_send: u8,
    /// As in [`StreamConfig`].
    pub payload_type_receive: u8,
    /// As in [`StreamConfig`].
    pub telephone_event_receive: Option<u8>,
    /// As in [`StreamConfig`].
    pub telephone_event_send: Option<u8>,
    /// As in [`StreamConfig`].
    pub telephone_event_clock: u32,
    /// As in [`StreamConfig`].
    pub comfort_noise: bool,
    /// As in [`StreamConfig`].
    pub packet_length_ms: u32,
    /// As in [`StreamConfig`].
    pub opus: opus::Wishes,
    /// As in [`StreamConfig`]. A key that stays keeps its counters.
    pub srtp: Option<SrtpKeys>,
    /// As in [`StreamConfig`].
    pub rtcp_mux: bool,
}

/// What a stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEvent {
    /// A key was pressed and released.
    Digit(Digit),
    /// No RTP for the configured time; told once.
    ReceiveTimeout,
    /// RTP again after a timeout.
    ReceiveResumed,
    /// The far end sends from another source now (transfer or failover behind the trunk).
    SourceChanged,
    /// The far end said goodbye by RTCP; signalling should follow.
    Bye,
}

struct Source {
    ssrc: u32,
    reception: Reception,
}

/// Longest payload taken, in bytes: 160 ms of G.711, more than any Opus packet of voice.
const MAX_PAYLOAD: usize = 1_280;
/// Opus packets this short say "silence goes on" (RFC 6716 2.1.9).
const OPUS_SILENCE: usize = 2;
/// Digital silence for so many frames is told as comfort noise where that was agreed on (200 ms).
const QUIET_FRAMES: u32 = 10;
/// Comfort noise is told again after so many frames (400 ms), so that a far end hears us live.
const NOISE_FRAMES: u32 = 20;

/// One leg's media.
pub struct Stream {
    config: StreamConfig,
    epoch: Instant,
    direction: Direction,
    latch: Latch,
    remote_rtcp: Option<SocketAddr>,
    /// Where the far end's reports came from first: the port a NAT made of the signalled one.
    latched_rtcp: Option<SocketAddr>,
    source: Option<Source>,
    /// A new source is believed at its second packet.
    candidate: Option<(u32, u16)>,
    jitter: JitterBuffer,
    digits: DigitReceiver,
    digit_filter: DigitFilter,
    tones: Option<Box<ToneDetector>>,
    keys: Option<Box<KeySender>>,
    srtp: Option<Box<Srtp>>,
    /// Where an encrypted packet is opened.
    opened: Vec<u8>,
    sender: Sender,
    /// Frames of digital silence in a row that were to be sent.
    quiet_frames: u32,
    reports: Reports,
    events: VecDeque<MediaEvent>,
    last_received: Instant,
    timed_out: bool,
    /// The far end has said that it is silent, so no packets are no sign of trouble.
    announced_silence: bool,
    octets_received: u64,
    duplicates: u64,
    refused: u64,
    strange: u64,
    /// Of sources before the present one.
    received_before: u64,
    lost_before: u64,
}

impl Stream {
    /// A stream in both directions, beginning now.
    #[must_use]
    pub fn new(config: StreamConfig, now: Instant) -> Self {
        let mut sender = Sender::new(
            config.codec,
            config.payload_type_send,
            config.ssrc,
            config.first_sequence,
            config.first_timestamp,
        );
        sender.set_opus(config.opus);
        sender.set_packet_length(config.packet_length_ms);
        let mut digits = DigitReceiver::default();
        digits.set_clock(config.telephone_event_clock);
        let reports = Reports::new(now, config.wall_clock, &config.cname, config.rtcp_interval, config.ssrc);
        Self {
            epoch: now,
            direction: Direction::SendReceive,
            latch: Latch::new(config.latch, config.remote, config.signalling),
            remote_rtcp: config.remote_rtcp,
            latched_rtcp: None,
            source: None,
            candidate: None,
            jitter: JitterBuffer::new(&config.jitter, now),
            digits,
            digit_filter: DigitFilter::default(),
            tones: None,
            keys: None,
            srtp: config.srtp.map(|keys| Box::new(Srtp::new(keys))),
            opened: Vec::new(),
            sender,
            quiet_frames: 0,
            reports,
            events: VecDeque::new(),
            last_received: now,
            timed_out: false,
            announced_silence: false,
            octets_received: 0,
            duplicates: 0,
            refused: 0,
            strange: 0,
            received_before: 0,
            lost_before: 0,
            config,
        }
    }

    /// Takes a datagram from the RTP or the RTCP socket; which it is, its bytes tell.
    ///
    /// # Errors
    /// [`RtpError`] when it is not used; it is counted and nothing else happens.
    pub fn receive(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Result<(), RtpError> {
        let result = self.open_and_receive(now, remote, datagram);
        self.refused += u64::from(result.is_err());
        let strange = matches!(result, Err(RtpError::UnexpectedSource | RtpError::Unauthenticated));
        self.strange += u64::from(strange);
        result
    }

    /// The next 20 ms of received sound. `now` is the nominal time of the frame: 20 ms after the one
    /// before, even when the caller runs late.
    pub fn poll_frame(&mut self, now: Instant) -> Frame {
        self.run_timers(now);
        let kind = self.jitter.read(now);
        self.seek_tones(now, kind);
        Frame { samples: *self.jitter.samples(), kind }
    }

    /// The next 20 ms of received sound, not decoded: [`Self::payload`] has them as they came and
    /// [`Self::samples`] decodes them. For a leg whose payloads are passed on, or that nobody listens to.
    pub fn poll_payload(&mut self, now: Instant) -> FrameKind {
        self.run_timers(now);
        let kind = self.jitter.read_whole(now);
        self.seek_tones(now, kind);
        kind
    }

    /// What the last [`Self::poll_payload`] received, if it came as one payload of 20 ms.
    #[must_use]
    pub fn payload(&self) -> Option<Payload<'_>> {
        self.jitter.payload().map(|(codec, bytes)| Payload { codec, bytes })
    }

    /// The sound of the last poll.
    pub fn samples(&mut self) -> &Samples {
        self.jitter.samples()
    }

    /// Whether payloads of `from` can be passed on to this stream's far end. Worth it for G.722 and Opus,
    /// which would lose by coding twice; G.711 loses nothing.
    #[must_use]
    pub fn can_forward(&self, from: &Self) -> bool {
        self.config.codec == from.config.codec && self.sender.sends_frames()
    }

    /// Replaces `out` by the RTP packet that passes on what another leg's [`Self::poll_payload`] received: the
    /// payload itself, nothing where it was lost (the far end sees the gap and conceals it by its own means)
    /// or where that leg is silent.
    pub fn forward(
        &mut self,
        now: Instant,
        kind: FrameKind,
        payload: Option<Payload<'_>>,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        if !self.direction.sends() || self.keys.is_some() {
            return self.send_frame(now, &SILENCE, out);
        }
        self.quiet_frames = 0;
        match payload.filter(|payload| payload.codec == self.config.codec) {
            Some(payload) => {
                self.sender.forward(now, payload.bytes, out);
                self.protect(out);
            }
            None if kind == FrameKind::Concealed => self.sender.forward_loss(now),
            None => self.sender.pause(now, 1),
        }
    }

    /// Replaces `out` by the RTP packet of this frame, or empties it: while we may not send (hold), while
    /// packets are longer than frames, or while silence was told as comfort noise. A key being pressed
    /// replaces the sound.
    pub fn send_frame(&mut self, now: Instant, samples: &Samples, out: &mut Vec<u8>) {
        out.clear();
        if !self.direction.sends() {
            return self.sender.pause(now, 1);
        }
        if let Some(key) = self.next_key() {
            match (key, self.config.telephone_event_send) {
                (KeyFrame::Event { payload, first, age }, Some(payload_type)) => {
                    self.sender.send_other(now, payload_type, &payload, first, age, out);
                }
                (KeyFrame::Tone(tone), _) => self.sender.send(now, &tone, out),
                _ => self.sender.pause(now, 1),
            }
        } else if self.is_quiet(samples) {
            if self.quiet_frames % NOISE_FRAMES == QUIET_FRAMES {
                self.sender.send_other(now, COMFORT_NOISE, &[noise::OUR_LEVEL], false, 0, out);
            } else {
                self.sender.pause(now, 1);
            }
        } else {
            self.sender.send(now, samples, out);
        }
        self.protect(out);
    }

    /// Presses a key towards the far end: as a telephone event where that was agreed on, else as a tone.
    /// Queued after keys pressed before; false when it is no key or too many wait.
    pub fn press(&mut self, digit: char, duration_ms: u32) -> bool {
        self.keys.get_or_insert_default().press(digit, duration_ms)
    }

    /// A digit came by SIP INFO; it is told unless it came as event or tone as well.
    pub fn digit_by_info(&mut self, now: Instant, digit: Digit) {
        self.tell_digit(now, digit, DigitSource::Info);
    }

    /// 20 ms pass without a packet; the next one will carry the marker.
    pub fn send_nothing(&mut self, now: Instant) {
        self.sender.pause(now, 1);
    }

    /// The caller stood still for `frames` and will not make up for them; `now` is the nominal time of
    /// the first.
    pub fn skip_frames(&mut self, now: Instant, frames: u32) {
        self.sender.pause(now, frames);
        self.jitter.skip(frames);
    }

    /// The RTCP compound that is due, if one is.
    pub fn poll_rtcp(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.reports.is_due(now).then(|| self.write_rtcp(now, false))
    }

    /// The last RTCP compound, with BYE.
    pub fn bye(&mut self, now: Instant) -> Vec<u8> {
        self.write_rtcp(now, true)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// Hold and resume. While not receiving, packets are dropped and no timeout runs.
    pub fn set_direction(&mut self, now: Instant, direction: Direction) {
        if direction.receives() && !self.direction.receives() {
            self.last_received = now;
            self.timed_out = false;
        }
        if !direction.receives() && self.direction.receives() {
            self.jitter.resynchronise();
        }
        self.direction = direction;
    }

    /// A re-INVITE names another address (or the same again); the next packet may latch anew.
    pub fn set_remote(&mut self, remote: SocketAddr, remote_rtcp: Option<SocketAddr>) {
        self.latch.set_signalled(remote);
        self.remote_rtcp = remote_rtcp;
        self.latched_rtcp = None;
    }

    /// A re-INVITE changes codec, payload types or keys; numbering goes on.
    pub fn set_format(&mut self, format: StreamFormat) {
        self.sender.set_codec(format.codec, format.payload_type_send);
        self.sender.set_opus(format.opus);
        self.sender.set_packet_length(format.packet_length_ms);
        self.digits.set_clock(format.telephone_event_clock);
        match (&mut self.srtp, format.srtp) {
            (Some(running), Some(keys)) => running.set_keys(keys),
            (running, keys) => *running = keys.map(|keys| Box::new(Srtp::new(keys))),
        }
        self.config.codec = format.codec;
        self.config.payload_type_send = format.payload_type_send;
        self.config.payload_type_receive = format.payload_type_receive;
        self.config.telephone_event_receive = format.telephone_event_receive;
        self.config.telephone_event_send = format.telephone_event_send;
        self.config.telephone_event_clock = format.telephone_event_clock;
        self.config.comfort_noise = format.comfort_noise;
        self.config.opus = format.opus;
        self.config.srtp = format.srtp;
        self.config.rtcp_mux = format.rtcp_mux;
    }

    /// What we send.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.config.codec
    }

    /// By which socket reports leave.
    #[must_use]
    pub fn rtcp_kind(&self) -> TransmitKind {
        if self.config.rtcp_mux { TransmitKind::Rtp } else { TransmitKind::Rtcp }
    }

    /// Where RTP goes: the signalled address until a packet has latched its own.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.latch.remote()
    }

    /// Where RTCP goes: where the far end's came from, else as signalled, else the port after RTP's.
    #[must_use]
    pub fn remote_rtcp(&self) -> SocketAddr {
        if self.config.rtcp_mux {
            return self.latch.remote();
        }
        self.latched_rtcp.or(self.remote_rtcp).unwrap_or_else(|| {
            let mut next = self.latch.remote();
            next.set_port(next.port().saturating_add(1));
            next
        })
    }

    /// Quality so far.
    #[must_use]
    pub fn stats(&self) -> StreamStats {
        let counters = self.jitter.counters;
        let reception = self.source.as_ref().map(|source| &source.reception);
        let jitter = reception.map_or(0, Reception::jitter) / self.config.codec.ticks_per_sample();
        let playout_delay = duration_of(u64::try_from(self.jitter.delay().unwrap_or(0)).unwrap_or(0));
        let delay = quality::delay(self.reports.round_trip(), playout_delay);
        let codec = self.config.codec;
        let opinion = |loss| quality::opinion(quality::rating(Impairments { codec, loss, delay })) as f32;
        // What had to be made up is what was missing to the ear, be it lost or late.
        let heard = (counters.sounded_samples >= u64::from(crate::SAMPLE_RATE))
            .then(|| counters.concealed_samples as f64 / counters.sounded_samples as f64);
        StreamStats {
            codec: Some(codec),
            packets_received: self.received_before + reception.map_or(0, Reception::received),
            octets_received: self.octets_received,
            packets_lost: self.lost_before + reception.map_or(0, Reception::lost),
            packets_late: counters.late,
            packets_duplicate: self.duplicates,
            packets_strange: self.strange,
            packets_refused: self.refused + counters.refused,
            concealed: duration_of(counters.concealed_samples),
            recovered: duration_of(counters.recovered_samples),
            cut: duration_of(counters.cut_samples),
            resynchronisations: counters.resynchronised,
            jitter: duration_of(u64::from(jitter)),
            playout_delay,
            round_trip: self.reports.round_trip(),
            remote_fraction_lost: self.reports.remote_fraction_lost(),
            opinion: heard.map(opinion),
            remote_opinion: self.reports.remote_loss().map(opinion),
            packets_sent: self.sender.packets(),
            octets_sent: self.sender.octets(),
        }
    }

    fn open_and_receive(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), RtpError> {
        let is_rtcp = rtp::is_rtcp(datagram);
        let Some(srtp) = &mut self.srtp else {
            return if is_rtcp {
                self.receive_rtcp(now, remote, datagram)
            } else {
                self.receive_rtp(now, remote, datagram)
            };
        };
        if datagram.len() > rtp::MAX_DATAGRAM {
            return Err(RtpError::TooLong(datagram.len()));
        }
        let mut opened = std::mem::take(&mut self.opened);
        opened.clear();
        opened.extend_from_slice(datagram);
        let authentic = if is_rtcp { srtp.unprotect_rtcp(&mut opened) } else { srtp.unprotect(&mut opened) };
        let result = authentic.and_then(|()| {
            // Keys prove more than addresses: wherever it came from, it is the far end.
            if is_rtcp {
                self.latch.follow_host(remote);
                self.receive_rtcp(now, remote, &opened)
            } else {
                self.latch.follow(remote);
                self.receive_rtp(now, remote, &opened)
            }
        });
        self.opened = opened;
        result
    }

    fn receive_rtp(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Result<(), RtpError> {
        let packet = Packet::parse(datagram)?;
        let content = self.content(packet.payload_type)?;
        if packet.payload.len() > MAX_PAYLOAD {
            return Err(RtpError::TooLong(packet.payload.len()));
        }
        self.latch.accept(remote)?;
        let Some(sequence) = self.place(now, &packet) else { return Ok(()) };
        // Counted above even on hold, or music played to us meanwhile would look like loss afterwards.
        if !self.direction.receives() {
            return Ok(());
        }
        self.alive(now);
        self.announced_silence = match content {
            Content::Sound(Codec::Opus) => packet.payload.len() <= OPUS_SILENCE,
            Content::Sound(_) => false,
            Content::Silence => true,
            Content::Event => self.announced_silence,
        };
        self.octets_received += packet.payload.len() as u64;
        match content {
            Content::Sound(codec) => self.take_sound(now, sequence, codec, &packet),
            Content::Silence => self.jitter.insert_silence(sequence, packet.timestamp, packet.payload),
            Content::Event => {
                let span = self.digits.receive(now, packet.timestamp, packet.payload)?;
                if let Some(span) = span {
                    // Beyond what was told so far the key is probably still down.
                    let guard = if span.ended { 0 } else { DIGIT_GUARD };
                    let duration = span.duration / (self.config.telephone_event_clock / 8_000).max(1);
                    self.jitter.mute(span.timestamp, duration.saturating_add(guard));
                }
                self.tell_digits(now);
            }
        }
        Ok(())
    }

    fn content(&self, payload_type: u8) -> Result<Content, RtpError> {
        if payload_type == self.config.payload_type_receive {
            return Ok(Content::Sound(self.config.codec));
        }
        if Some(payload_type) == self.config.telephone_event_receive {
            return Ok(Content::Event);
        }
        if payload_type == COMFORT_NOISE {
            return Ok(Content::Silence);
        }
        Codec::from_static_payload_type(payload_type)
            .map(Content::Sound)
            .ok_or(RtpError::PayloadType(payload_type))
    }

    /// Finds the packet's source and its unwrapped sequence number; none when it is to be dropped.
    fn place(&mut self, now: Instant, packet: &Packet<'_>) -> Option<i64> {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == packet.ssrc) else {
            return self.place_new_source(now, packet);
        };
        self.candidate = None;
        match source.reception.arrive(packet.sequence) {
            Arrival::Fresh(sequence) => Some(sequence),
            Arrival::Duplicate => {
                self.duplicates += 1;
                None
            }
            Arrival::Doubtful => {
                self.refused += 1;
                None
            }
            Arrival::Restarted(sequence) => {
                self.begin_timeline(now);
                Some(sequence)
            }
        }
    }

    /// The first source is believed at once, another only when it sends two packets in a row: one stray
    /// packet of an old call on this port must not cut the running one.
    fn place_new_source(&mut self, now: Instant, packet: &Packet<'_>) -> Option<i64> {
        if self.source.is_some() {
            if self.candidate != Some((packet.ssrc, packet.sequence)) {
                self.candidate = Some((packet.ssrc, packet.sequence.wrapping_add(1)));
                self.refused += 1;
                return None;
            }
            self.candidate = None;
            self.begin_timeline(now);
            self.tell(MediaEvent::SourceChanged);
        }
        if let Some(old) = self.source.take() {
            self.received_before += old.reception.received();
            self.lost_before += old.reception.lost();
        }
        let reception = Reception::new(packet.sequence);
        let first = reception.first();
        self.source = Some(Source { ssrc: packet.ssrc, reception });
        Some(first)
    }

    fn begin_timeline(&mut self, now: Instant) {
        self.jitter.resynchronise();
        self.reports.reset_source();
        self.digits.reset();
        self.tell_digits(now);
    }

    fn take_sound(&mut self, now: Instant, sequence: i64, codec: Codec, packet: &Packet<'_>) {
        // An empty packet only keeps a NAT binding open.
        if packet.payload.is_empty() {
            return;
        }
        if let Some(source) = &mut self.source {
            source.reception.time(self.epoch, now, packet.timestamp, codec.ticks_per_sample());
        }
        let Packet { timestamp, marker, payload, .. } = *packet;
        self.jitter.insert(now, Arrived { sequence, timestamp, marker, codec, payload });
    }

    fn receive_rtcp(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Result<(), RtpError> {
        if !self.latch.is_remote_host(remote) {
            return Err(RtpError::UnexpectedSource);
        }
        let source = self.source.as_ref().map(|source| source.ssrc);
        let packets = rtcp::parse(datagram)?;
        self.latched_rtcp.get_or_insert(remote);
        self.alive(now);
        for packet in &packets {
            self.reports.receive(now, packet, source, &self.sender);
            if let Rtcp::Bye(sources) = packet
                && source.is_some_and(|source| sources.contains(&source))
            {
                self.tell(MediaEvent::Bye);
            }
        }
        Ok(())
    }

    fn write_rtcp(&mut self, now: Instant, leaving: bool) -> Vec<u8> {
        let source = self.source.as_mut().map(|source| (source.ssrc, &mut source.reception));
        let mut report = self.reports.write(now, &self.sender, source, leaving);
        if let Some(srtp) = &mut self.srtp {
            srtp.protect_rtcp(&mut report);
        }
        report
    }

    fn protect(&mut self, packet: &mut Vec<u8>) {
        if let Some(srtp) = &mut self.srtp
            && !packet.is_empty()
        {
            srtp.protect(packet);
        }
    }

    /// The far end has shown that it is there.
    fn alive(&mut self, now: Instant) {
        self.last_received = now;
        if std::mem::take(&mut self.timed_out) {
            self.tell(MediaEvent::ReceiveResumed);
        }
    }

    fn run_timers(&mut self, now: Instant) {
        self.digits.expire(now);
        self.tell_digits(now);
        let limit =
            if self.source.is_some() { self.config.receive_timeout } else { self.config.initial_timeout };
        if self.direction.receives()
            && !self.timed_out
            && !self.announced_silence
            && now.saturating_duration_since(self.last_received) >= limit
        {
            self.timed_out = true;
            self.tell(MediaEvent::ReceiveTimeout);
        }
    }

    /// Looks for keys in the sound where that is wanted.
    fn seek_tones(&mut self, now: Instant, kind: FrameKind) {
        let wanted = match self.config.in_band_digits {
            InBandDigits::Always => true,
            InBandDigits::Auto => self.config.telephone_event_receive.is_none(),
            InBandDigits::Never => false,
        };
        if !wanted || !self.direction.receives() {
            self.tones = None;
            return;
        }
        // Nothing sounds before the first packet, and a detector is not free.
        if kind == FrameKind::NothingYet {
            return;
        }
        let samples = self.jitter.samples();
        if let Some(digit) = self.tones.get_or_insert_default().hear(samples) {
            self.tell_digit(now, digit, DigitSource::Tone);
        }
    }

    /// What of a key this frame is to be; the queue is let go when it is empty.
    fn next_key(&mut self) -> Option<KeyFrame> {
        let keys = self.keys.as_mut()?;
        let ticks = self.config.telephone_event_send.map(|_| self.config.telephone_event_clock / 1_000);
        let frame = keys.next_frame(ticks);
        if keys.is_idle() {
            self.keys = None;
        }
        frame
    }

    /// Whether this frame belongs to a silence long enough to be told instead of sent.
    fn is_quiet(&mut self, samples: &Samples) -> bool {
        let agreed = self.config.comfort_noise && self.config.codec != Codec::Opus;
        if !agreed || samples.iter().any(|sample| *sample != 0) {
            self.quiet_frames = 0;
            return false;
        }
        // Wraps far beyond any hold, and only where it makes no difference.
        self.quiet_frames = self.quiet_frames % (NOISE_FRAMES * 1_000) + 1;
        self.quiet_frames >= QUIET_FRAMES
    }

    fn tell_digits(&mut self, now: Instant) {
        while let Some(digit) = self.digits.poll() {
            self.tell_digit(now, digit, DigitSource::Event);
        }
    }

    fn tell_digit(&mut self, now: Instant, digit: Digit, source: DigitSource) {
        if self.digit_filter.is_new(now, digit.digit, source) {
            self.tell(MediaEvent::Digit(digit));
        }
    }

    fn tell(&mut self, event: MediaEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }
}

/// What a payload type stands for.
enum Content {
    Sound(Codec),
    Event,
    Silence,
}
