"""The data files are what their sheets say, and the splits never move."""

import gzip
import hashlib
import re

import numpy as np
import pytest

from grader import datasets

DIGEST = "ec708c7add94c123cd3d7e73a5be5850d47df61f15a293466c052f85b026def7"
PARTS = ("train", "val", "test")


def parts(split):
    """[(x, y)] of the three parts."""
    data = datasets.load_digits(split)
    return [(getattr(data, f"x_{part}"), getattr(data, f"y_{part}")) for part in PARTS]


def digest(*arrays):
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return total.hexdigest()[:16]


def test_the_digits_file_has_the_digest_its_sheet_states():
    text = gzip.decompress(datasets.data_path("digits.csv.gz").read_bytes())
    assert hashlib.sha256(text).hexdigest() == DIGEST
    assert DIGEST in datasets.data_path("digits.md").read_text(encoding="utf-8")


def test_the_recipe_in_the_sheet_makes_the_same_file_twice(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    sheet = datasets.data_path("digits.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?)```", sheet, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    made = []
    for _ in range(2):
        exec(compile(recipe, "digits.md", "exec"), {})
        made.append((tmp_path / "digits.csv.gz").read_bytes())
    assert made[0] == made[1]
    # Packed bytes may differ between zlib builds; the text may not.
    assert hashlib.sha256(gzip.decompress(made[0])).hexdigest() == DIGEST


def test_the_digits_are_scikit_learns_in_the_same_order():
    images, labels = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x, y, form = datasets.digits_by_form()
    assert np.array_equal(x * 16, images)
    assert np.array_equal(y, labels)
    assert form.min() == 0 and form.max() == 13
    assert (np.diff(form) >= 0).all()
    assert np.bincount(form).min() == 122 and np.bincount(form).max() == 130


@pytest.mark.parametrize("split", ["stratified", "blocks"])
def test_shapes_types_and_range(split):
    for x, y in parts(split):
        assert x.shape == (len(y), 64) and x.dtype == np.float64
        assert y.dtype == np.int64 and set(y) == set(range(10))
        assert x.min() == 0.0 and x.max() == 1.0


@pytest.mark.parametrize("split", ["stratified", "blocks"])
def test_the_three_parts_are_all_rows_and_do_not_overlap(split):
    # No two of the 1797 images are equal, so equal pixels would mean the same row.
    rows = [x.tobytes() for part, _ in parts(split) for x in part]
    everything = [x.tobytes() for x in datasets.digits_by_form()[0]]
    assert len(set(everything)) == 1797
    assert sorted(rows) == sorted(everything)


def test_the_stratified_split_has_every_digit_in_equal_shares():
    counts = [np.bincount(y, minlength=10) for _, y in parts("stratified")]
    assert [count.sum() for count in counts] == [1077, 360, 360]
    total = sum(counts)
    for count, share in zip(counts, (0.6, 0.2, 0.2), strict=True):
        assert np.abs(count - share * total).max() < 2


def test_the_blocks_split_keeps_every_form_whole_and_in_order():
    x, y, form = datasets.digits_by_form()
    (x_train, _), (x_val, _), (x_test, y_test) = parts("blocks")
    assert (len(x_train), len(x_val), len(x_test)) == (1029, 386, 382)
    assert np.array_equal(np.concatenate([x_train, x_val, x_test]), x)
    assert np.array_equal(y_test, y[form >= 11])


@pytest.mark.parametrize(
    ("split", "expected"),
    [("stratified", "f35de861056c53d9"), ("blocks", "fcd6e65e40072bba")],
)
def test_the_splits_are_pinned(split, expected):
    arrays = [array for part in parts(split) for array in part]
    assert digest(*arrays) == expected


def test_changing_a_loaded_array_does_not_change_the_next_load():
    datasets.load_digits().x_train[:] = 7
    datasets.digits_by_form()[1][:] = 7
    assert datasets.load_digits().x_train.max() == 1.0
    assert datasets.load_digits().y_train.max() == 9


def test_an_unknown_split_is_named_in_a_sentence():
    with pytest.raises(ValueError, match="'stratified' or 'blocks', but it is 'random'"):
        datasets.load_digits("random")


def test_a_missing_file_says_where_it_was_looked_for():
    with pytest.raises(FileNotFoundError, match=r"'nothing.csv' was not found in .*_data"):
        datasets.data_path("nothing.csv")


def test_an_installed_package_finds_its_own_data_and_not_a_stranger(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "grader"
    mine, strange = package / "_data" / "datasets", tmp_path / "site-packages" / "datasets"
    for folder in (mine, strange):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(folder.parent.name)
    (strange / "b.csv").write_text("of another package")
    monkeypatch.setattr(datasets, "__file__", str(package / "datasets.py"))
    assert datasets.data_path("a.csv") == mine / "a.csv"
    with pytest.raises(FileNotFoundError):
        datasets.data_path("b.csv")


@pytest.mark.parametrize(
    "make", [datasets.make_moons, datasets.make_spiral, datasets.straight_line]
)
def test_a_seed_gives_the_same_points_and_a_generator_moves_on(make):
    x, y = make(31, rng=4)
    again = make(31, rng=4)
    assert np.array_equal(x, again[0]) and np.array_equal(y, again[1])
    rng = np.random.default_rng(4)
    assert np.array_equal(make(31, rng=rng)[0], x)
    assert not np.array_equal(make(31, rng=rng)[0], x)


def test_spiral_arms_share_the_points_and_stay_in_the_unit_circle():
    x, y = datasets.make_spiral(100, classes=3, noise=0.2, rng=0)
    assert x.shape == (100, 2)
    assert np.bincount(y).tolist() == [34, 33, 33]
    assert np.linalg.norm(x, axis=1).max() <= 1.0


def test_moons_without_noise_lie_on_two_half_circles():
    x, y = datasets.make_moons(51, noise=0.0, rng=0)
    centre = np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    assert np.allclose(np.linalg.norm(x - centre, axis=1), 1.0)
    assert np.bincount(y).tolist() == [26, 25]


def test_a_straight_line_without_noise_is_one():
    x, y = datasets.straight_line(20, slope=-3.0, intercept=0.5, noise=0.0, rng=0)
    assert x.shape == y.shape == (20, 1)
    assert np.allclose(y, -3.0 * x + 0.5)


def test_the_breast_cancer_table_is_scikit_learns_with_malignant_as_one():
    """Values, order and names are theirs; the class is turned round; the split is stratified."""
    theirs = pytest.importorskip("sklearn.datasets").load_breast_cancer()
    table = datasets.load_breast_cancer()
    assert np.array_equal(table.x, theirs.data)
    assert np.array_equal(table.y, 1 - theirs.target)
    assert [name.replace("_", " ") for name in table.names] == list(theirs.feature_names)
    assert [len(table.y_train), len(table.y_val), len(table.y_test)] == [341, 114, 114]
    assert np.array_equal(table.x_test, theirs.data[table.fold == 0])
    shares = [table.y[table.fold == k].sum() for k in range(5)]
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("name", ["breast_cancer.csv.gz", "sunspots.csv"])
def test_a_data_file_has_the_digest_its_sheet_states(name):
    content = datasets.data_path(name).read_bytes()
    text = gzip.decompress(content) if name.endswith(".gz") else content
    sheet = datasets.data_path(f"{name.split('.')[0]}.md").read_text(encoding="utf-8")
    assert hashlib.sha256(text).hexdigest() in sheet


def test_the_breast_cancer_recipe_makes_the_file(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    sheet = datasets.data_path("breast_cancer.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?)```", sheet, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(recipe, "breast_cancer.md", "exec"), {})
    made = gzip.decompress((tmp_path / "breast_cancer.csv.gz").read_bytes())
    assert made == gzip.decompress(datasets.data_path("breast_cancer.csv.gz").read_bytes())


def test_sunspots_have_every_year_once():
    year, number = datasets.load_sunspots()
    assert np.array_equal(year, np.arange(1700, 2009))
    assert number.shape == (309,) and number.min() == 0 and 150 < number.max() < 250


def test_the_photograph_is_grey_and_can_be_smaller():
    picture = datasets.load_photograph()
    assert picture.shape == (150, 128) and 0 <= picture.min() < 0.1 < 0.9 < picture.max() <= 1
    small = datasets.load_photograph(75)
    assert np.allclose(small, picture.reshape(75, 2, 64, 2).mean(axis=(1, 3)))
    with pytest.raises(ValueError, match="height must divide 600"):
        datasets.load_photograph(149)
