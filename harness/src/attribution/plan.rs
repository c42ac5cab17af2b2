//! The plan of an explanation: which coalitions are evaluated, drawn before anything runs.
//!
//! A plan file is JSON, schema 1:
//!
//! ```json
//! {"schema": 1, "estimator": "captum", "segments": {"kind": "grid", "rows": 7, "columns": 7},
//!  "coalitions": ["1111...", "0000...", "1011..."], "weights": [1000000.0, 1000000.0, 1.0],
//!  "seed": 20, "hash": "9f86d0..."}
//! ```
//!
//! A coalition is a string of `0` and `1`, super-pixel by super-pixel, row by row of the picture; a
//! list of the numbers 0 and 1 is read as well. The hash is the sha256 of the coalitions, joined by
//! line feeds. Unknown fields are ignored, so a file may name target and baseline too.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use models::digest::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::coalition::Coalition;
use super::error::AttributionError;
use super::estimator::{Estimator, Sample};

/// Version of the plan file.
const SCHEMA: u32 = 1;
/// One super-pixel a pixel of a 64 x 64 picture; the normal equations then take 128 MiB.
pub(super) const MAX_PLAYERS: usize = 4096;
const MAX_FILE_BYTES: u64 = 1 << 28;

/// Super-pixels: a picture cut into rows and columns, the pixels spread evenly
/// (`floor(pixel * cells / pixels)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Super-pixels down the picture.
    pub rows: usize,
    /// Super-pixels across.
    pub columns: usize,
}

impl Default for Grid {
    fn default() -> Self {
        Self { rows: 7, columns: 7 }
    }
}

impl std::str::FromStr for Grid {
    type Err = AttributionError;

    /// `ROWSxCOLUMNS`, or one number for a square.
    fn from_str(text: &str) -> Result<Self, AttributionError> {
        let (rows, columns) = text.split_once('x').unwrap_or((text, text));
        match (rows.parse(), columns.parse()) {
            (Ok(rows), Ok(columns)) => Ok(Self { rows, columns }),
            _ => Err(AttributionError::mismatch(
                "grid of super-pixels",
                "ROWSxCOLUMNS",
                format!("`{text}`"),
                "for example 7x7",
            )),
        }
    }
}

impl std::fmt::Display for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.rows, self.columns)
    }
}

impl Grid {
    /// M.
    #[must_use]
    pub const fn players(self) -> usize {
        self.rows.saturating_mul(self.columns)
    }

    /// Super-pixel of every pixel, row by row.
    #[must_use]
    pub fn segments(self, height: usize, width: usize) -> Vec<usize> {
        let cell = |pixel: usize, cells: usize, pixels: usize| pixel * cells / pixels.max(1);
        (0..height)
            .flat_map(|y| {
                let row = cell(y, self.rows, height) * self.columns;
                (0..width).map(move |x| row + cell(x, self.columns, width))
            })
            .collect()
    }
}

/// Coalitions in the order in which they are evaluated: all, none, then the drawn ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    estimator: Estimator,
    grid: Grid,
    seed: u64,
    coalitions: Vec<Coalition>,
    weights: Vec<f64>,
    hash: String,
}

impl Plan {
    /// Draws a plan. `evaluations` counts the two ends and repeats; `paired` and `leverage` use as
    /// many whole pairs of coalitions as fit, `permutation` as many pairs of orders, `exact` ignores it.
    ///
    /// # Errors
    /// If the grid has fewer than 2 or too many super-pixels, or there are fewer than 4 evaluations.
    pub fn draw(
        estimator: Estimator,
        grid: Grid,
        evaluations: usize,
        seed: u64,
    ) -> Result<Self, AttributionError> {
        let players = grid.players();
        check_players(players, estimator.rule().most_players(), estimator)?;
        if estimator != Estimator::Exact && evaluations < 4 {
            return Err(AttributionError::mismatch(
                "plan",
                "at least 4 evaluations",
                evaluations.to_string(),
                "ask for more, the paper uses about 1,000",
            ));
        }
        let drawn = estimator.rule().draw(players, evaluations, seed);
        let (coalitions, weights) = (drawn.coalitions, drawn.weights);
        let hash = hash(&coalitions);
        Ok(Self { estimator, grid, seed, coalitions, weights, hash })
    }

