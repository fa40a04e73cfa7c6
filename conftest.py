"""What every test run needs before collection."""

import pytest

pytest.register_assert_rewrite("billing.testing")
