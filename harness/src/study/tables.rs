//! Tables of a study as CSV, numbers in columns of their own.

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
}
