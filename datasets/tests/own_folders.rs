//! Folders as people, cameras and other systems make them: odd names, turned and cut-off files, masks with transparency.
#![expect(
    clippy::unwrap_used,
    reason = "the functions that tests share count as code outside of tests"
)]

use std::fs;
use std::path::Path;

use datasets::folder::{Folder, OpenOptions};
use datasets::source::{Frame, FrameSource as _};
use datasets::synthetic::Synthetic;
use datasets::write::{Format, WriteOptions, write};
use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

fn open(root: &Path) -> Folder {
    Folder::open(root, &OpenOptions::default()).unwrap()
}

fn refused(root: &Path) -> String {
    Folder::open(root, &OpenOptions::default()).unwrap_err().to_string()
}

/// All but one, which is left out; its file and what is wrong with it.
fn skipped(root: &Path) -> String {
    let options = OpenOptions { skip_bad: true, ..OpenOptions::default() };
    let folder = Folder::open(root, &options).unwrap();
    assert_eq!(folder.skipped().len(), 1, "{:?}", folder.skipped());
    folder.skipped()[0].to_string()
}

fn only_frame(root: &Path) -> Frame {
    let folder = open(root);
    assert_eq!(folder.len(), 1);
    folder.frame(0).unwrap()
}

/// A mask of which every pixel is sign.
fn full_mask(path: &Path, width: u32, height: u32) {
    GrayImage::from_pixel(width, height, Luma([255])).save(path).unwrap();
}

/// A picture with a full mask beside it.
fn picture(folder: &Path, name: &str, shade: u8) {
    fs::create_dir_all(folder).unwrap();
    let picture = RgbImage::from_pixel(8, 6, Rgb([shade, 0, 9]));
    picture.save(folder.join(format!("{name}.png"))).unwrap();
    full_mask(&folder.join(format!("{name}_msk.png")), 8, 6);
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(picture).unwrap();
    bytes
}

/// Red on the left, blue on the right, 32 x 16 pixels, in a file that says how it is to be turned.
fn turned_jpeg(orientation: u8) -> Vec<u8> {
    let colour = |x: u32| if x < 16 { [250, 0, 0] } else { [0, 0, 250] };
    let picture = RgbImage::from_fn(32, 16, |x, _| Rgb(colour(x)));
    let mut exif = b"Exif\0\0II*\0".to_vec();
    exif.extend(8_u32.to_le_bytes());
    // a directory of one entry, tag 0x112: one 16-bit number
    exif.extend(1_u16.to_le_bytes());
    exif.extend(0x112_u16.to_le_bytes());
    exif.extend(3_u16.to_le_bytes());
    exif.extend(1_u32.to_le_bytes());
    exif.extend(u32::from(orientation).to_le_bytes());
    exif.extend(0_u32.to_le_bytes());
    let plain = jpeg(&picture);
    let mut file = plain[..2].to_vec();
    file.extend([0xff, 0xe1]);
    file.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    file.extend(exif);
    file.extend_from_slice(&plain[2..]);
    file
}

fn is_red(frame: &Frame, x: u32, y: u32) -> bool {
    let [red, _, blue] = frame.image.get_pixel(x, y).0;
    assert!(red.abs_diff(blue) > 150, "neither red nor blue");
    red > blue
}

#[test]
fn pictures_are_turned_as_their_files_say() {
    // orientation, size, where the red half lies and where the blue
    for (orientation, size, red, blue) in [
        (1, (32, 16), (4, 8), (28, 8)),
        (3, (32, 16), (28, 8), (4, 8)),
        (6, (16, 32), (8, 4), (8, 28)),
        (8, (16, 32), (8, 28), (8, 4)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let class = dir.path().join("3_Stop");
        fs::create_dir(&class).unwrap();
        fs::write(class.join("phone.jpg"), turned_jpeg(orientation)).unwrap();
        full_mask(&class.join("phone_msk.png"), size.0, size.1);
        let frame = only_frame(dir.path());
        assert_eq!(frame.image.dimensions(), size, "{orientation}");
        assert!(is_red(&frame, red.0, red.1) && !is_red(&frame, blue.0, blue.1), "{orientation}");
    }
}

#[test]
fn a_jpeg_that_is_cut_off_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("3_Stop");
    picture(&class, "good", 1);
    let noise = RgbImage::from_fn(64, 64, |x, y| {
        let shade = |k: u32| u8::try_from((x * 37 + y * 91 + x * y * k) % 256).unwrap();
        Rgb([shade(3), shade(5), shade(7)])
    });
    let whole = jpeg(&noise);
    fs::write(class.join("half.jpg"), &whole).unwrap();
    full_mask(&class.join("half_msk.png"), 64, 64);
    assert_eq!(open(dir.path()).len(), 2);
    // as a copy that was broken off leaves it: decoders fill the rest with grey
    fs::write(class.join("half.jpg"), &whole[..whole.len() * 2 / 3]).unwrap();
    let error = refused(dir.path());
    assert!(error.contains("half.jpg") && error.contains("cut off"), "{error}");
    assert!(skipped(dir.path()).contains("half.jpg"));
}

