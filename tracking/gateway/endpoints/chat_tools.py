"""The tools of a chat: what the model may call, must call, and has called."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, Tag

from tracking.gateway.endpoints.bodies import BY_KIND, Body, Schema

MOST_TOOLS = 128

ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Function(Body):
    """A function that the model may call."""

    name: ToolName
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class FunctionTool(Body):
    """A tool that is called with JSON."""

    type: Literal["function"]
    function: Function


class Grammar(Body):
    """The grammar that a custom tool's input follows."""

    definition: str
    syntax: Literal["lark", "regex"]


class TextFormat(Body):
    """Input of any form."""

    type: Literal["text"]


class GrammarFormat(Body):
    """Input that follows a grammar."""

    type: Literal["grammar"]
    grammar: Grammar


class Custom(Body):
    """A tool that is called with text."""

    name: ToolName
    description: str | None = None
    format: (
        Annotated[
            Annotated[TextFormat, Tag("<text>")] | Annotated[GrammarFormat, Tag("<grammar>")],
            BY_KIND,
        ]
        | None
    ) = None


class CustomTool(Body):
    """A tool that is called with text."""

    type: Literal["custom"]
    custom: Custom


Tool = Annotated[
    Annotated[FunctionTool, Tag("<function>")] | Annotated[CustomTool, Tag("<custom>")], BY_KIND
]


class CalledFunction(Body):
    """A function and the arguments it was called with, as JSON text."""

    name: str
    arguments: str


class FunctionCall(Body):
    """A call of a function that the model made earlier in the conversation."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class CalledCustom(Body):
    """A custom tool and what it was called with."""

    name: str
    input: str


class CustomCall(Body):
    """A call of a custom tool that the model made earlier in the conversation."""

    id: str
    type: Literal["custom"]
    custom: CalledCustom


ToolCall = Annotated[
    Annotated[FunctionCall, Tag("<function>")] | Annotated[CustomCall, Tag("<custom>")], BY_KIND
]


class Chosen(Body):
    """The name of the tool that must be called."""

    name: ToolName


class FunctionChoice(Body):
    """The function that must be called."""

    type: Literal["function"]
    function: Chosen


class CustomChoice(Body):
    """The custom tool that must be called."""

    type: Literal["custom"]
    custom: Chosen


NamedTool = Annotated[
    Annotated[FunctionChoice, Tag("<function>")] | Annotated[CustomChoice, Tag("<custom>")],
    BY_KIND,
]


class AllowedTools(Body):
    """The tools that may be called, of all that were described."""

    mode: Literal["auto", "required"]
    tools: list[NamedTool] = Field(min_length=1, max_length=MOST_TOOLS)


class AllowedChoice(Body):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


ToolChoice = (
    Literal["none", "auto", "required"]
    | Annotated[
        Annotated[FunctionChoice, Tag("<function>")]
        | Annotated[CustomChoice, Tag("<custom>")]
        | Annotated[AllowedChoice, Tag("<allowed_tools>")],
        BY_KIND,
    ]
)


class OldFunction(Body):
    """A function, in the parameter that came before ``tools``."""

    name: ToolName
    description: str | None = None
    parameters: Schema | None = None
