//! One leg's bidirectional RTP: datagrams in and out, one frame each way every 20 ms.
//!
//! The stream decides which packets belong to it (address, payload type, source, sequence) and hands
//! sound to `jitter.rs`, digits to `dtmf.rs`, reports to `report.rs`. It owns no timer: whoever calls
//! [`Stream::poll_frame`] every 20 ms thereby also runs its timeouts.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::{
    Codec, JitterConfig, LatchPolicy, MediaConfig, RtpError, StreamStats,
    dtmf::{Digit, DigitReceiver},
    frame::{Frame, FrameKind, SILENCE, Samples, duration_of},
    jitter::JitterBuffer,
    latch::Latch,
    reception::{Arrival, Reception},
    report::Reports,
    rtcp::{self, Rtcp},
    rtp::{self, Packet},
    sender::Sender,
};

/// Longest sound one packet may carry, in samples (160 ms).
pub const MAX_PACKET_SAMPLES: usize = 1_280;
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
    sender: Sender,
    reports: Reports,
    events: VecDeque<MediaEvent>,
    last_received: Instant,
    timed_out: bool,
    decoded: Box<[i16; MAX_PACKET_SAMPLES]>,
    octets_received: u64,
    duplicates: u64,
    refused: u64,
    /// Of sources before the present one.
    received_before: u64,
    lost_before: u64,
}

impl Stream {
    /// A stream in both directions, beginning now.
    #[must_use]
    pub fn new(config: StreamConfig, now: Instant) -> Self {
        let sender = Sender::new(
            config.codec,
            config.payload_type_send,
            config.ssrc,
            config.first_sequence,
            config.first_timestamp,
        );
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
            digits: DigitReceiver::default(),
            sender,
            reports,
            events: VecDeque::with_capacity(MAX_EVENTS),
            last_received: now,
            timed_out: false,
            decoded: Box::new([0; MAX_PACKET_SAMPLES]),
            octets_received: 0,
            duplicates: 0,
            refused: 0,
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
        let result = if rtp::is_rtcp(datagram) {
            self.receive_rtcp(now, remote, datagram)
        } else {
            self.receive_rtp(now, remote, datagram)
        };
        self.refused += u64::from(result.is_err());
        result
    }

    /// The next 20 ms of received sound. `now` is the nominal time of the frame: 20 ms after the one
    /// before, even when the caller runs late.
    pub fn poll_frame(&mut self, now: Instant) -> Frame {
        self.digits.expire(now);
        self.tell_digits();
        if self.direction.receives()
            && !self.timed_out
            && now.saturating_duration_since(self.last_received) >= self.config.receive_timeout
        {
            self.timed_out = true;
            self.tell(MediaEvent::ReceiveTimeout);
        }
        let mut frame = Frame { samples: SILENCE, kind: FrameKind::Silence };
        frame.kind = self.jitter.read(now, &mut frame.samples);
        frame
    }

    /// Replaces `out` by the RTP packet of this frame, or empties it while we may not send (hold).
    pub fn send_frame(&mut self, now: Instant, samples: &Samples, out: &mut Vec<u8>) {
        if self.direction.sends() {
            self.sender.send(now, samples, out);
        } else {
            out.clear();
            self.sender.pause(now, 1);
        }
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

    /// A re-INVITE changes codec or payload types; numbering goes on.
    pub fn set_codec(&mut self, codec: Codec, send: u8, receive: u8, telephone_event_receive: Option<u8>) {
        self.config.codec = codec;
        self.config.payload_type_send = send;
        self.config.payload_type_receive = receive;
        self.config.telephone_event_receive = telephone_event_receive;
        self.sender.set_codec(codec, send);
    }

    /// Where RTP goes: the signalled address until a packet has latched its own.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.latch.remote()
    }

