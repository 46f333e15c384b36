//! Judging a transcript: by how much of what was spoken it holds, since a model may hear one character wrong.

/// Share of `spoken`'s Hanzi (percent) that stand in `heard` in the same order.
pub fn heard_percent(spoken: &str, heard: &str) -> usize {
    let hanzi =
        |text: &str| text.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).collect::<Vec<_>>();
    let (spoken, heard) = (hanzi(spoken), hanzi(heard));
    // Longest common subsequence, row by row.
    let mut row = vec![0usize; heard.len() + 1];
    for character in &spoken {
        let mut diagonal = 0;
        for (j, other) in heard.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if character == other { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default() * 100 / spoken.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::heard_percent;

    #[test]
    fn one_wrong_character_in_ten_is_ninety_percent_and_other_words_are_none() {
        assert_eq!(heard_percent("三号楼的暖气不热了。", "三号楼的暖气不热了"), 100);
        assert_eq!(heard_percent("我们三号楼的暖气不热", "我们三号楼的暖器不热"), 90);
        assert_eq!(heard_percent("暖气不热", "请问，请问"), 0);
        assert_eq!(heard_percent("暖气不热", ""), 0);
    }
}
