"""How the API describes itself: every answer an address may give, its headers, and examples of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from knowledge.api_shapes import Pending, Problem, Refused

KEY = "0199a1b2-7c3d-7e4f-8a5b-6c7d8e9fa0b1"
_REFUSALS = {
    401: ("No token, or one that is not known.", "Send your token in a header: Authorization: Token, a space, and the token."),
    403: ("The account may not do this.", "Your account may not do this. Ask whoever runs Jeevo for a role that may."),
    404: ("Nothing is here for you.", "Nothing is here, or it is not yours to see. Addresses of the API end with a slash."),
    405: ("Another method is wanted.", "This address does not take this method. The header Allow names those it takes."),
    406: ("Only JSON is given.", "The API answers in JSON only. Send Accept: application/json, or leave the header out."),
    413: ("The body is too large.", "The body is larger than 64 KB. Send a shorter question."),
    415: ("Only JSON is taken.", "Send the body as JSON, with Content-Type: application/json."),
    429: ("Too many requests of this account.", "Too many requests in a minute. Ask again in 12 seconds."),
    503: ("It could not be done now.", "The database did not answer in time. Ask again in a minute."),
}
_ALWAYS, _WITH_BODY, _WITH_KEY = (401, 403, 405, 406, 429, 503), (413, 415), (404,)
_HEADERS = (("WWW-Authenticate", [401]), ("Allow", [405]), ("Retry-After", [429]))


def answers(
    good: Mapping[int, Any], *, takes_body: bool = False, takes_fields: bool = False, has_key: bool = False
) -> dict[int, Any]:
    """Every answer of an address: `good`, and how it may refuse."""
    codes = (*_ALWAYS, *(_WITH_BODY if takes_body else ()), *(_WITH_KEY if has_key else ()))
    refusals = {code: _refusal(code) for code in codes}
    if takes_body or takes_fields:
        refusals[400] = _wrong_field()
    return {**good, **dict(sorted(refusals.items()))}


def _refusal(code: int) -> OpenApiResponse:
    what, sentence = _REFUSALS[code]
    return OpenApiResponse(Problem, what, [OpenApiExample("refused", {"detail": sentence}, response_only=True)])


def _wrong_field() -> OpenApiResponse:
    said = "It is empty. Write at least one letter."
    body = {"detail": f"question: {said}", "fields": {"question": [said]}}
    return OpenApiResponse(Refused, "A field is wrong.", [OpenApiExample("an empty field", body, response_only=True)])


def pending(address: str) -> OpenApiResponse:
    body = {"id": KEY, "status": "running", "url": f"/api/v1/{address}/{KEY}/"}
    example = OpenApiExample("not ready yet", body, response_only=True)
    return OpenApiResponse(Pending, "A worker has it. Ask again at Location after Retry-After seconds.", [example])


def headers(*, waits: bool = False) -> list[OpenApiParameter]:
    """Response headers; `waits`: of an address that may answer 202."""
    named = [*_HEADERS, *([("Location", [202]), ("Retry-After", [202])] if waits else [])]
    wanted = {name: [code for each, codes in named if each == name for code in codes] for name, _ in named}
    return [_header(name, codes) for name, codes in wanted.items()]


def _header(name: str, codes: list[int]) -> OpenApiParameter:
    kind: Any = int if name == "Retry-After" else str
    return OpenApiParameter(name, kind, OpenApiParameter.HEADER, response=codes)


def ours(endpoints: list[Any], **_: Any) -> list[Any]:
    """The webhook is WhatsApp's, and no part of the API."""
    return [each for each in endpoints if each[0].startswith("/api/v1/")]


def finished(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Bodies take no field that is not named, and the token is asked for in words."""
    shapes = result["components"]["schemas"]
    for operations in result["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                shapes[content["schema"]["$ref"].rsplit("/", 1)[1]]["additionalProperties"] = False
    result["components"]["securitySchemes"]["tokenAuth"]["description"] = "The word Token, a space, and the token."
    return result
