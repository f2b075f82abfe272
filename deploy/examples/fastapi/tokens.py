"""Stands for the sessions or JWTs that you have: a token is a user's id and a signature of it."""

import hashlib
import hmac
import os
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer


def token(user: int) -> str:
    signature = hmac.digest(os.environ["SHOP_SECRET"].encode(), str(user).encode(), hashlib.sha256)
    return f"{user}.{signature.hex()}"


def principal(bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]) -> int:
    """The user who asks, by the header `Authorization: Bearer TOKEN`."""
    given = bearer.credentials if bearer else ""
    user = given.partition(".")[0]
    if not (user.isascii() and user.isdigit() and hmac.compare_digest(token(int(user)).encode(), given.encode())):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return int(user)


Principal = Annotated[int, Depends(principal)]
