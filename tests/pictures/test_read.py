import cv2
import numpy as np
import pytest
from PIL import Image

from lit_mnist.errors import UserError
from lit_mnist.pictures.form import mnist_form
from lit_mnist.pictures.read import digit_images, digits_in, read_paths, read_picture
from tests.pictures.written import canvas, paper, write

SEVEN = mnist_form(write(canvas(300, 300), "7", 60, 250, height=200, pen=20) / np.float32(255))


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_an_image_in_mnist_s_form_is_kept_unchanged():
    for picture in (SEVEN, 255 - SEVEN):
        (digit,) = digits_in(picture)
        assert np.array_equal(digit.image, SEVEN)
        assert digit.box == (0, 0, 28, 28)


@pytest.mark.parametrize("row", [0, 8])
@pytest.mark.parametrize("column", [0, 3])
def test_a_shifted_digit_is_restored(row, column):
    x, y, width, height = cv2.boundingRect(SEVEN)
    moved = canvas(28, 28)
    moved[row : row + height, column : column + width] = SEVEN[y : y + height, x : x + width]

    (digit,) = digits_in(moved)

    assert np.abs(digit.image.astype(int) - SEVEN).mean() < 6


@pytest.mark.parametrize("times", [2, 5, 20, 60])
def test_an_enlarged_digit_is_restored(times):
    (digit,) = digits_in(np.kron(255 - SEVEN, np.ones((times, times), np.uint8)))

    assert np.abs(digit.image.astype(int) - SEVEN).mean() < 6


def test_boxes_are_in_pixels_of_the_original_file(tmp_path):
    large = np.kron(paper(), np.ones((16, 16), np.uint8))  # 2,560 pixels a side
    small = read_picture(save(tmp_path / "small.png", paper())).digits[0].box

    picture = read_picture(save(tmp_path / "large.png", large))

    assert (picture.width, picture.height) == (2560, 2560)
    assert np.abs(np.array(picture.digits[0].box) - 16 * np.array(small)).max() <= 32
    assert max(picture.thumbnail.shape) == 320


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = read_picture(save(tmp_path / "upright.png", paper("7")))

    turned = read_picture(save(tmp_path / "turned.png", np.rot90(paper("7")), exif=exif))

    assert np.array_equal(turned.digits[0].image, upright.digits[0].image)


def test_unreadable_files_are_reported_and_the_others_read(tmp_path, capsys):
    (tmp_path / "empty.png").touch()
    (tmp_path / "half.png").write_bytes(save(tmp_path / "a.png", paper()).read_bytes()[:80])
    save(tmp_path / "strip.png", canvas(20, 30_000, 200))
    save(tmp_path / "dot.png", canvas(1, 1, 200))
    Image.fromarray(paper()).convert("CMYK").save(tmp_path / "cmyk.jpg")
    frames = [Image.fromarray(paper("4")), Image.fromarray(paper("8"))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])

    (tmp_path / "folder.png").mkdir()

    pictures = read_paths([tmp_path, tmp_path / "folder.png", tmp_path / "gone.png"])

    read = {picture.file.name: len(picture.digits) for picture in pictures}
    assert read == {"a.png": 1, "cmyk.jpg": 1, "dot.png": 0, "moving.gif": 1, "strip.png": 0}
    names = ("folder.png", "gone.png", "empty.png", "half.png")
    lines = capsys.readouterr().err.splitlines()
    named = [name in line for name, line in zip(names, lines, strict=True)]
    assert named == [True] * 4


def test_a_single_unreadable_picture_is_an_error(tmp_path):
    (tmp_path / "empty.png").touch()

    with pytest.raises(UserError, match=r"empty\.png"):
        read_paths([tmp_path / "empty.png"])


def test_if_no_picture_is_readable_all_are_reported_and_it_is_an_error(tmp_path, capsys):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()

    with pytest.raises(UserError, match="none of the 2 pictures"):
        read_paths([tmp_path])
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_pattern_expands_to_its_files(tmp_path):
    for name in ("b.png", "a.png", "c.jpg"):
        save(tmp_path / name, paper())

    pictures = read_paths([str(tmp_path / "*.png")])

    assert [picture.file.name for picture in pictures] == ["a.png", "b.png"]
    assert digit_images(pictures).shape == (2, 28, 28)


def test_a_picture_of_another_dataset_is_not_segmented(tmp_path):
    coat = np.random.default_rng(0).integers(0, 200, (28, 28)).astype(np.uint8)

    (picture,) = read_paths([save(tmp_path / "coat.png", coat)], whole=True)

    assert np.array_equal(picture.digits[0].image, coat if np.median(coat) < 128 else 255 - coat)


def test_pictures_without_digits_give_no_images(tmp_path):
    pictures = read_paths([save(tmp_path / "blank.png", canvas(50, 50, 255))])

    assert digit_images(pictures).shape == (0, 28, 28)


def test_an_empty_list_of_paths_is_an_error():
    with pytest.raises(UserError, match="name at least one"):
        read_paths([])
