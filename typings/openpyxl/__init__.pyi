from typing import IO, Any

class Workbook:
    @property
    def worksheets(self) -> list[Any]: ...
    def close(self) -> None: ...

def load_workbook(
    filename: IO[bytes],
    read_only: bool = ...,
    keep_vba: bool = ...,
    data_only: bool = ...,
    keep_links: bool = ...,
) -> Workbook: ...
