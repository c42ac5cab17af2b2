//! Tables of a study as LaTeX that fits a page: turned, shrunk, or over several pages, by how many letters they have.
//!
//! ```text
//! more lines than a page, not too wide    longtable, its head on every page
//! too wide, or more than 8 columns        tabular in a \resizebox; if also long, in parts of a page each
//! else                                    tabular
//! ```
//!
//! What would be shrunk too far is turned by 90 degrees; what is too wide even then says in the caption what all its rows say, and if
//! need be becomes parts with some of the columns each. Headings are broken at spaces, and a column of long texts is set in paragraphs.
//! LaTeX breaks a page between rows alone, so a row that is longer than a page becomes several. The first line of a file names the
//! packages that it needs. Widths are estimates in letters, since only LaTeX knows the font.

mod layout;

use super::finding::{Item, Table};
use super::tables::{parts, without_alike};
use layout::{Column, Layout, SHRUNK, SIDEWAYS, SLACK, heading, width_of};

/// A turned table is shrunk this far before it becomes parts: letters of 6 points.
const LEAST_LEGIBLE: f64 = 1.5;
/// All packages, in the order in which a file names those it needs.
const PACKAGES: [&str; 7] =
    ["booktabs", "array", "ragged2e", "graphicx", "longtable", "pdflscape", "rotating"];

/// The table, or what is left of one that would be shrunk too far: in parts, and what all its rows say for the caption.
fn narrowed(table: &Table) -> (Vec<Table>, String) {
    let is_legible = |table: &Table| Layout::of(table).width <= LEAST_LEGIBLE + SLACK;
    if is_legible(table) {
        return (vec![table.clone()], String::new());
    }
    let (rest, alike) = without_alike(table);
    let parts = if is_legible(&rest) {
        vec![rest]
    } else {
        parts(&rest, &width_of, SIDEWAYS.letters * SHRUNK)
    };
    let note = if alike.is_empty() { alike } else { format!(". In every row: {alike}") };
    (parts, note)
}

/// A whole file.
pub(super) fn latex(table: &Table) -> String {
    let (tables, note) = narrowed(table);
    let layouts: Vec<Layout> = tables.iter().map(Layout::of).collect();
    let packages: Vec<&str> =
        PACKAGES.into_iter().filter(|name| layouts.iter().any(|l| l.needs(name))).collect();
    let mut out = format!("% \\usepackage{{{}}}\n", packages.join(","));
    let all: usize = layouts.iter().map(|layout| layout.pages().len()).sum();
    let mut part = 0;
    for (table, layout) in tables.iter().zip(&layouts) {
        for rows in layout.pages() {
            part += 1;
            let names = Names::new(table, &note, [part, all]);
            out += &if layout.goes_over_pages() {
                over_pages(table, layout, &names)
            } else {
                float(table, layout, rows, &names)
            };
        }
    }
    out
}

/// What a table is called.
struct Names {
    caption: String,
    label: String,
}

impl Names {
    /// `part` is its number among all, from 1.
    fn new(table: &Table, note: &str, [part, all]: [usize; 2]) -> Self {
        let (of_caption, of_label) = if all > 1 {
            (format!(" (part {part} of {all})"), format!("-{part}"))
        } else {
            (String::new(), String::new())
        };
        Self {
            caption: escape(&format!("{}{of_caption}{note}", table.title)),
            label: format!("tab:{}{of_label}", table.name),
        }
    }
}

fn line(places: impl Iterator<Item = String>) -> String {
    format!("    {} \\\\\n", places.collect::<Vec<_>>().join(" & "))
}

fn header(table: &Table, layout: &Layout) -> String {
    let side = |column: &Column| match column {
        // breaks its heading itself
        Column::Paragraph(_) => None,
        Column::Words => Some('l'),
        Column::Numbers => Some('r'),
    };
    line(layout.columns.iter().enumerate().map(|(i, column)| match side(column) {
        None => escape(&table.header[i]),
        Some(side) => stacked(&heading(table, i), side),
    }))
}

/// Lines one below the other.
fn stacked(lines: &[String], side: char) -> String {
    let escaped: Vec<String> = lines.iter().map(|line| escape(line)).collect();
    match escaped.as_slice() {
        [one] => one.clone(),
        several => format!("\\shortstack[{side}]{{{}}}", several.join("\\\\")),
    }
}

