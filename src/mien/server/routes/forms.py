"""How forms of photos stand in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from mien.server.bodies import Form
from mien.server.problems import Problem

TEXTS: dict[str, dict[str, Any]] = {
    "faces": {"type": "string", "enum": ["one", "largest", "all"], "description": "Which are read; largest."},
    "reference": {"type": "string", "description": "Of `POST /v1/references`, with which faces are compared."},
    "person": {"type": "string", "description": "Somebody enrolled with whom faces are compared."},
    "name": {"type": "string", "description": "Of the person.", "minLength": 1, "maxLength": 64},
    "neutral": {"type": "string", "enum": ["true", "false"], "description": "All photos are neutral; false."},
    "replace": {"type": "string", "enum": ["true", "false"], "description": "A profile of that name; false."},
    "people": {"type": "string", "enum": ["true", "false"], "description": "Look for enrolled people; false."},
}


def chosen(form: Form, field: str, usual: str) -> str:
    """The text of a field that takes a few values.

    Raises:
        Problem: another value.
    """
    value = form.texts.get(field, usual)
    if value not in TEXTS[field]["enum"]:
        raise Problem("invalid", f"{field}: choose one of {', '.join(TEXTS[field]['enum'])}")
    return value


def form_of(*texts: str, several: bool, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The `requestBody` of a form: field `photo`, once or several times, and texts of `TEXTS`."""
    photo = {"type": "string", "format": "binary"}
    photos = {"type": "array", "items": photo, "minItems": 1} if several else photo
    schema = {
        "type": "object",
        "required": ["photo", *required],
        "properties": {"photo": photos, **{text: TEXTS[text] for text in texts}},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def raw_of(*types: str) -> dict[str, Any]:
    """The `requestBody` of a file that is the whole body."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": dict.fromkeys(types, binary)}}
