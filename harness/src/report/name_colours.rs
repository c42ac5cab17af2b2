//! Which colour of data belongs to a name: a shape of the sign has its own in every plot, other names have theirs by their order.

use datasets::catalogue::Shape;

use super::plot::PALETTE;

const SHAPES: [Shape; 4] = [Shape::Circular, Shape::Triangular, Shape::Rectangular, Shape::Other];

/// Place of a shape's colour in the palette: the three of the published evaluation have those that lie farthest apart, the rest
/// the one of the others that is easiest to tell from them.
const fn colour_of(shape: Shape) -> usize {
    match shape {
        Shape::Circular => 0,
        Shape::Triangular => 1,
        Shape::Rectangular => 2,
        Shape::Other => 5,
    }
}

/// Places in the palette for the names of a plot, in their order. Where names of shapes stand among them, the others do without
/// the colours of shapes, as far as there are enough.
pub(super) fn name_colours<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let own = |name: &str| SHAPES.into_iter().find(|shape| shape.word() == name).map(colour_of);
    let fixed: Vec<Option<usize>> = names.into_iter().map(own).collect();
    let has_shapes = fixed.iter().any(Option::is_some);
    let is_kept = |place: &usize| has_shapes && SHAPES.into_iter().any(|s| colour_of(s) == *place);
    let (kept, mut free): (Vec<usize>, Vec<usize>) = (0..PALETTE.len()).partition(is_kept);
    free.extend(kept.into_iter().filter(|&place| !fixed.contains(&Some(place))));
    let mut others = free.into_iter().cycle();
    fixed.iter().map(|place| place.or_else(|| others.next()).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::interval_chart::{self, Line};
    use crate::report::mark_rows::Mark;
    use crate::report::plot::{colour, ratio_histogram};

    /// Colours that a plot is filled or drawn with, in the order in which they first appear.
    fn seen(svg: &str) -> Vec<usize> {
        let svg = svg.to_ascii_lowercase();
        let mut places: Vec<(usize, usize)> = (0..PALETTE.len())
            .filter_map(|place| Some((svg.find(&format!("\"{}\"", colour(place)))?, place)))
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(_, place)| place).collect()
    }

    #[test]
    fn a_shape_has_one_colour_in_every_histogram() {
        let histogram = |there: &[&str]| {
            let values = |shape: &str| if there.contains(&shape) { vec![0.5] } else { Vec::new() };
            let all = ["circular", "other", "rectangular", "triangular"];
            let groups = all.map(|shape| (shape.to_owned(), values(shape)));
            seen(&ratio_histogram("Pixel ratio by shape", &groups).unwrap())
        };
        assert_eq!(histogram(&["circular", "other", "rectangular", "triangular"]), [0, 5, 2, 1]);
        // Kernel SHAP explains some of the frames
        assert_eq!(histogram(&["rectangular", "triangular"]), [2, 1]);
        assert_eq!(histogram(&["triangular"]), [1]);
        // words of a data set of one's own: each has one colour as well, whether or not those before it are there
        let histogram = |first: Vec<f64>| {
            let groups = [("a".to_owned(), first), ("b".to_owned(), vec![0.5])];
            seen(&ratio_histogram("Pixel ratio by shape", &groups).unwrap())
        };
        assert_eq!((histogram(vec![0.5]), histogram(Vec::new())), (vec![0, 1], vec![1]));
    }

    #[test]
    fn a_shape_has_the_same_colour_in_a_study() {
        let shapes = ["triangular", "circular"];
        let marks = shapes.map(|shape| Mark {
            name: format!("net, GradCAM, {shape}"),
            group: shape.to_owned(),
            value: 0.5,
            ends: None,
        });
        let drawn = interval_chart::rows("test", "t", "x", &marks, None, None).unwrap();
        assert_eq!(seen(&drawn.svg), [1, 0]);
        assert_eq!(interval_chart::colours(&drawn.colours), [colour(1), colour(0)]);
        let lines = shapes.map(|shape| Line {
            name: shape.to_owned(),
            points: vec![(0.0, 0.5, None), (1.0, 0.6, None)],
        });
        let svg = interval_chart::lines("test", "t", ["x", "y"], &lines, None).unwrap();
        assert_eq!(seen(&svg), [1, 0]);
    }

    #[test]
    fn other_names_have_colours_in_their_order_and_none_of_a_shape_beside_shapes() {
        assert_eq!(name_colours(["GradCAM", "Kernel SHAP", "c"]), [0, 1, 2]);
        assert_eq!(name_colours(["", "triangular", "unknown"]), [3, 1, 4]);
        // more than colours
        assert_eq!(name_colours(["a"; 10])[6..], [6, 7, 0, 1]);
        let many = name_colours(["circular", "a", "b", "c", "d", "e"]);
        assert_eq!(many, [0, 3, 4, 6, 7, 1]);
    }
}
