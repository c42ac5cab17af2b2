//! Are packets that a fault damaged found at the other end, and is a slow pipeline told from a camera that stalls?

use super::*;

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