    /// How attributions follow from the values.
    #[must_use]
    pub const fn estimator(&self) -> Estimator {
        self.estimator
    }

    /// The super-pixels.
    #[must_use]
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// What the coalitions were drawn from.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// M.
    #[must_use]
    pub const fn players(&self) -> usize {
        self.grid.players()
    }

    /// The coalitions, S of them.
    #[must_use]
    pub fn coalitions(&self) -> &[Coalition] {
        &self.coalitions
    }

    /// Weight of each coalition in the regression, S values.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// sha256 of the coalitions, hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first coalitions with values, as many as there are values.
    pub(super) fn sample<'a>(&'a self, values: &'a [f64]) -> Sample<'a> {
        let n = values.len().min(self.coalitions.len());
        Sample {
            players: self.players(),
            coalitions: &self.coalitions[..n],
            weights: &self.weights[..n],
            values: &values[..n],
        }
    }

    /// Length of the shortest beginning of the plan that has at least this many evaluations and is a
    /// plan by itself; the whole plan if there is none.
    #[must_use]
    pub fn beginning(&self, evaluations: usize) -> usize {
        let whole = self.coalitions.len();
        match self.estimator.rule().unit(self.players()) {
            Some(unit) => {
                let units = evaluations.saturating_sub(2).div_ceil(unit.max(1)).max(1);
                units.saturating_mul(unit).saturating_add(2).min(whole)
            }
            None => whole,
        }
    }

    /// For every coalition the position of its first occurrence among the distinct ones, and those:
    /// what must be evaluated, so that none is evaluated twice.
    #[must_use]
    pub fn distinct(&self) -> (Vec<usize>, Vec<&Coalition>) {
        let mut seen: BTreeMap<&Coalition, usize> = BTreeMap::new();
        let mut distinct = Vec::new();
        let position = self
            .coalitions
            .iter()
            .map(|coalition| {
                *seen.entry(coalition).or_insert_with(|| {
                    distinct.push(coalition);
                    distinct.len() - 1
                })
            })
            .collect();
        (position, distinct)
    }

    /// As JSON.
    ///
    /// # Errors
    /// If a weight is not a number that JSON can hold.
    pub fn to_json(&self) -> Result<String, AttributionError> {
        let file = PlanFile {
            schema: SCHEMA,
            estimator: self.estimator,
            segments: Segments {
                kind: "grid".to_owned(),
                rows: self.grid.rows,
                columns: self.grid.columns,
            },
            coalitions: self.coalitions.iter().map(|c| c.to_string().into()).collect(),
            weights: self.weights.clone(),
            seed: self.seed,
            hash: self.hash.clone(),
        };
        serde_json::to_string(&file).map_err(|e| {
            AttributionError::mismatch("plan", "finite weights", e.to_string(), "draw it again")
        })
    }

