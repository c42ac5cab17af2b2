//! Plots as SVG that follow the page's light or dark colours.
//!
//! Lines and text are drawn in one marker colour that is replaced by `currentColor` afterwards. Each has a name for those who cannot
//! see it.

use maud::html as markup;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, Color as _, DrawingArea, IntoDrawingArea as _,
    IntoFont as _, IntoLogRange as _, LineSeries, RGBColor, Rectangle, SVGBackend, Text,
};

use super::ReportError;
use super::name_colours::name_colours;

/// Stands for the colour of text on the page.
pub(super) const INK: RGBColor = RGBColor(1, 2, 3);
const INK_HEX: &str = "#010203";
/// Colours of data, one set for light and dark, so that a plot is the same in a file of its own. Each has a contrast of 3 or more to
/// the ground of both (WCAG 2.2, 1.4.11), which of the colours of Okabe and Ito (2008) three have. Within that, pairs were chosen to
/// lie far apart also for those who lack red, green or blue cones (Machado et al. 2009): by at least 9 of CIEDE2000, the first three
/// by 23.
pub(super) const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 117, 184),   // blue
    RGBColor(192, 120, 0),   // orange
    RGBColor(130, 129, 125), // grey
    RGBColor(15, 151, 169),  // teal
    RGBColor(114, 123, 251), // periwinkle
    RGBColor(240, 26, 106),  // crimson
    RGBColor(80, 121, 79),   // green
    RGBColor(176, 86, 15),   // brown
];
/// Bars from 0 to 1.
const BINS: usize = 20;

fn failed(name: &'static str) -> impl Fn(String) -> ReportError {
    move |problem| ReportError::Plot { name, problem }
}

/// Height of the strip of one group, and of the axis below them.
const STRIP: u32 = 108;
const AXIS: u32 = 40;

