//! The tables of a run, column by column.

use crate::store::{Stage, StoreError, Stored};

/// Values of a column; absent ones are `None`.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Words.
    Text(Vec<Option<String>>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
}

impl Values {
    /// Rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Integer(v) => v.len(),
            Self::Number(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Flag(v) => v.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A value as JSON; `null` if absent.
    #[must_use]
    pub fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Integer(v) => serde_json::json!(v.get(row).copied().flatten()),
            Self::Number(v) => serde_json::json!(v.get(row).copied().flatten()),
            Self::Text(v) => serde_json::json!(v.get(row).and_then(Option::as_deref)),
            Self::Flag(v) => serde_json::json!(v.get(row).copied().flatten()),
        }
    }

    /// A value as text; empty if absent.
    #[must_use]
    pub fn text(&self, row: usize) -> String {
        match self.json(row) {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }
    }
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name, with the unit where there is one.
    pub name: String,
    /// One value a row.
    pub values: Values,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name, also of its file.
    pub name: &'static str,
    /// Columns of equal length.
    pub columns: Vec<Column>,
}

impl Table {
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }
}

fn integer<T, I: Into<i64>>(name: &str, rows: &[T], value: impl Fn(&T) -> Option<I>) -> Column {
    let values = rows.iter().map(|row| value(row).map(Into::into)).collect();
    Column { name: name.to_owned(), values: Values::Integer(values) }
}

fn number<T>(name: &str, rows: &[T], value: impl Fn(&T) -> Option<f64>) -> Column {
    let values = rows.iter().map(|row| value(row).filter(|v| v.is_finite())).collect();
    Column { name: name.to_owned(), values: Values::Number(values) }
}

fn text<T>(name: &str, rows: &[T], value: impl Fn(&T) -> Option<String>) -> Column {
    Column { name: name.to_owned(), values: Values::Text(rows.iter().map(value).collect()) }
}

fn flag<T>(name: &str, rows: &[T], value: impl Fn(&T) -> Option<bool>) -> Column {
    Column { name: name.to_owned(), values: Values::Flag(rows.iter().map(value).collect()) }
}

fn wide(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// All tables of a run.
///
/// # Errors
/// If the store cannot be read.
pub fn tables(stored: &Stored) -> Result<Vec<Table>, StoreError> {
    let frames = &stored.frames;
    let some = |s: &String| (!s.is_empty()).then(|| s.clone());
    let mut columns = vec![
        integer("position", frames, |f| Some(f.position)),
        integer("class", frames, |f| Some(f.class)),
        integer("class_index", frames, |f| Some(f.index)),
        text("shape", frames, |f| some(&f.shape)),
        text("environment", frames, |f| some(&f.environment)),
        text("image_hash", frames, |f| some(&f.image_hash)),
        number("mask_share", frames, |f| Some(f.mask_share)),
        integer("predicted", frames, |f| f.top5.first().copied()),
        flag("correct", frames, |f| Some(f.correct())),
        number("confidence", frames, |f| Some(f.confidence.into())),
        text("top5", frames, |f| {
            Some(f.top5.iter().map(u16::to_string).collect::<Vec<_>>().join(" "))
        }),
    ];
    for stage in Stage::ALL {
        columns.push(number(&format!("{}_ms", stage.name()), frames, |f| {
            f.stages.iter().find(|(s, _)| *s == stage).map(|(_, us)| *us as f64 / 1000.0)
        }));
    }
    let frames_table = Table { name: "frames", columns };
    let explained: Vec<_> =
        frames.iter().flat_map(|f| f.attributions.iter().map(move |a| (f.position, a))).collect();
    let attributions = Table {
        name: "attributions",
        columns: vec![
            integer("position", &explained, |(p, _)| Some(*p)),
            text("method", &explained, |(_, a)| Some(a.method.clone())),
            integer("target", &explained, |(_, a)| Some(a.target)),
            number("pixel_ratio", &explained, |(_, a)| a.ratio.ok()),
            number("pixel_ratio_corrected", &explained, |(_, a)| a.corrected()),
            number("pixel_ratio_error", &explained, |(_, a)| {
                a.ratio_error.map(|e| e.standard_error)
            }),
            number("cross_fit", &explained, |(_, a)| a.ratio_error.and_then(|e| e.cross_fit)),
            integer("sample_units", &explained, |(_, a)| {
                a.ratio_error.and_then(|e| u32::try_from(e.units).ok())
            }),
            text("undefined", &explained, |(_, a)| a.ratio.err().map(|u| u.name().to_owned())),
            number("ceiling", &explained, |(_, a)| Some(a.ceiling)),
            number("proportional", &explained, |(_, a)| a.proportional),
            number("pointing", &explained, |(_, a)| a.localisation.map(|l| l.pointing)),
            number("relevance_rank", &explained, |(_, a)| a.localisation.map(|l| l.relevance_rank)),
            number("inside", &explained, |(_, a)| a.localisation.map(|l| l.inside)),
            number("border", &explained, |(_, a)| a.localisation.map(|l| l.border)),
            number("inside_area", &explained, |(_, a)| a.localisation.map(|l| l.inside_area)),
            number("border_area", &explained, |(_, a)| a.localisation.map(|l| l.border_area)),
            integer("evaluations", &explained, |(_, a)| Some(a.evaluations)),
            integer("grid_rows", &explained, |(_, a)| Some(a.grid.0)),
            integer("grid_columns", &explained, |(_, a)| Some(a.grid.1)),
            text("map", &explained, |(_, a)| {
                Some(a.map.iter().map(f32::to_string).collect::<Vec<_>>().join(" "))
            }),
        ],
    };
    let times: Vec<_> = frames
        .iter()
        .flat_map(|f| f.stages.iter().map(move |(s, us)| (f.position, *s, *us)))
        .collect();
    let stages = Table {
        name: "stages",
        columns: vec![
            integer("position", &times, |t| Some(t.0)),
            text("stage", &times, |t| Some(t.1.name().to_owned())),
            integer("micros", &times, |t| Some(wide(t.2))),
        ],
    };
    let samples = stored.device_samples()?;
    let device = Table {
        name: "device",
        columns: vec![
            integer("at_micros", &samples, |s| Some(wide(s.at_micros))),
            number("frequency_mhz", &samples, |s| s.frequency_mhz),
            number("temperature_c", &samples, |s| s.temperature_c),
            integer("throttled", &samples, |s| s.throttled.map(wide)),
            integer("rss_bytes", &samples, |s| s.rss_bytes.map(wide)),
            number("load", &samples, |s| s.load),
            integer("energy_microjoules", &samples, |s| s.energy_microjoules.map(wide)),
        ],
    };
    let all: Vec<_> = stored.settings.iter().collect();
    let settings = Table {
        name: "settings",
        columns: vec![
            text("name", &all, |(name, _)| Some((*name).clone())),
            text("value_json", &all, |(_, value)| Some((*value).clone())),
        ],
    };
    Ok(vec![frames_table, attributions, stages, device, settings])
}
