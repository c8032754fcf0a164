//! Arithmetic and order against schoolbook arithmetic on lists of digits.

use std::cmp::Ordering;

use partitur_expr::Expression;
use proptest::prelude::*;

use crate::world::World;

/// A number as a sign and its digits, the least first, of which `places` stand after the point.
#[derive(Clone, Debug)]
struct School {
    negative: bool,
    digits: Vec<u8>,
    places: usize,
}

impl School {
    fn read(text: &str) -> School {
        let unsigned = text.trim_start_matches('-');
        let places = unsigned.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = unsigned.bytes().rev().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        School { negative: text.starts_with('-'), digits, places }
    }

    /// The same number with more places.
    fn widened(&self, places: usize) -> School {
        let mut wide = self.clone();
        wide.digits.splice(0..0, std::iter::repeat_n(0, places - self.places));
        wide.places = places;
        wide
    }

    fn add(&self, other: &School) -> School {
        let places = self.places.max(other.places);
        let (a, b) = (self.widened(places), other.widened(places));
        if a.negative == b.negative {
            return School { negative: a.negative, digits: add_digits(&a.digits, &b.digits), places };
        }
        let (large, small) = if order(&a.digits, &b.digits).is_lt() { (b, a) } else { (a, b) };
        School { negative: large.negative, digits: subtract_digits(&large.digits, &small.digits), places }
    }

    fn negate(&self) -> School {
        School { negative: !self.negative, ..self.clone() }
    }

    fn multiply(&self, other: &School) -> School {
        let mut digits = vec![0_u8; self.digits.len() + other.digits.len() + 1];
        for (shift, &a) in self.digits.iter().enumerate() {
            let mut carry = 0;
            for (at, &b) in other.digits.iter().chain(&[0, 0]).enumerate() {
                if shift + at < digits.len() {
                    let sum = u16::from(digits[shift + at]) + u16::from(a) * u16::from(b) + carry;
                    digits[shift + at] = (sum % 10) as u8;
                    carry = sum / 10;
                }
            }
        }
        School { negative: self.negative != other.negative, digits, places: self.places + other.places }
    }

    fn sign(&self) -> Ordering {
        match (self.digits.iter().all(|&digit| digit == 0), self.negative) {
            (true, _) => Ordering::Equal,
            (false, true) => Ordering::Less,
            (false, false) => Ordering::Greater,
        }
    }

    fn print(&self) -> String {
        let mut digits = self.digits.clone();
        while digits.len() <= self.places {
            digits.push(0);
        }
        while digits.len() > self.places + 1 && digits.last() == Some(&0) {
            digits.pop();
        }
        let mut text: String = digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        if self.places > 0 {
            text.insert(text.len() - self.places, '.');
        }
        if self.sign().is_lt() { format!("-{text}") } else { text }
    }
}

fn add_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    (0..=a.len().max(b.len()))
        .map(|at| {
            let sum = digit(a, at) + digit(b, at) + carry;
            carry = sum / 10;
            sum % 10
        })
        .collect()
}

fn subtract_digits(large: &[u8], small: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    (0..large.len())
        .map(|at| {
            let take = small.get(at).copied().unwrap_or(0) + borrow;
            borrow = u8::from(large[at] < take);
            large[at] + 10 * borrow - take
        })
        .collect()
}

