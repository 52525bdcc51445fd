"""What a front server may say of the path that is asked for."""

import pytest

from handlerkit.protocols.variables import lack_a_path


@pytest.mark.parametrize(
    ("variables", "lacking"),
    [
        ({"SCRIPT_NAME": "/", "REQUEST_URI": "/"}, True),
        ({"SCRIPT_NAME": "/x/", "REQUEST_URI": "/x/"}, True),
        ({"REQUEST_URI": "/x"}, True),
        # An application at /app, asked for just that (RFC 3875, 4.1.5).
        ({"SCRIPT_NAME": "/app", "REQUEST_URI": "/app"}, False),
        ({"SCRIPT_NAME": "/app", "PATH_INFO": "", "REQUEST_URI": "/app"}, False),
        ({"SCRIPT_NAME": "", "PATH_INFO": "/", "REQUEST_URI": "/"}, False),
        ({"REQUEST_URI": "*"}, False),
        ({}, False),
    ],
)
def test_a_path_is_lacking_where_no_application_could_be(variables, lacking):
    assert lack_a_path(variables) is lacking
