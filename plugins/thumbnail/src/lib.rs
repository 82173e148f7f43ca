//! An image in, a smaller one out: decode, resize, encode as PNG.
//!
//! An example to copy: raw bytes both ways, a setting from the manifest, progress, and errors that no other attempt mends.

use std::io::Cursor;

use image::ImageFormat;
use tasklane_sdk::prelude::*;

/// Longest edge of a thumbnail when the manifest has no `max_edge`, in pixels.
const MAX_EDGE: u32 = 256;

/// The handler.
#[task]
pub fn thumbnail(_ctx: &Context, Bytes(bytes): Bytes) -> Result<Bytes, TaskError> {
    let max_edge = config::parse("max_edge")?.unwrap_or(MAX_EDGE);
    let image = image::load_from_memory(&bytes).permanent("not_an_image")?;
    progress(0.5, "decoded");
    let small = image.thumbnail(max_edge, max_edge);
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, ImageFormat::Png)?;
    let from = format!("{}x{}", image.width(), image.height());
    let to = format!("{}x{}", small.width(), small.height());
    log::write(log::Level::Info, "resized", &[("from", &from), ("to", &to)]);
    Ok(Bytes(png.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x % 256) as u8, (y % 256) as u8, 7]))
            .write_to(&mut png, ImageFormat::Png)
            .unwrap();
        png.into_inner()
    }

    #[test]
    fn the_longest_edge_is_what_was_set() {
        testing::set_config("max_edge", "64");
        let Bytes(small) = thumbnail(&testing::context(), Bytes(png(400, 200))).unwrap();
        let small = image::load_from_memory(&small).unwrap();
        assert_eq!((small.width(), small.height()), (64, 32));
    }

    #[test]
    fn what_is_no_image_is_a_permanent_error() {
        let error = thumbnail(&testing::context(), Bytes(b"not an image".to_vec())).unwrap_err();
        assert!(error.is_permanent());
        assert_eq!(error.code(), "not_an_image");
    }
}
