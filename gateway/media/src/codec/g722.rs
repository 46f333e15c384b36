//! [ITU-T G.722](https://www.itu.int/rec/T-REC-G.722) at 64 kbit/s, its lower sub-band.
//!
//! G.722 splits 16 kHz sound into two bands of 8 kHz each and codes them apart: six bits of every octet are
//! the band up to 4 kHz, two the one above. As everything here works at 8 kHz, the lower band *is* our
//! sound: it is coded without the splitting filter, and the two upper bits say "nothing up there". Names of
//! blocks and variables are those of the recommendation, so that it can be laid beside.

/// What a band's two sides remember alike: predictor and quantiser scale (blocks 3L and 4L).
#[derive(Debug, Clone)]
struct Band {
    /// Predicted signal, and the part of it from the zeros.
    s: i32,
    sz: i32,
    /// Reconstructed signal and partial reconstruction, newest first.
    r: [i32; 2],
    p: [i32; 2],
    /// Poles, and zeros with the differences they weigh.
    a: [i32; 2],
    b: [i32; 6],
    d: [i32; 6],
    /// Logarithmic and linear scale.
    nb: i32,
    det: i32,
}

/// Samples to octets.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    low: Band,
}

/// Octets to samples.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    low: Band,
}

/// The upper bits of an octet for a silent upper band.
const NOTHING_ABOVE: u8 = 0xc0;

/// Decision levels of the 6-bit quantiser (table 17), and the code words on both sides (table 18).
const Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output levels of the 6-bit inverse quantiser by code word (table 19 and 20), for the sound that is heard.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
/// Output levels of the 4-bit inverse quantiser, for the predictor: both ends adapt by four bits only.
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// Scale multipliers by 4-bit code word (table 21 through RL42).
const WL: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// 2^(11 + i/32) (table 22).
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

impl Encoder {
    /// Appends one octet a sample.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        out.extend(samples.iter().map(|&sample| {
            // The splitting filter would halve the amplitude.
            let el = saturate((i32::from(sample) >> 1) - self.low.s);
            let code = quantise(el, self.low.det);
            self.low.adapt(code >> 2);
            NOTHING_ABOVE | code
        }));
    }
}

impl Decoder {
    /// Decodes into `out` and returns how many samples were written: the shorter of the two lengths.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        for (sample, &octet) in out.iter_mut().zip(payload) {
            let code = octet & 0x3f;
            // In bounds: six bits.
            let difference = (self.low.det * QM6[usize::from(code)]) >> 15;
            let rl = (self.low.s + difference).clamp(-16_384, 16_383);
            self.low.adapt(code >> 2);
            *sample = (rl << 1) as i16;
        }
        out.len().min(payload.len())
    }
}

impl Default for Band {
    /// The reset values of table 2.
    fn default() -> Self {
        Self { s: 0, sz: 0, r: [0; 2], p: [0; 2], a: [0; 2], b: [0; 6], d: [0; 6], nb: 0, det: 32 }
    }
}

impl Band {
    /// Takes in one 4-bit code word: inverse quantiser, scale (3L), predictor (4L).
    fn adapt(&mut self, code: u8) {
        let index = usize::from(code & 15);
        let d0 = (self.det * QM4[index]) >> 15;
        self.nb = (((self.nb * 127) >> 7) + WL[index]).clamp(0, 18_432);
        let (mantissa, shift) = (ILB[(self.nb >> 6 & 31) as usize], 8 - (self.nb >> 11));
        self.det = (if shift < 0 { mantissa << -shift } else { mantissa >> shift }) << 2;
        self.predict(d0);
    }

    /// Block 4: RECONS, PARREC, UPPOL2, UPPOL1, UPZERO, FILTEP, FILTEZ, PREDIC.
    fn predict(&mut self, d0: i32) {
        let r0 = saturate(self.s + d0);
        let p0 = saturate(self.sz + d0);
        let [a1, a2] = self.a;
        let [p1, p2] = self.p;
        let alike = |one: i32, other: i32| (one < 0) == (other < 0);
        let wd1 = saturate(a1 << 2);
        let wd2 = (if alike(p0, p1) { -wd1 } else { wd1 }).min(32_767);
        let wd3 = if alike(p0, p2) { 128 } else { -128 };
        let ap2 = ((wd2 >> 7) + wd3 + ((a2 * 32_512) >> 15)).clamp(-12_288, 12_288);
        let limit = saturate(15_360 - ap2);
        let step = if alike(p0, p1) { 192 } else { -192 };
        let ap1 = saturate(step + ((a1 * 32_640) >> 15)).clamp(-limit, limit);
        let step = if d0 == 0 { 0 } else { 128 };
        for (b, d) in self.b.iter_mut().zip(self.d) {
            let wd2 = if alike(d, d0) { step } else { -step };
            *b = saturate(wd2 + ((*b * 32_640) >> 15));
        }
        self.d.rotate_right(1);
        self.d[0] = d0;
        self.r = [r0, self.r[0]];
        self.p = [p0, p1];
        self.a = [ap1, ap2];
        let pole = |a: i32, r: i32| (a * saturate(r + r)) >> 15;
        let sp = saturate(pole(ap1, self.r[0]) + pole(ap2, self.r[1]));
        self.sz = saturate(self.b.iter().zip(self.d).map(|(b, d)| (b * saturate(d + d)) >> 15).sum());
        self.s = saturate(sp + self.sz);
    }
}

/// Block 1L, QUANTL: the 6-bit code word of a difference.
fn quantise(el: i32, det: i32) -> u8 {
    let magnitude = if el >= 0 { el } else { -(el + 1) };
    // The decision levels rise, so this is how many of them the magnitude has reached: 0 to 29.
    let level = Q6.partition_point(|q| (q * det) >> 12 <= magnitude) as u8;
    match (el < 0, level) {
        (true, 0 | 1) => 63 - level,
        (true, _) => 33 - level,
        (false, _) => 61 - level,
    }
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}
