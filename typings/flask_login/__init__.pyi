from collections.abc import Callable
from typing import TypeVar

from flask.typing import ResponseReturnValue

from core.accounts.logins import Login

_Loader = TypeVar("_Loader", bound=Callable[[str], Login | None])
_Answer = TypeVar("_Answer", bound=Callable[[], ResponseReturnValue])

class LoginManager:
    session_protection: str | None
    def user_loader(self, callback: _Loader) -> _Loader: ...
    def unauthorized_handler(self, callback: _Answer) -> _Answer: ...
    def unauthorized(self) -> ResponseReturnValue: ...

current_user: Login
"""Of a visitor without a log-in only `is_authenticated` may be read, as in every guard."""

def login_user(user: Login | None) -> bool: ...
def logout_user() -> bool: ...
