"""Several cores on one chip: what may be described."""

import pytest

from spec import Accelerator, Softmax, SpecError

CORE = Softmax("exact")


def test_cores_keep_their_order_and_are_the_descriptions_own():
    given = {f"core_{k}": CORE for k in (3, 1, 2)}
    accelerator = Accelerator(cores=given)
    given.clear()
    assert list(accelerator.cores) == ["core_3", "core_1", "core_2"]
    assert accelerator == Accelerator(cores=dict(accelerator.cores))


@pytest.mark.parametrize(
    ("cores", "message"),
    [
        ({}, "must be 1 to 16 cores by name, such as .*, got 0"),
        ({f"c{k}": CORE for k in range(17)}, "must be 1 to 16 cores by name, .* got 17"),
        ([CORE], "must be 1 to 16 cores by name"),
        ({"Softmax": CORE}, "a name is a lower-case identifier such as attention, got 'Softmax'"),
        ({"_hidden": CORE}, "a name is a lower-case identifier"),
        ({"a b": CORE}, "a name is a lower-case identifier"),
        ({1: CORE}, "a name is a lower-case identifier such as attention, got 1"),
        ({"a": 7}, "a must be an Attention, a Butterfly or a Softmax, got 7"),
        ({"a": Accelerator(cores={"b": CORE})}, "a must be an Attention, a Butterfly or a Softmax"),
    ],
)
def test_what_is_no_accelerator_is_refused(cores, message):
    with pytest.raises(SpecError, match=message):
        Accelerator(cores=cores)
