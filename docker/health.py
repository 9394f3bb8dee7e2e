"""The health check of the container: ends with 0 if the server answers and can work."""

from __future__ import annotations

import http.client
import json
import sys

PORT = 8730
PATIENCE_S = 8  # less than Docker has


def main(argv: list[str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(argv[0]) if argv else PORT, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/v1/health")
        health = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"The server does not answer: {error}.\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"worker: {health['worker']}, queued: {health['queued']}\n")
    return 0 if health["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