/// Frames by pixel ratio: a strip of bars for each named group, one below the other, with its mean as a line. For those who cannot
/// see them there are `title` and the means.
///
/// # Errors
/// If the plotting library fails.
pub(super) fn ratio_histogram(
    title: &str,
    groups: &[(String, Vec<f64>)],
) -> Result<String, ReportError> {
    // before those without frames are left out, which differ from method to method
    let colours = name_colours(groups.iter().map(|(group, _)| group.as_str()));
    let (groups, colours): (Vec<&(String, Vec<f64>)>, Vec<usize>) =
        groups.iter().zip(colours).filter(|((_, values), _)| !values.is_empty()).unzip();
    let Some(last) = groups.len().checked_sub(1) else { return Ok(String::new()) };
    let shares: Vec<Vec<f64>> = groups.iter().map(|(_, values)| shares(values)).collect();
    let top = shares.iter().flatten().copied().fold(0.05, f64::max) * 1.1;
    let height = STRIP * u32::try_from(groups.len()).unwrap_or(1) + AXIS;
    let label = |group: &str, values: &[f64]| {
        format!("{group}, n = {}, mean {:.3}", values.len(), mean(values))
    };
    let labels: Vec<String> = groups.iter().map(|(group, values)| label(group, values)).collect();
    let told =
        format!("{title}: histograms, share of frames by ratio from 0 to 1; {}", labels.join("; "));
    draw("pixel ratio", &told, 560, height, |root| {
        let mut rest = root.clone();
        for (i, (((_, values), label), bars)) in groups.iter().zip(&labels).zip(&shares).enumerate()
        {
            let is_last = i == last;
            let (area, below) = rest.split_vertically(if is_last { STRIP + AXIS } else { STRIP });
            rest = below;
            let colour = PALETTE[colours[i]];
            let mut chart = ChartBuilder::on(&area)
                .margin_top(22)
                .margin_right(10)
                .x_label_area_size(if is_last { AXIS } else { 0 })
                .y_label_area_size(46)
                .build_cartesian_2d(0.0..1.0, 0.0..top)
                .map_err(|e| e.to_string())?;
            let x_name = if is_last { "pixel ratio" } else { "" };
            mesh(&mut chart, x_name, "", &|v| format!("{v:.1}"), &|v| {
                format!("{:.0} %", v * 100.0)
            })?;
            let bars = bars.iter().enumerate().filter(|(_, share)| **share > 0.0);
            let width = 1.0 / BINS as f64;
            let bars = bars.map(|(i, &share)| {
                let left = i as f64 * width;
                let corners = [(left + 0.06 * width, 0.0), (left + 0.94 * width, share)];
                Rectangle::new(corners, colour.filled())
            });
            chart.draw_series(bars).map_err(|e| e.to_string())?;
            let mean = mean(values);
            let line = LineSeries::new([(mean, 0.0), (mean, top)], INK.stroke_width(2));
            chart.draw_series(line).map_err(|e| e.to_string())?;
            let font = ("sans-serif", 13).into_font().color(&INK);
            let text = Text::new(label.clone(), (52, 5), font);
            area.draw(&text).map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

/// The i-th colour of data, for a legend beside a plot.
pub(super) fn colour(i: usize) -> String {
    let RGBColor(r, g, b) = PALETTE[i % PALETTE.len()];
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Latency by percentile for each stage, logarithmic in time; `title` is for those who cannot see it.
///
/// # Errors
/// If the plotting library fails.
pub(super) fn latency(title: &str, stages: &[(String, Vec<f64>)]) -> Result<String, ReportError> {
    let all = || stages.iter().flat_map(|(_, v)| v).copied();
    let (low, high) = (all().fold(f64::MAX, f64::min).max(1e-3), all().fold(0.0, f64::max));
    if high <= 0.0 {
        return Ok(String::new());
    }
    draw("latency", title, 560, 300, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(38)
            .y_label_area_size(62)
            .build_cartesian_2d(0.0..100.0, (low * 0.8..high * 1.3).log_scale())
            .map_err(|e| e.to_string())?;
        mesh(&mut chart, "percentile of frames", "milliseconds", &|v| format!("{v:.0}"), &|v| {
            if *v >= 1.0 { format!("{v:.0}") } else { format!("{v:.2}") }
        })?;
        for ((_, sorted), colour) in stages.iter().zip(PALETTE.iter().cycle()) {
            let n = sorted.len();
            let points = sorted
                .iter()
                .enumerate()
                .map(|(i, &ms)| ((i as f64 + 0.5) / n as f64 * 100.0, ms.max(low)));
            let line = LineSeries::new(points, colour.stroke_width(2));
            chart.draw_series(line).map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A drawing; `name` is for errors, `label` for those who cannot see it: the words within a picture are not read to them.
pub(super) fn draw(
    name: &'static str,
    label: &str,
    width: u32,
    height: u32,
    content: impl FnOnce(&Area<'_>) -> Result<(), String>,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        content(&root).map_err(failed(name))?;
        root.present().map_err(|e| failed(name)(e.to_string()))?;
    }
    // scale with the page instead of having a size of its own; the library has no setting for a label
    let fixed = format!("<svg width=\"{width}\" height=\"{height}\"");
    let escaped = markup! { (label) }.into_string();
    let named = format!("<svg role=\"img\" aria-label=\"{escaped}\"");
    Ok(svg.replace(INK_HEX, "currentColor").replacen(&fixed, &named, 1))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn shares(values: &[f64]) -> Vec<f64> {
    let mut bins = vec![0.0; BINS];
    for value in values {
        bins[bin(*value)] += 1.0 / values.len() as f64;
    }
    bins
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
fn bin(value: f64) -> usize {
    (value.clamp(0.0, 1.0) * BINS as f64).min(BINS as f64 - 1.0) as usize
}

pub(super) fn mesh<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    x_name: &str,
    y_name: &str,
    x_format: &dyn Fn(&f64) -> String,
    y_format: &dyn Fn(&f64) -> String,
) -> Result<(), String>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let text = ("sans-serif", 13).into_font().color(&INK);
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(INK.mix(0.15))
        .light_line_style(INK.mix(0.0))
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(x_name)
        .y_desc(y_name)
        .x_label_formatter(x_format)
        .y_label_formatter(y_format)
        .draw()
        .map_err(|e| e.to_string())
}

/// Height of a row of a [`legend`].
const LEGEND_ROW: u32 = 20;
/// Width of a letter at most, on average over a name; SVG does not know the reader's font.
const LETTER: u32 = 7;

/// Names with their colours in rows at the top, where they cover no data; gives the height that they take.
pub(super) fn legend(
    area: &Area<'_>,
    left: u32,
    names: &[(&str, RGBColor)],
) -> Result<u32, String> {
    let (mut x, mut row) = (left, 0);
    for (name, colour) in names {
        let width = 34 + LETTER * u32::try_from(name.chars().count()).unwrap_or(0);
        if x > left && x + width > area.dim_in_pixel().0 {
            (x, row) = (left, row + 1);
        }
        let at = |dx: u32, dy: u32| -> (i32, i32) {
            let pixel = |v: u32| i32::try_from(v).unwrap_or(i32::MAX);
            (pixel(x + dx), pixel(row * LEGEND_ROW + dy))
        };
        let patch = Rectangle::new([at(0, 8), at(14, 16)], colour.filled());
        let font = ("sans-serif", 13).into_font().color(&INK);
        area.draw(&patch).map_err(|e| e.to_string())?;
        area.draw(&Text::new((*name).to_owned(), at(20, 5), font)).map_err(|e| e.to_string())?;
        x += width;
    }
    Ok((row + 1) * LEGEND_ROW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::contrast::{contrast, property, roots, rules};

    #[test]
    fn data_stand_out_from_the_ground_in_light_and_dark() {
        for root in roots(&rules(include_str!("page.css"))) {
            for ground in ["--paper", "--card"].map(|name| property(root, name)) {
                for colour in (0..PALETTE.len()).map(colour) {
                    let found = contrast(&colour, ground);
                    assert!(found >= 3.0, "{colour} on {ground}: {found}");
                }
            }
        }
    }

    #[test]
    fn drawings_say_what_they_show_and_their_main_numbers() {
        let groups = [
            ("<circular> & \"odd\"".to_owned(), vec![0.25, 0.75]),
            ("triangular".to_owned(), vec![0.9]),
        ];
        let svg = ratio_histogram("Pixel ratio by shape", &groups).unwrap();
        let named = "<svg role=\"img\" aria-label=\"Pixel ratio by shape: histograms, share of frames by ratio from 0 to 1; \
                     &lt;circular&gt; &amp; &quot;odd&quot;, n = 2, mean 0.500; triangular, n = 1, mean 0.900\" viewBox=";
        assert!(svg.starts_with(named), "{svg}");
        let svg = latency("Latency; a < b", &[("network".to_owned(), vec![1.0, 2.0])]).unwrap();
        assert!(svg.starts_with("<svg role=\"img\" aria-label=\"Latency; a &lt; b\" "), "{svg}");
        assert_eq!(svg.matches("<svg").count(), 1);
    }
}