#[test]
fn what_is_transparent_in_a_mask_is_not_the_sign() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("3_Stop");
    picture(&class, "a", 1);
    // white all over, cut out by its transparency alone
    let mask = RgbaImage::from_fn(8, 6, |x, _| Rgba([255, 255, 255, if x < 3 { 255 } else { 0 }]));
    mask.save(class.join("a_msk.png")).unwrap();
    let frame = only_frame(dir.path());
    let row: Vec<u8> = (0..8).map(|x| frame.mask.get_pixel(x, 2).0[0]).collect();
    assert_eq!(row, [255, 255, 255, 0, 0, 0, 0, 0]);
}

#[test]
fn masks_of_zeros_and_ones_are_refused_with_what_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("3_Stop");
    picture(&class, "a", 1);
    GrayImage::from_pixel(8, 6, Luma([1])).save(class.join("a_msk.png")).unwrap();
    let error = refused(dir.path());
    assert!(error.contains("above 127") && error.contains("largest value is 1;"), "{error}");
}

#[test]
fn masks_are_found_in_letters_of_any_case() {
    for (picture_name, mask_name) in [
        ("DSC_1.JPG", "DSC_1_MSK.PNG"),
        ("a.png", "a_Mask.png"),
        ("a.png", "Masks/a.PNG"),
        ("a.png", "../MASKS/3_Stop/a_msk.png"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let class = dir.path().join("3_Stop");
        fs::create_dir(&class).unwrap();
        let picture = RgbImage::from_pixel(8, 6, Rgb([5, 0, 9]));
        if picture_name.ends_with("JPG") {
            fs::write(class.join(picture_name), jpeg(&picture)).unwrap();
        } else {
            picture.save(class.join(picture_name)).unwrap();
        }
        let mask = class.join(mask_name);
        fs::create_dir_all(mask.parent().unwrap()).unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        let white = GrayImage::from_pixel(8, 6, Luma([255]));
        white.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        fs::write(&mask, bytes.into_inner()).unwrap();
        let folder = open(dir.path());
        assert_eq!(folder.len(), 1, "{mask_name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn of_two_names_that_differ_in_case_each_has_its_own_mask() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("3_Stop");
    for (name, columns) in [("a", 2), ("A", 5)] {
        picture(&class, name, 1);
        let mask = GrayImage::from_fn(8, 6, |x, _| Luma([if x < columns { 255 } else { 0 }]));
        mask.save(class.join(format!("{name}_msk.png"))).unwrap();
    }
    let folder = open(dir.path());
    let mut found: Vec<usize> = (0..folder.len())
        .map(|at| folder.frame(at).unwrap().mask.iter().filter(|&&v| v == 255).count() / 6)
        .collect();
    found.sort_unstable();
    assert_eq!(found, [2, 5]);
    // and does not take that of the other
    fs::remove_file(class.join("a_msk.png")).unwrap();
    assert!(refused(dir.path()).contains("3_Stop/a_msk.png"));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_unicode_are_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    // as a system of the last century wrote it, and as long as a name can be
    let class = dir.path().join(OsStr::from_bytes(b"3_Fu\xdfg\xe4nger"));
    picture(&class, "a", 1);
    let long = "x".repeat(200);
    for (from, to) in [("a.png", ".png"), ("a_msk.png", "_msk.png")] {
        let name = [&b"\xfc"[..], long.as_bytes(), to.as_bytes()].concat();
        fs::rename(class.join(from), class.join(OsStr::from_bytes(&name))).unwrap();
    }
    assert_eq!(open(dir.path()).len(), 1);
}

#[test]
fn a_class_without_pictures_keeps_its_name() {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("0_Stop"), "a", 1);
    for folder in ["1_Vorfahrt", "3_Tunnel"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    assert_eq!(open(dir.path()).class_names(), ["Stop", "Vorfahrt", "", "Tunnel"]);
    // a network that knows two classes is not told of a third
    let options = OpenOptions { classes: Some(2), ..OpenOptions::default() };
    let names = Folder::open(dir.path(), &options).unwrap().class_names().to_vec();
    assert_eq!(names, ["Stop", "Vorfahrt"]);
}

#[test]
fn a_number_with_a_sign_is_no_class() {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("0_Stop"), "a", 1);
    picture(&dir.path().join("+1_Vorfahrt"), "a", 1);
    assert!(refused(dir.path()).contains("unknown class id"));
}

/// The published layout with pictures of these names in class 7.
fn published(root: &Path, names: &[&str]) {
    let (cycles, masks) = (root.join("Cycles/7_Stop"), root.join("Masks/7_Stop"));
    fs::create_dir_all(&cycles).unwrap();
    fs::create_dir_all(&masks).unwrap();
    fs::create_dir_all(root.join("CsvFiles")).unwrap();
    for name in names {
        RgbImage::new(8, 6).save(cycles.join(format!("{name}_cycles.png"))).unwrap();
        full_mask(&masks.join(format!("{name}_msk.png")), 8, 6);
    }
}

#[test]
fn two_pictures_of_one_number_are_not_two_frames() {
    let dir = tempfile::tempdir().unwrap();
    published(dir.path(), &["1", "2", "01"]);
    let error = refused(dir.path());
    assert!(error.contains("number 1 of class 7") && error.contains("already"), "{error}");
    assert!(skipped(dir.path()).contains("number 1 of class 7"));
}

#[test]
fn lists_that_a_spreadsheet_wrote_are_read() {
    let dir = tempfile::tempdir().unwrap();
    published(dir.path(), &["1", "2", "3"]);
    let (file, name) = (dir.path().join("CsvFiles/all.csv"), Some("all.csv".to_owned()));
    let options = OpenOptions { list: name, ..OpenOptions::default() };
    let (first, second) = (r"7_Stop\1_cycles.png", r#""Cycles\7_Stop\2_cycles.png""#);
    let lines = format!("\u{feff}{first}\r\n{second}\r\n./7_Stop/3_cycles.png\r\n\r\n");
    fs::write(&file, lines).unwrap();
    assert_eq!(Folder::open(dir.path(), &options).unwrap().len(), 3);
    // the same picture twice
    fs::write(&file, "7_Stop/1_cycles.png\n7_Stop/1_cycles.png").unwrap();
    let error = Folder::open(dir.path(), &options).unwrap_err().to_string();
    assert!(error.contains("number 1 of class 7"), "{error}");
}

#[test]
fn a_rendered_folder_that_lacks_pictures_or_has_others_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let source = Synthetic::open("synthetic:CMT/test?per_class=1&size=64").unwrap();
    let options = WriteOptions { out: dir.path().to_owned(), format: Format::Png, threads: 1 };
    write(&source, &source.identity_table(), &options, &|_| {}).unwrap();
    let key = source.key(0).unwrap();
    let name = format!("{}_{}", key.class, source.class_names()[usize::from(key.class)]);
    let [cycles, masks] = ["Cycles", "Masks"].map(|part| dir.path().join(part).join(&name));
    // one that nobody rendered
    fs::copy(cycles.join("0_cycles.png"), cycles.join("5_cycles.png")).unwrap();
    fs::copy(masks.join("0_msk.png"), masks.join("5_msk.png")).unwrap();
    let error = refused(dir.path());
    assert!(error.contains("5_cycles.png") && error.contains("found another one"), "{error}");
    fs::remove_file(cycles.join("5_cycles.png")).unwrap();
    // a copy that was broken off: the description came first
    fs::remove_file(cycles.join("0_cycles.png")).unwrap();
    let error = refused(dir.path());
    assert!(error.contains("0_cycles.png") && error.contains("found none"), "{error}");
    assert!(skipped(dir.path()).contains("0_cycles.png"));
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_and_folders_named_as_pictures_are_named() {
    use std::os::unix::fs::symlink;
    type Spoil = fn(&Path);
    let ways: [Spoil; 2] = [
        |class| symlink(class.join("b.png"), class.join("b.png")).unwrap(),
        |class| fs::create_dir(class.join("b.png")).unwrap(),
    ];
    for spoil in ways {
        let dir = tempfile::tempdir().unwrap();
        let class = dir.path().join("3_Stop");
        picture(&class, "a", 1);
        symlink("..", class.join("masks")).unwrap();
        full_mask(&class.join("b_msk.png"), 8, 6);
        spoil(&class);
        assert!(refused(dir.path()).contains("b.png"));
        assert!(skipped(dir.path()).contains("expected a picture, found n"));
    }
}

/// Three environments of one photograph each, the first as its file says.
fn photographs(root: &Path, first: &[u8]) -> Result<Synthetic, String> {
    for (label, bytes) in [("a", first), ("b", &turned_jpeg(1)[..]), ("c", &turned_jpeg(1)[..])] {
        fs::create_dir_all(root.join(label)).unwrap();
        fs::write(root.join(label).join("photo.jpg"), bytes).unwrap();
    }
    let name =
        format!("synthetic:CF/test?per_class=1&size=64&environments=folder:{}", root.display());
    Synthetic::open(&name).map_err(|e| e.to_string())
}

#[test]
fn photographs_stand_upright_and_bad_ones_are_found_before_the_first_frame() {
    let dir = tempfile::tempdir().unwrap();
    let upright = photographs(dir.path(), &turned_jpeg(1)).unwrap();
    // what other systems leave behind is neither an environment nor a photograph
    fs::create_dir(dir.path().join(".thumbnails")).unwrap();
    fs::write(dir.path().join("b/._photo.jpg"), "no picture").unwrap();
    let again = photographs(dir.path(), &turned_jpeg(1)).unwrap();
    assert_eq!(again.environment_names(), ["a", "b", "c"]);
    assert_eq!(again.content_hash(), upright.content_hash());
    let turned = photographs(dir.path(), &turned_jpeg(6)).unwrap();
    assert_ne!(turned.content_hash(), upright.content_hash());
    let whole = turned_jpeg(1);
    let error = photographs(dir.path(), &whole[..whole.len() - 9]).unwrap_err();
    assert!(error.contains("photo.jpg") && error.contains("cut off"), "{error}");
    assert!(photographs(dir.path(), b"no picture").unwrap_err().contains("photo.jpg"));
}
