//! How a table is laid on pages: upright or sideways, in columns of words, numbers and paragraphs, by estimates in letters.

use crate::study::finding::{Item, Table};
use crate::study::tables::is_words;

/// A way to lay the page: letters in a line at the size `\small`, and lines. A little less than there are, so that estimates may err.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Page {
    pub(super) letters: f64,
    pub(super) lines: usize,
}

pub(super) const UPRIGHT: Page = Page { letters: 75.0, lines: 40 };
pub(super) const SIDEWAYS: Page = Page { letters: 120.0, lines: 26 };

/// A short table is shrunk this far before it is turned: from `\small` to about `\scriptsize`. Parts of a table are no wider.
pub(super) const SHRUNK: f64 = 1.3;
/// What is estimated as one line may be this much more.
pub(super) const SLACK: f64 = 1e-4;
/// More columns than this are kept from growing out of the page, whatever the estimate.
pub(super) const MANY_COLUMNS: usize = 8;
/// A text with more letters is set in a paragraph.
const LONG_TEXT: usize = 34;
/// Letters that a paragraph has at least.
const LEAST_PARAGRAPH: usize = 12;
/// Letters that the gaps beside a column take.
const GAP: f64 = 1.8;
/// Stands in the first column where a row goes on.
const CONTINUED: &str = "\u{2026}";

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Column {
    Words,
    Numbers,
    /// So many letters wide.
    Paragraph(f64),
}

/// How a table is set.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
    /// Rows, those that are longer than a page in several.
    pub(super) rows: Vec<Vec<Item>>,
    /// Lines that each of them takes.
    lines: Vec<usize>,
    page: Page,
    /// Lines that rows have on a page, below the heading.
    most_lines: usize,
    /// Width of the table over that of the page, before it is shrunk.
    pub(super) width: f64,
}

impl Layout {
    pub(super) fn of(table: &Table) -> Self {
        let upright = Self::on(table, UPRIGHT);
        let most = if upright.is_long() { 1.0 + SLACK } else { SHRUNK };
        if upright.width > most { Self::on(table, SIDEWAYS) } else { upright }
    }

    fn on(table: &Table, page: Page) -> Self {
        let count = table.header.len();
        let texts = |i: usize| table.rows.iter().filter_map(move |row| row.get(i));
        let letters: Vec<Vec<usize>> = (0..count)
            .map(|i| texts(i).map(|item| item.shown().chars().count()).collect())
            .collect();
        let longest = |i: usize| letters[i].iter().copied().max().unwrap_or(0);
        let is_long = |i: usize| longest(i) > LONG_TEXT && texts(i).all(is_words);
        // longer texts get more room, but not in proportion, or short ones would have a word a line
        let weight = |i: usize| {
            let mean = letters[i].iter().sum::<usize>() as f64 / letters[i].len().max(1) as f64;
            mean.max(1.0).sqrt()
        };
        let paragraphs: Vec<usize> = (0..count).filter(|&i| is_long(i)).collect();
        let weights: f64 = paragraphs.iter().map(|&i| weight(i)).sum();
        let fixed = (0..count)
            .filter(|i| !paragraphs.contains(i))
            .map(|i| letters_of(table, i) as f64)
            .sum::<f64>()
            + GAP * count as f64;
        // what LaTeX cannot break would stand in the next column
        let least = |i: usize| {
            let whole = texts(i).map(|item| unbroken(&item.shown())).max().unwrap_or(0);
            whole.max(unbroken(&table.header[i])).max(LEAST_PARAGRAPH) as f64
        };
        let least_of_all: f64 = paragraphs.iter().map(|&i| least(i)).sum();
        let rest = (page.letters - fixed - least_of_all).max(0.0);
        let columns: Vec<Column> = (0..count)
            .map(|i| {
                if paragraphs.contains(&i) {
                    Column::Paragraph(least(i) + rest * weight(i) / weights)
                } else if texts(i).all(is_words) {
                    Column::Words
                } else {
                    Column::Numbers
                }
            })
            .collect();
        // a heading of one line is what the page's lines leave room for
        let headings = (0..count).filter(|i| !paragraphs.contains(i));
        let highest = headings.map(|i| heading(table, i).len()).max().unwrap_or(1);
        let most_lines = (page.lines + 1).saturating_sub(highest).max(1);
        let rows: Vec<Vec<Item>> =
            table.rows.iter().flat_map(|row| pieces(row, &columns, most_lines)).collect();
        let lines = rows.iter().map(|row| lines(row, &columns)).collect();
        let taken = if paragraphs.is_empty() { fixed } else { fixed + least_of_all + rest };
        Self { columns, rows, lines, page, most_lines, width: taken / page.letters }
    }

    fn is_long(&self) -> bool {
        self.lines.iter().sum::<usize>() > self.most_lines
    }

    pub(super) fn is_sideways(&self) -> bool {
        self.page == SIDEWAYS
    }

    fn fits(&self) -> bool {
        self.width <= 1.0 + SLACK
    }

    pub(super) fn goes_over_pages(&self) -> bool {
        self.is_long() && self.fits()
    }

    pub(super) fn is_shrunk(&self) -> bool {
        !self.goes_over_pages() && (!self.fits() || self.columns.len() > MANY_COLUMNS)
    }

