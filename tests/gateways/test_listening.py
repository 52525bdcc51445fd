"""Addresses to listen at: what each gives, and what is said when it cannot be had."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlerkit.errors import HandlerkitError
from handlerkit.gateways import listening
from handlerkit.gateways.listening import Listener, ListenError, close_all, listen

SOMEBODY = "somebody listens there already"
needs_unix = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="this platform has no unix sockets"
)


@pytest.fixture
def opened() -> Iterator[list[Listener]]:
    listeners: list[Listener] = []
    yield listeners
    close_all(listeners)


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A listening socket of somebody else."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.mark.parametrize("quickly", [True, False])
def test_who_connects_is_accepted(
    opened: list[Listener], monkeypatch: pytest.MonkeyPatch, quickly: bool
) -> None:
    """Also where an interpreter has only what the documentation of sockets names."""
    if not quickly:
        monkeypatch.setattr(listening, "_accept", None)
    opened += listen("127.0.0.1:0")

    with socket.create_connection(opened[0].socket.getsockname()) as client:
        accepted, peer = opened[0].accept()
        assert peer == client.getsockname()
        accepted.send(b"x")
        accepted.close()
        assert client.recv(2) == b"x"
        assert client.recv(2) == b""


def test_a_host_and_port_listen(opened: list[Listener]) -> None:
    opened += listen("127.0.0.1:0")

    host, port = opened[0].socket.getsockname()
    socket.create_connection((host, port)).close()
    assert opened[0].url == f"http://127.0.0.1:{port}"
    assert repr(opened[0]) == f"Listener('http://127.0.0.1:{port}')"


def test_an_ipv6_address_listens(opened: list[Listener]) -> None:
    try:
        opened += listen("[::1]:0")
    except ListenError as error:
        pytest.skip(f"no IPv6 here: {error}")

    assert opened[0].url.startswith("http://[::1]:")


def test_a_host_name_listens_at_its_addresses(opened: list[Listener]) -> None:
    opened += listen("localhost:0")

    assert all(each.url.startswith("http://") for each in opened)
    assert opened


@pytest.mark.parametrize(
    "bind", ["", "8000", ":8000", "localhost", "localhost:http", "::1:80", "a:65536"]
)
def test_a_malformed_address_is_refused_with_the_forms(bind: str) -> None:
    with pytest.raises(ListenError, match=r"an address is host:port, .* or systemd"):
        listen(bind)


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(ListenError, match=r"nowhere\.invalid:80: unknown host"):
        listen("nowhere.invalid:80")


def test_an_address_in_use_is_named(elsewhere: socket.socket) -> None:
    port = elsewhere.getsockname()[1]

    with pytest.raises(HandlerkitError) as caught:
        listen(f"127.0.0.1:{port}")

    assert str(caught.value) == (
        f"cannot listen at 127.0.0.1:{port}: the address is in use"
    )


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenError, match="this machine does not have that address"):
        listen("192.0.2.1:0")


@needs_unix
class TestUnix:
    """unix:/path."""

    def test_the_socket_has_its_mode_and_goes_when_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "app.sock"

        (listener,) = listen(f"unix:{path}", unix_mode=0o600)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert listener.url == f"unix:{path}"
        listener.close()
        assert not path.exists()
        listener.close()

    def test_a_socket_that_nobody_listens_at_is_replaced(
        self, tmp_path: Path, opened: list[Listener]
    ) -> None:
        path = tmp_path / "app.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))

        opened += listen(f"unix:{path}")

        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    def test_a_socket_that_somebody_listens_at_stays(
        self, tmp_path: Path, opened: list[Listener]
    ) -> None:
        path = tmp_path / "app.sock"
        opened += listen(f"unix:{path}")

        with pytest.raises(ListenError, match="somebody listens there already"):
            listen(f"unix:{path}")

        assert path.exists()

    def test_a_socket_with_a_full_backlog_stays(
        self, tmp_path: Path, opened: list[Listener]
    ) -> None:
        path = tmp_path / "app.sock"
        opened += listen(f"unix:{path}", backlog=1)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for client in clients:
            client.settimeout(0)
            client.connect_ex(str(path))

        with pytest.raises(ListenError, match="somebody listens there already"):
            listen(f"unix:{path}")

        for client in clients:
            client.close()

    def test_a_file_that_is_no_socket_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "precious"
        path.write_text("data")

        with pytest.raises(ListenError, match="a file that is no socket"):
            listen(f"unix:{path}")

        assert path.read_text() == "data"

    def test_of_two_that_start_at_once_one_listens(
        self, tmp_path: Path, opened: list[Listener], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both find what a dead process left; nobody removes what the other made."""
        path = tmp_path / "s"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        refused = []

        def start() -> None:
            try:
                opened.extend(listen(f"unix:{path}"))
            except ListenError as error:
                refused.append(str(error))

        other = threading.Thread(target=start)
        unlink = os.unlink

        def removing(what: str) -> None:
            if not other.ident:
                other.start()
                other.join(0.5)
            unlink(what)

        monkeypatch.setattr(os, "unlink", removing)
        start()
        other.join(60)

        (listener,) = opened
        assert refused == [f"cannot listen at unix:{path}: {SOMEBODY}"]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            listener.accept()[0].close()

    @pytest.mark.parametrize("step", ["chmod", "listen"])
    def test_a_start_that_fails_leaves_no_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def fail(*_: object) -> None:
            raise PermissionError(errno.EACCES, "no")

        of = os if step == "chmod" else socket.socket
        monkeypatch.setattr(of, step, fail)
        with pytest.raises(ListenError, match="permission denied"):
            listen(f"unix:{tmp_path}/s")

        assert list(tmp_path.iterdir()) == []

    def test_a_path_that_somebody_else_took_over_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "app.sock"
        (first,) = listen(f"unix:{path}")
        path.rename(tmp_path / "moved")
        (second,) = listen(f"unix:{path}")

        first.close()

        assert path.exists()
        second.close()

    def test_a_forked_child_does_not_remove_the_path(
        self, tmp_path: Path, opened: list[Listener]
    ) -> None:
        path = tmp_path / "app.sock"
        opened += listen(f"unix:{path}")
        child = os.fork()
        if not child:
            opened[0].close()
            os._exit(0)

        os.waitpid(child, 0)

        assert path.exists()

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("", "takes a path"),
            ("a\0b", "takes a path"),
            ("/nowhere/at/all", "its directory does not exist"),
            ("/" + "x" * 200, "too long"),
        ],
    )
    def test_a_path_that_cannot_be_is_named(self, path: str, says: str) -> None:
        with pytest.raises(ListenError, match=says):
            listen(f"unix:{path}")


