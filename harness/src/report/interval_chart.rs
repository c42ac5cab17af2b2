//! Plots of values with their intervals: one below the other, or along a line.

use plotters::prelude::{
    ChartBuilder, Circle, Color as _, IntoFont as _, LineSeries, PathElement, Rectangle, Text,
};

use super::ReportError;
use super::chart::labels;
use super::mark_rows::{Mark, Row, arranged};
use super::name_colours::name_colours;
use super::plot::{Area, INK, PALETTE, draw, mesh};

/// Values with their intervals, drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    /// The plot; empty if there is nothing to draw.
    pub svg: String,
    /// What the colours stand for, for a legend beside it; empty if for nothing.
    pub colours: Vec<String>,
    /// Whether rows hold several values, one below the other in the order of the colours.
    pub is_shared: bool,
    /// Whether it takes more than a large screen.
    pub is_tall: bool,
}

/// A named line with intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Name in a legend beside the plot.
    pub name: String,
    /// x, y, and the interval of y.
    pub points: Vec<(f64, f64, Option<[f64; 2]>)>,
}

const WIDTH: i32 = 720;
const AXIS: i32 = 40;
const MARGIN: i32 = 6;
/// Height of a line of a row's name.
const LINE: i32 = 13;
/// Height that a value has in its row, which is also the space between rows; and in a plot of many.
const LANE: i32 = 8;
const NARROW_LANE: i32 = 5;
const MANY: usize = 60;
/// A name with more letters goes on in the line below.
const LONG_NAME: usize = 56;
/// Width of a letter of a name; a little more than the mean of a proportional font at 13.
const LETTER: i32 = 6;
/// Strength of a band: so little that data on it keep their contrast; its ends are lines.
const BAND: f64 = 0.04;
/// What is higher takes more than a large screen.
const TALL: i32 = 1200;

/// Values, or lines, of which all are told to those who cannot see the plot; of more, the ends.
const FEW: usize = 4;

