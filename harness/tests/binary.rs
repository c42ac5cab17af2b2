//! The binary answers. This test also has cargo build the binary, which the tests in `tests/it` start.

use std::process::Command;

#[test]
fn the_binary_tells_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_roadgaze")).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.trim(), concat!("roadgaze ", env!("CARGO_PKG_VERSION")));
    assert!(output.status.success());
}
