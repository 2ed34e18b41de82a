import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lit_mnist.errors import UserError
from lit_mnist.pictures import files as images


def drawn(side):
    """A seven, light on dark, lopsided in every direction."""
    large = Image.new("L", (1400, 1400))
    ImageDraw.Draw(large).line([(350, 300), (980, 300), (560, 1190)], fill=255, width=150)
    return np.asarray(large.resize((side, side), Image.Resampling.LANCZOS))


SEVEN = drawn(28)


def write(path, pixels, mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max()


def assert_one_line(error, *words):
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


# ---------------------------------------------------------------- pixels


def test_an_image_in_mnist_s_form_is_read_unchanged(tmp_path):
    pixels = images.read(write(tmp_path / "seven.png", SEVEN))

    assert (pixels.shape, pixels.dtype) == ((28, 28), np.uint8)
    assert np.array_equal(pixels, SEVEN)
    pixels[0, 0] = 1  # a copy of one's own, as torch.from_numpy wants it


def test_a_light_background_is_inverted(tmp_path):
    assert np.array_equal(images.read(write(tmp_path / "dark.png", 255 - SEVEN)), SEVEN)


@pytest.mark.parametrize(("ground", "expected"), [(127, 127), (128, 127)])
def test_a_background_is_light_above_127(tmp_path, ground, expected):
    path = write(tmp_path / "flat.png", np.full((28, 28), ground, np.uint8))

    assert (images.read(path) == expected).all()


@pytest.mark.parametrize("turns", range(4))
def test_the_background_is_the_median_of_all_four_edges(tmp_path, turns):
    pixels = np.full((28, 28), 200, np.uint8)
    pixels[:, -1] = pixels[0] = 20  # two edges of four
    pixels[0, :2] = 200  # a little less than half
    assert images.read(write(tmp_path / "a.png", np.rot90(pixels, turns)))[14, 14] == 55
    pixels[0] = pixels[-1, :3] = 20  # a little more
    assert images.read(write(tmp_path / "b.png", np.rot90(pixels, turns)))[14, 14] == 200


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "RGB"),
        ("a.png", "RGBA"),
        ("a.png", "LA"),
        ("a.png", "P"),
        ("a.gif", "P"),
        ("a.bmp", "L"),
        ("a.pgm", "L"),
        ("a.ppm", "RGB"),
        ("a.tif", "CMYK"),
        ("a.webp", "RGB"),
    ],
)
@pytest.mark.parametrize("light_ground", [False, True])
def test_every_lossless_mode_gives_the_same_pixels(tmp_path, name, mode, light_ground):
    pixels = 255 - SEVEN if light_ground else SEVEN
    path = write(tmp_path / name, pixels, mode, **({"lossless": True} if "webp" in name else {}))

    assert np.array_equal(images.read(path), SEVEN)


def test_black_and_white_gives_0_and_255(tmp_path):
    path = write(tmp_path / "bits.png", Image.fromarray(SEVEN).point(lambda p: p > 127, "1"))

    assert np.array_equal(images.read(path), np.where(SEVEN > 127, 255, 0))


def test_jpeg_gives_nearly_the_same_pixels(tmp_path):
    path = write(tmp_path / "a.jpg", np.kron(255 - SEVEN, np.ones((10, 10), np.uint8)), quality=90)

    assert difference(images.read(path), SEVEN) <= 5


def test_colours_are_converted_to_luminance(tmp_path):
    green = np.zeros((28, 28, 3), np.uint8)
    green[10:20, 10:20] = (50, 200, 100)

    pixels = images.read(write(tmp_path / "green.png", green))

    assert pixels[15, 15] == round(0.299 * 50 + 0.587 * 200 + 0.114 * 100)
    assert pixels[0, 0] == 0


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_pixels_keep_their_scale(tmp_path, name):
    full = write(tmp_path / name, SEVEN.astype(np.uint16) * 257)
    assert np.array_equal(images.read(full), SEVEN)

    dim = write(tmp_path / name, SEVEN.astype(np.uint16))  # 255 of 65,535 is as good as black
    assert images.read(dim).max() == 1

    between = np.zeros((28, 28), np.uint16)
    between[5, 5:8] = 1000, 30_000, 65_535
    pixels = images.read(write(tmp_path / name, between))
    assert pixels[5, 5:8].tolist() == [round(v / 257) for v in (1000, 30_000, 65_535)]


