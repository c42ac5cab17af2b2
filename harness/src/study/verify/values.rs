//! Two JSON values that ought to be one: every place where they part.

use serde_json::Value;

use super::TOLERANCE;

/// What differs below a place, a line each; numbers may part by the last bits. Counts the single values that were looked at.
pub(super) fn compare(
    place: &str,
    derived: &Value,
    kept: &Value,
    looked_at: &mut usize,
    wrong: &mut Vec<String>,
) {
    match (derived, kept) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            for (name, value) in a {
                let other = b.get(name).unwrap_or(&Value::Null);
                compare(&format!("{place}/{name}"), value, other, looked_at, wrong);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (value, other)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}/{i}"), value, other, looked_at, wrong);
            }
        }
        _ => {
            *looked_at += 1;
            let near = match (derived.as_f64(), kept.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
                _ => derived == kept,
            };
            if !near {
                let [expected, found] = [derived, kept].map(shown);
                wrong.push(format!("{place}: {expected} expected, {found} found"));
            }
        }
    }
}

/// A value in a line; of one with parts, how many there are, since all results may hang below it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Object(parts) => format!("an object of {} names", parts.len()),
        Value::Array(parts) => format!("a list of {} values", parts.len()),
        single => single.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_that_part_are_named_and_the_last_bits_of_a_number_do_not_matter() {
        let whole = json!({ "a": [0.1, { "b": "x" }], "c": null });
        for (other, line) in [
            (json!({ "a": [0.100_000_000_000_01, { "b": "x" }], "c": null }), None),
            (
                json!({ "a": [0.1001, { "b": "x" }], "c": null }),
                Some("r/a/0: 0.1 expected, 0.1001 found"),
            ),
            (
                json!({ "a": [0.1, { "b": "y" }], "c": null }),
                Some("r/a/1/b: \"x\" expected, \"y\" found"),
            ),
            (json!({ "a": [0.1, { "b": "x" }], "c": 2 }), Some("r/c: nothing expected, 2 found")),
            (json!({ "a": [0.1], "c": null }), Some("r/a: a list of 2 values expected, a list")),
            (json!({ "a": [] }), Some("r: an object of 2 names expected, an object of 1 names")),
        ] {
            let (mut looked_at, mut wrong) = (0, Vec::new());
            compare("r", &whole, &other, &mut looked_at, &mut wrong);
            let starts = |line: &str| wrong.len() == 1 && wrong[0].starts_with(line);
            assert!(line.map_or(wrong.is_empty(), starts), "{line:?}: {wrong:?}");
            assert!((1..=3).contains(&looked_at), "{looked_at}");
        }
    }
}
