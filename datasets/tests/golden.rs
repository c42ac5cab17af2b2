//! Golden hashes: the bytes of some pictures and masks, fixed for one renderer version.
//!
//! After an intended change of any pixel: raise `RENDERER_VERSION`, then write the new hashes with
//!
//! ```text
//! ROADGAZE_OVERWRITE_GOLDEN=1 cargo test --release -p datasets --test golden
//! ```

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use datasets::art::SignFace;
use datasets::canvas::{Canvas, Rgb};
use datasets::compose::{Background, Scratch};
use datasets::config::{Identity, LevelRanges, SceneConfig, Split};
use datasets::corner_case::{CornerCase, CornerCaseKind};
use datasets::environment::Environment;
use datasets::renderer::{RENDERER_VERSION, Rendered, Renderer};

const LEVEL: LevelRanges = LevelRanges {
    yaw_deg: [-50.0, 50.0],
    pitch_deg: [-9.0, 20.0],
    roll_deg: [-12.0, 12.0],
    pixels_per_metre: [137.0, 244.0],
    offset_share: [-0.2, 0.2],
    fov_deg: [22.0, 54.0],
    distortion_k1: [-0.05, 0.12],
};

fn digest(done: &Rendered) -> String {
    let mut hash = Sha256::new();
    hash.update(done.image.as_raw());
    hash.update(done.mask.as_raw());
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // writing to a string cannot fail
        let _ok = write!(text, "{byte:02x}").is_ok();
        text
    })
}

/// One line a picture: all environments, then corner cases over a plain background.
fn lines() -> String {
    let renderer = Renderer::new(224).expect("a valid size");
    let mut scratch = Scratch::new(224);
    let mut text = format!("renderer version {RENDERER_VERSION}\n");
    let config = |class: u16, environment| {
        let identity = Identity { split: Split::Test, class, index: u32::from(class) * 3 };
        SceneConfig::draw(identity, &LEVEL, environment)
    };
    for (environment, class) in
        Environment::ALL.into_iter().zip([0_u16, 9, 13, 14, 12, 33, 48, 61, 65, 81])
    {
        let face = SignFace::new(class).expect("a class of the catalogue");
        let done = renderer.render(&config(class, environment), &face, &mut scratch);
        text += &format!("{environment:?} class {class} {}\n", digest(&done));
    }
    let plain = Canvas::new(224, 224, Rgb::grey(0.3));
    for (kind, class) in CornerCaseKind::ALL.into_iter().zip([1_u16, 25, 13, 40, 17, 52]) {
        let face = SignFace::new(class).expect("a class of the catalogue");
        let case =
            config(class, Environment::Coast).with_corner_case(CornerCase { kind, severity: 3 });
        let done = renderer.render_over(&case, &face, Background::Photograph(&plain), &mut scratch);
        text += &format!("{kind:?} class {class} {}\n", digest(&done));
    }
    text
}

#[test]
fn pictures_have_the_golden_bytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    let found = lines();
    if std::env::var_os("ROADGAZE_OVERWRITE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        found,
        expected,
        "pixels changed: raise RENDERER_VERSION and overwrite {}",
        path.display()
    );
}
