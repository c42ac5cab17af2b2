//! The NPY array format, version 1.0, as far as we write it: C order, little endian.
//!
//! Reference: `NumPy` Enhancement Proposal 1, "A simple file format for `NumPy` arrays".

/// Type of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Unsigned 8-bit.
    U8,
    /// Signed 64-bit, little endian.
    I64,
}

impl Element {
    const fn descr(self) -> &'static str {
        match self {
            Self::U8 => "|u1",
            Self::I64 => "<i8",
        }
    }
}

/// Magic, version and dictionary of an array, padded so that the data start at a multiple of 64 bytes.
#[must_use]
pub fn header(element: Element, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let dictionary = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
        element.descr(),
        if shape.len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") },
    );
    const PREFIX: usize = 10;
    let total = (PREFIX + dictionary.len() + 1).next_multiple_of(64);
    let length = u16::try_from(total - PREFIX).unwrap_or(u16::MAX); // at most 7 sizes of 20 digits
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(dictionary.as_bytes());
    bytes.resize(total - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_numpy_writes() {
        // numpy.save(f, numpy.zeros((2, 4, 4, 3), "u1")) of NumPy 2
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend(b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 4, 3), }");
        expected.resize(127, b' ');
        expected.push(b'\n');
        assert_eq!(header(Element::U8, &[2, 4, 4, 3]), expected);
        let one = header(Element::I64, &[7]);
        assert!(one.windows(7).any(|w| w == b"(7,), }"), "{}", String::from_utf8_lossy(&one));
        assert_eq!(one.len() % 64, 0);
    }
}
