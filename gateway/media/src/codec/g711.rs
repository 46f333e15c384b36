//! [ITU-T G.711](https://www.itu.int/rec/T-REC-G.711) A-law and µ-law by table.
//!
//! A-law keeps 13 significant bits and µ-law 14, so the low bits of a 16-bit sample choose nothing and
//! the encoder tables are indexed by what remains. All tables are made at compile time.

/// Code for each 12-bit value (the sample's sign and upper 11 bits), sign bit first in index order.
static A_LAW_ENCODE: [u8; 4096] = a_law_encode_table();
static MU_LAW_ENCODE: [u8; 16384] = mu_law_encode_table();
static A_LAW_DECODE: [i16; 256] = a_law_decode_table();
static MU_LAW_DECODE: [i16; 256] = mu_law_decode_table();

/// µ-law adds this to a 14-bit magnitude so that all segments become powers of two.
const MU_LAW_BIAS: u16 = 33;

/// One sample as A-law, even bits inverted as they travel on the wire.
#[must_use]
pub fn encode_a_law(sample: i16) -> u8 {
    // In bounds: a u16 shifted right by 4 is below 4096.
    A_LAW_ENCODE[usize::from(sample.cast_unsigned() >> 4)]
}

/// One sample as µ-law, all bits inverted as they travel on the wire.
#[must_use]
pub fn encode_mu_law(sample: i16) -> u8 {
    // In bounds: a u16 shifted right by 2 is below 16384.
    MU_LAW_ENCODE[usize::from(sample.cast_unsigned() >> 2)]
}

/// The 16-bit sample of an A-law code.
#[must_use]
pub fn decode_a_law(code: u8) -> i16 {
    A_LAW_DECODE[usize::from(code)]
}

/// The 16-bit sample of a µ-law code.
#[must_use]
pub fn decode_mu_law(code: u8) -> i16 {
    MU_LAW_DECODE[usize::from(code)]
}

const fn a_law_encode_table() -> [u8; 4096] {
    let mut table = [0; 4096];
    let mut index: u16 = 0;
    while index < 4096 {
        let negative = index >= 2048;
        // One's complement of a negative value: -1 and +0 are both magnitude 0, as in G.711 table 1a/1b.
        let magnitude = if negative { 4095 - index } else { index };
        let mut mantissa = magnitude;
        let mut segment = 0;
        if mantissa > 15 {
            segment = 1;
            while mantissa > 31 {
                mantissa >>= 1;
                segment += 1;
            }
            mantissa -= 16;
        }
        let sign = if negative { 0 } else { 0x80 };
        table[index as usize] = (sign | segment << 4 | mantissa as u8) ^ 0x55;
        index += 1;
    }
    table
}

const fn a_law_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code: u16 = 0;
    while code < 256 {
        let plain = code as u8 ^ 0x55;
        let segment = (plain >> 4) & 7;
        let mantissa = (plain & 15) as i16;
        // The middle of the decision interval, in units of 1/16 of the smallest step.
        let magnitude =
            if segment == 0 { (mantissa << 4) + 8 } else { (((mantissa + 16) << 4) + 8) << (segment - 1) };
        table[code as usize] = if plain & 0x80 != 0 { magnitude } else { -magnitude };
        code += 1;
    }
    table
}

const fn mu_law_encode_table() -> [u8; 16384] {
    let mut table = [0; 16384];
    let mut index: u16 = 0;
    while index < 16384 {
        let negative = index >= 8192;
        let magnitude = if negative { 16383 - index } else { index };
        let mut biased = magnitude + MU_LAW_BIAS;
        if biased > 0x1fff {
            biased = 0x1fff;
        }
        let mut segment = 0;
        while biased >> (segment + 6) != 0 {
            segment += 1;
        }
        let mantissa = (biased >> (segment + 1)) & 15;
        let sign = if negative { 0x80 } else { 0 };
        table[index as usize] = !(sign | (segment as u8) << 4 | mantissa as u8);
        index += 1;
    }
    table
}

const fn mu_law_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code: u16 = 0;
    while code < 256 {
        let plain = !(code as u8);
        let segment = (plain >> 4) & 7;
        let mantissa = (plain & 15) as i16;
        // 16-bit scale: four times the 14-bit value; half a step is added to stand mid-interval.
        let magnitude = (((mantissa << 1) + 33) << (segment + 2)) - 4 * MU_LAW_BIAS as i16;
        table[code as usize] = if plain & 0x80 != 0 { -magnitude } else { magnitude };
        code += 1;
    }
    table
}
