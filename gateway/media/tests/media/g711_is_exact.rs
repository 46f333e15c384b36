//! Every code and every sample against the tables of ITU-T G.711, written down here a second time from
//! the recommendation (decision values by segment) rather than from the implementation.

use gateway_media::codec::g711::{decode_a_law, decode_mu_law, encode_a_law, encode_mu_law};

/// Decision values x(1)… of one polarity, on the 16-bit scale.
fn decisions(first: i32, runs: &[(usize, i32)], scale: i32) -> Vec<i32> {
    let mut values = vec![0, first * scale];
    for &(count, step) in runs {
        for _ in 0..count {
            values.push(values[values.len() - 1] + step * scale);
        }
    }
    values
}

/// Table 1: 32 intervals of 2, then 16 each of 4 to 128, of ±4096.
fn a_law() -> Vec<i32> {
    decisions(2, &[(31, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)], 8)
}

/// Table 2: one interval of 1, 15 of 2, then 16 each of 4 to 256, of ±8159.
fn mu_law() -> Vec<i32> {
    decisions(1, &[(15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)], 4)
}

fn interval(decisions: &[i32], magnitude: i32) -> u8 {
    let below = decisions.iter().filter(|&&value| value <= magnitude).count();
    u8::try_from((below - 1).min(127)).expect("128 intervals")
}

#[test]
fn the_tables_end_where_the_recommendation_says() {
    assert_eq!((a_law().len(), a_law()[128]), (129, 32_768));
    assert_eq!((mu_law().len(), mu_law()[128]), (129, 8_159 * 4));
}

#[test]
fn every_sample_gets_the_code_of_its_interval() {
    let (a_law, mu_law) = (a_law(), mu_law());
    for sample in i16::MIN..=i16::MAX {
        let magnitude = i32::from(if sample < 0 { !sample } else { sample });
        let sign = if sample < 0 { 0 } else { 0x80 };
        assert_eq!(encode_a_law(sample), (sign | interval(&a_law, magnitude)) ^ 0x55, "A-law of {sample}");
        assert_eq!(encode_mu_law(sample), sign | (0x7f - interval(&mu_law, magnitude)), "µ-law of {sample}");
    }
}

#[test]
fn every_code_decodes_to_the_middle_of_its_interval() {
    let (a_law, mu_law) = (a_law(), mu_law());
    for code in 0..=255u8 {
        let sign = if code & 0x80 == 0 { -1 } else { 1 };
        let n = usize::from((code ^ 0x55) & 0x7f);
        let middle = sign * (a_law[n] + a_law[n + 1]) / 2;
        assert_eq!(i32::from(decode_a_law(code)), middle, "A-law {code:#x}");
        let n = usize::from(0x7f - (code & 0x7f));
        let middle = if n == 0 { 0 } else { sign * (mu_law[n] + mu_law[n + 1]) / 2 };
        assert_eq!(i32::from(decode_mu_law(code)), middle, "µ-law {code:#x}");
    }
}

#[test]
fn codes_survive_decoding_and_encoding() {
    for code in 0..=255u8 {
        assert_eq!(encode_a_law(decode_a_law(code)), code);
        // µ-law has two zeros; minus zero comes back as plus zero.
        let expected = if code == 0x7f { 0xff } else { code };
        assert_eq!(encode_mu_law(decode_mu_law(code)), expected);
    }
}
