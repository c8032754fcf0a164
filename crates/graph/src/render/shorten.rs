//! Text on little room: what it measures, and what of it is shown.

/// The text with everything that drives a reader's machine replaced: control characters, and those that turn the
/// direction of what follows.
pub fn printable(text: &str) -> String {
    let replace = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        // No part of XML, and of no use to anybody.
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    };
    text.chars().map(replace).collect()
}

/// The text with at most so many characters; what is left out is in the middle, as names often differ at their ends.
pub fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept = most - 1;
    let begin: String = text.chars().take(kept.div_ceil(2)).collect();
    let end: String = text.chars().skip(length - kept / 2).collect();
    format!("{begin}…{end}")
}

/// About how wide the text is, for letters of height 1: on the generous side of the usual fonts.
pub fn width(text: &str) -> f32 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.33,
        'f' | 'r' | 't' | '-' | '(' | ')' | '[' | ']' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' => 0.71,
        c if c.is_ascii() => 0.62,
        c if c < '\u{1100}' => 0.68,
        _ => 1.04,
    };
    text.chars().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_long_name_are_shown() {
        assert_eq!(shortened("compile:src/deep/down/in/file.c", 17), "compile:…n/file.c");
        assert_eq!(shortened("short", 17), "short");
        assert_eq!(shortened("größer", 4), "gr…r");
    }

    #[test]
    fn nothing_turns_the_direction_of_what_follows() {
        assert_eq!(printable("a\u{202e}b\x1b[2Jc\nd"), "a\u{fffd}b\u{fffd}[2Jc d");
    }
}
