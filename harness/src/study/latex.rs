//! Tables of a study as LaTeX that fits a page: turned, shrunk, or over several pages, by how many letters they have.
//!
//! ```text
//! more lines than a page, not too wide    longtable, its head on every page
//! too wide, or more than 8 columns        tabular in a \resizebox; if also long, in parts of a page each
//! else                                    tabular
//! ```
//!
//! What would be shrunk too far is turned by 90 degrees. A column of long texts is set in paragraphs. LaTeX breaks a page between rows
//! alone, so a row that is longer than a page becomes several. The first line of a file names the packages that it needs. Widths are
//! estimates in letters, since only LaTeX knows the font.

use super::finding::{Item, Table};

/// A way to lay the page: letters in a line at the size `\small`, and lines. A little less than there are, so that estimates may err.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Page {
    letters: f64,
    lines: usize,
}

const UPRIGHT: Page = Page { letters: 75.0, lines: 40 };
const SIDEWAYS: Page = Page { letters: 120.0, lines: 26 };

/// A short table is shrunk this far before it is turned.
const SHRUNK: f64 = 1.6;
/// What is estimated as one line may be this much more.
const SLACK: f64 = 1e-4;
/// More columns than this are kept from growing out of the page, whatever the estimate.
const MANY_COLUMNS: usize = 8;
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
enum Column {
    Words,
    Numbers,
    /// So many letters wide.
    Paragraph(f64),
}

/// How a table is set.
#[derive(Debug)]
struct Layout {
    columns: Vec<Column>,
    /// Rows, those that are longer than a page in several.
    rows: Vec<Vec<Item>>,
    /// Lines that each of them takes.
    lines: Vec<usize>,
    page: Page,
    /// Width of the table over that of the page, before it is shrunk.
    width: f64,
}

impl Layout {
    fn of(table: &Table) -> Self {
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
            .map(|i| longest(i).max(table.header[i].chars().count()) as f64)
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
        let rows: Vec<Vec<Item>> =
            table.rows.iter().flat_map(|row| pieces(row, &columns, page.lines)).collect();
        let lines = rows.iter().map(|row| lines(row, &columns)).collect();
        let taken = if paragraphs.is_empty() { fixed } else { fixed + least_of_all + rest };
        Self { columns, rows, lines, page, width: taken / page.letters }
    }

    fn is_long(&self) -> bool {
        self.lines.iter().sum::<usize>() > self.page.lines
    }

    fn is_sideways(&self) -> bool {
        self.page == SIDEWAYS
    }

    fn fits(&self) -> bool {
        self.width <= 1.0 + SLACK
    }

    fn goes_over_pages(&self) -> bool {
        self.is_long() && self.fits()
    }

    fn is_shrunk(&self) -> bool {
        !self.goes_over_pages() && (!self.fits() || self.columns.len() > MANY_COLUMNS)
    }

    /// Rows of one page each.
    fn parts(&self) -> Vec<&[Vec<Item>]> {
        let (mut parts, mut start, mut used) = (Vec::new(), 0, 0);
        for (i, lines) in self.lines.iter().enumerate() {
            if used > 0 && used + lines > self.page.lines {
                parts.push(&self.rows[start..i]);
                (start, used) = (i, 0);
            }
            used += lines;
        }
        parts.push(&self.rows[start..]);
        parts
    }

    fn packages(&self) -> String {
        let paragraphs = self.columns.iter().any(|c| matches!(c, Column::Paragraph(_)));
        let mut names = vec!["booktabs"];
        names.extend(paragraphs.then_some("array,ragged2e"));
        names.extend(self.is_shrunk().then_some("graphicx"));
        names.extend(self.goes_over_pages().then_some("longtable"));
        let turned = if self.goes_over_pages() { "pdflscape" } else { "rotating" };
        names.extend(self.is_sideways().then_some(turned));
        names.join(",")
    }

