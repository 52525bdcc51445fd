"""Plugins with settings, good and broken."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator

from handlerkit import hookimpl


class Server(BaseModel):
    host: str
    port: int = 25


class Settings(BaseModel):
    recipient: str
    password: Annotated[SecretStr, Field(min_length=8)] = SecretStr("long enough")
    pin: SecretStr | None = None
    level: int = 1
    servers: list[Server] = []
    rate: float = Field(default=1.0, gt=0)

    @field_validator("recipient")
    @classmethod
    def check(cls, recipient: str) -> str:
        if "@" not in recipient:
            raise ValueError("must have an @")
        return recipient


class Mail:
    Settings = Settings

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def log_exception(self, report):
        pass


class Wrapping:
    @hookimpl(wrapper=True)
    def setup_environ(self):
        return (yield)


class Observing:
    @hookimpl(wrapper=True)
    def log_exception(self):
        return (yield)


class Misspelt:
    @hookimpl
    def log_exeption(self, reprot):
        pass


class Unmarked:
    def log_exception(self, report):
        pass


class Raising:
    def __init__(self):
        raise RuntimeError("no mail today")

    @hookimpl
    def log_exception(self):
        pass


class Empty:
    pass