/// Values with whiskers, one below the other, those of one row closer together; `band` is shaded between lines, `line` drawn across.
/// Those who cannot see them are told `title`, axis and values.
///
/// # Errors
/// If the plotting library fails.
pub fn rows(
    name: &'static str,
    title: &str,
    axis: &str,
    marks: &[Mark],
    band: Option<[f64; 2]>,
    line: Option<f64>,
) -> Result<Drawing, ReportError> {
    if marks.is_empty() {
        return Ok(Drawing::default());
    }
    let seen = marks
        .iter()
        .flat_map(|m| m.ends.unwrap_or([m.value; 2]))
        .chain(band.into_iter().flatten())
        .chain(line);
    let (low, high) = range(seen);
    let arranged = arranged(marks);
    let colours = name_colours(arranged.colours.iter().map(String::as_str));
    let lane = if marks.len() > MANY { NARROW_LANE } else { LANE };
    let places = placed(&arranged.rows, lane);
    let longest = places.iter().flat_map(|p| &p.name).map(|line| line.chars().count()).max();
    let room = (pixels(longest.unwrap_or(0)) * LETTER + 12).min(WIDTH * 11 / 20);
    let bottom = places.last().map_or(0, |p| p.top + p.height);
    let height = bottom + AXIS + 2 * MARGIN;
    let told = format!("{title}; {axis}: {}", told_rows(marks, band, high - low));
    let svg = draw(name, &told, WIDTH.unsigned_abs(), height.unsigned_abs(), |root| {
        names(root, &places)?;
        let mut chart = ChartBuilder::on(root)
            .margin(MARGIN)
            .x_label_area_size(AXIS)
            .y_label_area_size(room)
            .build_cartesian_2d(low..high, f64::from(bottom)..0.0)
            .map_err(|e| e.to_string())?;
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
            .x_label_formatter(&labels(low, high))
            .draw()
            .map_err(|e| e.to_string())?;
        let across = |x: f64| vec![(x, 0.0), (x, f64::from(bottom))];
        if let Some([from, to]) = band {
            let corners = [(from, 0.0), (to, f64::from(bottom))];
            let shade = Rectangle::new(corners, INK.mix(BAND).filled());
            chart.draw_series([shade]).map_err(|e| e.to_string())?;
        }
        for (x, strength) in
            band.into_iter().flatten().map(|x| (x, 0.5)).chain(line.map(|x| (x, 0.7)))
        {
            let path = PathElement::new(across(x), INK.mix(strength));
            chart.draw_series([path]).map_err(|e| e.to_string())?;
        }
        for (row, place) in arranged.rows.iter().zip(&places) {
            for ((colour, mark), y) in row.marks.iter().zip(place.lanes(row.marks.len(), lane)) {
                // without groups one colour for all
                let colour = PALETTE[colours.get(*colour).copied().unwrap_or(0)];
                if let Some([from, to]) = mark.ends {
                    let stroke = colour.stroke_width(if lane == LANE { 3 } else { 2 });
                    let whisker = LineSeries::new([(from, y), (to, y)], stroke);
                    chart.draw_series(whisker).map_err(|e| e.to_string())?;
                }
                let dot = Circle::new((mark.value, y), lane / 2, colour.filled());
                chart.draw_series([dot]).map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    })?;
    Ok(Drawing {
        svg,
        is_shared: arranged.rows.iter().any(|row| row.marks.len() > 1),
        is_tall: height > TALL,
        colours: arranged.colours,
    })
}

/// Names of the rows, with a thin line between one row and the next.
fn names(root: &Area<'_>, places: &[Place]) -> Result<(), String> {
    for (i, place) in places.iter().enumerate() {
        let top = MARGIN + place.top;
        if i > 0 {
            let between = PathElement::new(vec![(0, top), (WIDTH, top)], INK.mix(0.12));
            root.draw(&between).map_err(|e| e.to_string())?;
        }
        for (i, line) in place.name.iter().enumerate() {
            let top = MARGIN + place.top_of_name() + pixels(i) * LINE;
            let font = ("sans-serif", 13).into_font().color(&INK);
            root.draw(&Text::new(line.clone(), (8, top), font)).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

/// Where a row lies in the plot.
struct Place {
    top: i32,
    height: i32,
    /// Lines of its name.
    name: Vec<String>,
}

impl Place {
    /// Heights of its values.
    fn lanes(&self, count: usize, lane: i32) -> impl Iterator<Item = f64> {
        let middle = f64::from(self.top) + f64::from(self.height) / 2.0;
        let first = middle - (count as f64 - 1.0) / 2.0 * f64::from(lane);
        (0..count).map(move |i| first + i as f64 * f64::from(lane))
    }

    /// The name stands beside the middle of the values.
    fn top_of_name(&self) -> i32 {
        self.top + (self.height - pixels(self.name.len()) * LINE) / 2
    }
}

/// Rows one below the other, as high as their values or names.
fn placed(rows: &[Row<'_>], lane: i32) -> Vec<Place> {
    let mut bottom = 0;
    let place = |row: &Row<'_>| {
        let (name, top) = (broken(&row.name), bottom);
        let height = (pixels(row.marks.len()) * lane).max(pixels(name.len()) * LINE) + lane;
        bottom += height;
        Place { top, height, name }
    };
    rows.iter().map(place).collect()
}

/// A name in lines of at most [`LONG_NAME`] letters, as far as it has spaces.
fn broken(name: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in name.split(' ') {
        let Some(last) = lines.last_mut() else { continue };
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= LONG_NAME {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn pixels(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
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
    let colours = name_colours(lines.iter().map(|line| line.name.as_str()));
    draw(name, &told, 560, 340, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(38)
            .y_label_area_size(62)
            .build_cartesian_2d(x_low..x_high, y_low..y_high)
            .map_err(|e| e.to_string())?;
        let (x_label, y_label) = (labels(x_low, x_high), labels(y_low, y_high));
        mesh(&mut chart, axes[0], axes[1], &x_label, &y_label)?;
        if let Some(y) = mark {
            let across = PathElement::new(vec![(x_low, y), (x_high, y)], INK.mix(0.7));
            chart.draw_series([across]).map_err(|e| e.to_string())?;
        }
        // whiskers beside each other, not on top of each other
        let step = (x_high - x_low) * 0.008;
        for (i, (line, colour)) in lines.iter().zip(colours).enumerate() {
            let colour = PALETTE[colour];
            let aside = (i as f64 - (lines.len() as f64 - 1.0) / 2.0) * step;
            let at = |x: f64| x + aside;
            for (x, _, ends) in &line.points {
                let Some([from, to]) = ends else { continue };
                let whisker = LineSeries::new([(at(*x), *from), (at(*x), *to)], colour);
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

/// The colours of names in [`rows`] and [`lines`], for a legend beside them.
#[must_use]
pub fn colours(names: &[String]) -> Vec<String> {
    name_colours(names.iter().map(String::as_str)).into_iter().map(super::plot::colour).collect()
}

/// Values with names and intervals; of many, the lowest and the highest.
fn told_rows(marks: &[Mark], band: Option<[f64; 2]>, span: f64) -> String {
    let one = |mark: &Mark| {
        let ends = mark.ends.map_or_else(String::new, |ends| {
            let [from, to] = ends.map(|v| number(v, span));
            format!(" ({from} to {to})")
        });
        format!("{} {}{ends}", mark.name, number(mark.value, span))
    };
    let lowest = marks.iter().min_by(|a, b| a.value.total_cmp(&b.value));
    let highest = marks.iter().max_by(|a, b| a.value.total_cmp(&b.value));
    let mut text = match (lowest, highest) {
        (Some(lowest), Some(highest)) if marks.len() > FEW => {
            let count = marks.len();
            format!("{count} values, lowest {}, highest {}", one(lowest), one(highest))
        }
        _ => marks.iter().map(one).collect::<Vec<_>>().join("; "),
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

    fn mark(name: &str, group: &str, value: f64, ends: Option<[f64; 2]>) -> Mark {
        Mark { name: name.to_owned(), group: group.to_owned(), value, ends }
    }

    #[test]
    fn every_value_has_a_mark_and_a_whisker_and_the_band_is_there() {
        let data = [mark("a", "", 0.5, Some([0.4, 0.6])), mark("a", "", 0.7, None)];
        let drawn = rows("test", "a < b", "x", &data, Some([0.45, 0.55]), Some(0.0)).unwrap();
        let svg = drawn.svg;
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches(">\na\n<").count(), 2, "{svg}");
        assert!(svg.contains("currentColor"));
        assert_eq!(rows("test", "", "x", &[], None, None).unwrap(), Drawing::default());
        let label = "<svg role=\"img\" aria-label=\"a &lt; b; x: a 0.5000 (0.4000 to 0.6000); a 0.7000; shaded from 0.4500 to 0.5500\"";
        assert!(svg.starts_with(label), "{svg}");
        // of many, the lowest and the highest
        let many = [0.3, 0.1, 0.2, 0.9, 0.4].map(|v| mark("a", "", v, None));
        let svg = rows("test", "t", "x", &many, None, None).unwrap().svg;
        let label = "aria-label=\"t; x: 5 values, lowest a 0.1000, highest a 0.9000\"";
        assert!(svg.contains(label), "{svg}");
    }

    #[test]
    fn values_of_a_row_lie_one_below_the_other_beside_one_name() {
        let data = ["GradCAM", "Kernel SHAP"].map(|m| mark(&format!("net, {m}"), m, 0.5, None));
        let drawn = rows("test", "t", "x", &data, None, None).unwrap();
        assert_eq!(drawn.colours, ["GradCAM", "Kernel SHAP"]);
        assert!(drawn.is_shared && !drawn.is_tall);
        assert_eq!(drawn.svg.matches(">\nnet\n<").count(), 1, "{}", drawn.svg);
        let heights: Vec<i32> = drawn
            .svg
            .split("cy=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        let [first, second] = heights[..] else { panic!("{heights:?}") };
        assert!((LANE - 1..=LANE + 1).contains(&(second - first)), "{heights:?}");
    }

    #[test]
    fn rows_do_not_meet_and_long_names_go_on_below() {
        let long = ["word"; 30].join(" ");
        let data = [mark(&long, "", 0.1, None), mark("short", "", 0.2, None)];
        let places = placed(&arranged(&data).rows, LANE);
        assert_eq!(places[0].name.join(" "), long);
        assert_eq!(places[0].name.len(), 3);
        assert!(places[0].name.iter().all(|line| line.len() <= LONG_NAME));
        assert_eq!(places[0].height, 3 * LINE + LANE);
        assert_eq!(places[1].top, places[0].height);
        // a screen and more
        let many = vec![mark("a", "", 0.1, None); 100];
        assert!(rows("test", "t", "x", &many, None, None).unwrap().is_tall);
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
