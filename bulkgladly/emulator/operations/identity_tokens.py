"""createUserIdentityJWT: a signed token that says who a visitor is.

Facts: schemas.md, section 16, of the fact sheet. Claims, lifetime and signature of Gladly's tokens
are UNKNOWN; these use HS256 with a key that opens nothing, and expire after an hour. Neither field is
marked as required, but a token for nobody is refused.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import orjson

from bulkgladly.emulator.organisation.addresses import e164, is_email
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, json_reply
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("IDENTITY_OPERATIONS", "IDENTITY_TYPES", "LIFETIME_S")

IDENTITY_TYPES = ("EMAIL", "MOBILE_PHONE_NUMBER")
LIFETIME_S = 3600


def _create(call: Call) -> Reply:
    body = Fields(call.json_object())
    kind, identity = body.required_text("identityType"), body.required_text("identity")
    if kind and kind not in IDENTITY_TYPES:
        body.fault("identityType", "invalid", f"identityType can be {', '.join(IDENTITY_TYPES)}")
    elif kind == "EMAIL" and identity and not is_email(identity):
        body.fault("identity", "invalid", "identity is not a valid email address")
    elif kind == "MOBILE_PHONE_NUMBER" and identity and e164(identity) != identity:
        body.fault("identity", "invalid", "identity is not a valid number in E.164 form")
    body.refuse_faults()
    now = int(call.store.clock.wall())
    claims = {"iss": call.store.organization.get("id"), "iat": now, "exp": now + LIFETIME_S}
    key = f"emulator:{call.options.seed}".encode()
    return json_reply({"token": _signed({**claims, "identityType": kind, "identity": identity}, key)})


def _signed(claims: Mapping[str, object], key: bytes) -> str:
    head = _encoded(orjson.dumps({"alg": "HS256", "typ": "JWT"}))
    said = f"{head}.{_encoded(orjson.dumps(claims))}"
    return f"{said}.{_encoded(hmac.digest(key, said.encode(), hashlib.sha256))}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


IDENTITY_OPERATIONS = (Operation("POST", "/api/v1/user-identity-jwt", "createUserIdentityJWT", _create, (200, 400)),)
