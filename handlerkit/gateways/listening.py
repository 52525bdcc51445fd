"""Addresses to listen at, and the sockets that do.

An address is ``host:port``, ``[ipv6]:port``, ``unix:/path``, ``fd:N`` (a socket that
this process was given) or ``systemd`` (all those of its socket units).
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING

from handlerkit.errors import HandlerkitError
from handlerkit.handlers.environ import process_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

_AF_UNIX: int | None = getattr(socket, "AF_UNIX", None)
# What socket.socket.accept() is made of, where it is so.
_accept: Any = getattr(socket.SocketType, "_accept", None)
_SYSTEMD_FIRST = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
_ALONE = 5.0  # seconds to wait for another start at the same directory
_GLANCE = 0.01  # seconds between two looks whether it is over
_STANDARD = 3  # descriptors of standard input, output and error


class ListenError(HandlerkitError):
    """An address cannot be listened at; the message is one line, and names it."""


class Listener:
    """A listening socket; ``url`` is where a client finds it.

    Closing it removes the path of a unix socket, if it is still the one made here,
    by this process.
    """

    def __init__(
        self, sock: socket.socket, *, path: str | None = None, own: bool = True
    ) -> None:
        self.socket = sock
        self._own = own
        self.url = _url(sock)
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._path = path
        self._made = None if path is None else _identity(path)
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"Listener({self.url!r})"

    @property
    def own(self) -> bool:
        """Whether nobody else listens at this socket."""
        return self._own and self._process == os.getpid()

    def accept(self) -> tuple[Any, Any]:
        """Accept a connection; give its socket, and its peer's address.

        The socket is a `socket.SocketType`. `socket.socket`, its subclass, would take
        more time than the system does.
        """
        if _accept is None:
            return self.socket.accept()
        descriptor, peer = _accept(self.socket)
        return socket.SocketType(*self._kind, descriptor), peer

    def forget_path(self) -> None:
        """Let nobody connect any more to a unix socket made here."""
        path, self._path = self._path, None
        if path is None or self._process != os.getpid():
            return
        with _alone_at(path), suppress(OSError):  # what stays, the next start removes
            if _identity(path) == self._made:
                os.unlink(path)  # noqa: PTH108 - the path as the user gave it

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
        self.forget_path()


def listen(
    bind: str,
    *,
    backlog: int | None = 1024,
    unix_mode: int = 0o660,
    unix_owner: str = "",
    environ: Mapping[str, str] | None = None,
) -> list[Listener]:
    """Listen at an address; a host name may stand for several sockets.

    Args:
        bind: see the module.
        backlog: how many connections may wait to be accepted; None to bind and not
            listen, for whoever only wants to know whether it could.
        unix_mode: permissions of a unix socket.
        unix_owner: its owner, as ``user``, ``user:group`` or ``:group``.
        environ: where systemd says what it passes; None for the process's own.

    Raises:
        ListenError: the address is malformed, in use, or not to be had.
    """
    if bind == "systemd":
        return _from_systemd(process_environ() if environ is None else environ)
    kind, _, rest = bind.partition(":")
    if kind == "unix":
        return [_at_path(rest, backlog, unix_mode, unix_owner)]
    if kind == "fd":
        if not (rest.isascii() and rest.isdigit()):
            raise ListenError(f"cannot listen at {bind}: fd: takes a number")
        return [_inherited(int(rest), bind)]
    return _at_host(bind, backlog)


def _at_host(bind: str, backlog: int | None) -> list[Listener]:
    """Listen at each address of a host; those of a family that is off are left out."""
    addresses = _resolve(bind)
    listeners: list[Listener] = []
    failure: OSError | None = None
    for family, address in addresses:
        try:
            listeners.append(Listener(_tcp(family, address, backlog)))
        except OSError as exc:
            if exc.errno not in _UNAVAILABLE:
                close_all(listeners)
                raise ListenError(_says(bind, exc)) from exc
            failure = exc
        if address[1] == 0:  # a second socket would get another port
            break
    if not listeners:
        raise ListenError(_says(bind, failure)) from failure
    return listeners


def _resolve(bind: str) -> list[tuple[int, tuple[Any, ...]]]:
    host, _, port = bind.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:  # noqa: PLR2004 - 16 bits
        raise ListenError(
            f"cannot listen at {bind}: an address is host:port, [ipv6]:port, "
            "unix:/path, fd:N or systemd"
        )
    try:
        found = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as exc:
        raise ListenError(f"cannot listen at {bind}: unknown host ({exc})") from exc
    return list(dict.fromkeys((family, address) for family, *_, address in found))


def _tcp(family: int, address: tuple[Any, ...], backlog: int | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: REUSEADDR would steal
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        if backlog is not None:
            sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _at_path(path: str, backlog: int | None, mode: int, owner: str) -> Listener:
    bind = f"unix:{path}"
    if _AF_UNIX is None:
        raise ListenError(f"cannot listen at {bind}: this platform has no unix sockets")
    if not path or "\0" in path:
        raise ListenError(f"cannot listen at {bind}: unix: takes a path")
    sock = socket.socket(_AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone_at(path):
            _remove_stale(path, bind)
            _bind_at_path(sock, path)
            try:
                _open_path(path, mode, owner)
                if backlog is not None:
                    sock.listen(backlog)
            except BaseException:
                os.unlink(path)  # noqa: PTH108 - the path as the user gave it
                raise
            return Listener(sock, path=path)
    except (OSError, LookupError) as exc:
        sock.close()
        raise ListenError(_says(bind, exc)) from exc
    except BaseException:
        sock.close()
        raise


@contextmanager
def _alone_at(path: str) -> Iterator[None]:
    """Keep other processes of ours from making, or removing, a socket there meanwhile.

    Of two that found what a dead process left, the second would remove the socket of
    the first. The lock is of the directory, so that no file is left of it. Where there
    can be none, or somebody else has it for long, we do without.
    """
    try:
        directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)  # noqa: PTH120 - likewise
    except OSError:
        yield
        return
    try:
        latest = monotonic() + _ALONE
        while not _locks(directory) and monotonic() < latest:
            sleep(_GLANCE)
        yield
    finally:
        os.close(directory)


def _locks(directory: int) -> bool:
    """Try to lock a directory; False if another process has done so."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock

        flock(directory, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # there are no locks here
        return True
    return True


def _bind_at_path(sock: socket.socket, path: str) -> None:
    # Made for nobody, then opened: chmod alone would leave a moment for strangers.
    mask = os.umask(0o777)
    try:
        sock.bind(path)
    finally:
        os.umask(mask)


def _open_path(path: str, mode: int, owner: str) -> None:
    if owner:
        user, _, group = owner.partition(":")
        chown: Any = shutil.chown  # whose types know no None
        chown(path, user or None, group or None)
    os.chmod(path, mode)  # noqa: PTH101 - the path as the user gave it


def _remove_stale(path: str, bind: str) -> None:
    """Remove a socket that nobody listens at: what a process that died left behind."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen at {bind}: there is a file that is no socket")
    with socket.socket(_AF_UNIX or 0, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108 - the path as the user gave it
            return
        except BlockingIOError:  # its backlog is full: somebody listens
            pass
    raise ListenError(f"cannot listen at {bind}: somebody listens there already")


def _from_systemd(environ: Mapping[str, str]) -> list[Listener]:
    """Take the sockets of this process's socket units (sd_listen_fds(3))."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not (
        count.isascii() and count.isdigit() and int(count)
    ):
        raise ListenError(
            "cannot listen at systemd: it passed this process no sockets "
            "(LISTEN_PID and LISTEN_FDS); is there a socket unit?"
        )
    numbers = range(_SYSTEMD_FIRST, _SYSTEMD_FIRST + int(count))
    return [_inherited(number, "systemd") for number in numbers]