fn body(rows: &[Vec<Item>]) -> String {
    rows.iter().map(|row| line(row.iter().map(|item| escape(&item.shown())))).collect()
}

/// A table on one page.
fn float(table: &Table, layout: &Layout, rows: &[Vec<Item>], names: &Names) -> String {
    let name = if layout.is_sideways() { "sidewaystable" } else { "table" };
    let Names { caption, label } = names;
    // no wider than the page; what is narrower keeps its size
    let (open, close) = if layout.is_shrunk() {
        ("  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n", "}")
    } else {
        ("", "")
    };
    format!(
        "\\begin{{{name}}}\n  \\centering\n  \\small\n  \\setlength{{\\tabcolsep}}{{4pt}}\n  \\caption{{{caption}}}\n  \
         \\label{{{label}}}\n{open}  \\begin{{tabular}}{{{}}}\n    \\toprule\n{}    \\midrule\n{}    \\bottomrule\n  \
         \\end{{tabular}}{close}\n\\end{{{name}}}\n",
        layout.format(),
        header(table, layout),
        body(rows)
    )
}

/// A `longtable`.
fn over_pages(table: &Table, layout: &Layout, names: &Names) -> String {
    let head = header(table, layout);
    let Names { caption, label } = names;
    let out = format!(
        "\\begingroup\n\\small\n\\setlength{{\\tabcolsep}}{{4pt}}\n\\begin{{longtable}}{{{}}}\n    \
         \\caption{{{caption}}}\\label{{{label}}}\\\\\n    \\toprule\n{head}    \\midrule\n    \\endfirsthead\n    \
         \\multicolumn{{{}}}{{l}}{{\\tablename\\ \\thetable, continued}} \\\\\n    \\toprule\n{head}    \\midrule\n    \
         \\endhead\n    \\bottomrule\n    \\endfoot\n{}\\end{{longtable}}\n\\endgroup\n",
        layout.format(),
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
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let is_sign =
            matches!(before, ' ' | '(') && letters.peek().is_some_and(char::is_ascii_digit);
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
            // a minus is longer than a hyphen
            '-' if is_sign => out.push_str("$-$"),
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
    use super::layout::{MANY_COLUMNS, UPRIGHT, unbroken};
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
        assert_eq!(escape("-0.1 (-0.2 to +0.3), a-1 -"), "$-$0.1 ($-$0.2 to +0.3), a-1 -");
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
        letters.header[1] = "a".repeat(80);
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
        let text = latex(&table(15, SIDEWAYS.lines + 1));
        assert_eq!(text.matches("\\begin{sidewaystable}").count(), 2);
        assert!(
            text.contains("\\label{tab:t-2}") && text.contains("share (part 2 of 2)"),
            "{text}"
        );
        assert_eq!(text.matches("word & ").count(), SIDEWAYS.lines + 1);
    }

    #[test]
    fn what_would_be_too_small_says_once_what_is_alike_and_becomes_parts_of_fewer_columns() {
        let mut wide = table(24, 3);
        for (i, row) in wide.rows.iter_mut().enumerate() {
            row[1] = Item::text(format!("network {i}"));
        }
        let text = latex(&wide);
        assert_eq!(text.matches("\\begin{tabular}").count(), 2, "{text}");
        for part in 1..=2 {
            let caption = format!(
                "\\caption{{Ratio \\& share (part {part} of 2). In every row: c\\_0: word}}"
            );
            assert!(text.contains(&caption), "{text}");
            assert!(text.contains(&format!("\\label{{tab:t-{part}}}")), "{text}");
        }
        assert_eq!(text.matches("network 2 & ").count(), 2, "in each part: {text}");
        for column in 2..24 {
            let times = text.split(['&', '\n']).filter(|name| {
                name.trim().trim_end_matches("\\\\").trim() == format!("c\\_{column}")
            });
            assert_eq!(times.count(), 1, "column {column}: {text}");
        }
    }

    #[test]
    fn a_heading_is_broken_where_it_is_longer_than_what_stands_below() {
        let mut table = table(3, 2);
        table.header[1] = "mean of all ratios".to_owned();
        table.header[2] = "a ratio".to_owned();
        let text = latex(&table);
        let heading = "c\\_0 & \\shortstack[r]{mean of\\\\all\\\\ratios} & a ratio \\\\";
        assert!(text.contains(heading), "{text}");
        assert!(text.contains("\\begin{tabular}{lrr}"), "{text}");
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
