//! Exact arithmetic and comparison on the digits of numbers.

use std::cmp::Ordering;
use std::fmt;

/// Digits after the point that a division keeps.
pub(crate) const DIVISION_PLACES: u32 = 18;

/// No number that takes part in arithmetic has more digits after the point.
const SCALE_MAX: u32 = 400;

/// `digits` × 10^-`scale`. The scale is kept as in accounting: `1.10 + 2.20` is `3.30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    pub(crate) const ZERO: Decimal = Decimal { digits: 0, scale: 0 };

    /// Reads a JSON number; `None` if it has too many digits for exact arithmetic.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = split_exponent(text);
        let exponent = i32::try_from(exponent).ok()?;
        let mut digits: i128 = 0;
        let (mut places, mut fraction) = (0_i32, false);
        for byte in mantissa.bytes() {
            match byte {
                b'0'..=b'9' => {
                    digits = digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    places += i32::from(fraction);
                }
                b'.' => fraction = true,
                b'-' => {}
                _ => return None,
            }
        }
        let digits = if mantissa.starts_with('-') { -digits } else { digits };
        Decimal::scaled(digits, i64::from(places) - i64::from(exponent))
    }

    fn scaled(digits: i128, scale: i64) -> Option<Decimal> {
        if digits == 0 {
            let scale = u32::try_from(scale.clamp(0, i64::from(SCALE_MAX))).expect("clamped");
            return Some(Decimal { digits, scale });
        }
        match u32::try_from(scale) {
            Ok(scale) => (scale <= SCALE_MAX).then_some(Decimal { digits, scale }),
            Err(_) => {
                let raise = power_of_ten(u32::try_from(-scale).ok()?)?;
                Some(Decimal { digits: digits.checked_mul(raise)?, scale: 0 })
            }
        }
    }

    pub(crate) fn add(self, other: Decimal) -> Option<Decimal> {
        let (a, b, scale) = aligned(self, other)?;
        Some(Decimal { digits: a.checked_add(b)?, scale })
    }

    pub(crate) fn subtract(self, other: Decimal) -> Option<Decimal> {
        self.add(other.negate()?)
    }

    pub(crate) fn negate(self) -> Option<Decimal> {
        Some(Decimal { digits: self.digits.checked_neg()?, scale: self.scale })
    }

    pub(crate) fn multiply(self, other: Decimal) -> Option<Decimal> {
        let digits = self.digits.checked_mul(other.digits)?;
        Decimal::scaled(digits, i64::from(self.scale) + i64::from(other.scale))
    }

    pub(crate) fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// What is left of a division without fraction; it has the sign of `self`. `None` also for a zero `other`.
    pub(crate) fn remainder(self, other: Decimal) -> Option<Decimal> {
        let (a, b, scale) = aligned(self, other)?;
        Some(Decimal { digits: a.checked_rem(b)?, scale })
    }

    /// The quotient, rounded to [`DIVISION_PLACES`] (half to even), without zeros at the end. `None` also for a zero
    /// `other`. Long division: a quotient with no room for all its places keeps those that fit.
    pub(crate) fn divide(self, other: Decimal) -> Option<Decimal> {
        let negative = (self.digits < 0) != (other.digits < 0);
        let mut divisor = other.digits.unsigned_abs();
        let lift = i64::from(self.scale) - i64::from(other.scale);
        let mut places = lift;
        if places > i64::from(DIVISION_PLACES) {
            // The dividend has more places than the quotient keeps.
            let surplus = u32::try_from(places - i64::from(DIVISION_PLACES)).ok()?;
            divisor = divisor.checked_mul(u128::try_from(power_of_ten(surplus)?).ok()?)?;
            places = i64::from(DIVISION_PLACES);
        }
        let dividend = self.digits.unsigned_abs();
        let (mut quotient, mut rest) = (dividend.checked_div(divisor)?, dividend % divisor);
        while places < 0 || (rest != 0 && places < i64::from(DIVISION_PLACES)) {
            let next = rest.checked_mul(10)?;
            let digit = next / divisor;
            match quotient.checked_mul(10).and_then(|shifted| shifted.checked_add(digit)) {
                Some(longer) if i128::try_from(longer).is_ok() => quotient = longer,
                Some(_) | None if places >= 0 => break,
                Some(_) | None => return None,
            }
            rest = next % divisor;
            places += 1;
        }
        quotient += u128::from(is_rounded_up(quotient, rest, divisor));
        let digits = i128::try_from(quotient).ok()?;
        Some(Decimal::scaled(if negative { -digits } else { digits }, places)?.trimmed())
    }

    /// With exactly `places` digits after the point; a half goes away from zero, as in accounting.
    pub(crate) fn round(self, places: u32) -> Option<Decimal> {
        if self.scale <= places {
            let digits = self.digits.checked_mul(power_of_ten(places - self.scale)?)?;
            return Some(Decimal { digits, scale: places });
        }
        let digits = match power_of_ten(self.scale - places) {
            None => 0,
            Some(unit) => {
                let (whole, rest) = (self.digits / unit, self.digits % unit);
                let up = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
                whole + if up { self.digits.signum() } else { 0 }
            }
        };
        Some(Decimal { digits, scale: places })
    }

    fn trimmed(mut self) -> Decimal {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }
}

impl From<usize> for Decimal {
    fn from(count: usize) -> Decimal {
        Decimal { digits: i128::try_from(count).expect("usize has 64 bits at most"), scale: 0 }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let places = self.scale as usize;
        let text = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = text.split_at(text.len() - places);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

fn aligned(a: Decimal, b: Decimal) -> Option<(i128, i128, u32)> {
    let scale = a.scale.max(b.scale);
    let raise = |number: Decimal| match number.digits {
        0 => Some(0),
        digits => digits.checked_mul(power_of_ten(scale - number.scale)?),
    };
    Some((raise(a)?, raise(b)?, scale))
}

fn is_rounded_up(quotient: u128, rest: u128, divisor: u128) -> bool {
    match rest.cmp(&(divisor - rest)) {
        Ordering::Less => false,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Greater => true,
    }
}

/// Mantissa and exponent of a JSON number. An exponent beyond `i64` saturates.
fn split_exponent(text: &str) -> (&str, i64) {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return (text, 0) };
    let limit = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
    (mantissa, exponent.parse::<i64>().map_or(limit, |value| value.clamp(i64::MIN / 4, i64::MAX / 4)))
}

/// Compares two JSON numbers by value, exactly, however long they are.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a.cmp(&b);
    }
    let (a, b) = (Normal::of(a), Normal::of(b));
    match (a.sign, b.sign) {
        (-1, -1) => b.magnitude_cmp(&a),
        (1, 1) => a.magnitude_cmp(&b),
        (left, right) => left.cmp(&right),
    }
}

/// 0.`digits` × 10^`exponent`, without zeros at either end of the digits.
struct Normal {
    sign: i8,
    exponent: i64,
    digits: Vec<u8>,
}

impl Normal {
    fn of(text: &str) -> Normal {
        let (mantissa, exponent) = split_exponent(text);
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = all.iter().take_while(|&&digit| digit == b'0').count();
        let end = all.iter().rposition(|&digit| digit != b'0').map_or(zeros, |last| last + 1);
        let digits = all[zeros..end].to_vec();
        let sign = match (digits.is_empty(), mantissa.starts_with('-')) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        Normal { sign, exponent: exponent + whole.len() as i64 - zeros as i64, digits }
    }

    fn magnitude_cmp(&self, other: &Normal) -> Ordering {
        self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
    }
}