    /// Columns as `tabular` and `longtable` take them.
    fn format(&self) -> String {
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
fn unbroken(text: &str) -> usize {
    let parts = text.split_whitespace().flat_map(|word| word.split_inclusive('-'));
    parts.map(|part| part.chars().count()).max().unwrap_or(0)
}

const fn is_words(item: &Item) -> bool {
    matches!(item, Item::Text(_) | Item::Nothing)
}

/// A whole file.
pub(super) fn latex(table: &Table) -> String {
    let layout = Layout::of(table);
    let head = format!("% \\usepackage{{{}}}\n", layout.packages());
    if layout.goes_over_pages() {
        return head + &over_pages(table, &layout);
    }
    let parts = layout.parts();
    let several = parts.len() > 1;
    let floats = parts.into_iter().enumerate();
    head + &floats
        .map(|(i, rows)| float(table, &layout, rows, several.then_some(i + 1)))
        .collect::<String>()
}

fn line(places: impl Iterator<Item = String>) -> String {
    format!("    {} \\\\\n", places.collect::<Vec<_>>().join(" & "))
}

fn header(table: &Table) -> String {
    line(table.header.iter().map(|h| escape(h)))
}

fn body(rows: &[Vec<Item>]) -> String {
    rows.iter().map(|row| line(row.iter().map(|item| escape(&item.shown())))).collect()
}

/// A table on one page; `part` is its number if there are several.
fn float(table: &Table, layout: &Layout, rows: &[Vec<Item>], part: Option<usize>) -> String {
    let name = if layout.is_sideways() { "sidewaystable" } else { "table" };
    let caption = part.map_or_else(String::new, |n| format!(" (part {n})"));
    let label = part.map_or_else(String::new, |n| format!("-{n}"));
    // no wider than the page; what is narrower keeps its size
    let (open, close) = if layout.is_shrunk() {
        ("  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n", "}")
    } else {
        ("", "")
    };
    format!(
        "\\begin{{{name}}}\n  \\centering\n  \\small\n  \\setlength{{\\tabcolsep}}{{4pt}}\n  \\caption{{{}{caption}}}\n  \
         \\label{{tab:{}{label}}}\n{open}  \\begin{{tabular}}{{{}}}\n    \\toprule\n{}    \\midrule\n{}    \\bottomrule\n  \
         \\end{{tabular}}{close}\n\\end{{{name}}}\n",
        escape(&table.title),
        table.name,
        layout.format(),
        header(table),
        body(rows)
    )
}

/// A `longtable`.
fn over_pages(table: &Table, layout: &Layout) -> String {
    let head = header(table);
    let out = format!(
        "\\begingroup\n\\small\n\\setlength{{\\tabcolsep}}{{4pt}}\n\\begin{{longtable}}{{{}}}\n    \
         \\caption{{{}}}\\label{{tab:{}}}\\\\\n    \\toprule\n{head}    \\midrule\n    \\endfirsthead\n    \
         \\multicolumn{{{}}}{{l}}{{\\tablename\\ \\thetable, continued}} \\\\\n    \\toprule\n{head}    \\midrule\n    \
         \\endhead\n    \\bottomrule\n    \\endfoot\n{}\\end{{longtable}}\n\\endgroup\n",
        layout.format(),
        escape(&table.title),
        table.name,
        layout.columns.len(),
        body(&layout.rows)
    );
    if layout.is_sideways() {
        format!("\\begin{{landscape}}\n{out}\\end{{landscape}}\n")
    } else {
        out
    }
}

/// Text that LaTeX prints as it stands.
fn escape(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("$<$"),
            '>' => out.push_str("$>$"),
            '|' => out.push_str("\\textbar{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '\\' => out.push_str("\\textbackslash{}"),
            // behind the end of a row they would be its options
            '[' | '*' => {
                out.push('{');
                out.push(c);
                out.push('}');
            }
            // not every font encoding has it
            '\u{2026}' => out.push_str("\\dots{}"),
            // two would become a dash
            '-' if before == '-' => out.push_str("{}-"),
            c if c.is_whitespace() => out.push(' '),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A column of words and others of numbers, seven letters each.
    fn table(columns: usize, rows: usize) -> Table {
        let header: Vec<String> = (0..columns).map(|i| format!("c_{i}")).collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let mut table = Table::new("t", "Ratio & share", &header);
        let mut row = vec![Item::Count(1_234_567); columns];
        row[0] = Item::text("word");
        table.rows = vec![row; rows];
        table
    }

    #[test]
    fn what_has_a_meaning_in_latex_is_escaped() {
        let mut table = table(2, 1);
        table.rows[0] = vec![Item::text("[a] --b\nc|d"), Item::P(0.00001)];
        let text = latex(&table);
        assert!(text.starts_with("% \\usepackage{booktabs}\n\\begin{table}\n"), "{text}");
        assert!(text.contains("\\begin{tabular}{lr}"), "{text}");
        assert!(text.contains("c\\_0 & c\\_1 \\\\"), "{text}");
        assert!(text.contains("Ratio \\& share") && text.contains("$<$ 0.0001"), "{text}");
        assert!(text.contains("    {[}a] -{}-b c\\textbar{}d & "), "{text}");
        let all = escape("a\\b ~^ 50 % #1 {x} *");
        let wanted =
            "a\\textbackslash{}b \\textasciitilde{}\\textasciicircum{} 50 \\% \\#1 \\{x\\} {*}";
        assert_eq!(all, wanted);
    }

    #[test]
    fn what_is_wider_than_a_page_is_shrunk_or_turned() {
        let narrow = latex(&table(MANY_COLUMNS, 3));
        assert!(!narrow.contains("resizebox") && !narrow.contains("sideways"), "{narrow}");
        let wide = latex(&table(MANY_COLUMNS + 1, 3));
        assert!(wide.starts_with("% \\usepackage{booktabs,graphicx}\n\\begin{table}"), "{wide}");
        let (before, inside) = wide.split_once("{!}{%\n").unwrap();
        let only_if_wider = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}";
        assert!(before.ends_with(only_if_wider), "{before}");
        assert!(inside.contains("\\end{tabular}}\n\\end{table}"), "{inside}");
        // few columns of many letters
        let mut letters = table(3, 3);
        letters.header[1] = "a".repeat(90);
        assert!(latex(&letters).contains("\\resizebox"), "{}", latex(&letters));
        let turned = latex(&table(15, 3));
        assert!(turned.starts_with("% \\usepackage{booktabs,graphicx,rotating}\n"), "{turned}");
        assert!(turned.contains("\\begin{sidewaystable}"), "{turned}");
    }

    #[test]
    fn many_rows_go_over_pages_with_a_head_on_each() {
        let rows = UPRIGHT.lines;
        assert!(!latex(&table(5, rows)).contains("longtable"));
        let text = latex(&table(5, rows + 1));
        assert!(text.starts_with("% \\usepackage{booktabs,longtable}\n\\begingroup"), "{text}");
        assert_eq!(text.matches("c\\_0 & ").count(), 2, "first head and head");
        assert!(text.contains("\\multicolumn{5}{l}"), "{text}");
        assert_eq!(text.matches("word & ").count(), rows + 1);
        // too wide as well: turned if that is enough
        let text = latex(&table(12, rows + 1));
        assert!(text.starts_with("% \\usepackage{booktabs,longtable,pdflscape}\n"), "{text}");
        assert!(text.contains("\\begin{landscape}") && !text.contains("resizebox"), "{text}");
        // else parts, each shrunk and with a label of its own
        let text = latex(&table(20, SIDEWAYS.lines + 1));
        assert_eq!(text.matches("\\begin{sidewaystable}").count(), 2);
        assert!(text.contains("\\label{tab:t-2}") && text.contains("(part 2)"), "{text}");
        assert_eq!(text.matches("word & ").count(), SIDEWAYS.lines + 1);
    }

    #[test]
    fn long_texts_are_paragraphs_and_count_as_the_lines_they_take() {
        let mut table = table(3, 10);
        for row in &mut table.rows {
            row[1] = Item::text("word ".repeat(20));
            row[2] = Item::text("word ".repeat(80));
        }
        let text = latex(&table);
        let packages = "% \\usepackage{booktabs,array,ragged2e,longtable}\n";
        assert!(text.starts_with(packages), "{text}");
        let shares = shares(&text);
        assert_eq!(shares.len(), 2, "{text}");
        let sum = shares[0] + shares[1];
        assert!(shares[1] > shares[0] && (0.8..1.0).contains(&sum), "{shares:?}");
        table.rows.truncate(2);
        let text = latex(&table);
        let head = "% \\usepackage{booktabs,array,ragged2e}\n\\begin{table}";
        assert!(text.starts_with(head), "{text}");
    }

    /// Widths of the paragraphs as shares of a line.
    fn shares(text: &str) -> Vec<f64> {
        let share =
            |rest: &str| format!("0{}", rest.split_once("\\linewidth")?.0).parse::<f64>().ok();
        text.split("p{0").skip(1).filter_map(share).collect()
    }

    #[test]
    fn a_row_longer_than_a_page_goes_on_in_others_and_loses_no_word() {
        let words: Vec<String> = (0..1500).map(|i| format!("w{i}")).collect();
        let mut table = table(3, 2);
        table.rows[0][1] = Item::text(words.join(" "));
        table.rows[1][1] = Item::text("short");
        let text = latex(&table);
        assert!(text.contains("\\begin{longtable}"), "{text}");
        let body = text.split_once("\\endfoot\n").unwrap().1;
        let rows: Vec<Vec<&str>> = body
            .lines()
            .filter_map(|line| Some(line.trim().strip_suffix(" \\\\")?.split(" & ").collect()))
            .collect();
        let letters = shares(&text)[0] * UPRIGHT.letters;
        for row in &rows {
            let lines = (row[1].len() as f64 / letters).ceil();
            assert!(lines <= UPRIGHT.lines as f64, "{lines} lines of {letters} letters");
        }
        let of_first: Vec<&str> =
            rows[..rows.len() - 1].iter().flat_map(|row| row[1].split(' ')).collect();
        assert_eq!(of_first, words);
        let begun: Vec<[&str; 2]> = rows.iter().map(|row| [row[0], row[2]]).collect();
        let number = "1234567";
        assert!(rows.len() > 3, "{}", rows.len());
        assert_eq!(begun[..2], [["word", number], ["\\dots{}", ""]]);
        assert_eq!(begun.last(), Some(&["word", number]));
    }

    #[test]
    fn a_paragraph_is_as_wide_as_its_longest_word() {
        let mut table = table(3, 2);
        let word = "a".repeat(36);
        for row in &mut table.rows {
            row[1] = Item::text("word ".repeat(200));
            row[2] = Item::text(format!("a {word}"));
        }
        let shares = shares(&latex(&table));
        assert!(shares[1] * UPRIGHT.letters >= 36.0, "{shares:?}");
        assert_eq!(unbroken("ab cd-efg-h i"), 4);
    }

    #[test]
    fn a_table_without_rows_is_one_all_the_same() {
        let text = latex(&table(3, 0));
        assert_eq!(text.matches("\\begin{table}").count(), 1, "{text}");
    }
}
