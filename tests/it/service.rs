//! What does a run tell the service manager that started it?

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::live_run::run;
use crate::program::outcome;

#[test]
fn the_end_of_the_frames_is_told_with_a_wish_for_time_to_write_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // so few frames that nobody has to take messages out of the socket meanwhile
    let more = ["--frames", "2", "--attribute", "none"];
    let mut command = run(&folder.path().join("run"), "", &more);
    let (code, _, stderr) = outcome(command.env("NOTIFY_SOCKET", &socket));
    assert_eq!(code, Some(0), "{stderr}");
    let mut buffer = [0; 1024];
    let mut told = Vec::new();
    while let Ok(len) = manager.recv(&mut buffer) {
        told.push(String::from_utf8(buffer[..len].to_vec()).unwrap());
    }
    let expected = [
        "READY=1\n",
        "WATCHDOG=1\nSTATUS=1 of 2 frames\n",
        "WATCHDOG=1\nSTATUS=2 of 2 frames\n",
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=600000000\n",
    ];
    assert_eq!(told, expected);
}
