//! Where somebody speaks, and what goes to the engine in one piece.
//!
//! Two steps: find [`Span`]s of speech (an engine's own detector, or [`by_loudness`] when there is none), then
//! [`plan`] the decodes: short pauses are bridged up to 25 s, longer speech is cut at its quietest place.
//! Pure: samples in, times out. Times are milliseconds from the start of the channel.

use std::ops::Range;

use crate::audio::Audio16k;
use crate::tone::{FRAME_SAMPLES, is_call_tone};

/// A stretch of the channel, milliseconds; `from_ms < to_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First millisecond.
    pub from_ms: u64,
    /// One past the last millisecond.
    pub to_ms: u64,
}

impl Span {
    /// Length, milliseconds.
    pub fn len_ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

const FRAME_MS: u64 = 20;
/// Pauses up to this are decoded along with the speech around them: the model needs the context.
const BRIDGED_PAUSE_MS: u64 = 2_000;
/// Bridging stops here, with room for padding within Whisper's 30 s window.
const BRIDGED_MAX_MS: u64 = 25_000;
/// Longer speech without a pause is cut.
const DECODE_MAX_MS: u64 = 28_000;
/// Where a cut may fall: the quietest place after this much speech.
const CUT_AFTER_MS: u64 = 18_000;
/// Sound kept around speech, never into a neighbour: the model mishears clipped beginnings.
const PADDING_MS: u64 = 200;
/// A tone this long is cut out of a span; shorter ones may be a vowel.
const TONE_MS: u64 = 300;
/// What is left beside a tone must be this long to count as speech.
const SPEECH_MIN_MS: u64 = 150;

/// The pieces to decode, in order, not overlapping, each at most 28 s and a padding on either side.
///
/// `spans` are sorted and do not overlap, as detectors give them.
pub fn plan(audio: &Audio16k, spans: &[Span]) -> Vec<Span> {
    let mut merged: Vec<Span> = Vec::new();
    for span in spans.iter().filter(|span| span.from_ms < span.to_ms) {
        match merged.last_mut() {
            Some(last)
                if span.from_ms.saturating_sub(last.to_ms) <= BRIDGED_PAUSE_MS
                    && span.to_ms.saturating_sub(last.from_ms) <= BRIDGED_MAX_MS =>
            {
                last.to_ms = last.to_ms.max(span.to_ms);
            }
            _ => merged.push(*span),
        }
    }
    let pieces: Vec<Span> = merged.into_iter().flat_map(|span| cut(audio, span)).collect();
    let ends = |index: usize| pieces.get(index).copied();
    (0..pieces.len())
        .filter_map(|index| {
            let piece = ends(index)?;
            let before =
                index.checked_sub(1).and_then(ends).map_or(0, |left| middle(left.to_ms, piece.from_ms));
            let after = ends(index + 1)
                .map_or(audio.duration_ms(), |right| middle(piece.to_ms, right.from_ms))
                .max(piece.to_ms);
            Some(Span {
                from_ms: piece.from_ms.saturating_sub(PADDING_MS).max(before),
                to_ms: (piece.to_ms + PADDING_MS).min(after),
            })
        })
        .collect()
}

fn middle(left: u64, right: u64) -> u64 {
    left + right.saturating_sub(left) / 2
}

/// Cuts a span that is too long for one decode at its quietest 100 ms.
fn cut(audio: &Audio16k, span: Span) -> Vec<Span> {
    let mut pieces = Vec::new();
    let mut rest = span;
    while rest.len_ms() > DECODE_MAX_MS {
        let candidates = rest.from_ms + CUT_AFTER_MS..rest.from_ms + DECODE_MAX_MS - 100;
        let at = candidates
            .step_by(FRAME_MS as usize)
            .min_by_key(|&at| energy(audio.between(at, at + 100)))
            .map_or(rest.from_ms + DECODE_MAX_MS, |at| at + 50);
        pieces.push(Span { from_ms: rest.from_ms, to_ms: at });
        rest.from_ms = at;
    }
    pieces.push(rest);
    pieces
}

fn energy(samples: &[i16]) -> u64 {
    samples.iter().map(|&sample| u64::from(sample.unsigned_abs()).pow(2)).sum()
}

/// The spans without ring-back, busy and other call progress tones.
pub fn without_tones(audio: &Audio16k, spans: &[Span]) -> Vec<Span> {
    spans.iter().flat_map(|span| split_at_tones(audio, *span)).collect()
}

fn split_at_tones(audio: &Audio16k, span: Span) -> Vec<Span> {
    let frames = audio.between(span.from_ms, span.to_ms).chunks(FRAME_SAMPLES);
    let tonal: Vec<bool> = frames.map(is_call_tone).collect();
    let tones = runs(&tonal).filter(|run| run.len() as u64 * FRAME_MS >= TONE_MS);
    let mut parts = Vec::new();
    let mut from_ms = span.from_ms;
    let mut cut_once = false;
    for tone in tones {
        parts.push(Span { from_ms, to_ms: span.from_ms + tone.start as u64 * FRAME_MS });
        from_ms = (span.from_ms + tone.end as u64 * FRAME_MS).min(span.to_ms);
        cut_once = true;
    }
    parts.push(Span { from_ms, to_ms: span.to_ms });
    parts.retain(|part| !cut_once || part.len_ms() >= SPEECH_MIN_MS);
    parts
}

/// The stretches of consecutive `true`.
fn runs(flags: &[bool]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + flags.get(at..)?.iter().position(|&flag| flag)?;
        let rest = flags.get(start..)?;
        let length = rest.iter().position(|&flag| !flag).unwrap_or(rest.len());
        at = start + length;
        Some(start..at)
    })
}

