//! Which instruction sets the integer kernels of a run used.
//!
//! Their results are equal to the bit, so that a run may be resumed with another one, and parts from different
//! machines may be merged. It is recorded all the same: latencies are not equal.

/// Setting with the names of all instruction sets that were used, in the order of their first use; [`NONE`] for a
/// network in floating point.
pub const INTEGER_KERNELS: &str = "machine.integer_kernels";
/// Value for a network of which nothing runs in integers.
pub const NONE: &str = "none";
/// What stands for the part of a run that was stored before this setting existed.
const NOT_RECORDED: &str = "not recorded";
const SEPARATOR: &str = ", ";

/// Several values of the setting as one. All are JSON, as settings are.
pub(super) fn joined<'a>(values: impl IntoIterator<Item = Option<&'a String>>) -> String {
    let mut all: Vec<String> = Vec::new();
    for value in values {
        let names = value.and_then(|json| serde_json::from_str::<String>(json).ok());
        for name in names.as_deref().unwrap_or(NOT_RECORDED).split(SEPARATOR) {
            if !all.iter().any(|known| known == name) {
                all.push(name.to_owned());
            }
        }
    }
    serde_json::Value::from(all.join(SEPARATOR)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_is_named_once_in_the_order_of_use() {
        let value = |text: &str| format!("\"{text}\"");
        let (first, second, both) = (value("scalar"), value("avx2"), value("scalar, avx2"));
        assert_eq!(joined([Some(&first), Some(&first)]), first);
        assert_eq!(joined([Some(&first), Some(&second)]), both);
        assert_eq!(joined([Some(&both), Some(&first)]), both);
        assert_eq!(joined([None, Some(&second)]), value("not recorded, avx2"));
    }
}
