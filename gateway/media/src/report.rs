//! RTCP of one stream: when to report, what to say, and what the far end's reports tell
//! ([RFC 3550](https://www.rfc-editor.org/rfc/rfc3550) 6.2 to 6.4).

use std::time::{Duration, Instant};

use crate::{
    reception::Reception,
    rtcp::{Chunk, ReportBlock, Rtcp, SenderInfo},
    sender::Sender,
};

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_OFFSET: u64 = 2_208_988_800;
/// A round trip longer than this is a clock error of the far end, in 1/65536 s.
const MAX_ROUND_TRIP: u32 = 30 << 16;

/// Report state of one stream.
#[derive(Debug, Clone)]
pub struct Reports {
    began: Instant,
    wall_clock_at_begin: Duration,
    cname: Vec<u8>,
    interval: Duration,
    due: Instant,
    random: u32,
    sent_at_last_report: u64,
    last_sr: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    remote_fraction_lost: Option<f32>,
    /// Of our packets, over all reports: lost, and the highest number told minus the first.
    remote_lost: Option<(u32, u32)>,
}

impl Reports {
    /// `wall_clock_at_begin` is the time since 1970 at `now`. The first report comes early, so that even a
    /// short call has one.
    #[must_use]
    pub fn new(
        now: Instant,
        wall_clock_at_begin: Duration,
        cname: &str,
        interval: Duration,
        seed: u32,
    ) -> Self {
        let mut reports = Self {
            began: now,
            wall_clock_at_begin,
            cname: cname.bytes().take(255).collect(),
            interval,
            due: now,
            random: seed | 1,
            sent_at_last_report: 0,
            last_sr: None,
            round_trip: None,
            remote_fraction_lost: None,
            remote_lost: None,
        };
        reports.due = now + reports.next_interval() / 2;
        reports
    }

    /// Whether a report is due.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// Writes the compound of this moment: SR or RR, CNAME, and BYE if we leave.
    pub fn write(
        &mut self,
        now: Instant,
        sender: &Sender,
        source: Option<(u32, &mut Reception)>,
        leaving: bool,
    ) -> Vec<u8> {
        self.due = now + self.next_interval();
        let reports = source.map(|(ssrc, reception)| self.block(now, ssrc, reception)).into_iter().collect();
        let ssrc = sender.ssrc();
        let report = if sender.packets() > self.sent_at_last_report {
            let info = SenderInfo {
                ntp: self.ntp(now),
                rtp_timestamp: sender.timestamp_at(now),
                packets: sender.packets() as u32,
                octets: sender.octets() as u32,
            };
            Rtcp::SenderReport { ssrc, info, reports }
        } else {
            Rtcp::ReceiverReport { ssrc, reports }
        };
        self.sent_at_last_report = sender.packets();
        let mut out = Vec::with_capacity(128);
        report.write(&mut out);
        Rtcp::SourceDescription(vec![Chunk { ssrc, cname: Some(self.cname.clone()) }]).write(&mut out);
        if leaving {
            Rtcp::Bye(vec![ssrc]).write(&mut out);
        }
        out
    }

    /// Takes what the far end (`source`) reports about itself and about us (`own`).
    pub fn receive(&mut self, now: Instant, packet: &Rtcp, source: Option<u32>, own: &Sender) {
        let reports = match packet {
            Rtcp::SenderReport { ssrc, info, reports } => {
                if source == Some(*ssrc) {
                    self.last_sr = Some(((info.ntp >> 16) as u32, now));
                }
                reports
            }
            Rtcp::ReceiverReport { reports, .. } => reports,
            _ => return,
        };
        let sent = u32::try_from(own.packets()).unwrap_or(u32::MAX);
        for block in reports.iter().filter(|block| block.ssrc == own.ssrc()) {
            self.remote_fraction_lost = Some(f32::from(block.fraction_lost) / 256.0);
            self.remote_lost = Some((block.cumulative_lost.max(0).unsigned_abs(), sent));
            if block.last_sr != 0 {
                let middle = (self.ntp(now) >> 16) as u32;
                let trip = middle.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
                if trip < MAX_ROUND_TRIP {
                    self.round_trip = Some(Duration::from_secs_f64(f64::from(trip) / 65_536.0));
                }
            }
        }
    }

    /// Forgets what an earlier source said of its clock.
    pub fn reset_source(&mut self) {
        self.last_sr = None;
    }

    /// Round trip, once known.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Share of our packets lost on the way, once known.
    #[must_use]
    pub fn remote_fraction_lost(&self) -> Option<f32> {
        self.remote_fraction_lost
    }

    /// Share of our packets the far end lost since the beginning, once it has reported after a second.
    #[must_use]
    pub fn remote_loss(&self) -> Option<f64> {
        let (lost, sent) = self.remote_lost?;
        (sent >= 50).then(|| (f64::from(lost) / f64::from(sent)).min(1.0))
    }

    fn block(&self, now: Instant, ssrc: u32, reception: &mut Reception) -> ReportBlock {
        let interval = reception.report();
        let (last_sr, delay) = match self.last_sr {
            Some((middle, arrived)) => (middle, now.saturating_duration_since(arrived)),
            None => (0, Duration::ZERO),
        };
        ReportBlock {
            ssrc,
            fraction_lost: interval.fraction_lost,
            cumulative_lost: interval.cumulative_lost,
            highest_sequence: interval.highest_sequence,
            jitter: reception.jitter(),
            last_sr,
            delay_since_last_sr: u32::try_from((delay.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX),
        }
    }

    fn ntp(&self, now: Instant) -> u64 {
        let wall = self.wall_clock_at_begin + now.saturating_duration_since(self.began);
        let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
        (wall.as_secs().wrapping_add(NTP_OFFSET) << 32) | fraction
    }

    /// Half to one and a half of the interval, so that many calls do not report at the same moment.
    fn next_interval(&mut self) -> Duration {
        // Marsaglia's xorshift32; nothing here needs to be unguessable.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.interval.mul_f64(0.5 + f64::from(self.random) / f64::from(u32::MAX))
    }
}
