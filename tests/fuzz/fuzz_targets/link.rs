//! The wire from the camera: framing and packets. Nothing is delivered that no checksum covers; what was sent arrives.
#![no_main]

use firmware_host::cobs::{self, Deframer};
use firmware_host::Micros;
use firmware_host::link::{self, FrameHeader, Packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&step, bytes)) = data.split_first() else { return };
    let step = usize::from(step).max(1);
    // as a stream of the wire, in pieces
    let mut buffer = [0_u8; 512];
    let mut deframer = if step % 2 == 0 { Deframer::new() } else { Deframer::joining() };
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            let (taken, result) = deframer.feed(rest, &mut buffer);
            assert!(taken > 0 && taken <= rest.len());
            rest = &rest[taken..];
            if let Some(Ok(len)) = result {
                packet(&buffer[..len]);
            }
        }
    }
    // as a packet, with and without the checksums that it claims
    packet(bytes);
    sealed(bytes);
    // as something to send: it arrives as it was, alone and after noise
    let mut wire = Vec::new();
    cobs::encode(bytes, |piece| wire.extend_from_slice(piece));
    let mut large = vec![0; bytes.len() + 1];
    let mut deframer = Deframer::new();
    let mut arrived = None;
    let mut rest = &wire[..];
    while !rest.is_empty() {
        let (taken, result) = deframer.feed(rest, &mut large);
        rest = &rest[taken..];
        arrived = arrived.or(result.and_then(Result::ok));
    }
    if !bytes.is_empty() {
        assert_eq!(arrived.map(|len| &large[..len]), Some(bytes));
    }
});

/// A sealed packet with one bit changed never passes for another one.
fn sealed(bytes: &[u8]) {
    let Some((parameters, pixels)) = bytes.split_first_chunk::<24>() else { return };
    let word = |at: usize| u32::from_le_bytes(*parameters[at..].first_chunk().expect("24 bytes"));
    let header = FrameHeader {
        sequence: word(0),
        position: word(4),
        scheduled: Micros(u64::from(word(8)) << 7),
        captured: Micros(word(12).into()),
        exposure_micros: word(16),
        width: u16::from(parameters[20] % 8) + 1,
        height: u16::from(parameters[21] % 8) + 1,
    };
    let mut packet = vec![0; header.packet_len()];
    for (to, from) in packet[link::HEADER_LEN..].iter_mut().zip(pixels.iter().cycle()) {
        *to = *from;
    }
    let len = header.seal(&mut packet).expect("its geometry is right");
    assert_eq!(FrameHeader::parse(&Packet::new(&packet[..len]).expect("it is")), Ok(header));
    let bit = usize::from(u16::from_le_bytes([parameters[22], parameters[23]])) % (len * 8);
    packet[bit / 8] ^= 1 << (bit % 8);
    let parsed = Packet::new(&packet[..len]).and_then(|packet| FrameHeader::parse(&packet));
    assert!(parsed.is_err(), "bit {bit} changed, and the packet is accepted");
}

fn packet(bytes: &[u8]) {
    let Ok(packet) = Packet::new(bytes) else { return };
    let Ok(header) = FrameHeader::parse(&packet) else { return };
    let _ = packet.pixel_crc();
    if let Ok(pixels) = packet.pixels(&header) {
        let size = usize::from(header.width) * usize::from(header.height) * 3;
        assert_eq!(pixels.len(), size);
        // sealing the same header over the same pixels gives the same packet
        let mut again = vec![0; link::HEADER_LEN + size];
        again[link::HEADER_LEN..].copy_from_slice(pixels);
        let len = header.seal(&mut again).expect("it was a packet");
        assert_eq!(FrameHeader::parse(&Packet::new(&again[..len]).expect("it is")), Ok(header));
    }
}
