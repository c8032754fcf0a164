//! Numbers as JavaScript writes and reads them.

/// Up to here numbers without a fraction are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// `Number::toString`: the shortest digits that mean this number, with an exponent only for the very large and small.
pub(super) fn to_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        return (number as i64).to_string();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let shortest = format!("{:e}", number.abs());
    let places = shortest.bytes().take_while(|&byte| byte != b'e').count().saturating_sub(2);
    // Of two that are as short and as close Rust takes the greater one, JavaScript the even one: as Rust does when it
    // is told how many digits to write.
    let scientific = format!("{:.places$e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("it is written with an exponent");
    let digits = mantissa.replace('.', "");
    // The point stands after so many digits.
    let point = exponent.parse::<i32>().expect("an exponent is a whole number") + 1;
    format!("{sign}{}", with_point(&digits, point))
}

fn with_point(digits: &str, point: i32) -> String {
    let count = digits.len() as i32;
    match point {
        _ if count <= point && point <= 21 => format!("{digits}{}", "0".repeat((point - count) as usize)),
        1..=21 => format!("{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("0.{}{digits}", "0".repeat(-point as usize)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let fraction = if rest.is_empty() { String::new() } else { format!(".{rest}") };
            format!("{first}{fraction}e{:+}", point - 1)
        }
    }
}

/// `StringToNumber`. Numbers of other bases are left to others.
pub(super) fn of_text(text: &str) -> Option<f64> {
    let text = text.trim_matches(super::value::is_space);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_decimal = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    match unsigned {
        "" if text.is_empty() => Some(0.0),
        "Infinity" if text.starts_with('-') => Some(f64::NEG_INFINITY),
        "Infinity" => Some(f64::INFINITY),
        _ if has_other_base(text) => None,
        // Rust reads decimal numbers as JavaScript does, and nothing else of this shape.
        _ if is_decimal => Some(text.parse().unwrap_or(f64::NAN)),
        _ => Some(f64::NAN),
    }
}

fn has_other_base(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| rest.starts_with(['x', 'X', 'o', 'O', 'b', 'B']))
}
