//! Ids as they are compared: the text as written, so that `7.10` and `7.1` differ although JSON calls them one number.

/// An id without spaces around it, and without zeros before a whole number.
pub(super) fn canonical(text: &str) -> &str {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text;
    }
    let digits = text.trim_start_matches('0');
    if digits.is_empty() { &text[text.len() - 1..] } else { digits }
}

/// The id of a subtask among its siblings: `2`, also where `7.2` is written in task 7.
pub(super) fn local<'s>(parent: &str, text: &'s str) -> &'s str {
    let id = canonical(text);
    match id.strip_prefix(parent).and_then(|rest| rest.strip_prefix('.')) {
        Some(rest) if !rest.is_empty() => canonical(rest),
        Some(_) | None => id,
    }
}

/// `7.2` in its two parts, at the last dot.
pub(super) fn halves(text: &str) -> Option<(&str, &str)> {
    let (parent, own) = text.rsplit_once('.')?;
    Some((canonical(parent), canonical(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_texts_and_not_numbers() {
        assert_ne!(local("7", "7.10"), local("7", "7.1"));
        assert_eq!((canonical(" 007 "), canonical("0"), canonical("1.0")), ("7", "0", "1.0"));
        assert_eq!((local("7", "7.10"), local("7", "3"), local("7", "4.2")), ("10", "3", "4.2"));
        assert_eq!((local("7", "7."), local("task_1", "task_1_2")), ("7.", "task_1_2"));
        assert_eq!(halves("a.b.02"), Some(("a.b", "2")));
    }
}
