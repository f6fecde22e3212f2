"""What every address of the API shares: token, permission, rate, JSON in and out, and how it refuses.

A refusal is `{"detail": "a sentence"}`, with `fields` where a field was wrong, and never repeats what was
sent. Only a token opens an address: a browser's session does not, so no form of another site can ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, QueryDict
from rest_framework import exceptions, status
from rest_framework.authentication import BaseAuthentication, TokenAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle
from rest_framework.views import APIView, exception_handler

log = structlog.get_logger(__name__)
# A question of 4,096 characters is 48 KB at most, with every character written as two escapes.
LARGEST_BODY = 64 * 1024
_TOKEN = re.compile(r"[0-9a-f]{40}")
_SENTENCES: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "Send your token in a header: Authorization: Token, a space, and the token.",
    exceptions.AuthenticationFailed: "The token is not known, or its account is switched off. Ask whoever runs Jeevo for one.",
    exceptions.PermissionDenied: "Your account may not do this. Ask whoever runs Jeevo for a role that may.",
    exceptions.NotFound: "Nothing is here, or it is not yours to see. Addresses of the API end with a slash.",
    exceptions.MethodNotAllowed: "This address does not take this method. The header Allow names those it takes.",
    exceptions.NotAcceptable: "The API answers in JSON only. Send Accept: application/json, or leave the header out.",
    exceptions.UnsupportedMediaType: "Send the body as JSON, with Content-Type: application/json.",
}


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is larger than {LARGEST_BODY // 1024} KB. Send a shorter question."


class Unavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database did not answer in time. Ask again in a minute."


class Token(TokenAuthentication):
    def authenticate_credentials(self, key: str) -> Any:
        """The database would raise on a NUL in the key."""
        if not _TOKEN.fullmatch(key):
            raise exceptions.AuthenticationFailed
        return super().authenticate_credentials(key)


class Json(BaseParser):
    """JSON in UTF-8, whatever charset is named: Python knows charsets that are no text, and they raise."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return json.loads(stream.read().decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError) as problem:
            raise exceptions.ParseError("The body is not JSON that can be read. Send an object in UTF-8.") from problem


def _no_number(name: str) -> Any:
    raise ValueError(name)


class MayDo(BasePermission):
    """Every permission that the view names in `needs`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perms(getattr(view, "needs", ())))


class Rate(ScopedRateThrottle):
    """By account, over all its tokens. Where the cache is away nobody is refused."""

    def get_rate(self) -> str | None:
        """As the settings are now; the base class reads them once, when it is imported."""
        return cast("str | None", api_settings.DEFAULT_THROTTLE_RATES[self.scope or "read"])


class ApiView(APIView):
    needs: ClassVar[tuple[str, ...]] = ("knowledge.view_document",)
    http_method_names = ["get", "head", "post"]
    authentication_classes: Sequence[type[BaseAuthentication]] = (Token,)
    permission_classes: Sequence[Any] = (MayDo,)
    throttle_classes: Sequence[type[BaseThrottle]] = (Rate,)
    throttle_scope = "read"
    parser_classes = (Json,)
    renderer_classes = (JSONRenderer,)
    largest_body: ClassVar[int] = LARGEST_BODY
    too_large: ClassVar[TooLarge] = TooLarge()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # The charset that is named for the body would otherwise read the address too, and not every charset can.
        request._request.GET = QueryDict(request.META["QUERY_STRING"], encoding="utf-8")
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.largest_body:
            raise self.too_large

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Nothing on the way keeps a copy: answers belong to who asked, and questions are a patient's words."""
        done = super().finalize_response(request, response, *args, **kwargs)
        done["Cache-Control"] = "no-store"
        return done

    def get_exception_handler(self) -> Any:
        return refusal


class NotThere(ApiView):
    """Whatever is asked below /api/ and is no address: JSON, as everywhere else there."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound


def account(request: Request) -> AbstractBaseUser:
    """Who asks; nobody else gets past the permission."""
    return cast(AbstractBaseUser, request.user)


def checked(shape: type[Any], given: Any) -> dict[str, Any]:
    """The fields as asked, or a refusal that names the wrong ones."""
    asked = shape(data=given)
    asked.is_valid(raise_exception=True)
    checked: dict[str, Any] = dict(asked.validated_data)
    return checked


def refusal(problem: Exception, context: dict[str, Any]) -> Response | None:
    """The response for what went wrong; None where it is a fault of ours, which Django then reports."""
    known = _translated(problem)
    response = exception_handler(known, context)
    if response is not None:
        response.data = _said(known)
    return response


def _translated(problem: Exception) -> Exception:
    if isinstance(problem, OperationalError | InterfaceError):
        log.warning("the database did not answer the API", error=type(problem).__name__)
        return Unavailable()
    if isinstance(problem, Http404):
        return exceptions.NotFound()
    if isinstance(problem, SuspiciousOperation):
        return exceptions.ParseError("The address names too many fields.")
    return problem


def _said(problem: Exception) -> dict[str, Any]:
    if isinstance(problem, exceptions.ValidationError):
        return _fields(problem.detail)
    if isinstance(problem, exceptions.Throttled):
        return {"detail": f"Too many requests in a minute. Ask again in {int(getattr(problem, 'wait', None) or 60) + 1} seconds."}
    if isinstance(problem, exceptions.APIException):
        return {"detail": _SENTENCES.get(type(problem), str(problem.detail))}
    return {"detail": _SENTENCES[exceptions.PermissionDenied]}


def _fields(detail: Any) -> dict[str, Any]:
    named = {
        ("body" if name == api_settings.NON_FIELD_ERRORS_KEY else name): [str(each) for each in said]
        for name, said in detail.items()
    }
    first = next(iter(named))
    return {"detail": f"{first}: {named[first][0]}", "fields": named}
