//! What one stream can tell about its quality: for call records, metrics and the operator's question
//! "why could they not hear each other?". Numbers only, nobody's data.

use std::time::Duration;

use crate::Codec;

/// Counters since the stream began, and current estimates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StreamStats {
    /// The codec last agreed on; `None` in the empty value.
    pub codec: Option<Codec>,
    /// RTP packets accepted, without duplicates.
    pub packets_received: u64,
    /// Their payload bytes.
    pub octets_received: u64,
    /// Packets which never came (RFC 3550 A.3).
    pub packets_lost: u64,
    /// Packets which came after their sound was due.
    pub packets_late: u64,
    /// Packets seen before.
    pub packets_duplicate: u64,
    /// Packets from addresses that are not the far end's, or that failed authentication; counted in
    /// `packets_refused` too.
    pub packets_strange: u64,
    /// Packets refused: wrong source, payload type, form or place on the timeline.
    pub packets_refused: u64,
    /// Sound made up for missing packets.
    pub concealed: Duration,
    /// Sound recovered from redundancy (Opus).
    pub recovered: Duration,
    /// Sound cut out to catch up with the sender.
    pub cut: Duration,
    /// How often the timeline began anew (source change, clock jump).
    pub resynchronisations: u64,
    /// Interarrival jitter (RFC 3550 A.8).
    pub jitter: Duration,
    /// How long sound waits in the jitter buffer; zero while nothing comes.
    pub playout_delay: Duration,
    /// Round trip by RTCP, once the far end has reported.
    pub round_trip: Option<Duration>,
    /// Share of our packets the far end lost lately (0 to 1), once it has reported.
    pub remote_fraction_lost: Option<f32>,
    /// Mean opinion score of what we heard, 1 to 4.4 (`quality.rs`), once there was a second of it.
    pub opinion: Option<f32>,
    /// The same of what the far end heard, once it has reported.
    pub remote_opinion: Option<f32>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Their payload bytes.
    pub octets_sent: u64,
}
