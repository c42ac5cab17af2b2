//! Plots of values with their intervals: one below the other, or along a line.

use plotters::prelude::{
    ChartBuilder, Circle, Color as _, IntoFont as _, LineSeries, PathElement, Rectangle, Text,
};

use super::ReportError;
use super::plot::{INK, PALETTE, draw, mesh};

/// A value with its interval and the colour group that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name beside the mark.
    pub name: String,
    /// Index of the group; equal groups have equal colours.
    pub group: usize,
    /// The value.
    pub value: f64,
    /// Lower and upper end.
    pub ends: Option<[f64; 2]>,
}

/// A named line with intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Name in a legend beside the plot.
    pub name: String,
    /// x, y, and the interval of y.
    pub points: Vec<(f64, f64, Option<[f64; 2]>)>,
}

const ROW: u32 = 24;
const AXIS: u32 = 40;
const MARGIN: u32 = 6;
const WIDTH: u32 = 720;
/// Width of a letter of a label, pixels; a little more than the mean of a proportional font at 13.
const LETTER: u32 = 7;

/// Values, or lines, of which all are told to those who cannot see the plot; of more, the ends.
const FEW: usize = 4;

/// Values with whiskers, one below the other; `band` is shaded, `line` drawn across. Those who cannot see them are told `title`, axis
/// and values.
///
/// # Errors
/// If the plotting library fails.
pub fn rows(
    name: &'static str,
    title: &str,
    axis: &str,
    rows: &[Row],
    band: Option<[f64; 2]>,
    line: Option<f64>,
) -> Result<String, ReportError> {
    if rows.is_empty() {
        return Ok(String::new());
    }
    let count = u32::try_from(rows.len()).unwrap_or(1);
    let seen = rows
        .iter()
        .flat_map(|r| r.ends.unwrap_or([r.value; 2]))
        .chain(band.into_iter().flatten())
        .chain(line);
    let (low, high) = range(seen);
    let longest = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0);
    let room = (u32::try_from(longest).unwrap_or(0) * LETTER + 12).min(WIDTH * 11 / 20);
    let told = format!("{title}; {axis}: {}", told_rows(rows, band, high - low));
    draw(name, &told, WIDTH, count * ROW + AXIS + 2 * MARGIN, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(MARGIN)
            .x_label_area_size(AXIS)
            .y_label_area_size(room)
            .build_cartesian_2d(low..high, f64::from(count)..0.0)
            .map_err(|e| e.to_string())?;
        let span = high - low;
        let text = ("sans-serif", 13).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .axis_style(INK)
            .bold_line_style(INK.mix(0.15))
            .light_line_style(INK.mix(0.0))
            .label_style(text.clone())
            .axis_desc_style(text)
            .x_desc(axis)
            .x_label_formatter(&|v| super::chart::number(*v, span))
            .draw()
            .map_err(|e| e.to_string())?;
        let height = f64::from(count);
        if let Some([from, to]) = band {
            let shade = Rectangle::new([(from, 0.0), (to, height)], INK.mix(0.12).filled());
            chart.draw_series([shade]).map_err(|e| e.to_string())?;
        }
        if let Some(x) = line {
            let across = PathElement::new(vec![(x, 0.0), (x, height)], INK.mix(0.7));
            chart.draw_series([across]).map_err(|e| e.to_string())?;
        }
        for (i, row) in rows.iter().enumerate() {
            let y = i as f64 + 0.5;
            let colour = PALETTE[row.group % PALETTE.len()];
            if let Some([from, to]) = row.ends {
                let whisker = LineSeries::new([(from, y), (to, y)], colour.stroke_width(3));
                chart.draw_series(whisker).map_err(|e| e.to_string())?;
            }
            chart
                .draw_series([Circle::new((row.value, y), 5, colour.filled())])
                .map_err(|e| e.to_string())?;
            let top = i32::try_from(MARGIN + u32::try_from(i).unwrap_or(0) * ROW + ROW / 2 - 7)
                .unwrap_or(0);
            let font = ("sans-serif", 13).into_font().color(&INK);
            root.draw(&Text::new(row.name.clone(), (8, top), font)).map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

/// Lines with whiskers at their points; `mark` is drawn across. Those who cannot see them are told `title`, axes, and where the lines
/// begin and end.
///
/// # Errors
/// If the plotting library fails.
pub fn lines(
    name: &'static str,
    title: &str,
    axes: [&str; 2],
    lines: &[Line],
    mark: Option<f64>,
) -> Result<String, ReportError> {
    let points = || lines.iter().flat_map(|l| l.points.iter());
    if points().next().is_none() {
        return Ok(String::new());
    }
    let (x_low, x_high) = range(points().map(|p| p.0));
    let (y_low, y_high) = range(points().flat_map(|p| p.2.unwrap_or([p.1; 2])).chain(mark));
    let told =
        format!("{title}; {} by {}: {}", axes[1], axes[0], told_lines(lines, y_high - y_low));
    draw(name, &told, 560, 340, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(38)
            .y_label_area_size(62)
            .build_cartesian_2d(x_low..x_high, y_low..y_high)
            .map_err(|e| e.to_string())?;
        let label = |span: f64| move |v: &f64| super::chart::number(*v, span);
        mesh(&mut chart, axes[0], axes[1], &label(x_high - x_low), &label(y_high - y_low))?;
        if let Some(y) = mark {
            let across = PathElement::new(vec![(x_low, y), (x_high, y)], INK.mix(0.7));
            chart.draw_series([across]).map_err(|e| e.to_string())?;
        }
        // whiskers beside each other, not on top of each other
        let step = (x_high - x_low) * 0.008;
        for (i, line) in lines.iter().enumerate() {
            let colour = PALETTE[i % PALETTE.len()];
            let aside = (i as f64 - (lines.len() as f64 - 1.0) / 2.0) * step;
            let at = |x: f64| x + aside;
            for (x, _, ends) in &line.points {
                let Some([from, to]) = ends else { continue };
                let whisker = LineSeries::new([(at(*x), *from), (at(*x), *to)], colour.mix(0.6));
                chart.draw_series(whisker).map_err(|e| e.to_string())?;
            }
            let path = line.points.iter().map(|(x, y, _)| (at(*x), *y));
            chart
                .draw_series(LineSeries::new(path.clone(), colour.stroke_width(2)))
                .map_err(|e| e.to_string())?;
            let marks = path.map(|p| Circle::new(p, 3, colour.filled()));
            chart.draw_series(marks).map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

/// Colour of the i-th line of [`lines`], for a legend beside it.
#[must_use]
pub fn colour(i: usize) -> String {
    super::plot::colour(i)
}

/// Values with names and intervals; of many, the lowest and the highest.
fn told_rows(rows: &[Row], band: Option<[f64; 2]>, span: f64) -> String {
    let one = |row: &Row| {
        let ends = row.ends.map_or_else(String::new, |ends| {
            let [from, to] = ends.map(|v| number(v, span));
            format!(" ({from} to {to})")
        });
        format!("{} {}{ends}", row.name, number(row.value, span))
    };
    let lowest = rows.iter().min_by(|a, b| a.value.total_cmp(&b.value));
    let highest = rows.iter().max_by(|a, b| a.value.total_cmp(&b.value));
    let mut text = match (lowest, highest) {
        (Some(lowest), Some(highest)) if rows.len() > FEW => {
            let count = rows.len();
            format!("{count} values, lowest {}, highest {}", one(lowest), one(highest))
        }
        _ => rows.iter().map(one).collect::<Vec<_>>().join("; "),
    };
    if let Some([from, to]) = band.map(|ends| ends.map(|v| number(v, span))) {
        text.push_str(&format!("; shaded from {from} to {to}"));
    }
    text
}

/// Names of lines, of few also their ends.
fn told_lines(lines: &[Line], span: f64) -> String {
    let one = |line: &Line| match (line.points.first(), line.points.last()) {
        (Some(first), Some(last)) if lines.len() <= FEW => {
            let [from, to] = [first.1, last.1].map(|v| number(v, span));
            format!("{} from {from} at {} to {to} at {}", line.name, first.0, last.0)
        }
        _ => line.name.clone(),
    };
    lines.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A number as tables print it: shares and ratios with four decimals.
fn number(value: f64, span: f64) -> String {
    if span < 2.0 { format!("{value:.4}") } else { format!("{value:.2}") }
}

/// Lowest and highest with a margin; never empty.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let margin = (high - low) * 0.06;
    if margin > 0.0 { (low - margin, high + margin) } else { (low - 0.5, high + 0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_mark_and_a_whisker_and_the_band_is_there() {
        let row = |value: f64, ends| Row { name: "a".to_owned(), group: 0, value, ends };
        let data = [row(0.5, Some([0.4, 0.6])), row(0.7, None)];
        let svg = rows("test", "a < b", "x", &data, Some([0.45, 0.55]), Some(0.0)).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches(">\na\n<").count(), 2, "{svg}");
        assert!(svg.contains("currentColor"));
        assert_eq!(rows("test", "", "x", &[], None, None).unwrap(), "");
        let label = "<svg role=\"img\" aria-label=\"a &lt; b; x: a 0.5000 (0.4000 to 0.6000); a 0.7000; shaded from 0.4500 to 0.5500\"";
        assert!(svg.starts_with(label), "{svg}");
        // of many, the lowest and the highest
        let many: Vec<Row> = [0.3, 0.1, 0.2, 0.9, 0.4].map(|v| row(v, None)).to_vec();
        let svg = rows("test", "t", "x", &many, None, None).unwrap();
        let label = "aria-label=\"t; x: 5 values, lowest a 0.1000, highest a 0.9000\"";
        assert!(svg.contains(label), "{svg}");
    }

    #[test]
    fn lines_have_points_and_whiskers() {
        let line = Line {
            name: "fog".to_owned(),
            points: vec![(0.0, 1.0, Some([0.9, 1.1])), (1.0, 0.8, None)],
        };
        let axes = ["severity", "accuracy"];
        let svg = lines("test", "Fog & rain", axes, &[line], Some(1.0)).unwrap();
        let label = "<svg role=\"img\" aria-label=\"Fog &amp; rain; accuracy by severity: fog from 1.0000 at 0 to 0.8000 at 1\"";
        assert!(svg.starts_with(label), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("accuracy") && svg.contains("severity"));
    }
}
