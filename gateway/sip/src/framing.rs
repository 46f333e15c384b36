//! Cuts a TCP stream into messages by Content-Length, however the bytes are split into segments.
//!
//! A message that is not SIP, but whose end is known, is handed on as it is: the endpoint answers or drops it
//! and the connection, with every other call on it, lives on. Only when the end cannot be known (a head without
//! end, no readable Content-Length, a body beyond the limit) is the stream [`Frame::Lost`].
//! Sources: [RFC 3261 §18.3](https://www.rfc-editor.org/rfc/rfc3261#section-18.3),
//! [RFC 5626 §3.5.1](https://www.rfc-editor.org/rfc/rfc5626#section-3.5.1) (keep-alive).

use crate::fields;

/// What was cut off the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message.
    Message(Vec<u8>),
    /// CRLF CRLF between messages: answer with one CRLF.
    Ping,
    /// Where the next message begins can no longer be known; the head read so far, for a 400. Close.
    Lost(Vec<u8>),
}

/// The bytes of one connection that have not become a message yet.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of `buffer` already handed on; removed at the next push, so that taking costs no copying.
    start: usize,
    /// From `start`, so many bytes are known to hold no end of head (a slow peer costs no rescans).
    searched: usize,
    max_message_bytes: usize,
    lost: bool,
}

impl Framer {
    /// A framer for messages (head and body) of at most `max_message_bytes`.
    pub fn new(max_message_bytes: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, max_message_bytes, lost: false }
    }

    /// Adds received bytes; then call [`Framer::next`] until it gives `None`.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.lost {
            self.buffer.drain(..self.start.min(self.buffer.len()));
            self.start = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next frame, if the buffer holds a whole one.
    #[allow(clippy::should_implement_trait)] // not an iterator: `None` means "push more", not "over"
    pub fn next(&mut self) -> Option<Frame> {
        if self.lost {
            return None;
        }
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            if rest.starts_with(b"\r\n\r\n") {
                self.start += 4;
                return Some(Frame::Ping);
            }
            // One CRLF is a pong, or the first half of a ping: wait until that is decided.
            if b"\r\n\r\n".starts_with(rest) {
                return None;
            }
            match rest.first() {
                Some(b'\r') if rest.get(1) == Some(&b'\n') => self.start += 2,
                Some(b'\r' | b'\n') => self.start += 1,
                _ => return self.next_message(),
            }
        }
    }

    fn next_message(&mut self) -> Option<Frame> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let from = self.searched.saturating_sub(3);
        let found =
            rest.get(from..).and_then(|tail| tail.windows(4).position(|window| window == b"\r\n\r\n"));
        let Some(at) = found else {
            self.searched = rest.len();
            return if rest.len() > self.max_message_bytes { self.lose(rest.len()) } else { None };
        };
        let head = from + at + 4;
        self.searched = head - 1;
        let body = match stated_length(rest.get(..head).unwrap_or_default()) {
            Stated::Length(length) => length,
            // Without the field a stream message cannot have a body (RFC 3261 §18.3).
            Stated::Missing => 0,
            Stated::Unreadable => return self.lose(head),
        };
        let total = match head.checked_add(body) {
            Some(total) if total <= self.max_message_bytes => total,
            _ => return self.lose(head),
        };
        let message = rest.get(..total)?.to_vec();
        self.start += total;
        self.searched = 0;
        Some(Frame::Message(message))
    }

    fn lose(&mut self, head: usize) -> Option<Frame> {
        self.lost = true;
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.drain(..self.start.min(bytes.len()));
        bytes.truncate(head.min(self.max_message_bytes));
        Some(Frame::Lost(bytes))
    }
}

enum Stated {
    Length(usize),
    Missing,
    Unreadable,
}

/// Content-Length (or `l`) of a head; two that differ are unreadable (request smuggling).
fn stated_length(head: &[u8]) -> Stated {
    let mut found = None;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line.get(..colon).unwrap_or_default().trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = line.get(colon + 1..).unwrap_or_default();
        match std::str::from_utf8(value).ok().and_then(fields::content_length) {
            Some(length) if found.is_none_or(|before| before == length) => found = Some(length),
            _ => return Stated::Unreadable,
        }
    }
    found.map_or(Stated::Missing, Stated::Length)
}