/// Speech by loudness over the noise of the line, with hysteresis: for when there is no better detector.
///
/// Steady noise, silence and tones give nothing; a barking dog does.
pub fn by_loudness(audio: &Audio16k) -> Vec<Span> {
    let frames: Vec<f32> = audio.samples().chunks(FRAME_SAMPLES).map(level_db).collect();
    let floor = noise_floor(&frames);
    let (on, off) = ((floor + 14.0).max(-50.0), (floor + 7.0).max(-56.0));
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Option<(u64, u64)> = None;
    for (index, &level) in frames.iter().enumerate() {
        let now = index as u64 * FRAME_MS;
        open = match open {
            None if level > on => Some((now, now + FRAME_MS)),
            Some((from, _)) if level > off => Some((from, now + FRAME_MS)),
            Some((from, to)) if now.saturating_sub(to) > 300 => {
                close(&mut spans, from, to, audio.duration_ms());
                None
            }
            other => other,
        };
    }
    if let Some((from, to)) = open {
        close(&mut spans, from, to, audio.duration_ms());
    }
    without_tones(audio, &spans)
}

fn close(spans: &mut Vec<Span>, from: u64, to: u64, end: u64) {
    if to.saturating_sub(from) >= 200 {
        let floor = spans.last().map_or(0, |span| span.to_ms);
        spans.push(Span { from_ms: from.saturating_sub(60).max(floor), to_ms: (to + 60).min(end) });
    }
}

/// The level a tenth of the frames stay below: pauses of speech, or the noise itself where there is no speech.
fn noise_floor(frames: &[f32]) -> f32 {
    let mut sorted = frames.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 10).copied().unwrap_or(-65.0).max(-65.0)
}

fn level_db(frame: &[i16]) -> f32 {
    let mean_square = energy(frame) as f32 / frame.len().max(1) as f32 / 32_768.0f32.powi(2);
    10.0 * mean_square.max(1e-10).log10()
}

/// Moves a decoder's rough times to the speech they belong to: a beginning in a pause goes to the next span's
/// beginning, an end in a pause to the last span's end. Unchanged where that would leave nothing.
pub fn snap(spans: &[Span], from_ms: u64, to_ms: u64) -> (u64, u64) {
    let from =
        spans.iter().find(|span| span.to_ms > from_ms).map_or(from_ms, |span| span.from_ms.max(from_ms));
    let to = spans.iter().rev().find(|span| span.from_ms < to_ms).map_or(to_ms, |span| span.to_ms.min(to_ms));
    if from < to { (from, to) } else { (from_ms, to_ms) }
}