class TestDescriptors:
    """fd:N and systemd."""

    def test_a_descriptor_is_taken_over(self, elsewhere: socket.socket) -> None:
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"

        (listener,) = listen(f"fd:{elsewhere.detach()}")

        assert listener.url == url
        assert not listener.socket.get_inheritable()
        listener.close()

    @pytest.mark.parametrize("bind", ["fd:", "fd:x", "fd:-1", "fd:²"])
    def test_a_descriptor_is_a_number(self, bind: str) -> None:
        with pytest.raises(ListenError, match="fd: takes a number"):
            listen(bind)

    def test_a_file_is_no_socket(self, tmp_path: Path) -> None:
        with (tmp_path / "file").open("w") as file:
            with pytest.raises(ListenError, match="is no socket"):
                listen(f"fd:{file.fileno()}")
            file.write("still open")

    def test_a_datagram_socket_is_no_stream(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            with pytest.raises(ListenError, match="is no stream socket"):
                listen(f"fd:{sock.fileno()}")
            assert sock.getsockname()

    def test_a_socket_that_does_not_listen_is_refused(self) -> None:
        with socket.socket() as sock, pytest.raises(ListenError, match="not listen"):
            listen(f"fd:{sock.fileno()}")

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
            {"LISTEN_PID": str(os.getpid())},
            {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
            {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "one"},
        ],
    )
    def test_systemd_that_passed_nothing_to_us_is_said_so(
        self, environ: dict[str, str]
    ) -> None:
        with pytest.raises(ListenError, match="passed this process no sockets"):
            listen("systemd", environ=environ)

    def test_systemd_passes_its_descriptors_from_three_on(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", SYSTEMD],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.stdout == "True\n", done.stderr


SYSTEMD = """\
import os, socket
passed = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
ports = [sock.getsockname()[1] for sock in passed]
for sock, number in zip(passed, (13, 14)):
    os.dup2(sock.detach(), number)
os.dup2(13, 3), os.dup2(14, 4)

from handlerkit.gateways.listening import listen
environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
found = [each.url for each in listen("systemd", environ=environ)]
print(found == [f"http://127.0.0.1:{port}" for port in ports])
"""


WITHOUT_UNIX = """\
import os, signal, socket
for module, name in (
    (socket, "AF_UNIX"), (os, "fork"), (os, "sendfile"), (signal, "SIGHUP")
):
    if hasattr(module, name):
        delattr(module, name)

from handlerkit.gateways import listening, serving
listening.listen("127.0.0.1:0")
try:
    listening.listen("unix:/tmp/x")
except listening.ListenError as error:
    print(error)
"""


def test_the_server_imports_and_listens_where_there_are_no_unix_sockets() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == (
        "cannot listen at unix:/tmp/x: this platform has no unix sockets\n"
    ), done.stderr
