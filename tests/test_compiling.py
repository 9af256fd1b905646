"""Where compiled code is kept, when it is stale, and that it is never another machine's."""

import errno
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acmodels.engines import compiling

SOURCE = """
from acmodels.engines.compiling import entry

@entry()
def twice(x):
    return 2 * x
"""
ENGINES = Path(compiling.__file__).parent


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let each test find folders anew, the user's among them a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(compiling._config, "CACHE_DIR", "")
    for remembered in (compiling.folders, compiling.machine, compiling.digest):
        remembered.cache_clear()
    yield
    for remembered in (compiling.folders, compiling.machine, compiling.digest):
        remembered.cache_clear()


def module(folder: Path, source: str = SOURCE) -> Any:
    """Import a file with one function that is compiled and kept, as another process would."""
    folder.mkdir(exist_ok=True)
    file = folder / "kernel.py"
    file.write_text(source)
    compiling.digest.cache_clear()
    compiling.folders.cache_clear()
    spec = importlib.util.spec_from_file_location("kernel", file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def run(folder: Path, source: str = SOURCE) -> bool:
    """Call the function; returns whether its code was read and not compiled."""
    made = module(folder, source)
    assert made.twice(3) == 6
    return sum(made.twice.stats.cache_hits.values()) == 1


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nbc"))


def test_compiled_code_is_read_again(tmp_path: Path) -> None:
    assert not run(tmp_path / "package")
    assert run(tmp_path / "package")
    (file,) = kept(tmp_path)
    assert file.is_relative_to(tmp_path / "package" / "__pycache__" / compiling.machine())


@pytest.mark.parametrize("what", ["processor", "features", "numba", "llvmlite"])
def test_code_of_another_machine_or_version_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It lies in another folder, and is stale where someone copies it."""
    assert not run(tmp_path / "package")
    before = compiling.machine()
    triple, name, features = compiling.cpu_target.target_context.codegen().magic_tuple()
    said = (triple, "another" if what == "processor" else name,
            "+another" if what == "features" else features)  # fmt: skip

    class Context:
        def codegen(self) -> Any:
            return type("Codegen", (), {"magic_tuple": lambda _: said})()

    monkeypatch.setattr(compiling, "cpu_target", type("Target", (), {"target_context": Context()}))
    if what in ("numba", "llvmlite"):
        monkeypatch.setattr(getattr(compiling, what), "__version__", "0.0")
    compiling.machine.cache_clear()
    assert compiling.machine() != before
    cache = tmp_path / "package" / "__pycache__"
    (cache / before).rename(cache / compiling.machine())
    assert not run(tmp_path / "package")


def test_code_of_changed_files_is_not_run(tmp_path: Path) -> None:
    assert not run(tmp_path / "package")
    assert not run(tmp_path / "package", SOURCE + "\n# changed\n")


def test_an_entry_point_is_made_of_what_it_imports() -> None:
    """And of nothing else: other files of the engine leave its code as it is."""
    hmc = ENGINES / "hmc"
    names = {p.name for p in compiling.made_of(hmc / "sampler.py")}
    assert {"sampler.py", "density.py", "joint.py", "effects.py", "elementary.py"} <= names
    assert not names & {"arrays.py", "mode.py", "draws.py", "sampling.py"}
    assert {p.name for p in compiling.made_of(hmc / "densities" / "ordinal.py")} == {
        "ordinal.py", "elementary.py",
    }  # fmt: skip
    kernels = {p.name for p in compiling.made_of(ENGINES / "collapsed/kernels/likelihood.py")}
    assert {"compiling.py", "chain.py", "lanes.py", "dense.py"} <= kernels
    assert not kernels & {"proposal.py", "solving.py"}


@pytest.mark.parametrize("changed", ["elementary.py", "effects.py", "joint.py"])
def test_a_change_of_any_of_them_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    files = {p: p.read_bytes() for p in compiling.made_of(ENGINES / "hmc" / "sampler.py")}
    before = compiling.digest(ENGINES / "hmc" / "sampler.py")
    copies: set[Path] = set()
    for p, text in files.items():
        copy = tmp_path / p.relative_to(ENGINES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(text + (b"\n# changed" if p.name == changed else b""))
        copies.add(copy)
    compiling.digest.cache_clear()
    monkeypatch.setattr(compiling, "made_of", lambda _: copies)
    assert compiling.digest(ENGINES / "hmc" / "sampler.py") != before


def test_where_the_package_cannot_be_written_a_user_has_a_folder(tmp_path: Path) -> None:
    """A file in the place of the folder, since tests may run as root, who can write anywhere."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__pycache__").write_text("no folder")
    assert not run(folder)
    (file,) = kept(tmp_path)
    assert file.is_relative_to(tmp_path / "home" / "acmodels" / compiling.machine())
    assert run(folder)


def test_what_an_administrator_compiled_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "package"
    assert not run(folder)
    writable = compiling.writable
    monkeypatch.setattr(
        compiling, "writable", lambda f: not f.is_relative_to(folder) and writable(f)
    )
    assert run(folder)
    assert len(kept(tmp_path)) == 1
    assert not run(folder, SOURCE + "\n# changed\n")  # the user's own copy from now on
    assert run(folder, SOURCE + "\n# changed\n")
    assert len(kept(tmp_path)) == 2


def test_where_nothing_can_be_written_code_is_compiled_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "writable", lambda _: False)
    assert not run(tmp_path / "package")
    assert not run(tmp_path / "package")
    assert not kept(tmp_path)


def test_a_full_disk_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = module(tmp_path / "package")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(made.twice._cache._cache_file.own, "save", full)
    monkeypatch.setattr(made.twice._cache._cache_file.own, "flush", full)
    with pytest.warns(RuntimeWarning, match="could not be kept in .*No space left"):
        assert made.twice(3) == 6


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("text", [b"", b"damaged", b"\x80\x05cno_such_module\nA\n."])
def test_damaged_files_are_compiled_again(tmp_path: Path, suffix: str, text: bytes) -> None:
    """Or files of another version, which name classes that are no more."""
    folder = tmp_path / "package"
    assert not run(folder)
    for file in folder.rglob(f"*.{suffix}"):
        file.write_bytes(text)
    assert not run(folder)
    assert run(folder)


def test_a_folder_that_others_can_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    who = os.getuid() if hasattr(os, "getuid") else "user"
    shared = tmp_path / f"acmodels-{who}"
    assert any(p.is_relative_to(shared) for p in compiling.places(tmp_path))
    shared.chmod(0o777)
    assert not any(p.is_relative_to(shared) for p in compiling.places(tmp_path))


def test_the_user_chooses_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling._config, "CACHE_DIR", str(tmp_path / "chosen"))
    assert not run(tmp_path / "package")
    (file,) = kept(tmp_path)
    assert file.is_relative_to(tmp_path / "chosen" / compiling.machine())
