//! Tables of a study as CSV, numbers in columns of their own, and in parts for where all columns do not fit side by side.

use std::collections::BTreeSet;

use super::StudyError;
use super::finding::{Item, Table};

/// CSV by RFC 4180: a column that holds an interval anywhere becomes three, `NAME`, `NAME low`, `NAME high`. Shares are 0 to 1.
pub(super) fn csv(table: &Table) -> Result<String, StudyError> {
    let failed = |problem: String| StudyError::Plan {
        place: format!("{}.csv", table.name),
        problem,
        remedy: "this is a bug in roadgaze".to_owned(),
    };
    let wide: Vec<bool> = (0..table.header.len())
        .map(|i| {
            table.rows.iter().any(|row| row.get(i).is_some_and(|item| interval(item).is_some()))
        })
        .collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = Vec::new();
    for (name, wide) in table.header.iter().zip(&wide) {
        header.push(name.clone());
        if *wide {
            header.extend([format!("{name} low"), format!("{name} high")]);
        }
    }
    writer.write_record(&header).map_err(|e| failed(e.to_string()))?;
    for row in &table.rows {
        let mut record = Vec::new();
        for (item, wide) in row.iter().zip(&wide) {
            record.push(plain(item));
            if *wide {
                let ends = interval(item).map(|ends| ends.map(|v| v.to_string()));
                record.extend(ends.unwrap_or_default());
            }
        }
        writer.write_record(&record).map_err(|e| failed(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| failed(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
}

fn interval(item: &Item) -> Option<[f64; 2]> {
    match item {
        Item::Share(share) => Some(share.ci95),
        Item::Number { ci95, .. } => *ci95,
        _ => None,
    }
}

fn plain(item: &Item) -> String {
    match item {
        Item::Text(text) => text.clone(),
        Item::Count(n) => n.to_string(),
        Item::Share(share) => share.value.to_string(),
        Item::Number { value, .. } => value.to_string(),
        // written out, the smallest have 300 digits
        Item::P(p) if *p > 0.0 && *p < 1e-4 => format!("{p:e}"),
        Item::P(p) => p.to_string(),
        Item::Nothing => String::new(),
    }
}

/// Whether an item is no number.
pub(super) const fn is_words(item: &Item) -> bool {
    matches!(item, Item::Text(_) | Item::Nothing)
}

/// The table without the columns of words that say the same in every row, and what these say.
pub(super) fn without_alike(table: &Table) -> (Table, String) {
    let said = |i: usize| {
        let mut column = table.rows.iter().filter_map(|row| row.get(i));
        let first = column.next().filter(|item| table.rows.len() > 1 && is_words(item))?;
        column.all(|item| item == first).then(|| format!("{}: {}", table.header[i], first.shown()))
    };
    let all = 0..table.header.len();
    let kept: Vec<usize> = all.clone().filter(|&i| said(i).is_none()).collect();
    if kept.is_empty() {
        return (table.clone(), String::new());
    }
    (with_columns(table, &kept), all.filter_map(said).collect::<Vec<_>>().join("; "))
}

/// Tables with some of the columns each, about `most` letters wide or less; `width` says how many letters a column takes. All begin
/// with the columns that tell the rows apart.
pub(super) fn parts(table: &Table, width: &dyn Fn(&Table, usize) -> f64, most: f64) -> Vec<Table> {
    let (table, key) = keyed(table, width, most);
    let widths: Vec<f64> = (0..table.header.len()).map(|i| width(&table, i)).collect();
    let (of_key, of_others) = widths.split_at(key);
    let room = most - of_key.iter().sum::<f64>();
    // about as wide as each other
    let all = of_others.iter().sum::<f64>();
    let each = all / (all / room).ceil();
    let mut columns: Vec<Vec<usize>> = vec![(0..key).collect()];
    let mut used = 0.0;
    for (i, width) in of_others.iter().enumerate() {
        if used >= each || (used > 0.0 && used + width > room) {
            columns.push((0..key).collect());
            used = 0.0;
        }
        if let Some(part) = columns.last_mut() {
            part.push(key + i);
        }
        used += width;
    }
    columns.iter().map(|of_part| with_columns(&table, of_part)).collect()
}

/// The table, and how many of its first columns tell its rows apart. If no words and counts do, a number for each row goes first.
fn keyed(table: &Table, width: &dyn Fn(&Table, usize) -> f64, most: f64) -> (Table, usize) {
    let first_columns = |of: fn(&Item) -> bool, room: f64| {
        let mut used = 0.0;
        let is_one = |i: &usize| {
            used += width(table, *i);
            used <= room && table.rows.iter().filter_map(|row| row.get(*i)).all(of)
        };
        (0..table.header.len()).take_while(is_one).count()
    };
    let tell_apart = |columns: &usize| {
        let key = |row: &Vec<Item>| -> Vec<String> {
            row.iter().take(*columns).map(Item::shown).collect()
        };
        table.rows.iter().map(key).collect::<BTreeSet<_>>().len() == table.rows.len()
    };
    let is_name = |item: &Item| is_words(item) || matches!(item, Item::Count(_));
    if let Some(key) = (1..=first_columns(is_name, most / 2.0)).find(tell_apart) {
        return (table.clone(), key);
    }
    let mut numbered = table.clone();
    numbered.header.insert(0, "no.".to_owned());
    for (i, row) in numbered.rows.iter_mut().enumerate() {
        row.insert(0, Item::Count(i + 1));
    }
    (numbered, 1 + first_columns(is_words, most / 3.0))
}

fn with_columns(table: &Table, columns: &[usize]) -> Table {
    let row = |row: &Vec<Item>| columns.iter().filter_map(|&i| row.get(i).cloned()).collect();
    Table {
        name: table.name.clone(),
        title: table.title.clone(),
        header: columns.iter().filter_map(|&i| table.header.get(i).cloned()).collect(),
        rows: table.rows.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("t", "Ratio & share", &["net_work", "ratio", "p", "n"]);
        let ratio = Item::Number { value: 0.5, ci95: Some([0.4, 0.6]), decimals: 4, signed: false };
        table.rows.push(vec![Item::text("a, \"b\""), ratio, Item::P(0.00001), Item::Count(82)]);
        table.rows.push(vec![Item::text("c"), Item::Nothing, Item::Nothing, Item::Count(1)]);
        table
    }

    #[test]
    fn csv_has_ends_of_intervals_in_columns_of_their_own() {
        let text = csv(&table()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("net_work,ratio,ratio low,ratio high,p,n"));
        assert_eq!(lines.next(), Some("\"a, \"\"b\"\"\",0.5,0.4,0.6,1e-5,82"));
        assert_eq!(lines.next(), Some("c,,,,,1"));
    }

    /// Two columns of words that may repeat, a count, and six of numbers.
    fn wide(names: [&str; 3]) -> Table {
        let header = ["network", "method", "n", "a", "b", "c", "d", "e", "f"];
        let mut table = Table::new("t", "title", &header);
        for (i, name) in names.iter().enumerate() {
            let mut row = vec![Item::text(*name), Item::text("GradCAM"), Item::Count(82)];
            row.extend((0..6).map(|k| Item::number(Some((6 * i + k) as f64), 1)));
            table.rows.push(row);
        }
        table
    }

    #[test]
    fn what_every_row_says_is_said_once() {
        let (rest, said) = without_alike(&wide(["x", "y", "z"]));
        assert_eq!(said, "method: GradCAM");
        assert_eq!(rest.header.join(" "), "network n a b c d e f");
        assert_eq!(rest.rows[2][..2], [Item::text("z"), Item::Count(82)]);
        // a single row has nothing in common with another
        let mut one = wide(["x", "y", "z"]);
        one.rows.truncate(1);
        assert_eq!(without_alike(&one), (one.clone(), String::new()));
    }

    #[test]
    fn parts_have_every_column_once_behind_those_that_tell_the_rows_apart() {
        let headers = |table: &Table| -> Vec<String> {
            parts(table, &|_, _| 10.0, 60.0).iter().map(|part| part.header.join(" ")).collect()
        };
        let found = headers(&wide(["x", "y", "z"]));
        assert_eq!(found, ["network method n a b", "network c d e f"]);
        // names that recur: rows are numbered
        let table = wide(["x", "y", "x"]);
        let found = headers(&table);
        let key = "no. network method";
        assert_eq!(found, ["n a b", "c d e", "f"].map(|others| format!("{key} {others}")));
        let last = &parts(&table, &|_, _| 10.0, 60.0)[1].rows[2];
        assert_eq!(last[..2], [Item::Count(3), Item::text("x")]);
        assert_eq!(last[3], Item::number(Some(14.0), 1));
    }
}