@pytest.mark.parametrize(
    ("dtype", "white"),
    [(np.int32, 255), (np.int32, 65_535), (np.int32, 10**9), (np.float32, 1), (np.float32, 255)],
)
def test_pixels_over_8_bits_are_scaled_to_their_range(tmp_path, dtype, white):
    pixels = (SEVEN / 255 * white).astype(dtype)

    assert difference(images.read(write(tmp_path / "deep.tif", pixels)), SEVEN) <= 1


@pytest.mark.parametrize(("dtype", "white"), [(np.int32, 255), (np.int32, 65_535), (np.float32, 1)])
def test_a_dark_16_bit_image_stays_dark(tmp_path, dtype, white):
    pixels = np.zeros((28, 28), dtype)
    pixels[10:20, 10:20] = white * 0.4

    assert images.read(write(tmp_path / "dim.tif", pixels))[15, 15] == 102


def test_nan_and_negative_pixels_become_black(tmp_path):
    pixels = (SEVEN / 255).astype(np.float32)
    pixels[0, 0], pixels[0, 1] = np.nan, -3

    assert np.array_equal(images.read(write(tmp_path / "nan.tif", pixels)), SEVEN)


# ---------------------------------------------------------------- transparency


@pytest.mark.parametrize(("ink", "expected"), [(0, 255), (100, 155), (150, 150), (255, 255)])
def test_transparent_pixels_become_background(tmp_path, ink, expected):
    colour = np.full((28, 28, 3), ink, np.uint8)

    pixels = images.read(write(tmp_path / "ink.png", np.dstack([colour, SEVEN])))

    assert difference(pixels, SEVEN / 255 * expected) <= 1


@pytest.mark.parametrize("ink", [0, 255])
def test_colours_of_transparent_pixels_are_ignored(tmp_path, ink):
    hidden = np.where(SEVEN > 0, ink, 255 - ink).astype(np.uint8)

    assert np.array_equal(images.read(write(tmp_path / "a.png", np.dstack([hidden, SEVEN]))), SEVEN)


def test_a_transparent_colour_leaves_the_others_their_luminance(tmp_path):
    colours = np.where(SEVEN[..., None] > 127, (0, 200, 0), (9, 9, 9)).astype(np.uint8)
    path = write(tmp_path / "a.png", colours, transparency=(9, 9, 9))

    green = round(0.587 * 200)
    assert np.array_equal(images.read(path), np.where(SEVEN > 127, 255 - green, 0))


@pytest.mark.parametrize("mode", ["P", "L"])
def test_a_transparent_colour_counts_as_transparent(tmp_path, mode):
    dark_ink = np.where(SEVEN > 127, 20, 60).astype(np.uint8)  # 60 is not there to be seen
    path = write(tmp_path / "a.png", dark_ink, mode, transparency=60)

    assert np.array_equal(images.read(path), np.where(SEVEN > 127, 235, 0))


def test_a_fully_transparent_image_is_blank(tmp_path):
    path = write(tmp_path / "a.png", np.zeros((28, 28, 4), np.uint8))

    assert not images.read(path).any()


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize("times", [2, 3, 10, 40])
def test_an_enlarged_digit_is_restored(tmp_path, times):
    enlarged = np.kron(255 - SEVEN, np.ones((times, times), np.uint8))

    assert np.array_equal(images.read(write(tmp_path / "large.png", enlarged)), SEVEN)


@pytest.mark.parametrize("side", [20, 27, 29, 45, 101, 500])
def test_other_sizes_give_nearly_the_same_digit(tmp_path, side):
    pixels = images.read(write(tmp_path / "other.png", drawn(side)))

    apart = np.abs(pixels.astype(int) - SEVEN)
    shifted = np.abs(np.roll(SEVEN, 1, axis=1).astype(int) - SEVEN)
    assert apart.mean() < shifted.mean() * 0.4


def test_shrinking_averages_every_pixel(tmp_path):
    board = (np.indices((280, 280)).sum(axis=0) % 2 * 200).astype(np.uint8)

    assert (images.read(write(tmp_path / "board.png", board)) == 100).all()


