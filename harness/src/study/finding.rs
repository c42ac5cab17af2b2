//! What a study found, in a form that page, CSV, LaTeX and verification all read: questions with tables, figures and verdicts.

use serde::{Deserialize, Serialize};

use crate::stats::{MeanInterval, ShareInterval};

/// How a published statement, or a question of our own, came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    /// What was found agrees with what was published.
    Reproduced,
    /// It contradicts what was published.
    NotReproduced,
    /// The interval holds both agreement and contradiction.
    Undecided,
    /// What would have to be compared was not published, or not measured the same way.
    NotComparable,
    /// A question of our own that the figures answer.
    Answered,
    /// The cells that the question needs are not there.
    Missing,
}

impl Ruling {
    /// All, from agreement to nothing.
    pub const ALL: [Self; 6] = [
        Self::Reproduced,
        Self::NotReproduced,
        Self::Undecided,
        Self::NotComparable,
        Self::Answered,
        Self::Missing,
    ];

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::NotReproduced => "not reproduced",
            Self::Undecided => "undecided",
            Self::NotComparable => "not comparable",
            Self::Answered => "answered",
            Self::Missing => "not measured",
        }
    }

    /// Whether the figures say something, whichever way.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Reproduced | Self::NotReproduced | Self::Answered)
    }
}

/// One statement and how it came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The statement or question.
    pub what: String,
    /// What was published; none for questions of our own.
    pub published: Option<String>,
    /// What was found here.
    pub found: String,
    /// The outcome.
    pub ruling: Ruling,
    /// By which rule, and what stands in the way.
    pub why: String,
}

/// A place in a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Words.
    Text(String),
    /// A number of things.
    Count(usize),
    /// A share with its interval, printed in percent.
    Share(ShareInterval),
    /// A number, perhaps with an interval, printed with so many decimals; `signed`: always with its sign.
    Number {
        /// The number.
        value: f64,
        /// Its 95 % interval.
        ci95: Option<[f64; 2]>,
        /// Decimals.
        decimals: usize,
        /// Whether a plus is printed.
        signed: bool,
    },
    /// A p-value.
    P(f64),
    /// Nothing was measured.
    Nothing,
}

impl Item {
    /// Words.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A mean with its interval, four decimals.
    pub(super) fn mean(mean: Option<MeanInterval>) -> Self {
        mean.map_or(Self::Nothing, |m| Self::Number {
            value: m.mean,
            ci95: m.ci95,
            decimals: 4,
            signed: false,
        })
    }

    /// A mean difference with its interval, four decimals and a sign.
    pub(super) fn difference(mean: Option<MeanInterval>) -> Self {
        mean.map_or(Self::Nothing, |m| Self::Number {
            value: m.mean,
            ci95: m.ci95,
            decimals: 4,
            signed: true,
        })
    }

    /// A bare number.
    pub(super) fn number(value: Option<f64>, decimals: usize) -> Self {
        value.map_or(Self::Nothing, |value| Self::Number {
            value,
            ci95: None,
            decimals,
            signed: false,
        })
    }

    /// A share with its interval.
    pub(super) fn share(share: Option<ShareInterval>) -> Self {
        share.map_or(Self::Nothing, Self::Share)
    }

    /// A p-value, if there is one.
    pub(super) fn p(p: Option<f64>) -> Self {
        p.map_or(Self::Nothing, Self::P)
    }

    /// As printed.
    #[must_use]
    pub fn shown(&self) -> String {
        let signed = |v: f64, decimals: usize, sign: bool| {
            if sign { format!("{v:+.decimals$}") } else { format!("{v:.decimals$}") }
        };
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(n) => n.to_string(),
            Self::Share(s) => {
                let [low, high] = s.ci95.map(|v| 100.0 * v);
                format!("{:.2} % ({low:.2} to {high:.2})", 100.0 * s.value)
            }
            Self::Number { value, ci95: None, decimals, signed: sign } => {
                signed(*value, *decimals, *sign)
            }
            Self::Number { value, ci95: Some([low, high]), decimals, signed: sign } => format!(
                "{} ({} to {})",
                signed(*value, *decimals, *sign),
                signed(*low, *decimals, *sign),
                signed(*high, *decimals, *sign)
            ),
            Self::P(p) if *p < 0.0001 => "< 0.0001".to_owned(),
            Self::P(p) => format!("{p:.4}"),
            Self::Nothing => "-".to_owned(),
        }
    }
}

/// A table with a heading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name of its files.
    pub name: String,
    /// What stands in it.
    pub title: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows, each as long as the header.
    pub rows: Vec<Vec<Item>>,
}

impl Table {
    pub(super) fn new(name: &str, title: &str, header: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            header: header.iter().map(|&h| h.to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

/// A value with its interval, for a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What is measured.
    pub name: String,
    /// Colour group: rows of one group have one colour.
    pub group: String,
    /// The value.
    pub value: f64,
    /// Its interval.
    pub ci95: Option<[f64; 2]>,
}

/// A named line with intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// x, y, and the interval of y.
    pub points: Vec<(f64, f64, Option<[f64; 2]>)>,
}

/// A figure, described by what it shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Values with intervals, one below the other, with a band of published values.
    Intervals {
        /// Heading.
        title: String,
        /// What the axis shows.
        axis: String,
        /// The values.
        marks: Vec<Mark>,
        /// Published range, drawn as a band.
        published: Option<[f64; 2]>,
        /// A line that means "no difference" or "chance".
        line: Option<f64>,
    },
    /// Lines with intervals.
    Curves {
        /// Heading.
        title: String,
        /// Names of the axes.
        axes: [String; 2],
        /// The lines.
        curves: Vec<Curve>,
        /// A horizontal line.
        line: Option<f64>,
    },
}

/// A question with all that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Short name, for links.
    pub id: String,
    /// The question.
    pub question: String,
    /// What to take away, one sentence with number and interval; none: the first verdict that is decided says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// What was compared, how, and by which definition.
    pub definition: String,
    /// Verdicts.
    pub verdicts: Vec<Verdict>,
    /// Figures.
    pub figures: Vec<Figure>,
    /// Tables.
    pub tables: Vec<Table>,
}

/// Everything that a study found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of this schema.
    pub schema: u32,
    /// Title of the study.
    pub title: String,
    /// What a reader should know of it.
    pub about: String,
    /// Cells of the grid: complete, begun, not there.
    pub cells: [usize; 3],
    /// Questions in the order of the report.
    pub findings: Vec<Finding>,
    /// Cells and networks that are not there, with the reason.
    pub missing: Vec<(String, String)>,
}

/// Version of [`Findings`].
pub const FINDINGS_SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_printed_with_interval_and_sign() {
        let difference = |value, ci95| Item::Number { value, ci95, decimals: 4, signed: true };
        assert_eq!(
            difference(0.0034, Some([-0.001, 0.005])).shown(),
            "+0.0034 (-0.0010 to +0.0050)"
        );
        let share = crate::stats::wilson(99, 100).map_or(Item::Nothing, Item::Share);
        assert!(share.shown().starts_with("99.00 % (94.55 to 99.82)"), "{}", share.shown());
        assert_eq!(Item::P(0.00001).shown(), "< 0.0001");
        assert_eq!(Item::number(None, 2).shown(), "-");
    }
}
