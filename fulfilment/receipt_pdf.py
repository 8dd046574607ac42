"""A file of text lines as PDF: the evidence of a dispute, which the gateway takes as a file.

The smallest that the format allows (PDF 1.4, ISO 32000): one font that every reader has, A4, no
compression. Signs that the font lacks become question marks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDE = 92
"""Signs of a line at this size."""
LINES = 54
"""Of a page."""
_SPELT = str.maketrans({"₵": "S", "•": "*", "\N{NO-BREAK SPACE}": " ", "’": "'"})
_FONT = (
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
)


def of(lines: Sequence[str]) -> bytes:
    """These lines, each broken where it is too long."""
    broken = [part for line in lines for part in textwrap.wrap(line, WIDE) or [""]]
    pages = [broken[at : at + LINES] for at in range(0, len(broken), LINES)] or [[]]
    first = 4
    numbers = [first + 2 * n for n in range(len(pages))]
    kids = " ".join(f"{n} 0 R" for n in numbers).encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        _FONT,
    ]
    for n, page in zip(numbers, pages, strict=True):
        parts.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (n + 1)
        )
        drawn = b"\n".join(b"(%s) '" % _escaped(line) for line in page)
        stream = b"BT /F1 10 Tf 14 TL 50 800 Td\n%s\nET" % drawn
        parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return _file(parts)


def _escaped(line: str) -> bytes:
    plain = line.translate(_SPELT).encode("cp1252", "replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _file(parts: Sequence[bytes]) -> bytes:
    made, places = b"%PDF-1.4\n", []
    for n, part in enumerate(parts, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (n, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(parts) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return made + head + tail % (size, len(made))