fn order(a: &[u8], b: &[u8]) -> Ordering {
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    (0..a.len().max(b.len()))
        .rev()
        .map(|at| digit(a, at).cmp(&digit(b, at)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn value(source: &str) -> String {
    Expression::parse(source).unwrap().value(&World::usual()).unwrap().render()
}

/// Numbers of up to 15 digits, with any number of them after the point.
fn number() -> impl Strategy<Value = String> {
    let text = |(digits, places): (i64, usize)| {
        let unsigned = format!("{:0>width$}", digits.unsigned_abs(), width = places + 1);
        let (whole, fraction) = unsigned.split_at(unsigned.len() - places);
        let sign = if digits < 0 { "-" } else { "" };
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    };
    let near_zero = -50_i64..50;
    let any = -999_999_999_999_999_i64..1_000_000_000_000_000;
    (prop_oneof![near_zero, any], 0_usize..8).prop_map(text)
}

proptest! {
    #[test]
    fn sums_differences_and_products_are_those_of_the_school(a in number(), b in number()) {
        let (x, y) = (School::read(&a), School::read(&b));
        prop_assert_eq!(value(&format!("{a} + {b}")), x.add(&y).print());
        prop_assert_eq!(value(&format!("{a} - {b}")), x.add(&y.negate()).print());
        prop_assert_eq!(value(&format!("{a} * {b}")), x.multiply(&y).print());
    }

    #[test]
    fn a_quotient_is_the_nearest_with_eighteen_places(a in number(), b in number()) {
        prop_assume!(School::read(&b).sign().is_ne());
        let (a, b, quotient) = (School::read(&a), School::read(&b), School::read(&value(&format!("{a} / {b}"))));
        // Longer ones have no room for all eighteen.
        prop_assume!(quotient.digits.len() - quotient.places <= 19);
        // |q × b - a| × 2 ≤ |b| × 10^-18
        let mut miss = quotient.multiply(&b).add(&a.negate()).multiply(&School::read("2"));
        let mut bound = b.multiply(&School::read("0.000000000000000001"));
        (miss.negative, bound.negative) = (false, false);
        prop_assert!(miss.add(&bound.negate()).sign().is_le());
    }

    #[test]
    fn a_remainder_fills_up_the_whole_quotient(a in number(), b in number()) {
        prop_assume!(School::read(&b).sign().is_ne());
        let rest = School::read(&value(&format!("{a} % {b}")));
        let (mut size, mut bound) = (rest.clone(), School::read(&b));
        (size.negative, bound.negative) = (false, false);
        prop_assert!(size.add(&bound.negate()).sign().is_lt());
        prop_assert!(rest.sign().is_eq() || rest.negative == School::read(&a).negative);
        let whole = value(&format!("({a} - {a} % {b}) / {b} % 1 == 0"));
        prop_assert_eq!(whole, "true");
    }

    #[test]
    fn the_order_is_that_of_the_difference(a in number(), b in number()) {
        let sign = School::read(&a).add(&School::read(&b).negate()).sign();
        prop_assert_eq!(value(&format!("{a} < {b}")), sign.is_lt().to_string());
        prop_assert_eq!(value(&format!("{a} == {b}")), sign.is_eq().to_string());
        prop_assert_eq!(value(&format!("{a} >= {b}")), sign.is_ge().to_string());
    }

    #[test]
    fn another_spelling_is_the_same_number(a in number(), zeros in 0_usize..60, shift in -40_i32..40) {
        let more = if a.contains('.') { format!("{a}{}", "0".repeat(zeros)) } else { format!("{a}.0{}", "0".repeat(zeros)) };
        prop_assert_eq!(value(&format!("{a} == {more}")), "true");
        prop_assert_eq!(value(&format!("{a}e{shift} == {more}E{shift:+}")), "true");
        prop_assert_eq!(value(&format!("{a}e{shift} < {a}e{}", shift + 1)), School::read(&a).sign().is_gt().to_string());
    }

    #[test]
    fn a_rounded_number_is_at_most_a_half_away(a in number(), places in 0_usize..6) {
        let rounded = School::read(&value(&format!("round({a}, {places})")));
        prop_assert_eq!(rounded.places, places);
        let mut miss = rounded.add(&School::read(&a).negate()).multiply(&School::read("2"));
        miss.negative = false;
        let unit = School::read(&format!("-{}1", if places > 0 { format!("0.{}", "0".repeat(places - 1)) } else { String::new() }));
        prop_assert!(miss.add(&unit).sign().is_le());
    }
}