    /// Rows of one page each, or all of them if LaTeX breaks the pages.
    pub(super) fn pages(&self) -> Vec<&[Vec<Item>]> {
        if self.goes_over_pages() {
            return vec![self.rows.as_slice()];
        }
        let (mut parts, mut start, mut used) = (Vec::new(), 0, 0);
        for (i, lines) in self.lines.iter().enumerate() {
            if used > 0 && used + lines > self.most_lines {
                parts.push(&self.rows[start..i]);
                (start, used) = (i, 0);
            }
            used += lines;
        }
        parts.push(&self.rows[start..]);
        parts
    }

    pub(super) fn needs(&self, package: &str) -> bool {
        match package {
            "array" | "ragged2e" => self.columns.iter().any(|c| matches!(c, Column::Paragraph(_))),
            "graphicx" => self.is_shrunk(),
            "longtable" => self.goes_over_pages(),
            "pdflscape" => self.is_sideways() && self.goes_over_pages(),
            "rotating" => self.is_sideways() && !self.goes_over_pages(),
            _ => true,
        }
    }

    /// Columns as `tabular` and `longtable` take them.
    pub(super) fn format(&self) -> String {
        let one = |column: &Column| match column {
            Column::Words => "l".to_owned(),
            Column::Numbers => "r".to_owned(),
            // the space lets the first word be broken too
            Column::Paragraph(letters) => format!(
                ">{{\\RaggedRight\\hspace{{0pt}}\\arraybackslash}}p{{{:.3}\\linewidth}}",
                letters / self.page.letters
            ),
        };
        self.columns.iter().map(one).collect()
    }
}

/// Lines that a row takes.
fn lines(row: &[Item], columns: &[Column]) -> usize {
    let of = |(item, column): (&Item, &Column)| match column {
        Column::Paragraph(letters) => {
            let needed = (item.shown().chars().count() as f64 / letters).ceil().max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "1 or more, and far below 2^53"
            )]
            let needed = needed as usize;
            needed
        }
        Column::Words | Column::Numbers => 1,
    };
    row.iter().zip(columns).map(of).max().unwrap_or(1)
}

/// A row as rows of at most `most` lines, which read on from one to the next.
fn pieces(row: &[Item], columns: &[Column], most: usize) -> Vec<Vec<Item>> {
    let all = lines(row, columns);
    if all <= most {
        return vec![row.to_vec()];
    }
    // about as long as each other, and a line more, since words stay whole
    let each = (all.div_ceil(all.div_ceil(most)) + 1).min(most);
    let cut: Vec<Vec<Item>> = row
        .iter()
        .zip(columns)
        .map(|(item, column)| match column {
            Column::Paragraph(letters) => stretches(&item.shown(), letters * each as f64),
            Column::Words | Column::Numbers => vec![item.clone()],
        })
        .collect();
    let count = cut.iter().map(Vec::len).max().unwrap_or(1);
    let place = |column: usize, piece: usize| {
        let nothing = if column == 0 { CONTINUED } else { "" };
        cut[column].get(piece).cloned().unwrap_or_else(|| Item::text(nothing))
    };
    (0..count).map(|piece| (0..cut.len()).map(|column| place(column, piece)).collect()).collect()
}

/// A text in stretches of whole words of at most so many letters.
fn stretches(text: &str, letters: f64) -> Vec<Item> {
    let mut out = vec![String::new()];
    let mut used = 0.0;
    for word in text.split_whitespace() {
        let length = word.chars().count() as f64 + 1.0;
        if used > 0.0 && used + length > letters {
            out.push(String::new());
            used = 0.0;
        }
        if let Some(last) = out.last_mut() {
            last.push_str(if last.is_empty() { "" } else { " " });
            last.push_str(word);
        }
        used += length;
    }
    out.into_iter().map(Item::Text).collect()
}

/// Letters of the longest part that LaTeX sets in one line: words, or what ends in a hyphen.
pub(super) fn unbroken(text: &str) -> usize {
    let parts = text.split_whitespace().flat_map(|word| word.split_inclusive('-'));
    parts.map(|part| part.chars().count()).max().unwrap_or(0)
}

/// Letters of a column that is no paragraph: those of its longest item, or of the longest word of its heading.
fn letters_of(table: &Table, column: usize) -> usize {
    let items = table.rows.iter().filter_map(|row| row.get(column));
    let words = table.header[column].split_whitespace().map(|word| word.chars().count());
    items.map(|item| item.shown().chars().count()).chain(words).max().unwrap_or(0)
}

/// A heading in lines that do not widen its column.
pub(super) fn heading(table: &Table, column: usize) -> Vec<String> {
    // the letter more is the space behind the last word of a line
    let letters = letters_of(table, column) as f64 + 1.0;
    stretches(&table.header[column], letters).iter().map(Item::shown).collect()
}

/// Letters that a column takes with its gaps; a long text can be a paragraph.
pub(super) fn width_of(table: &Table, column: usize) -> f64 {
    let words = table.rows.iter().filter_map(|row| row.get(column)).all(is_words);
    let most = if words { LONG_TEXT } else { usize::MAX };
    letters_of(table, column).min(most) as f64 + GAP
}
