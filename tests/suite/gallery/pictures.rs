//! Pictures that claim or unfold to far more than their bytes.

use super::bits::zlib;
use super::pattern::Pattern;

/// A chunk of a PNG.
pub fn chunk(name: &str, body: &Pattern) -> Pattern {
    let mut crc = crc32fast::Hasher::new();
    crc.update(name.as_bytes());
    body.write_to(Crc(&mut crc)).unwrap();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    Pattern::of(length).then(name).join(body.clone()).then(crc.finalize().to_be_bytes())
}

struct Crc<'a>(&'a mut crc32fast::Hasher);

impl std::io::Write for Crc<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Head of a PNG: its size, depth, colour type and interlacing.
pub fn png_head(width: u32, height: u32, depth: u8, color: u8, interlaced: bool) -> Pattern {
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, color, 0, 0, u8::from(interlaced)]].concat();
    Pattern::of(b"\x89PNG\r\n\x1a\n").join(chunk("IHDR", &Pattern::of(head)))
}

fn channels(color: u8) -> u64 {
    [1, 0, 3, 1, 2, 0, 4][usize::from(color)]
}

/// A sound PNG of 8 bits a channel, all black.
pub fn png(width: u32, height: u32, color: u8) -> Pattern {
    png_with(width, height, 8, color, &Pattern::default())
}

/// As [`png`], with a depth, and chunks before the picture's.
pub fn png_with(width: u32, height: u32, depth: u8, color: u8, before: &Pattern) -> Pattern {
    let row = 1 + (u64::from(width) * channels(color) * u64::from(depth)).div_ceil(8);
    let data = zlib(&Pattern::default().times([0], row * u64::from(height)));
    let head = png_head(width, height, depth, color, false).join(before.clone());
    head.join(chunk("IDAT", &data)).join(chunk("IEND", &Pattern::default()))
}

/// A sound interlaced PNG, all black.
pub fn png_interlaced(width: u32, height: u32, color: u8) -> Pattern {
    let passes = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];
    let part = |length: u32, from: u32, step: u32| u64::from(length.saturating_sub(from).div_ceil(step));
    let bytes = passes.iter().map(|&(x, dx, y, dy)| part(height, y, dy) * (1 + part(width, x, dx) * channels(color)));
    let data = zlib(&Pattern::default().times([0], bytes.sum()));
    png_head(width, height, 8, color, true).join(chunk("IDAT", &data)).join(chunk("IEND", &Pattern::default()))
}

/// A JPEG of one channel, all of one grey: two bits a block.
pub fn jpeg(width: u16, height: u16) -> Pattern {
    let blocks = u64::from(width).div_ceil(8) * u64::from(height).div_ceil(8);
    jpeg_head(0xc0, width, height).join(scan(0, 63, 0)).times([0], blocks.div_ceil(4)).then([0xff, 0xd9])
}

/// A progressive JPEG: so many scans, each over the whole picture, each of a few bytes.
pub fn jpeg_of_scans(width: u16, height: u16, scans: u64) -> Pattern {
    let blocks = u64::from(width).div_ceil(8) * u64::from(height).div_ceil(8);
    let first = jpeg_head(0xc2, width, height).join(scan(0, 0, 0)).times([0], blocks.div_ceil(8));
    // One code and 14 bits say "the next 16,384 blocks are empty".
    let run = scan(1, 63, 1).times([0], (blocks.div_ceil(16_384) * 15).div_ceil(8) + 2);
    first.times(run.bytes(), scans).then([0xff, 0xd9])
}

/// Tables and head of a JPEG of one channel: a first bit of 0 stands for "no difference" and "no more".
fn jpeg_head(kind: u8, width: u16, height: u16) -> Pattern {
    let segment = |marker: u8, body: &[u8]| {
        let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], body].concat()
    };
    let table = |class: u8, symbol: u8| [&[class][..], &[1], &[0; 15], &[symbol]].concat();
    let quantisers = [&[0][..], &[1; 64]].concat();
    let [h, w] = [height.to_be_bytes(), width.to_be_bytes()];
    let progressive = kind == 0xc2;
    Pattern::of([0xff, 0xd8])
        .then(segment(0xdb, &quantisers))
        .then(segment(kind, &[8, h[0], h[1], w[0], w[1], 1, 1, 0x11, 0]))
        .then(segment(0xc4, &table(0x00, 0)))
        .then(segment(0xc4, &table(0x10, if progressive { 0xe0 } else { 0 })))
}

fn scan(from: u8, to: u8, shift: u8) -> Pattern {
    Pattern::of([0xff, 0xda, 0, 8, 1, 1, 0, from, to, shift])
}

/// A lossless WebP in which each pixel takes no bit at all.
pub fn webp(width: u32, height: u32) -> Pattern {
    let mut bits = Vec::new();
    let mut put = |value: u32, count: u32| bits.extend((0..count).map(|at| value >> at & 1 == 1));
    put(width - 1, 14);
    put(height - 1, 14);
    put(0, 4);
    // No transform, no colour cache, no groups of codes; five codes of the one symbol 0.
    put(0, 3);
    (0..5).for_each(|_| put(0b0001, 4));
    let bytes = bits.chunks(8).map(|bits| bits.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum::<u8>());
    let body: Vec<u8> = [0x2f].into_iter().chain(bytes).chain([0; 8]).collect();
    riff(&[("VP8L", Pattern::of(body))])
}

/// A WebP of these chunks.
pub fn riff(chunks: &[(&str, Pattern)]) -> Pattern {
    let mut body = Pattern::of("WEBP");
    for (name, chunk) in chunks {
        let odd = chunk.len() % 2;
        let length = u32::try_from(chunk.len()).unwrap().to_le_bytes();
        body = body.then(name).then(length).join(chunk.clone()).times([0], odd);
    }
    Pattern::of("RIFF").then(u32::try_from(body.len()).unwrap().to_le_bytes()).join(body)
}

#[test]
fn the_pictures_are_sound() {
    for (picture, pixels) in [(png(40, 30, 6), 4800), (png_interlaced(9, 9, 2), 243)] {
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture.bytes())).read_info().unwrap();
        let mut bytes = vec![1; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        assert_eq!((bytes.len(), bytes.iter().max()), (pixels, Some(&0)));
    }
    let decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(webp(50, 20).bytes()));
    let mut decoder = decoder.unwrap();
    let mut bytes = vec![1; decoder.output_buffer_size().unwrap()];
    decoder.read_image(&mut bytes).unwrap();
    assert_eq!(decoder.dimensions(), (50, 20));
    for picture in [jpeg(40, 40), jpeg_of_scans(40, 40, 3)] {
        let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(picture.bytes()));
        assert_eq!(decoder.decode().unwrap().len() % 1600, 0);
    }
}
