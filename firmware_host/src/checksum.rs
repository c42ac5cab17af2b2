//! CRC-32 (ISO-HDLC, IEEE 802.3) of packets: by table on a microcontroller, by the processor's instructions on a host.
//!
//! With the feature `host` a crate does it that picks carry-less multiplication or CRC instructions at run time; it
//! needs std. Without, a table of 16 KiB serves 16 bytes a step. The checksum is the same.

/// CRC-32 (ISO-HDLC) of any bytes, as both checksums of a packet are made.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    #[cfg(feature = "host")]
    return crc32fast::hash(bytes);
    #[cfg(not(feature = "host"))]
    by_table(bytes)
}

#[cfg(any(test, not(feature = "host")))]
fn by_table(bytes: &[u8]) -> u32 {
    use crc::{CRC_32_ISO_HDLC, Crc, Table};
    const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    proptest! {
        #[test]
        fn table_and_instructions_agree(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(checksum(&bytes), by_table(&bytes));
        }
    }
}
