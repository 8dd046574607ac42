from collections.abc import Mapping, Sequence

from werkzeug.datastructures import MultiDict
from wtforms.validators import Validator

class ValidationError(ValueError): ...

class StringField:
    data: str
    """An empty text where the form had none; read only after `validate()`."""
    def __init__(
        self, label: str | None = None, validators: Sequence[Validator] | None = None
    ) -> None: ...

class PasswordField(StringField): ...
class HiddenField(StringField): ...

class Form:
    errors: Mapping[str | None, Sequence[str]]
    def __init__(
        self, formdata: MultiDict[str, str] | None = None, *, next: str = ""
    ) -> None: ...
    def validate(self) -> bool: ...
