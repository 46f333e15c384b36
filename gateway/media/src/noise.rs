//! Comfort noise ([RFC 3389](https://www.rfc-editor.org/rfc/rfc3389)): what a line sounds like while nobody
//! speaks, told in a few bytes instead of sent.

/// Reflection coefficients looked at; more shape nothing one would hear.
const MAX_ORDER: usize = 10;
/// Level of the noise we tell of where there is digital silence, in -dBov: barely audible.
pub const OUR_LEVEL: u8 = 70;

/// A generator, set up by the last comfort noise packet.
#[derive(Debug, Clone)]
pub struct Noise {
    amplitude: f32,
    order: usize,
    reflection: [f32; MAX_ORDER],
    state: [f32; MAX_ORDER],
    random: u32,
}

impl Noise {
    /// Noise as a payload describes it: a level octet, then reflection coefficients (section 3.1). An empty
    /// payload is silence.
    #[must_use]
    pub fn new(payload: &[u8], seed: u32) -> Self {
        let level = payload.first().map_or(127, |octet| octet & 0x7f);
        let mut reflection = [0.0; MAX_ORDER];
        let mut order = 0;
        // What is left of the noise's power after the filter, which must not change the level.
        let mut gain = 1.0f32;
        for (slot, &octet) in reflection.iter_mut().zip(payload.iter().skip(1)) {
            *slot = (f32::from(octet) - 127.0) / 128.0;
            let rest: f32 = 1.0 - *slot * *slot;
            gain *= rest.max(0.01);
            order += 1;
        }
        let rms = 32_768.0 * 10.0f32.powf(-f32::from(level) / 20.0);
        // Even distribution between ±a has an effective value of a/√3.
        let amplitude = if level == 127 { 0.0 } else { rms * 3.0f32.sqrt() * gain.sqrt() };
        Self { amplitude, order, reflection, state: [0.0; MAX_ORDER], random: seed | 1 }
    }

    /// Fills `out` with noise.
    pub fn fill(&mut self, out: &mut [i16]) {
        for slot in out {
            // Marsaglia's xorshift32.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 17;
            self.random ^= self.random << 5;
            let white = self.random as f32 / (u32::MAX as f32 / 2.0) - 1.0;
            *slot = self.shape(white * self.amplitude).round() as i16;
        }
    }

    /// All-pole lattice filter of the coefficients.
    fn shape(&mut self, input: f32) -> f32 {
        let mut forward = input;
        for stage in (0..self.order).rev() {
            // In bounds: `order` is at most `MAX_ORDER`.
            forward -= self.reflection[stage] * self.state[stage];
            if stage + 1 < self.order {
                self.state[stage + 1] = self.state[stage] + self.reflection[stage] * forward;
            }
        }
        if self.order > 0 {
            self.state[0] = forward;
        }
        forward
    }
}
