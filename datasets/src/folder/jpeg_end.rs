//! Is a JPEG file there to its end? Decoders fill what a file that was cut off lacks with grey and say nothing.
//!
//! Marks after ITU-T T.81 (1992), annex B: `ff` and a byte. Segments state their length; between them stands the data of a
//! scan, in which `ff 00` is a byte of the data, and `ff d0` to `ff d7` begin a part of it.

/// Mark of the end.
const END: u8 = 0xd9;

/// Whether the file begins as a JPEG and its end is missing. What stands behind the end is not looked at.
pub(super) fn is_missing(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"\xff\xd8") else { return false };
    loop {
        let at = rest.windows(2).position(|two| two[0] == 0xff && is_mark(two[1]));
        let Some(at) = at else { return true };
        if rest[at + 1] == END {
            return false;
        }
        let segment = &rest[at + 2..];
        let length = segment.first_chunk().map_or(0, |two| u16::from_be_bytes(*two));
        rest = segment.get(usize::from(length)..).unwrap_or(&[]);
    }
}

/// Whether a byte behind `ff` makes a mark of it: one that ends the data of a scan or begins a segment.
const fn is_mark(byte: u8) -> bool {
    !matches!(byte, 0 | 1 | 0xd0..=0xd8 | 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_found() {
        let whole = [
            // a segment with what looks like an end inside
            &b"\xff\xd8\xff\xe1\x00\x06\xff\xd9\xff\xd9"[..],
            // a scan with a stuffed byte and a restart
            b"\xff\xda\x00\x04\x01\x02\x33\xff\x00\xff\xd0\x44",
            // a table, and a second scan behind a byte of filling
            b"\xff\xc4\x00\x03\x09\xff\xff\xda\x00\x02\x55\xff\xff\xd9",
        ]
        .concat();
        assert!(!is_missing(&whole));
        for len in 2..whole.len() {
            assert!(is_missing(&whole[..len]), "cut at {len}");
        }
        assert!(!is_missing(&[&whole[..], b"\xff\xd8 another picture"].concat()));
        assert!(!is_missing(b"\x89PNG"), "no JPEG");
    }
}
