//! Defaults of `float` and `double` fields, as `protoc` writes them. Other parsers of `.proto`
//! files write the same numbers differently.

use prost_types::field_descriptor_proto::Type;

/// Returns the digits that `protoc` would write: the shorter of two precisions if it parses to the
/// same number, else the longer one.
///
/// Text that is not a number is returned unchanged.
pub(crate) fn as_protoc_writes(default: &str, r#type: Type) -> String {
    let Ok(number) = default.parse::<f64>() else {
        return default.to_owned();
    };
    let (number, precisions) = if r#type == Type::Float {
        (f64::from(number as f32), [6, 9])
    } else {
        (number, [15, 17])
    };
    if !number.is_finite() {
        // Rust prints `NaN`.
        return number.to_string().to_ascii_lowercase();
    }
    let round_trips = |text: &str| match r#type {
        Type::Float => text.parse() == Ok(number as f32),
        _ => text.parse() == Ok(number),
    };
    let [short, long] = precisions.map(|precision| general(number, precision));
    if round_trips(&short) { short } else { long }
}

/// Formats a number as `%.{precision}g` of C does.
fn general(number: f64, precision: usize) -> String {
    let scientific = format!("{number:.*e}", precision - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_zeros(digits), exponent.abs());
    }
    without_zeros(&format!(
        "{number:.*}",
        (precision as i32 - 1 - exponent) as usize
    ))
    .to_owned()
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_protoc_writes_them() {
        let check = |r#type, text: &str, expected: &str| {
            assert_eq!(as_protoc_writes(text, r#type), expected, "{text}")
        };
        for (text, expected) in [
            ("0.00000000001", "1e-11"),
            ("1e-300", "1e-300"),
            ("340000000000000000000", "3.4e+20"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("100", "100"),
            ("1.50", "1.5"),
            ("-0", "-0"),
            ("0.0001", "0.0001"),
            ("inf", "inf"),
            ("-inf", "-inf"),
            ("nan", "nan"),
            ("1e309", "inf"),
            ("-1e309", "-inf"),
            ("5e-324", "4.94065645841247e-324"),
            ("no number", "no number"),
        ] {
            check(Type::Double, text, expected);
        }
        check(
            Type::Float,
            "340000000000000000000000000000000000000",
            "3.4e+38",
        );
        check(Type::Float, "1e39", "inf");
        check(Type::Float, "-1e39", "-inf");
        check(Type::Float, "3.4028235e38", "3.40282347e+38");
        check(Type::Float, "5e-324", "0");
        check(Type::Float, "-1e-46", "-0");
        check(Type::Float, "0.1", "0.1");
        check(Type::Float, "16777217", "16777216");
    }
}