    /// Reads a plan file.
    ///
    /// # Errors
    /// If it is missing, no plan, or was changed after its hash was written.
    pub fn read(path: &Path) -> Result<Self, AttributionError> {
        let wrong = |problem: String| AttributionError::File {
            path: path.to_owned(),
            problem,
            remedy: "give a plan file that `roadgaze run` or the desktop wrote".to_owned(),
        };
        let size = fs::metadata(path).map_err(|e| wrong(format!("cannot be read: {e}")))?.len();
        if size > MAX_FILE_BYTES {
            return Err(wrong(format!("expected at most {MAX_FILE_BYTES} bytes, found {size}")));
        }
        let text = fs::read_to_string(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        Self::from_json(&text).map_err(|e| wrong(e.to_string()))
    }

    /// Parses the text of a plan file.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn from_json(text: &str) -> Result<Self, AttributionError> {
        let wrong = |expected: &str, found: String| {
            AttributionError::mismatch("plan", expected, found, "draw the plan again")
        };
        let file: PlanFile =
            serde_json::from_str(text).map_err(|e| wrong("a plan in JSON", e.to_string()))?;
        if file.schema != SCHEMA || file.segments.kind != "grid" {
            let found = format!("schema {}, segments `{}`", file.schema, file.segments.kind);
            return Err(wrong("schema 1 with segments of kind `grid`", found));
        }
        let grid = Grid { rows: file.segments.rows, columns: file.segments.columns };
        let players = grid.players();
        check_players(players, file.estimator.rule().most_players(), file.estimator)?;
        let coalitions = file
            .coalitions
            .iter()
            .map(|row| coalition(row).filter(|c| c.players() == players))
            .collect::<Option<Vec<Coalition>>>()
            .ok_or_else(|| wrong("coalitions of one 0 or 1 a super-pixel", "others".to_owned()))?;
        let ends =
            coalitions.len() > 2 && coalitions[0].size() == players && coalitions[1].size() == 0;
        if !ends {
            return Err(wrong("the full, then the empty coalition first", "others".to_owned()));
        }
        let good = |w: &f64| w.is_finite() && *w > 0.0;
        if file.weights.len() != coalitions.len() || !file.weights.iter().all(good) {
            let expected = format!("{} positive weights", coalitions.len());
            return Err(wrong(&expected, format!("{} weights", file.weights.len())));
        }
        let hash = hash(&coalitions);
        if hash != file.hash {
            let expected = format!("coalitions with hash {}", file.hash);
            return Err(wrong(
                &expected,
                format!("coalitions with hash {hash}: they were changed"),
            ));
        }
        let (estimator, seed, weights) = (file.estimator, file.seed, file.weights);
        Ok(Self { estimator, grid, seed, coalitions, weights, hash })
    }
}

fn check_players(
    players: usize,
    most: usize,
    estimator: Estimator,
) -> Result<(), AttributionError> {
    if (2..=most).contains(&players) {
        return Ok(());
    }
    Err(AttributionError::mismatch(
        format!("plan for estimator {}", estimator.name()),
        format!("2 to {most} super-pixels"),
        players.to_string(),
        "choose another grid",
    ))
}

fn hash(coalitions: &[Coalition]) -> String {
    let rows: Vec<String> = coalitions.iter().map(ToString::to_string).collect();
    sha256_hex(rows.join("\n").as_bytes())
}

#[derive(Serialize, Deserialize)]
struct PlanFile {
    schema: u32,
    #[serde(default)]
    estimator: Estimator,
    segments: Segments,
    coalitions: Vec<Value>,
    weights: Vec<f64>,
    seed: u64,
    hash: String,
}

#[derive(Serialize, Deserialize)]
struct Segments {
    kind: String,
    rows: usize,
    columns: usize,
}

