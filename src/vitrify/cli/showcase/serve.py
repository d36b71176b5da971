"""httpbin as it comes from PyPI, with one header more: which release answered."""

from pathlib import Path

from httpbin import app as httpbin

RELEASE = Path(__file__).with_name("release.txt").read_text().strip()


def app(environ, start_response):
    """Answer as httpbin does, and say which release it was."""

    def start(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Release", RELEASE)], exc_info)

    return httpbin(environ, start)
