//! Masks values that were revealed to a guest in what it says: log lines, progress, errors.
//!
//! A net for mistakes, no wall: only exact values and their lines are found, not what a guest makes of them.

use zeroize::Zeroizing;

/// Shorter values are not masked: they would be found in every other word.
const MASKED_BYTES_MIN: usize = 6;
/// Values, and lines of values, that are masked.
const MASKED_MAX: usize = 256;
/// What stands in their place.
const STAND_IN: &str = "[secret]";

/// Values that must not be shown; the longest first.
#[derive(Default)]
pub(super) struct Mask(Vec<Zeroizing<String>>);

impl Mask {
    /// Masks this value, and each of its lines, from now on.
    pub(super) fn add(&mut self, value: &[u8]) {
        let text = Zeroizing::new(String::from_utf8_lossy(value).into_owned());
        self.add_text(text.trim());
        text.lines().for_each(|line| self.add_text(line.trim()));
        self.0.sort_by_key(|known| std::cmp::Reverse(known.len()));
    }

    fn add_text(&mut self, text: &str) {
        let known = self.0.iter().any(|known| known.as_str() == text);
        if text.len() >= MASKED_BYTES_MIN && !known && self.0.len() < MASKED_MAX {
            self.0.push(Zeroizing::new(text.to_owned()));
        }
    }

    /// The text without them.
    pub(super) fn apply(&self, text: String) -> String {
        let mut text = text;
        for hidden in &self.0 {
            if text.contains(hidden.as_str()) {
                text = text.replace(hidden.as_str(), STAND_IN);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_lines_are_masked() {
        let mut mask = Mask::default();
        let of = |mask: &Mask, text: &str| mask.apply(text.to_owned());
        mask.add(b"hunter2-secret\n");
        mask.add(b"-----BEGIN KEY-----\nabcdefgh\nxyz\n-----END KEY-----");
        mask.add(b"short");
        assert_eq!(of(&mask, "the key is hunter2-secret, short"), "the key is [secret], short");
        assert_eq!(of(&mask, "abcdefgh and hunter2-secrethunter2-secret"), "[secret] and [secret][secret]");
        assert_eq!(of(&mask, "nothing"), "nothing");
    }

    #[test]
    fn a_value_within_another_hides_no_part_of_it() {
        let mut mask = Mask::default();
        mask.add(b"abcdef");
        mask.add(b"abcdefghi");
        assert_eq!(mask.apply("abcdefghi abcdef".to_owned()), "[secret] [secret]");
    }
}
