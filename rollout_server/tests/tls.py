"""The TLS context of clients in tests, which speak plain HTTP.

A client without one loads the certificates of the system, which takes longer than many a test.
"""

import ssl

WITHOUT_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
