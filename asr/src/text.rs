//! What an engine wrote → what may stand in a record.
//!
//! Repairs, in this order: loops are cut to one turn, Chinese goes to simplified characters and full-width
//! punctuation, and sentences the model invents when nobody speaks are dropped (`data/hallucinations.txt`).
//! Words are never corrected.

use std::sync::OnceLock;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

use crate::error::AsrError;

/// A looping decoder knows not what it says: a cut text is never surer than this, basis points.
pub const LOOP_CONFIDENCE: u16 = 3_000;

/// Repeated this often in a row, a phrase is the decoder's loop and not the speaker's insistence.
const LOOP_TURNS: usize = 4;
/// Longest phrase looked for in a loop, characters.
const LOOP_PHRASE_MAX: usize = 24;

/// Cleans texts; made once, it holds the conversion tables.
pub struct TextCleaner {
    simplify: OpenCC,
    phrases: Vec<Phrase>,
}

enum Phrase {
    Whole(String),
    Within(String),
}

/// A text that may stand in a record. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The text, not empty.
    pub text: String,
    /// A loop was cut out of it.
    pub looped: bool,
}

impl std::fmt::Debug for Cleaned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cleaned {{ looped: {} }}", self.looped)
    }
}

impl TextCleaner {
    /// The one instance of this process.
    ///
    /// # Errors
    /// [`AsrError::Engine`] if the built-in tables cannot be read, which a test excludes.
    pub fn shared() -> Result<&'static Self, AsrError> {
        static CLEANER: OnceLock<Result<TextCleaner, String>> = OnceLock::new();
        CLEANER.get_or_init(Self::build).as_ref().map_err(|reason| AsrError::Engine(reason.clone()))
    }

    fn build() -> Result<Self, String> {
        let simplify = OpenCC::from_config(BuiltinConfig::T2s).map_err(|error| error.to_string())?;
        let phrases = include_str!("../data/hallucinations.txt")
            .lines()
            .filter_map(|line| match line.split_once(' ')? {
                ("=", phrase) => Some(Phrase::Whole(bare(phrase))),
                ("~", phrase) => Some(Phrase::Within(bare(phrase))),
                _ => None,
            })
            .collect();
        Ok(Self { simplify, phrases })
    }

    /// The text as it may stand in a record, or nothing if nobody said it.
    pub fn clean(&self, raw: &str, language: &str) -> Option<Cleaned> {
        let printable: String =
            raw.chars().filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER).collect();
        let (text, looped) = cut_loops(printable.trim());
        let chinese = matches!(language, "zh" | "yue");
        let text = if chinese { mainland_spelling(&self.simplify.convert(&text)) } else { text };
        let essence = bare(&text);
        let invented = self.phrases.iter().any(|phrase| match phrase {
            Phrase::Whole(phrase) => essence == *phrase,
            Phrase::Within(phrase) => essence.contains(phrase.as_str()),
        });
        (!essence.is_empty() && !invented).then_some(Cleaned { text, looped })
    }
}

/// What OpenCC leaves: `著` where it is the particle `着`, and half-width punctuation after Hanzi.
fn mainland_spelling(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let before = |at: usize| at.checked_sub(1).and_then(|at| chars.get(at)).copied().unwrap_or(' ');
    let spelled = chars.iter().enumerate().map(|(at, &c)| {
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        match c {
            // Writing and fame keep their own character: 著名, 著作, 显著, 名著, 土著 …
            '著' if !"名作称者书述录".contains(after)
                && !"显卓昭名原编专论译巨土拙合新遗".contains(before(at)) =>
            {
                '着'
            }
            ',' if is_hanzi(before(at)) => '，',
            '?' if is_hanzi(before(at)) => '？',
            '!' if is_hanzi(before(at)) => '！',
            ';' if is_hanzi(before(at)) => '；',
            ':' if is_hanzi(before(at)) => '：',
            '.' if is_hanzi(before(at)) && after != '.' => '。',
            other => other,
        }
    });
    spelled.collect()
}

/// The main block of Chinese characters.
fn is_hanzi(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Letters, digits and Hanzi alone, in lower case.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Replaces a phrase said [`LOOP_TURNS`] times or more in a row by one turn of it.
///
/// Digits and single letters are left: telephone numbers and licence plates repeat them.
fn cut_loops(text: &str) -> (String, bool) {
    let chars: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let (mut at, mut looped) = (0, false);
    while let Some(&first) = chars.get(at) {
        let found = (1..=LOOP_PHRASE_MAX).find_map(|length| {
            let phrase = chars.get(at..at + length)?;
            let turns =
                1 + chars.get(at + length..)?.chunks(length).take_while(|turn| *turn == phrase).count();
            let countable = phrase.iter().all(|&c| c.is_ascii_digit() || is_hanzi_digit(c))
                || (length == 1 && first.is_ascii_alphabetic());
            let spoken = phrase.iter().any(|c| c.is_alphanumeric());
            (turns >= LOOP_TURNS && spoken && !countable).then_some((phrase, turns * length))
        });
        match found {
            Some((phrase, skipped)) => {
                kept.extend(phrase);
                at += skipped;
                looped = true;
            }
            None => {
                kept.push(first);
                at += 1;
            }
        }
    }
    (kept, looped)
}

fn is_hanzi_digit(c: char) -> bool {
    "零〇一二三四五六七八九十幺两".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(raw: &str) -> Option<(String, bool)> {
        let cleaned = TextCleaner::shared().unwrap().clean(raw, "zh")?;
        Some((cleaned.text, cleaned.looped))
    }

    #[test]
    fn traditional_becomes_simplified_and_english_stays() {
        assert_eq!(clean("暖氣不熱，請儘快處理。"), Some(("暖气不热，请尽快处理。".into(), false)));
        assert_eq!(clean(" please 幫 me "), Some(("please 帮 me".into(), false)));
        assert_eq!(clean("吵得睡不著覺,看著都擔心."), Some(("吵得睡不着觉，看着都担心。".into(), false)));
        assert_eq!(clean("著名的名著,3.5米"), Some(("著名的名著，3.5米".into(), false)));
    }

    #[test]
    fn loops_are_cut_to_one_turn() {
        assert_eq!(clean("路灯坏了路灯坏了路灯坏了路灯坏了，请修"), Some(("路灯坏了，请修".into(), true)));
        assert_eq!(clean("请问, 请问, 请问, 请问, 请问,"), None);
        assert_eq!(clean("啊啊啊啊啊啊"), Some(("啊".into(), true)));
        assert_eq!(clean("对对对"), Some(("对对对".into(), false)));
    }

    #[test]
    fn numbers_with_repeated_digits_are_left() {
        assert_eq!(clean("电话是18888888888"), Some(("电话是18888888888".into(), false)));
        assert_eq!(clean("八八八八八"), Some(("八八八八八".into(), false)));
    }

    #[test]
    fn invented_subtitles_are_dropped_and_thanks_are_kept() {
        assert_eq!(clean("請不吝點贊 訂閱 轉發 打賞支持明鏡與點點欄目"), None);
        assert_eq!(clean("字幕 by 索蘭婭"), None);
        assert_eq!(clean("(音樂)"), None);
        assert_eq!(clean("謝謝觀看！"), None);
        assert_eq!(clean("谢谢"), Some(("谢谢".into(), false)));
        assert_eq!(clean("请问，我的字幕机坏了"), Some(("请问，我的字幕机坏了".into(), false)));
        assert_eq!(clean(" ... "), None);
        assert_eq!(clean("\u{fffd}"), None);
    }
}