    /// Where RTCP goes: where the far end's came from, else as signalled, else the port after RTP's.
    #[must_use]
    pub fn remote_rtcp(&self) -> SocketAddr {
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
        let jitter = reception.map_or(0, Reception::jitter);
        StreamStats {
            packets_received: self.received_before + reception.map_or(0, Reception::received),
            octets_received: self.octets_received,
            packets_lost: self.lost_before + reception.map_or(0, Reception::lost),
            packets_late: counters.late,
            packets_duplicate: self.duplicates,
            packets_refused: self.refused + counters.refused,
            concealed: duration_of(counters.concealed_samples),
            cut: duration_of(counters.cut_samples),
            resynchronisations: counters.resynchronised,
            jitter: duration_of(u64::from(jitter)),
            playout_delay: duration_of(u64::try_from(self.jitter.delay().unwrap_or(0)).unwrap_or(0)),
            round_trip: self.reports.round_trip(),
            remote_fraction_lost: self.reports.remote_fraction_lost(),
            packets_sent: self.sender.packets(),
            octets_sent: self.sender.octets(),
        }
    }

    fn receive_rtp(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Result<(), RtpError> {
        let packet = Packet::parse(datagram)?;
        let content = self.content(packet.payload_type)?;
        if packet.payload.len() > MAX_PACKET_SAMPLES {
            return Err(RtpError::TooLong(packet.payload.len()));
        }
        self.latch.accept(remote)?;
        let Some(sequence) = self.place(&packet) else { return Ok(()) };
        // Counted above even on hold, or music played to us meanwhile would look like loss afterwards.
        if !self.direction.receives() {
            return Ok(());
        }
        self.last_received = now;
        self.octets_received += packet.payload.len() as u64;
        if std::mem::take(&mut self.timed_out) {
            self.tell(MediaEvent::ReceiveResumed);
        }
        match content {
            Content::Sound(codec) => self.take_sound(now, sequence, codec, &packet),
            Content::Silence => self.jitter.insert_silence(sequence, packet.timestamp),
            Content::Event => {
                let span = self.digits.receive(now, packet.timestamp, packet.payload)?;
                if let Some(span) = span {
                    // Beyond what was told so far the key is probably still down.
                    let guard = if span.ended { 0 } else { DIGIT_GUARD };
                    self.jitter.mute(span.timestamp, span.duration.saturating_add(guard));
                }
                self.tell_digits();
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
    fn place(&mut self, packet: &Packet<'_>) -> Option<i64> {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == packet.ssrc) else {
            return self.place_new_source(packet);
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
                self.begin_timeline();
                Some(sequence)
            }
        }
    }

    /// The first source is believed at once, another only when it sends two packets in a row: one stray
    /// packet of an old call on this port must not cut the running one.
    fn place_new_source(&mut self, packet: &Packet<'_>) -> Option<i64> {
        if self.source.is_some() {
            if self.candidate != Some((packet.ssrc, packet.sequence)) {
                self.candidate = Some((packet.ssrc, packet.sequence.wrapping_add(1)));
                self.refused += 1;
                return None;
            }
            self.candidate = None;
            self.begin_timeline();
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

    fn begin_timeline(&mut self) {
        self.jitter.resynchronise();
        self.reports.reset_source();
        self.digits.reset();
        self.tell_digits();
    }

    fn take_sound(&mut self, now: Instant, sequence: i64, codec: Codec, packet: &Packet<'_>) {
        // An empty packet only keeps a NAT binding open.
        if packet.payload.is_empty() {
            return;
        }
        if let Some(source) = &mut self.source {
            source.reception.time(self.epoch, now, packet.timestamp);
        }
        let count = codec.decode(packet.payload, self.decoded.as_mut_slice());
        let sound = self.decoded.get(..count).unwrap_or_default();
        self.jitter.insert(now, sequence, packet.timestamp, packet.marker, sound);
    }

    fn receive_rtcp(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Result<(), RtpError> {
        if !self.latch.is_remote_host(remote) {
            return Err(RtpError::UnexpectedSource);
        }
        let source = self.source.as_ref().map(|source| source.ssrc);
        let packets = rtcp::parse(datagram)?;
        self.latched_rtcp.get_or_insert(remote);
        for packet in &packets {
            self.reports.receive(now, packet, source, self.config.ssrc);
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
        self.reports.write(now, &self.sender, source, leaving)
    }

    fn tell_digits(&mut self) {
        while let Some(digit) = self.digits.poll() {
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