def test_enlarging_is_smooth(tmp_path):
    step = np.repeat(np.array([[0] * 7 + [240] * 7], np.uint8), 14, axis=0)

    row = images.read(write(tmp_path / "step.png", step))[14].astype(int)

    assert (row[0], row[-1]) == (0, 240)
    assert np.abs(np.diff(row)).max() < 240


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("ground", [0, 40, 255])
def test_a_rectangular_image_is_padded_with_its_border(tmp_path, wide, ground):
    pixels = np.full((140, 280), ground, np.uint8)
    pixels[40:100, 100:180] = 130
    dark, ink = (0, 125) if ground == 255 else (ground, 130)

    path = write(tmp_path / "oblong.png", pixels if wide else pixels.T)

    expected = np.full((28, 28), dark)
    expected[11:17, 10:18] = ink
    assert np.array_equal(images.read(path), expected if wide else expected.T)


@pytest.mark.parametrize("size", [(1, 1), (1, 28), (2800, 100), (28, 27)])
def test_odd_sizes_are_read(tmp_path, size):
    path = write(tmp_path / "odd.png", Image.new("L", size, 90))

    assert (images.read(path) == 90).all()


@pytest.mark.parametrize("size", [(1, 29), (3000, 100)])
def test_a_strip_too_narrow_to_scale_is_refused(tmp_path, size):
    path = write(tmp_path / "strip.png", Image.new("L", size, 90))

    with pytest.raises(UserError) as error:
        images.read(path)

    assert_one_line(error, repr(str(path)), "narrow", "cut")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_exif_orientation_of_files_is_applied(tmp_path, name):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter clockwise
    turned = np.rot90(SEVEN)
    path = write(tmp_path / name, np.kron(turned, np.ones((10, 10), np.uint8)), exif=exif)

    assert difference(images.read(path), SEVEN) <= 10


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.webp"])
def test_the_first_frame_of_an_animation_is_read(tmp_path, name):
    others = [Image.fromarray(np.flipud(SEVEN)), Image.fromarray(np.fliplr(SEVEN))]
    options = {"lossless": True} if "webp" in name else {}
    path = write(tmp_path / name, SEVEN, save_all=True, append_images=others, **options)

    with Image.open(path) as image:
        assert image.n_frames == 3
    assert np.array_equal(images.read(path), SEVEN)


# ---------------------------------------------------------------- files that cannot be read


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tif", "a.bmp", "a.webp"])
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_reported(tmp_path, name, part):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    whole = write(tmp_path / name, noise).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])

    with pytest.raises(UserError) as error:
        images.read(tmp_path / name)

    assert_one_line(error, repr(str(tmp_path / name)), "damaged", "give")


@pytest.mark.parametrize("text", [b"7", b"not an image\n" * 100, b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_file_that_is_not_an_image_is_reported(tmp_path, text):
    path = tmp_path / "notes.png"
    path.write_bytes(text)

    with pytest.raises(UserError) as error:
        images.read(path)

    assert_one_line(error, repr(str(path)), "no image", "PNG")


def test_postscript_is_never_executed(tmp_path, monkeypatch):
    def run(*arguments, **_):
        raise AssertionError(f"ran {arguments}")

    monkeypatch.setattr(subprocess, "Popen", run)
    path = tmp_path / "seven.eps"
    Image.fromarray(SEVEN).save(path)

    with pytest.raises(UserError) as error:
        images.read(path)

    assert_one_line(error, repr(str(path)))
    assert not isinstance(error.value.__cause__, AssertionError)


@pytest.mark.parametrize("pixels_allowed", [300, 500])  # 784 is more than twice, and than once
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, pixels_allowed):
    path = write(tmp_path / "bomb.png", SEVEN)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels_allowed)

    with warnings.catch_warnings(action="ignore"), pytest.raises(UserError) as error:
        images.read(path)

    assert_one_line(error, repr(str(path)), "too many pixels", "shrink")


