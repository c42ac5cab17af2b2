//! The ONNX loader and the lowering to integers: any bytes, no panic, bounded memory.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use models::engine::{self, Isa};
use models::onnx;
use models::topology::Topology;

fuzz_target!(|data: &[u8]| {
    let place = Path::new("/nonexistent/fuzz.onnx");
    let Ok(file) = onnx::from_bytes(data.to_vec(), place) else { return };
    // what is read can be written and read again
    let again = onnx::encode(&file.proto);
    assert!(onnx::from_bytes(again, place).is_ok(), "an encoded graph is not accepted");
    if let Some(graph) = &file.proto.graph {
        let _ = Topology::new(graph).find("fuzz");
    }
    let _ = engine::survey(file.proto, 32, 32, Isa::SCALAR);
});
