//! Datagrams waiting to be sent by the shell, in buffers that are used again and again: a tick makes no
//! allocation.

use std::{collections::VecDeque, net::SocketAddr};

use crate::{Leg, sender::PACKET_LENGTH};

/// Which of a leg's two sockets a datagram is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransmitKind {
    /// Sound.
    Rtp,
    /// Reports; under rtcp-mux the same socket.
    Rtcp,
}

/// A datagram to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// From this leg's socket.
    pub leg: Leg,
    /// RTP or RTCP.
    pub kind: TransmitKind,
    /// To here.
    pub remote: SocketAddr,
    /// These bytes.
    pub bytes: &'a [u8],
}

/// Datagrams kept; a stalled shell loses the oldest beyond. Covers fifty caught-up ticks of two legs,
/// with reports.
const MAX_WAITING: usize = 128;
/// Buffers kept for the next tick: what a burst needed beyond is given back.
const MAX_SPARE: usize = 16;

struct Waiting {
    leg: Leg,
    kind: TransmitKind,
    remote: SocketAddr,
    bytes: Vec<u8>,
}

/// The queue.
#[derive(Default)]
pub struct Outgoing {
    waiting: VecDeque<Waiting>,
    /// Lent to the caller until the next call.
    lent: Option<Waiting>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    dropped: u64,
}

impl Outgoing {
    /// Queues what `write` puts into an empty buffer, unless it stays empty.
    pub fn push_rtp(&mut self, leg: Leg, remote: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.buffer();
        write(&mut bytes);
        if bytes.is_empty() {
            self.keep(bytes);
        } else {
            self.waiting.push_back(Waiting { leg, kind: TransmitKind::Rtp, remote, bytes });
        }
    }

    /// Queues a report; under rtcp-mux it goes by the RTP socket.
    pub fn push_rtcp(&mut self, leg: Leg, kind: TransmitKind, remote: SocketAddr, report: &[u8]) {
        let mut bytes = self.buffer();
        bytes.extend_from_slice(report);
        self.waiting.push_back(Waiting { leg, kind, remote, bytes });
    }

    /// The oldest.
    pub fn pop(&mut self) -> Option<Transmit<'_>> {
        if let Some(Waiting { bytes, .. }) = self.lent.take() {
            self.keep(bytes);
        }
        self.lent = self.waiting.pop_front();
        let Waiting { leg, kind, remote, bytes } = self.lent.as_ref()?;
        Some(Transmit { leg: *leg, kind: *kind, remote: *remote, bytes })
    }

    /// How many were dropped unsent.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn keep(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// An empty buffer; makes room in the queue first.
    fn buffer(&mut self) -> Vec<u8> {
        if self.waiting.len() == MAX_WAITING
            && let Some(Waiting { mut bytes, .. }) = self.waiting.pop_front()
        {
            self.dropped += 1;
            bytes.clear();
            return bytes;
        }
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(PACKET_LENGTH))
    }
}