/// A coalition from its text, or from a list of the numbers 0 and 1.
fn coalition(row: &Value) -> Option<Coalition> {
    match row {
        Value::String(text) => Coalition::parse(text),
        Value::Array(numbers) => {
            let text: String = numbers
                .iter()
                .map(|n| n.as_u64().and_then(|n| char::from_digit(u32::try_from(n).ok()?, 10)))
                .collect::<Option<_>>()?;
            Coalition::parse(&text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_its_file_and_a_change_is_noticed() {
        let plan = Plan::draw(Estimator::Captum, Grid::default(), 1000, 7).unwrap();
        let text = plan.to_json().unwrap();
        assert_eq!(Plan::from_json(&text).unwrap(), plan);
        let first = plan.coalitions()[2].to_string();
        let changed = text.replacen(&first, &first.replace('0', "1"), 1);
        let error = Plan::from_json(&changed).unwrap_err().to_string();
        assert!(error.contains("they were changed"), "{error}");
        assert!(Plan::from_json(&text.replace("\"grid\"", "\"blob\"")).is_err());
        assert!(Plan::from_json("{").is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_on_every_machine() {
        let plan = Plan::draw(Estimator::Captum, Grid::default(), 1000, 7).unwrap();
        assert_eq!(plan.hash(), GOLDEN_HASH);
        let other = Plan::draw(Estimator::Captum, Grid::default(), 1000, 8).unwrap();
        assert_ne!(plan.hash(), other.hash());
    }

    const GOLDEN_HASH: &str = "01bda937c88bcbdb9ccf5c6dc135ba2f68ceec16bbbaff73610af059443fd294";

    #[test]
    fn a_plan_of_1000_needs_about_857_forwards() {
        let forwards: Vec<usize> = (0..40)
            .map(|seed| {
                let plan = Plan::draw(Estimator::Captum, Grid::default(), 1000, seed).unwrap();
                assert_eq!(plan.coalitions().len(), 1000);
                plan.distinct().1.len()
            })
            .collect();
        // the expectation under the law is 857; single plans scatter
        let mean = forwards.iter().sum::<usize>() / forwards.len();
        assert!((850..=862).contains(&mean), "{mean} {forwards:?}");
        assert!(forwards.iter().all(|n| (820..=900).contains(n)), "{forwards:?}");
    }

    #[test]
    fn lists_of_numbers_are_read_as_well() {
        let grid = Grid { rows: 1, columns: 3 };
        let plan = Plan::draw(Estimator::Captum, grid, 5, 1).unwrap();
        let text = plan.to_json().unwrap();
        let first = plan.coalitions()[2].to_string();
        let digits: Vec<String> = first.chars().map(String::from).collect();
        let listed = text.replacen(&format!("\"{first}\""), &format!("[{}]", digits.join(",")), 1);
        assert_ne!(text, listed);
        assert_eq!(Plan::from_json(&listed).unwrap(), plan);
        let wrong = text.replacen(&format!("\"{first}\""), "[0,1,12]", 1);
        assert!(Plan::from_json(&wrong).is_err());
    }

    #[test]
    fn beginnings_are_whole_units() {
        let draw = |e| Plan::draw(e, Grid::default(), 1000, 1).unwrap();
        for (estimator, asked, found) in [
            (Estimator::Captum, 300, 300),
            (Estimator::Paired, 299, 300),
            (Estimator::Permutation, 300, 386),
            (Estimator::Permutation, 5000, 962),
            (Estimator::Leverage, 300, 1000),
        ] {
            assert_eq!(draw(estimator).beginning(asked), found, "{estimator:?} {asked}");
        }
    }

    #[test]
    fn impossible_plans_are_refused() {
        let draw = |estimator, rows, columns, n| {
            Plan::draw(estimator, Grid { rows, columns }, n, 0).unwrap_err().to_string()
        };
        assert!(draw(Estimator::Captum, 1, 1, 100).contains("2 to 4096 super-pixels"));
        assert!(draw(Estimator::Captum, 7, 7, 3).contains("at least 4 evaluations"));
        assert!(draw(Estimator::Exact, 7, 7, 3).contains("2 to 20 super-pixels, found 49"));
    }

    #[test]
    fn grids_have_names_that_can_be_typed() {
        assert_eq!("14x7".parse::<Grid>().unwrap(), Grid { rows: 14, columns: 7 });
        assert_eq!("8".parse::<Grid>().unwrap().to_string(), "8x8");
        assert!("7 by 7".parse::<Grid>().unwrap_err().to_string().contains("for example 7x7"));
    }

    #[test]
    fn segments_cover_the_picture_evenly() {
        let segments = Grid::default().segments(224, 224);
        let mut counts = [0; 49];
        segments.iter().for_each(|&s| counts[s] += 1);
        assert!(counts.iter().all(|&c| c == 32 * 32));
        assert_eq!((segments[31], segments[32], segments[224 * 32]), (0, 1, 7));
    }
}
