//! RTCP packets ([RFC 3550](https://www.rfc-editor.org/rfc/rfc3550) 6.4 to 6.6): SR, RR, SDES, BYE.
//!
//! A compound is a list of [`Rtcp`]. Reduced-size compounds
//! ([RFC 5506](https://www.rfc-editor.org/rfc/rfc5506)) are taken too; unknown types are kept as such.

use crate::{RtpError, rtp::MAX_DATAGRAM};

/// Packets read from one compound at most; an honest sender needs three.
pub const MAX_PACKETS: usize = 16;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const ITEM_CNAME: u8 = 1;
/// The five-bit count field.
const MAX_COUNT: usize = 31;

/// What a sender tells of itself (6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock as NTP: seconds since 1900 in the upper half, fraction in the lower.
    pub ntp: u64,
    /// The same instant on the RTP timeline.
    pub rtp_timestamp: u32,
    /// RTP packets sent since the beginning.
    pub packets: u32,
    /// Payload bytes sent since the beginning.
    pub octets: u32,
}

/// What a receiver tells of one sender (6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The sender spoken of.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; 24 bits signed, duplicates make it negative.
    pub cumulative_lost: i32,
    /// Cycles in the upper half, highest sequence number in the lower.
    pub highest_sequence: u32,
    /// Interarrival jitter in samples (A.8).
    pub jitter: u32,
    /// Middle 32 bits of the last SR's NTP time, 0 when none came.
    pub last_sr: u32,
    /// Delay since that SR came, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// One chunk of a source description (6.5); of its items only CNAME is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Whose description.
    pub ssrc: u32,
    /// Canonical name, at most 255 bytes.
    pub cname: Option<Vec<u8>>,
}

impl std::fmt::Debug for Chunk {
    /// A CNAME is often `user@host`: only whether there is one.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = self.cname.is_some();
        formatter.debug_struct("Chunk").field("ssrc", &self.ssrc).field("named", &named).finish()
    }
}

/// One packet of a compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rtcp {
    /// SR: from somebody who sends.
    SenderReport {
        /// The reporter.
        ssrc: u32,
        /// Of itself.
        info: SenderInfo,
        /// Of those it hears.
        reports: Vec<ReportBlock>,
    },
    /// RR: from somebody who only listens.
    ReceiverReport {
        /// The reporter.
        ssrc: u32,
        /// Of those it hears.
        reports: Vec<ReportBlock>,
    },
    /// SDES.
    SourceDescription(Vec<Chunk>),
    /// BYE: these sources leave.
    Bye(Vec<u32>),
    /// APP, feedback and others, skipped.
    Other {
        /// The packet type byte.
        packet_type: u8,
    },
}

/// Reads a compound.
///
/// # Errors
/// [`RtpError`] when a length, version or padding does not hold.
pub fn parse(datagram: &[u8]) -> Result<Vec<Rtcp>, RtpError> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(RtpError::TooLong(datagram.len()));
    }
    let mut packets = Vec::new();
    let mut rest = datagram;
    loop {
        let (&[flags, packet_type, l0, l1], after) =
            rest.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
        if flags >> 6 != 2 {
            return Err(RtpError::Version(flags >> 6));
        }
        let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let (body, after) = after.split_at_checked(length).ok_or(RtpError::Truncated)?;
        let body = if flags & 0x20 == 0 { body } else { unpadded(body, after)? };
        if packets.len() == MAX_PACKETS {
            return Err(RtpError::TooManyPackets);
        }
        packets.push(read_packet(packet_type, usize::from(flags & 0x1f), body)?);
        if after.is_empty() {
            return Ok(packets);
        }
        rest = after;
    }
}

impl Rtcp {
    /// Appends the packet to `out`; lists longer than 31 entries are cut there, names at 255 bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (packet_type, count) = match self {
            Self::SenderReport { reports, .. } => (SENDER_REPORT, reports.len()),
            Self::ReceiverReport { reports, .. } => (RECEIVER_REPORT, reports.len()),
            Self::SourceDescription(chunks) => (SOURCE_DESCRIPTION, chunks.len()),
            Self::Bye(sources) => (BYE, sources.len()),
            // Nothing was kept of it, so there is nothing to repeat.
            Self::Other { .. } => return,
        };
        out.extend_from_slice(&[0x80 | count.min(MAX_COUNT) as u8, packet_type, 0, 0]);
        match self {
            Self::SenderReport { ssrc, info, reports } => {
                out.extend_from_slice(&ssrc.to_be_bytes());
                out.extend_from_slice(&info.ntp.to_be_bytes());
                out.extend_from_slice(&info.rtp_timestamp.to_be_bytes());
                out.extend_from_slice(&info.packets.to_be_bytes());
                out.extend_from_slice(&info.octets.to_be_bytes());
                reports.iter().take(MAX_COUNT).for_each(|report| report.write(out));
            }
            Self::ReceiverReport { ssrc, reports } => {
                out.extend_from_slice(&ssrc.to_be_bytes());
                reports.iter().take(MAX_COUNT).for_each(|report| report.write(out));
            }
            Self::SourceDescription(chunks) => {
                chunks.iter().take(MAX_COUNT).for_each(|chunk| chunk.write(out));
            }
            Self::Bye(sources) => {
                out.extend(sources.iter().take(MAX_COUNT).flat_map(|ssrc| ssrc.to_be_bytes()));
            }
            Self::Other { .. } => {}
        }
        let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(u16::MAX);
        if let Some(length) = out.get_mut(start + 2..start + 4) {
            length.copy_from_slice(&words.to_be_bytes());
        }
    }
}

