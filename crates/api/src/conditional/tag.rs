//! Tags of things, and the conditions that name them (RFC 9110, 8.8.3 and 13.1). Used by [`super`] alone.

use std::fmt;

use sha2::{Digest, Sha256};

/// Bytes of a digest that a tag has: 128 bits, since nobody gains by a collision with themselves.
const DIGEST_BYTES: usize = 16;

/// A strong tag, with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let hex: String = digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("\"{hex}\""))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// `*`: whatever is there.
    Any,
    /// One of these, each as it was written.
    OneOf(Vec<String>),
}

impl Condition {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let tags: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
        tags.iter().all(|tag| is_tag(tag)).then_some(Self::OneOf(tags))
    }

    /// By the strong comparison, which a weak tag never passes.
    pub(super) fn holds(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.contains(&tag.0),
        }
    }

    /// By the weak comparison.
    pub(super) fn holds_weakly(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|one| one.strip_prefix("W/").unwrap_or(one) == tag.0),
        }
    }
}

/// Quoted, with nothing between the quotes that a tag may not have. (A comma may be in a tag, but never is in ours.)
fn is_tag(text: &str) -> bool {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|byte| byte == 0x21 || byte > 0x22 && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_lists_of_tags_or_a_star() {
        let tag = Tag::of(b"one");
        let holds = |text: &str| Condition::parse(text).map(|one| (one.holds(&tag), one.holds_weakly(&tag)));
        assert_eq!(holds("*"), Some((true, true)));
        assert_eq!(holds(&tag.to_string()), Some((true, true)));
        assert_eq!(holds(&format!("\"other\", {tag}")), Some((true, true)));
        assert_eq!(holds(&format!("W/{tag}")), Some((false, true)));
        assert_eq!(holds("\"other\""), Some((false, false)));
        for wrong in ["", "abc", "\"a", "\"a\" \"b\"", "*, \"a\"", "w/\"a\"", "\"a\"b\""] {
            assert_eq!(holds(wrong), None, "{wrong}");
        }
    }
}
