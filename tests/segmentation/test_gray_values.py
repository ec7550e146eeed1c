"""Gray values of any size: a micrograph in other units is segmented, and judged, as before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uhcs_bench.errors import UsageError
from uhcs_bench.measuring import data_bar
from uhcs_bench.segmentation import cards, equalization, models
from uhcs_bench.segmentation.equalization import Equalization
from uhcs_bench.segmentation.preprocessing import Preprocessing, stretch

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (96, 96)).astype(np.uint8)
IMAGE[0, :2] = 0, 255

SCALES = st.floats(-300, 300).map(lambda power: 10.0**power)
EVERY_STEP = {
    "range": Preprocessing(),
    "equalised": Preprocessing(equalize=Equalization()),
    "standardised": Preprocessing(planes=("standardised",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_STEP)
@given(scale=SCALES)
@example(1e-310)
@example(1e300)
@example(1.0)
def test_units_of_gray_values_do_not_matter(name, scale):
    """Check what a network sees, whatever the gray values are multiplied by."""
    steps = EVERY_STEP[name]
    found = steps.apply(IMAGE * scale)
    assert found.dtype == np.float32
    # A value on the edge of a bin of the histogram falls to either side of it.
    tolerance = 1e-3 if name == "equalised" else 1e-5
    np.testing.assert_allclose(found, steps.apply(IMAGE.astype(np.float64)), atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
@given(power=st.integers(-1000, 1000))
def test_powers_of_two_change_nothing(sign, power):
    """Check all digits, with negative values as well."""
    values = sign * (IMAGE.astype(np.float64) - 90)
    scaled = np.ldexp(values, power)
    for steps in EVERY_STEP.values():
        np.testing.assert_array_equal(steps.apply(scaled), steps.apply(values))
    assert cards.gray_statistics(scaled) == cards.gray_statistics(values)
    np.testing.assert_array_equal(data_bar._levels(scaled), data_bar._levels(values))


@pytest.mark.parametrize("model", ["otsu", *models.NAMES])
def test_a_micrograph_in_other_units_is_segmented_as_before(model):
    """Check label maps of the models that come with the package."""
    pytest.importorskip("onnxruntime")
    segmenter = models.load(model, threads=1, task="particles" if model == "otsu" else None)
    expected = segmenter.segment(IMAGE)
    for scale in (1e-310, 1e-300, 1e-40, 1.0, 1e30, 1e40, 1e300):
        np.testing.assert_array_equal(segmenter.segment(IMAGE * scale), expected, str(scale))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("end", ["tiny", "max", "smallest_subnormal"])
def test_the_ends_of_every_type_of_floats(dtype, end):
    """Check the least and the largest values, of both signs."""
    largest = getattr(np.finfo(dtype), end)
    image = np.array([[0, largest], [-largest, largest]], dtype)
    np.testing.assert_array_equal(stretch(image), [[0.5, 1], [0, 1]])
    np.testing.assert_allclose(
        Preprocessing(planes=("standardised",)).apply(image)[0],
        [[-0.30151134, 0.90453403], [-1.50755672, 0.90453403]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("value", [0.0, 1e-310, 1e300, -1e300])
def test_constant_images_stay_black(value):
    """Check one value of any size."""
    assert not stretch(np.full((4, 5), value)).any()
    assert not equalization.Equalized(np.full((4, 5), value)).window(slice(0, 4), slice(0, 5)).any()


@pytest.mark.parametrize("scale", ["none", "dtype"])
def test_values_that_are_taken_as_they_are_must_fit(scale):
    """Check that larger ones are refused, and smaller ones are 0."""
    steps = Preprocessing(scale=scale)
    with pytest.raises(UsageError, match=r"beyond 1e30.*Give gray values in the range"):
        steps.apply(IMAGE * 1e300)
    assert not steps.apply(IMAGE * 1e-310).any()
    np.testing.assert_array_equal(steps.apply(IMAGE * 1e20)[0], (IMAGE * 1e20).astype(np.float32))
