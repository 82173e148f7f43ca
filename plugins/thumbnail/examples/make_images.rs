//! Makes the demo's images: `make_images DIRECTORY`. The same each time.

use image::{ImageFormat, Rgb, RgbImage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("give a directory")?;
    std::fs::create_dir_all(&dir)?;
    for (name, width, height, zoom) in
        [("valley", 1600, 1200, 2.6), ("spiral", 1200, 1600, 0.02), ("coast", 1920, 1080, 0.3)]
    {
        let image = RgbImage::from_fn(width, height, |x, y| pixel(x, y, width, height, zoom));
        image.save_with_format(format!("{dir}/{name}.jpg"), ImageFormat::Jpeg)?;
    }
    Ok(())
}

/// A piece of the Mandelbrot set, coloured by how soon a point escapes.
fn pixel(x: u32, y: u32, width: u32, height: u32, zoom: f64) -> Rgb<u8> {
    let scale = zoom / f64::from(width.min(height));
    let (cx, cy) = (
        -0.743 + (f64::from(x) - f64::from(width) / 2.0) * scale,
        0.131 + (f64::from(y) - f64::from(height) / 2.0) * scale,
    );
    let (mut zx, mut zy, mut n) = (0.0_f64, 0.0_f64, 0_u32);
    while zx * zx + zy * zy < 16.0 && n < 200 {
        (zx, zy) = (zx * zx - zy * zy + cx, 2.0 * zx * zy + cy);
        n += 1;
    }
    let shade = |speed: f64| ((f64::from(n) * speed).sin() * 127.0 + 128.0) as u8;
    Rgb([shade(0.05), shade(0.08), shade(0.11)])
}
