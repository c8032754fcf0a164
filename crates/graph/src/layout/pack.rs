//! Parts that no edge joins, put together: in rows, the highest first, as wide as the drawing should be.

use super::{Options, Point, Size};

/// Where each part goes, and the size of all together.
pub fn pack(parts: &[Size], options: &Options) -> (Vec<Point>, Size) {
    let gap = options.part_gap;
    let area: f32 = parts.iter().map(|part| (part.width + gap) * (part.height + gap)).sum();
    let widest = parts.iter().map(|part| part.width).fold(0.0, f32::max);
    let wanted = widest.max((area * options.aspect).sqrt());
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| parts[b].height.total_cmp(&parts[a].height));
    let mut origins = vec![Point::default(); parts.len()];
    let (mut at, mut row_height) = (Point::default(), 0.0f32);
    let mut size = Size::default();
    for part in order {
        let Size { width, height } = parts[part];
        if at.x > 0.0 && at.x + width > wanted {
            at = Point { x: 0.0, y: at.y + row_height + gap };
            row_height = 0.0;
        }
        origins[part] = at;
        size = Size { width: size.width.max(at.x + width), height: size.height.max(at.y + height) };
        row_height = row_height.max(height);
        at.x += width + gap;
    }
    (origins, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_in_rows_about_as_wide_as_wanted() {
        let options = Options { part_gap: 0.0, aspect: 1.0, ..Options::default() };
        let (origins, size) = pack(&[Size { width: 10.0, height: 10.0 }; 4], &options);
        let at = |x: f32, y: f32| Point { x, y };
        assert_eq!(origins, [at(0.0, 0.0), at(10.0, 0.0), at(0.0, 10.0), at(10.0, 10.0)]);
        assert_eq!(size, Size { width: 20.0, height: 20.0 });
    }
}
