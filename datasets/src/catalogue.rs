//! The 82 signs: names, sizes, outlines and where each plausibly stands, embedded and checked once.

use std::sync::OnceLock;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::art;
use crate::environment::Environment;
pub use crate::outline::{Outline, OutlineName};

/// Shape groups of the published evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Disc.
    Circular,
    /// Triangle, either way up.
    Triangular,
    /// Square or rectangle.
    Rectangular,
    /// Octagon, diamond, cross.
    Other,
}

impl Shape {
    /// The word in the catalogue, in files and in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Circular => "circular",
            Self::Triangular => "triangular",
            Self::Rectangular => "rectangular",
            Self::Other => "other",
        }
    }
}

/// One class.
#[derive(Clone, Debug)]
pub struct Sign {
    /// Class id; 0 to 42 are GTSRB's classes in GTSRB's order.
    pub id: u16,
    /// German name in CamelCase, unique, usable as a file name.
    pub name: String,
    /// Number of the sign in the StVO and its catalogue of signs.
    pub stvo: String,
    /// What the sign says, in German.
    pub title: String,
    /// Shape group.
    pub shape: Shape,
    /// Edge of the plate; millimetres from its centre, x right, y up.
    pub outline: Outline,
    /// Width and height of the plate, millimetres.
    pub size_mm: [f32; 2],
    /// Places where it plausibly stands, most typical first, at least three.
    pub environments: Vec<Environment>,
}

/// A row of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: u16,
    name: String,
    stvo: String,
    title: String,
    shape: Shape,
    outline: OutlineName,
    size_mm: [f32; 2],
    environments: Vec<Environment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sign: Vec<Row>,
}

/// Why a catalogue was refused.
#[derive(Debug, thiserror::Error)]
#[error("signs/catalogue.toml: {0}")]
pub struct CatalogueError(String);

/// All signs in the order of their ids.
#[derive(Debug)]
pub struct Catalogue {
    signs: Vec<Sign>,
    hash: String,
}

/// The embedded file.
const TEXT: &str = include_str!("../signs/catalogue.toml");

impl Catalogue {
    /// The embedded catalogue, parsed on the first call.
    ///
    /// # Panics
    /// Only if the embedded file is invalid, which a test of this crate excludes.
    #[must_use]
    pub fn get() -> &'static Self {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE.get_or_init(|| match Self::parse(TEXT) {
            Ok(catalogue) => catalogue,
            Err(error) => panic!("{error}"),
        })
    }

    /// Read and check a catalogue.
    ///
    /// # Errors
    /// If the text is not TOML of the expected columns, ids are not 0, 1, 2 ..., a name repeats,
    /// a size is out of bounds or a sign has fewer than three environments.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let file: File = toml::from_str(text).map_err(|e| CatalogueError(e.to_string()))?;
        let mut signs: Vec<Sign> = Vec::with_capacity(file.sign.len());
        for (position, row) in file.sign.into_iter().enumerate() {
            check(position, &row, &signs).map_err(|problem| {
                CatalogueError(format!("sign {} ({}): {problem}", row.id, row.name))
            })?;
            signs.push(Sign {
                outline: row.outline.expand(row.size_mm),
                id: row.id,
                name: row.name,
                stvo: row.stvo,
                title: row.title,
                shape: row.shape,
                size_mm: row.size_mm,
                environments: row.environments,
            });
        }
        let mut sha = Sha256::new();
        sha.update(text.as_bytes());
        for (id, name, svg) in art::svgs() {
            sha.update(format!("\n{id} {name} {}\n", svg.len()).as_bytes());
            sha.update(svg.as_bytes());
        }
        let hash = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { signs, hash })
    }

    /// All signs, position = class id.
    #[must_use]
    pub fn signs(&self) -> &[Sign] {
        &self.signs
    }

    /// The sign of a class, if there is one.
    #[must_use]
    pub fn sign(&self, id: u16) -> Option<&Sign> {
        self.signs.get(usize::from(id))
    }

    /// sha256 over the catalogue's text and all art, hexadecimal.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.hash
    }
}

/// What is wrong with a row.
fn check(position: usize, row: &Row, before: &[Sign]) -> Result<(), String> {
    use OutlineName::{
        Circle, Cross, Diamond, Octagon, Rectangle, RectangleSharp, Square, TriangleDown,
        TriangleUp,
    };
    if usize::from(row.id) != position {
        return Err(format!("expected id {position}, sort the signs by id without gaps"));
    }
    if row.name.is_empty() || !row.name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err("expected a name of ASCII letters and digits".to_owned());
    }
    if before.iter().any(|sign| sign.name == row.name) {
        return Err("name is used twice".to_owned());
    }
    let [w, h] = row.size_mm;
    if !(300.0..=1000.0).contains(&w) || !(300.0..=1000.0).contains(&h) {
        return Err(format!("expected a size of 300 to 1000 mm, found {w} x {h}"));
    }
    if matches!(row.outline, Circle | Square | Diamond | Octagon) && w.to_bits() != h.to_bits() {
        return Err(format!("expected equal width and height, found {w} x {h}"));
    }
    let shape = match row.outline {
        Circle => Shape::Circular,
        TriangleUp | TriangleDown => Shape::Triangular,
        Square | Rectangle | RectangleSharp => Shape::Rectangular,
        Diamond | Octagon | Cross => Shape::Other,
    };
    if shape != row.shape {
        return Err(format!("expected shape {shape:?} for this outline, found {:?}", row.shape));
    }
    let mut places = row.environments.clone();
    places.sort();
    places.dedup();
    if places.len() < 3 || places.len() != row.environments.len() {
        return Err(format!("expected three or more environments, found {}", places.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_82_signs_and_each_has_art_of_its_name() {
        let catalogue = Catalogue::parse(TEXT).unwrap();
        assert_eq!(catalogue.signs().len(), 82);
        assert_eq!(art::svgs().len(), 82);
        for (sign, (id, name, _)) in catalogue.signs().iter().zip(art::svgs()) {
            assert_eq!((sign.id, sign.name.as_str()), (*id, *name));
            let area = sign.outline.area_mm2() * 1e-6;
            assert!((0.2..0.45).contains(&area), "{name}: {area} m2");
        }
        assert_eq!(catalogue.content_hash().len(), 64);
    }

    #[test]
    fn a_bad_row_is_refused_with_its_place() {
        let row = "[[sign]]\nid = 1\nname = \"A\"\nstvo = \"1\"\ntitle = \"A\"\nshape = \"circular\"\n\
                   outline = \"circle\"\nsize_mm = [600.0, 600.0]\nenvironments = [\"forest\", \"coast\", \"village\"]\n";
        let refused = |text: &str| Catalogue::parse(text).unwrap_err().to_string();
        assert!(refused(row).contains("sign 1 (A): expected id 0"));
        let row = row.replace("id = 1", "id = 0");
        assert!(refused(&row.replace(", \"village\"", "")).contains("found 2"));
        assert!(refused(&row.replace("\"circular\"", "\"other\"")).contains("expected shape"));
        assert!(refused(&row.replace("600.0]", "500.0]")).contains("expected equal"));
        assert!(Catalogue::parse(&row).is_ok());
    }
}
