//! Are packets that a fault damaged found at the other end, is a slow pipeline told from a camera that stalls, and what if
//! the power of a camera is cut?

use std::io::Write as _;

use firmware_host::FrameHeader;
use firmware_host::link::HEADER_LEN;

use super::*;
use crate::feed::Truth;
use crate::feed::wire::{end_bytes, frame_into, truth_bytes};

#[test]
fn packets_that_a_fault_damaged_are_sent_and_found_to_be_bad() {
    let settings = ServeSettings { lockstep: true, ..settings(Transport::Tcp, 0, 0) };
    // bits all over the header, a bit anywhere, the end or all of a packet
    for kind in ["\"flip-bits\"\ncount = 2000", "\"flip-bits\"", "\"truncate\""] {
        let faults = format!("[[fault]]\nshare = 0.5\nkind = {kind}");
        let faults: Scenario = toml::from_str(&faults).unwrap();
        let faulty = Scenario { faults: faults.faults, ..scenario(200.0) };
        let (bound, address) = mpsc::channel();
        let stop = AtomicBool::new(false);
        let (report, taken, served) = std::thread::scope(|scope| {
            let greeting = greeting(100, 1);
            let (faulty, settings, stop) = (&faulty, &settings, &stop);
            let box_one = scope.spawn(move || camera_of(faulty, &greeting, settings, stop, &bound));
            let address = address.recv_timeout(Duration::from_secs(5)).unwrap();
            let (report, taken) = target(address, Transport::Tcp, 200.0, usize::MAX);
            (report, taken, box_one.join().unwrap())
        });
        let (counters, struck) = (report.intake.counters, served.film.struck[0]);
        assert!(counters.balanced() && report.ended, "{kind}: {report:?}");
        assert!(struck > 30 && served.sent == 100, "{kind}: {struck} struck, {} sent", served.sent);
        let by = |reason: DropReason| counters.dropped_by[reason as usize];
        let found = (by(DropReason::BadPacket), by(DropReason::Lost), taken.len() as u64);
        assert_eq!(found, (struck, 0, 100 - struck), "{kind}: {counters:?}");
    }
}

#[test]
fn a_queue_that_blocks_is_no_stall_of_the_camera() {
    let (bound, address) = mpsc::channel();
    let stop = AtomicBool::new(false);
    let settings = settings(Transport::Tcp, 0, 0);
    // it films ten frames a second, of which each takes the pipeline longer than a stall
    let greeting = Greeting { period_nanos: 100_000_000, ..greeting(6, 1) };
    std::thread::scope(|scope| {
        let box_one =
            scope.spawn(|| camera_of(&scenario(10.0), &greeting, &settings, &stop, &bound));
        let address = address.recv_timeout(Duration::from_secs(5)).unwrap();
        let work = Duration::from_millis(700);
        let (report, taken) = slow_target(address, Duration::from_secs(8), work, usize::MAX);
        box_one.join().unwrap();
        assert_eq!((taken, report.ended), (6, true), "{report:?}");
        assert_eq!(report.intake.stalls, 0, "{report:?}");
    });
}

/// A frame of [`Shades`] with its truth, as bytes of the stream.
fn shade(n: u32) -> Vec<u8> {
    let frame = Shades { names: Vec::new() }.frame(usize::try_from(n).unwrap()).unwrap();
    let header = FrameHeader {
        sequence: n,
        position: n,
        scheduled: Micros(0),
        captured: Micros(0),
        exposure_micros: 0,
        width: 40,
        height: 30,
    };
    let mut packet = vec![0; header.packet_len()];
    packet[HEADER_LEN..].copy_from_slice(frame.image.as_raw());
    header.seal(&mut packet).unwrap();
    let truth = Truth { key: frame.key, mask: frame.mask, metadata: frame.metadata };
    packet.extend(truth_bytes(&truth, Micros(0)));
    let mut stream = Vec::new();
    frame_into(&mut stream, &packet);
    stream
}

#[test]
fn a_camera_whose_power_was_cut_is_found_again_though_its_connection_never_ends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let accept = || {
        (0..800).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            listener.accept().ok().map(|(stream, _)| stream)
        })
    };
    let hello = |session: u64| {
        let mut stream = Vec::new();
        frame_into(&mut stream, &greeting(4, session).bytes());
        stream
    };
    std::thread::scope(|scope| {
        let camera = scope.spawn(|| {
            let mut before = accept().unwrap();
            before.write_all(&[hello(1), shade(0), shade(1)].concat()).unwrap();
            // nothing more comes from it, not even that it is gone
            let after = accept();
            if let Some(mut stream) = after {
                let mut bytes = hello(2);
                (0..4).for_each(|n| bytes.extend(shade(n)));
                frame_into(&mut bytes, &end_bytes(4));
                stream.write_all(&bytes).unwrap();
            }
            drop(before);
        });
        let (report, taken) = target(address, Transport::Tcp, 100.0, usize::MAX);
        camera.join().unwrap();
        assert_eq!((report.ended, report.connections), (true, 2), "{report:?}");
        assert_eq!(taken, [0, 1, 2, 3]);
        let counters = report.intake.counters;
        assert!(counters.balanced() && counters.repeated == 2, "{counters:?}");
    });
}