impl ReportBlock {
    fn read(bytes: &[u8; 24]) -> Self {
        let word = |at: usize| {
            let mut four = [0; 4];
            // In bounds: `at` is one of the six constants below, each at most 20.
            four.copy_from_slice(&bytes[at..at + 4]);
            u32::from_be_bytes(four)
        };
        let lost = word(4);
        Self {
            ssrc: word(0),
            fraction_lost: (lost >> 24) as u8,
            // Shift the 24 bits up and arithmetically down again: this keeps the sign.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest_sequence: word(8),
            jitter: word(12),
            last_sr: word(16),
            delay_since_last_sr: word(20),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&(u32::from(self.fraction_lost) << 24 | lost).to_be_bytes());
        out.extend_from_slice(&self.highest_sequence.to_be_bytes());
        out.extend_from_slice(&self.jitter.to_be_bytes());
        out.extend_from_slice(&self.last_sr.to_be_bytes());
        out.extend_from_slice(&self.delay_since_last_sr.to_be_bytes());
    }
}

impl Chunk {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        let mut length = 0;
        if let Some(cname) = &self.cname {
            let cname = cname.get(..255).unwrap_or(cname);
            out.extend_from_slice(&[ITEM_CNAME, cname.len() as u8]);
            out.extend_from_slice(cname);
            length = cname.len() + 2;
        }
        // One zero ends the list, more fill the word.
        out.resize(out.len() + 4 - length % 4, 0);
    }
}

/// Padding is allowed in the last packet of a compound only.
fn unpadded<'a>(body: &'a [u8], after: &[u8]) -> Result<&'a [u8], RtpError> {
    let padding = usize::from(*body.last().ok_or(RtpError::Padding)?);
    if padding == 0 || !after.is_empty() {
        return Err(RtpError::Padding);
    }
    body.get(..body.len().saturating_sub(padding)).ok_or(RtpError::Padding)
}

fn read_packet(packet_type: u8, count: usize, body: &[u8]) -> Result<Rtcp, RtpError> {
    match packet_type {
        SENDER_REPORT => {
            let (ssrc, rest) = read_word(body)?;
            let (high, rest) = read_word(rest)?;
            let (low, rest) = read_word(rest)?;
            let (rtp_timestamp, rest) = read_word(rest)?;
            let (packets, rest) = read_word(rest)?;
            let (octets, rest) = read_word(rest)?;
            let ntp = u64::from(high) << 32 | u64::from(low);
            let info = SenderInfo { ntp, rtp_timestamp, packets, octets };
            Ok(Rtcp::SenderReport { ssrc, info, reports: read_reports(count, rest)? })
        }
        RECEIVER_REPORT => {
            let (ssrc, rest) = read_word(body)?;
            Ok(Rtcp::ReceiverReport { ssrc, reports: read_reports(count, rest)? })
        }
        SOURCE_DESCRIPTION => read_chunks(count, body).map(Rtcp::SourceDescription),
        BYE => {
            let mut sources = Vec::with_capacity(count);
            let mut rest = body;
            for _ in 0..count {
                let (ssrc, after) = read_word(rest)?;
                sources.push(ssrc);
                rest = after;
            }
            Ok(Rtcp::Bye(sources))
        }
        packet_type => Ok(Rtcp::Other { packet_type }),
    }
}

fn read_word(bytes: &[u8]) -> Result<(u32, &[u8]), RtpError> {
    let (word, rest) = bytes.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
    Ok((u32::from_be_bytes(*word), rest))
}

fn read_reports(count: usize, mut rest: &[u8]) -> Result<Vec<ReportBlock>, RtpError> {
    let mut reports = Vec::with_capacity(count);
    for _ in 0..count {
        let (block, after) = rest.split_first_chunk::<24>().ok_or(RtpError::Truncated)?;
        reports.push(ReportBlock::read(block));
        rest = after;
    }
    Ok(reports)
}

fn read_chunks(count: usize, mut rest: &[u8]) -> Result<Vec<Chunk>, RtpError> {
    let mut chunks = Vec::with_capacity(count);
    for _ in 0..count {
        let (ssrc, after) = read_word(rest)?;
        let mut items = after;
        let mut cname = None;
        loop {
            let (&kind, after_kind) = items.split_first().ok_or(RtpError::Truncated)?;
            if kind == 0 {
                break;
            }
            let (&length, after_length) = after_kind.split_first().ok_or(RtpError::Truncated)?;
            let (value, next) =
                after_length.split_at_checked(usize::from(length)).ok_or(RtpError::Truncated)?;
            if kind == ITEM_CNAME {
                cname = Some(value.to_vec());
            }
            items = next;
        }
        chunks.push(Chunk { ssrc, cname });
        // The terminating zero and the fill up to the next word.
        let used = after.len() - items.len();
        rest = after.get(used + 4 - used % 4..).ok_or(RtpError::Truncated)?;
    }
    Ok(chunks)
}
