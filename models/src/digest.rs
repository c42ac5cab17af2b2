//! sha256 in hexadecimal: the identity of files and class lists.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// sha256 of some bytes, 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // writing to a String cannot fail
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Identity of a class list: sha256 of the names in the order of the classes, in UTF-8, joined by
/// one line feed, none at the end.
#[must_use]
pub fn class_list_hash<S: AsRef<str>>(names: &[S]) -> String {
    let joined = names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("\n");
    sha256_hex(joined.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // FIPS 180-2, appendix B.1
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        assert_eq!(class_list_hash(&["abc"]), abc);
        assert_eq!(class_list_hash(&["a", "b"]), sha256_hex(b"a\nb"));
    }
}
