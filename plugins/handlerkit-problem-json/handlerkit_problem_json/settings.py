"""What ``[plugins.problem-json]`` may say; imported only to validate it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Settings(BaseModel):
    """Settings of the problem page."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    type: str = Field(
        default="about:blank",
        description="The problem type: a URI, best one of a page that explains.",
    )
    paths: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="Answer under these paths only; everywhere if there are none.",
    )

    @field_validator("paths")
    @classmethod
    def _check_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if path[:1] != "/" or path.endswith("/"):
                raise ValueError('a path begins with "/", and does not end in one')
        return paths
