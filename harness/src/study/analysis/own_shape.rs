//! A network that was trained on one shape alone is asked about signs of that shape: it was never told the names of the others.

use super::shape_word;
use crate::study::book::Book;

/// The book with, of such a network, the frames of its shape; frames of which nobody tells the shape stay.
pub(super) fn own_shape(mut book: Book) -> Book {
    for entry in &mut book.entries {
        let Some(shape) = entry.network.set().and_then(|set| set.shape) else { continue };
        let complete = entry.points.len() >= entry.asked;
        entry.points.retain(|p| p.shape.is_empty() || p.shape == shape_word(shape));
        if complete {
            entry.asked = entry.points.len();
        }
    }
    book
}

#[cfg(test)]
mod tests {
    use super::super::analyse;
    use super::super::testing::{entry, network};
    use super::*;
    use crate::study::finding::Item;

    #[test]
    fn a_network_of_one_shape_is_asked_about_that_shape() {
        let all = network("m", "resnet50", "CM");
        let one = network("t", "resnet50", "CMT");
        // the second network knows triangles and calls everything else by the name of one
        let cell = |n| {
            entry(n, "CM", "gradcam", 90, |_, p| {
                if n.train == "CMT" && p.shape != "triangular" {
                    (p.predicted, p.ratio) = (11, Some(0.1));
                }
            })
        };
        let mut book = Book { entries: vec![cell(&all), cell(&one)], ..Book::default() };
        let lengths = |book: &Book| -> Vec<[usize; 2]> {
            book.entries.iter().map(|e| [e.points.len(), e.asked]).collect()
        };
        assert_eq!(lengths(&own_shape(book.clone())), [[90, 90], [30, 30]]);
        let found = analyse(&book);
        assert_eq!(found.cells, [2, 0, 0]);
        let row = &found.findings[0].tables[0].rows[1];
        assert_eq!((&row[0], &row[4]), (&Item::text("t"), &Item::text("30")));
        assert!(row[5].shown().starts_with("100.00 %"), "{row:?}");
        // one that was only begun stays so
        book.entries[1].points.truncate(45);
        assert_eq!(lengths(&own_shape(book.clone()))[1], [15, 90]);
        // a folder that tells no shapes
        book.entries[1].points.iter_mut().for_each(|p| p.shape.clear());
        assert_eq!(lengths(&own_shape(book))[1], [45, 90]);
    }
}
