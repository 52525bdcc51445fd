"""An exchange keeps its kit; a replaced one is closed after its last exchange."""

import threading
from queue import Queue

import pytest

from handlerkit.errors import PluginError
from handlerkit.gateways.kits import Kits

PATIENCE = 60.0


class Kit:
    """The part of a kit that is about its life."""

    application = None

    def __init__(self, number, fails=None):
        self.number = number
        self.fails = fails
        self.started = threading.Event()
        self.closed = threading.Event()

    def handler(self, *args, **kwargs):
        """Make no handler: nothing is run here."""

    def start(self):
        if self.fails is not None:
            raise self.fails
        self.started.set()

    def close(self):
        assert not self.closed.is_set()
        self.closed.set()


class Loading:
    """Give the next kit, or raise; each time only once it is let."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.made = []
        self.answers = {}

    def __call__(self, current):
        number = current.number + 1
        self.begun.release()
        assert self.let.acquire(timeout=PATIENCE)
        answer = self.answers.pop(0, None) or Kit(number)
        if isinstance(answer, BaseException):
            raise answer
        self.made.append(answer)
        return answer


@pytest.fixture
def loading():
    return Loading()


@pytest.fixture
def log():
    """What was logged, one text at a time: ``get`` waits for it."""
    return Queue()


@pytest.fixture
def kits(loading, log):
    kits = Kits(Kit(1), loading, log=log.put)
    kits.start()
    kits.heed()
    yield kits
    loading.let.release(1000)
    if not kits._ended:
        kits.close()


def reload(kits, loading):
    kits.reload()
    loading.let.release()
    first = kits.current
    made = len(loading.made)
    wait_for(lambda: len(loading.made) > made and kits.current is not first)


def wait_for(condition):
    """Poll: nothing tells when a reference has been swapped."""
    tick = threading.Event()
    for _ in range(int(PATIENCE * 1000)):
        if condition():
            return
        tick.wait(0.001)
    pytest.fail("it did not happen")


def test_an_exchange_that_runs_keeps_its_kit_and_a_new_one_gets_the_new(kits, loading):
    busy, idle = kits.seat(), kits.seat()
    old = busy.take()

    reload(kits, loading)

    assert busy.kit is old
    assert idle.take() is kits.current is not old
    assert kits.current.started.is_set()
    assert not old.closed.is_set()
    idle.leave()
    assert not old.closed.is_set()
    busy.leave()
    assert old.closed.wait(PATIENCE)


def test_a_kit_without_an_exchange_is_closed_once_it_is_replaced(kits, loading):
    seat, old = kits.seat(), kits.current
    seat.take()
    seat.leave()

    reload(kits, loading)

    assert old.closed.wait(PATIENCE)


def test_kits_of_several_reloads_are_closed_each_after_its_own_last_exchange(
    kits, loading
):
    seats = [kits.seat() for _ in range(3)]
    taken = []
    for seat in seats:
        taken.append(seat.take())
        reload(kits, loading)

    for index in (1, 0, 2):
        seats[index].leave()
        assert taken[index].closed.wait(PATIENCE)
        assert sum(kit.closed.is_set() for kit in taken) == (1, 0, 2).index(index) + 1


def test_a_load_that_fails_keeps_the_kit_and_says_why(kits, loading, log):
    kept = kits.current
    loading.answers[0] = PluginError("no such plugin")

    kits.reload()
    loading.let.release()

    assert log.get(timeout=PATIENCE) == "not reloaded:\nno such plugin"
    assert kits.current is kept


def test_a_kit_that_does_not_start_leaves_the_old_one(kits, loading, log):
    kept = kits.current
    loading.answers[0] = Kit(2, fails=PluginError("the queue is not there"))

    kits.reload()
    loading.let.release()

    assert log.get(timeout=PATIENCE) == "not reloaded:\nthe queue is not there"
    assert kits.current is kept
    assert not kept.closed.is_set()


@pytest.mark.parametrize("error", [PluginError("x"), SystemExit(), OSError("x")])
def test_a_kit_that_does_not_start_is_closed(kits, loading, log, error):
    failing = loading.answers[0] = Kit(2, fails=error)

    kits.reload()
    loading.let.release()

    assert log.get(timeout=PATIENCE).startswith("not reloaded:\n")
    assert failing.closed.wait(PATIENCE)


def test_a_kit_that_does_not_close_ends_no_reload(kits, loading, log):
    def close():
        raise KeyboardInterrupt

    kits.current.close = close
    reload(kits, loading)
    assert "reloaded: " in log.get(timeout=PATIENCE)
    assert "not closed:\nTraceback" in log.get(timeout=PATIENCE)

    reload(kits, loading)
    assert kits.current.number == 3


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_whatever_a_load_raises_the_next_reload_works(kits, loading, log, error):
    loading.answers[0] = error("of a plugin")
    kits.reload()
    loading.let.release()
    assert "of a plugin" in log.get(timeout=PATIENCE)

    reload(kits, loading)

    assert kits.current.number == 2


def test_reloads_asked_for_during_one_are_one_more(kits, loading):
    kits.reload()
    assert loading.begun.acquire(timeout=PATIENCE)
    for _ in range(10):
        kits.reload()
    loading.let.release(1000)

    wait_for(lambda: kits.current.number == 3)
    kits.close()
    assert kits.current.number == 3


def test_a_reload_asked_for_before_the_start_happens_after_it(loading):
    kits = Kits(Kit(1), loading)
    kits.reload()
    assert not loading.begun.acquire(blocking=False)

    kits.start()
    kits.heed()
    loading.let.release()
    wait_for(lambda: kits.current.number == 2)
    kits.close()


class Hanging(Kit):
    """A kit whose start or close does not come back, until it is let."""

    def __init__(self, number, where, let):
        super().__init__(number)
        self.where = where
        self.let = let

    def start(self):
        self.hang("start")
        super().start()

    def close(self):
        self.hang("close")
        super().close()

    def hang(self, here):
        if self.where == here:
            assert self.let.wait(PATIENCE)


class Impatient(Kits):
    patience = 0.001


@pytest.mark.parametrize("where", ["start", "close"])
def test_what_does_not_come_back_is_told_with_its_place(log, where):
    let = threading.Event()
    number = 2 if where == "start" else 1
    made = {n: Hanging(n, where if n == number else "", let) for n in (1, 2)}
    kits = Impatient(made[1], lambda _: made[2], log=log.put)
    kits.heed()
    kits.reload()

    said = log.get(timeout=PATIENCE)
    while "in hang\n" not in said:  # told once more, after twice the time
        said = log.get(timeout=PATIENCE)
    let.set()
    kits.close()

    assert "has not come back in " in said
    assert f"in {where}\n" in said
    assert kits.current is made[2]


def test_the_end_closes_all_kits_once_and_starts_none(kits, loading):
    seat = kits.seat()
    old = seat.take()
    reload(kits, loading)
    replaced = kits.current
    kits.reload()
    kits.reload()
    ended = threading.Thread(target=kits.close)
    ended.start()
    wait_for(lambda: kits._ended)
    loading.let.release(1000)
    ended.join(PATIENCE)

    assert old.closed.is_set()
    assert replaced.closed.is_set()
    assert [kit.started.is_set() for kit in loading.made[1:]] in ([], [False])
    assert not kits._thread.is_alive()


class Interrupted(Kits):
    """Kits whose reference is replaced just after it was read, once armed."""

    armed = False

    @property
    def current(self):
        kit = self.__dict__["current"]
        if self.armed:
            self.armed = False
            self.reload()
            assert kit.closed.wait(PATIENCE)
        return kit

    @current.setter
    def current(self, kit):
        self.__dict__["current"] = kit


def test_a_kit_that_is_replaced_as_it_is_taken_is_not_used():
    kits = Interrupted(Kit(1), lambda current: Kit(current.number + 1))
    kits.start()
    kits.heed()
    kits.armed = True

    taken = kits.seat().take()

    assert taken.number == 2
    assert not taken.closed.is_set()
    kits.close()


class Overtaken(Kits):
    """Kits whose reference is replaced while one has it in its seat, once armed."""

    reads = 0

    def __init__(self, *args):
        self.looked = threading.Event()
        super().__init__(*args)

    @property
    def current(self):
        self.reads -= 1
        if self.reads == 0:
            self.reload()
            assert self.looked.wait(PATIENCE)
        return self.__dict__["current"]

    @current.setter
    def current(self, kit):
        self.__dict__["current"] = kit

    def _close_left(self):
        super()._close_left()
        self.looked.set()


def test_a_kit_that_was_only_in_a_seat_as_it_was_replaced_is_closed():
    first = Kit(1)
    kits = Overtaken(first, lambda _: Kit(2))
    kits.start()
    kits.heed()
    kits.reads = 2

    taken = kits.seat().take()

    assert taken.number == 2
    assert first.closed.wait(PATIENCE)
    kits.close()