def _inherited(number: int, bind: str) -> Listener:
    """Take over a descriptor; it must be a stream socket, and will listen."""
    try:
        sock = socket.socket(fileno=number)
    except OSError as exc:
        raise ListenError(
            f"cannot listen at {bind}: descriptor {number} is no socket"
        ) from exc
    try:
        if sock.type != socket.SOCK_STREAM:
            raise ListenError(
                f"cannot listen at {bind}: descriptor {number} is no stream socket"
            )
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ListenError(
                f"cannot listen at {bind}: the socket of descriptor {number} "
                "does not listen"
            )
    except BaseException:
        sock.detach()
        raise
    if number < _STANDARD:
        sock = _moved(sock)
    sock.set_inheritable(False)
    return Listener(sock, own=False)


def _moved(sock: socket.socket) -> socket.socket:
    """Give the same socket at another descriptor, with nothing to read in its place.

    Where there is no standard input, the first file that a child process opens is it.
    """
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    moved = socket.socket(fileno=fcntl(sock, F_DUPFD_CLOEXEC, _STANDARD))
    with open(os.devnull, "r+b", buffering=0) as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), sock.detach())
    return moved


def close_all(listeners: Sequence[Listener]) -> None:
    """Close every listener."""
    for listener in listeners:
        listener.close()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _url(sock: socket.socket) -> str:
    address = sock.getsockname()
    if sock.family == _AF_UNIX:
        name = address.decode() if isinstance(address, bytes) else address
        return f"unix:{name}".replace("\0", "@")
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_UNAVAILABLE = frozenset(
    getattr(errno, name, -1) for name in ("EADDRNOTAVAIL", "EAFNOSUPPORT")
)
_HINTS = {
    errno.EADDRINUSE: "the address is in use",
    errno.EACCES: "permission denied",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.ENOENT: "its directory does not exist",
}


def _says(bind: str, exc: OSError | LookupError | None) -> str:
    reason = "no address" if exc is None else str(exc)
    if isinstance(exc, OSError):
        reason = _HINTS.get(exc.errno or 0, reason)
    elif exc is not None:
        reason = f"unix_owner: {exc.args[0]}"
    return f"cannot listen at {bind}: {reason}"
