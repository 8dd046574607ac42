"""Web push: notices to browsers, encrypted for them alone (RFC 8291), signed by us (RFC 8292).

`cryptography` is imported by `sealing`, `signing` and `keys` alone, and these when a notice is sent
or a key is made: no web process needs them.
"""

from integrations.webpush.sending import WebPush

__all__ = ["WebPush"]
