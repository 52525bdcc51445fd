"""What ``[plugins.json-log]`` may say; imported only to validate it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Settings(BaseModel):
    """Settings of the JSON log."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    path: str | None = Field(
        default=None,
        description="The file to append to; the handler's stderr if there is none.",
        examples=["/var/log/myproject/errors.jsonl"],
    )

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str | None) -> str | None:
        # Relative to what? A server's working directory is anybody's guess.
        if path is not None and not Path(path).is_absolute():
            raise ValueError("must be an absolute path")
        return path