def test_an_unreadable_file_is_reported_with_the_reason(tmp_path, monkeypatch):
    def closed(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    path = write(tmp_path / "closed.png", SEVEN)
    monkeypatch.setattr(Image, "open", closed)  # as root, no file is really closed

    with pytest.raises(UserError) as error:
        images.read(path)

    assert_one_line(error, repr(str(path)), "Permission denied")


def test_a_missing_file_is_reported_with_the_reason(tmp_path):
    with pytest.raises(UserError) as error:
        images.read(tmp_path / "none.png")

    assert_one_line(error, "none.png", "No such file")


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path):
    path = tmp_path / "two\nlines.png"
    path.write_bytes(b"")

    with pytest.raises(UserError) as error:
        images.read(path)

    assert_one_line(error, "two\\nlines.png")


# ---------------------------------------------------------------- many files


def test_reads_all_in_order(tmp_path):
    flipped = np.flipud(SEVEN)
    paths = [write(tmp_path / "b.png", SEVEN), write(tmp_path / "a.png", flipped)]

    read = images.read_all(paths)

    assert read.dtype == np.uint8
    assert np.array_equal(read, np.stack([SEVEN, flipped]))
    assert images.read_all([]).shape == (0, 28, 28)


def test_finds_named_files_and_images_in_folders(tmp_path):
    folder = tmp_path / "digits"
    (folder / "deeper.png").mkdir(parents=True)
    for name in ["b.png", "a.JPG", "c.tiff", "notes.txt", ".hidden.png", "._a.jpg", "d.pdf"]:
        (folder / name).touch()
    (folder / "deeper.png" / "e.png").touch()
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    plain = tmp_path / "no_ending"
    plain.touch()

    found = images.find([str(plain), folder, folder / "b.png"])

    within = [folder / name for name in ("a.JPG", "b.png", "c.tiff")]
    assert found == [plain, *within, folder / "b.png"]


@pytest.mark.parametrize("format_", images.FORMATS)
def test_every_found_suffix_can_be_read(tmp_path, format_):
    ending = {"JPEG": "jpeg", "TIFF": "tif"}.get(format_, format_.lower())
    path = write(tmp_path / f"a.{ending}", SEVEN, format=format_)

    assert images.find([tmp_path]) == [path]
    assert difference(images.read(path), SEVEN) < 40


@pytest.mark.parametrize("name", ["missing.png", "x" * 300, "missing/a.png", ""])
def test_a_missing_path_is_reported(tmp_path, name):
    path = os.path.join(tmp_path, name) if name else ""

    with pytest.raises(UserError) as error:
        images.find([path])

    assert_one_line(error, repr(path), "check the path")


def test_a_folder_without_images_is_reported(tmp_path):
    (tmp_path / "notes.txt").touch()

    with pytest.raises(UserError) as error:
        images.find([tmp_path])

    assert_one_line(error, repr(str(tmp_path)), "no image", "give")


def test_an_unreadable_folder_is_reported(tmp_path, monkeypatch):
    def closed(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(type(tmp_path), "iterdir", closed)

    with pytest.raises(UserError) as error:
        images.find([tmp_path])

    assert_one_line(error, repr(str(tmp_path)), "Permission denied", "allow")


def test_an_empty_list_of_paths_is_an_error():
    with pytest.raises(UserError) as error:
        images.find([])

    assert_one_line(error, "name at least one")


def test_importing_needs_no_torch():
    code = "import sys, lit_mnist.pictures.files; print({'torch', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_heic_is_read_if_its_package_is_installed(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "phone.HEIC"
    heif.from_pillow(Image.fromarray(SEVEN.repeat(4, 0).repeat(4, 1)).convert("RGB")).save(path)
    assert images.find([tmp_path]) == [path]
    assert difference(images.read(path), SEVEN) < 60


def test_heic_without_its_package_is_an_error_with_the_pip_command(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "pillow_heif", None)
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic")
    assert images.find([tmp_path]) == [path]
    with pytest.raises(UserError) as error:
        images.read(path)
    assert_one_line(error, "phone.heic", "pip install pillow-heif")


def test_reading_in_threads_keeps_the_warning_filters(tmp_path):
    """They once left behind a filter that turns Pillow's warning into an error."""
    path, before = write(tmp_path / "x.png", SEVEN), list(warnings.filters)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(images.read_grey, [path] * 400))
    finally:
        sys.setswitchinterval(interval)
    assert list(warnings.filters) == before
