from collections.abc import Callable, Iterable
from wsgiref.headers import Headers
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

class WhiteNoise:
    files: dict[str, object]
    def __init__(
        self,
        application: WSGIApplication,
        root: str | None = None,
        prefix: str | None = None,
        *,
        allow_all_origins: bool = True,
        add_headers_function: Callable[[Headers, str, str], None] | None = None,
        immutable_file_test: Callable[[str, str], bool] | None = None,
    ) -> None: ...
    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]: ...
    def add_file_to_dictionary(self, url: str, path: str) -> None: ...
