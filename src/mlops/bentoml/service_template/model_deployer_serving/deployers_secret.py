"""What the deployer alone may ask of a server and mark as its own, by a secret that it started this server with.

A server that was started without one answers whoever reaches it, and takes the mark from it.
"""

import hmac
import os

SECRET_HEADER = b"x-model-deployer-secret"
OWN_PATHS = frozenset(("/info", "/sample", "/health", "/metrics"))


VARIABLE = "MODEL_DEPLOYER_SERVER_SECRET"


class DeployersSecret:
    def __init__(self):
        self._secret = os.environ.get(VARIABLE, "").encode("latin-1")

    def is_told(self, told):
        return not self._secret or hmac.compare_digest(told, self._secret)

    def opens(self, scope):
        """Whether this request's path is anybody's, or its caller is the deployer."""
        if not self._secret or scope.get("path") not in OWN_PATHS:
            return True
        return any(name == SECRET_HEADER and self.is_told(value) for name, value in scope["headers"])
