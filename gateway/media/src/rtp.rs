//! The RTP packet ([RFC 3550](https://www.rfc-editor.org/rfc/rfc3550) 5.1): read without copying, write.
//!
//! Knows form only: which payload types and sources are welcome is decided in `session.rs`.

use crate::RtpError;

/// Longest datagram looked at, in bytes. An Ethernet frame is 1500; nothing in telephony is longer.
pub const MAX_DATAGRAM: usize = 2_048;
/// Length of the header without CSRC list and extension, in bytes.
pub const HEADER_LENGTH: usize = 12;

/// A header extension (RFC 3550 5.3.1); its meaning is the profile's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The 16 bits "defined by profile".
    pub profile: u16,
    /// The extension words; a multiple of four bytes.
    pub data: &'a [u8],
}

/// One RTP packet, borrowing from the datagram it was read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// First packet after a silence, when the sender is honest about it.
    pub marker: bool,
    /// What the payload is (7 bits).
    pub payload_type: u8,
    /// Counts packets, wraps at 65536.
    pub sequence: u16,
    /// Instant of the first sample, in samples; wraps.
    pub timestamp: u32,
    /// Names the sender.
    pub ssrc: u32,
    /// Contributing sources: four bytes each, at most 15.
    pub csrc: &'a [u8],
    /// Header extension, if any.
    pub extension: Option<Extension<'a>>,
    /// The payload without padding.
    pub payload: &'a [u8],
    /// Number of padding bytes after the payload.
    pub padding: u8,
}

impl std::fmt::Debug for Packet<'_> {
    /// Lengths instead of contents: the payload is somebody's voice.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Packet")
            .field("payload_type", &self.payload_type)
            .field("marker", &self.marker)
            .field("sequence", &self.sequence)
            .field("timestamp", &self.timestamp)
            .field("ssrc", &self.ssrc)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    ///
    /// # Errors
    /// [`RtpError`] when the datagram is not a whole RTP packet of version 2.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(RtpError::TooLong(datagram.len()));
        }
        let (header, rest) = datagram.split_first_chunk::<HEADER_LENGTH>().ok_or(RtpError::Truncated)?;
        let [flags, kind, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3] = *header;
        if flags >> 6 != 2 {
            return Err(RtpError::Version(flags >> 6));
        }
        let csrc_length = usize::from(flags & 0x0f) * 4;
        let (csrc, rest) = rest.split_at_checked(csrc_length).ok_or(RtpError::Truncated)?;
        let (extension, rest) = if flags & 0x10 == 0 { (None, rest) } else { read_extension(rest)? };
        let (payload, padding) = if flags & 0x20 == 0 { (rest, 0) } else { strip_padding(rest)? };
        Ok(Self {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([q0, q1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            csrc,
            extension,
            payload,
            padding,
        })
    }

    /// Appends the packet to `out`. What does not fit the form is cut: payload type to 7 bits, the CSRC
    /// list to 15 whole entries, the extension to whole words.
    pub fn write(&self, out: &mut Vec<u8>) {
        let csrc_count = (self.csrc.len() / 4).min(15);
        let mut flags = 0x80 | csrc_count as u8;
        if self.extension.is_some() {
            flags |= 0x10;
        }
        if self.padding > 0 {
            flags |= 0x20;
        }
        out.push(flags);
        out.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend(self.csrc.iter().take(csrc_count * 4));
        if let Some(extension) = self.extension {
            let words = u16::try_from(extension.data.len() / 4).unwrap_or(u16::MAX);
            out.extend_from_slice(&extension.profile.to_be_bytes());
            out.extend_from_slice(&words.to_be_bytes());
            out.extend(extension.data.iter().take(usize::from(words) * 4));
        }
        out.extend_from_slice(self.payload);
        if self.padding > 0 {
            out.resize(out.len() + usize::from(self.padding) - 1, 0);
            out.push(self.padding);
        }
    }
}

/// Whether a datagram on a shared port is RTCP
/// ([RFC 5761](https://www.rfc-editor.org/rfc/rfc5761) 4: second byte 192 to 223).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// Length of a packet's header with its lists, sequence number and SSRC: what SRTP leaves readable.
#[must_use]
pub fn header_of(datagram: &[u8]) -> Option<(usize, u16, u32)> {
    let header = datagram.first_chunk::<HEADER_LENGTH>()?;
    let [flags, _, q0, q1, _, _, _, _, s0, s1, s2, s3] = *header;
    let mut length = HEADER_LENGTH + usize::from(flags & 0x0f) * 4;
    if flags & 0x10 != 0 {
        let words = datagram.get(length + 2..)?.first_chunk::<2>()?;
        length += 4 + usize::from(u16::from_be_bytes(*words)) * 4;
    }
    let fits = flags >> 6 == 2 && length <= datagram.len();
    fits.then_some((length, u16::from_be_bytes([q0, q1]), u32::from_be_bytes([s0, s1, s2, s3])))
}

fn read_extension(bytes: &[u8]) -> Result<(Option<Extension<'_>>, &[u8]), RtpError> {
    let (&[p0, p1, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
    let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
    let (data, rest) = rest.split_at_checked(length).ok_or(RtpError::Truncated)?;
    Ok((Some(Extension { profile: u16::from_be_bytes([p0, p1]), data }), rest))
}

fn strip_padding(bytes: &[u8]) -> Result<(&[u8], u8), RtpError> {
    let &padding = bytes.last().ok_or(RtpError::Padding)?;
    let kept = bytes.len().checked_sub(usize::from(padding)).ok_or(RtpError::Padding)?;
    if padding == 0 {
        return Err(RtpError::Padding);
    }
    Ok((bytes.get(..kept).ok_or(RtpError::Padding)?, padding))
}
